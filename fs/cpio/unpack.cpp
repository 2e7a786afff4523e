/// Filling the root filesystem; see unpack.h.

#include "fs/cpio/unpack.h"

#include "arch/arch.h"
#include "fs/cpio/archive.h"
#include "fs/cpio/hard_links.h"
#include "fs/vfs/file.h"
#include "fs/vfs/filesystem_context.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "mm/frame_allocator.h"

namespace cairn::fs::cpio {

namespace {

using vfs::FileType;
using vfs::Path;
using vfs::WalkOptions;

FileType type_of(EntryKind kind) {
    switch (kind) {
        case EntryKind::Directory:
            return FileType::Directory;
        case EntryKind::SymbolicLink:
            return FileType::SymbolicLink;
        case EntryKind::CharacterDevice:
            return FileType::CharacterDevice;
        case EntryKind::BlockDevice:
            return FileType::BlockDevice;
        case EntryKind::Fifo:
            return FileType::Fifo;
        case EntryKind::Socket:
            return FileType::Socket;
        case EntryKind::Regular:
            break;
    }
    return FileType::Regular;
}

/// How much of the input has been given up.
class Consumption {
public:
    Consumption(std::span<const std::byte> input, InputConsumer* consumer) : input_(input), consumer_(consumer) {}
    /// Nothing before `offset` is needed any more; told at once if it is as much as `least`.
    void reach(u64 offset, u64 least = kConsumedStep) {
        if (consumer_ != nullptr && offset - given_up_ >= least) {
            consumer_->consumed(input_.subspan(given_up_, offset - given_up_));
            given_up_ = offset;
        }
    }
    /// What lies before `offset` is still needed, and is passed over.
    void skip_to(u64 offset) { given_up_ = offset; }

private:
    const std::span<const std::byte> input_;
    InputConsumer* const consumer_;
    u64 given_up_ = 0;
};

/// One archive on its way into the tree.
class Unpacker {
public:
    Unpacker(vfs::OperationContext& context, std::span<const std::byte> input, InputConsumer* consumer)
        : context_(context), root_(context.filesystem.root()), consumption_(input, consumer) {
        at_root_.start = &root_;
        at_root_.follow_last_link = false;
    }

    Result<void> make(const Reader& reader, const Entry& entry) {
        const bool large = entry.data.size() > kConsumedStep;
        consumption_.reach(reader.offset(), large ? 1 : kConsumedStep);
        if (large) {
            consumption_.skip_to(entry.data_offset);  // the name is used to the end
        }
        TRY(make_room(entry));
        std::optional<std::string_view> first;
        if (entry.may_have_links()) {
            first = TRY(links_.first_name(reader, entry));
        }
        if (first && *first != entry.name) {
            TRY(make_another_name(*first, entry));
        } else {
            TRY(make_file(entry));
        }
        return entry.kind == EntryKind::Regular && !entry.data.empty() ? write_contents(entry) : Result<void>();
    }
    u64 bytes() const { return bytes_; }

private:
    /// Takes away what stands in the way, but for a directory that becomes a directory.
    Result<void> make_room(const Entry& entry) {
        Result<Path> present = vfs::walk(context_, entry.name, at_root_);
        if (!present.ok()) {
            return {};
        }
        bool is_directory = present.value().inode().is_directory();
        if (is_directory && entry.kind == EntryKind::Directory) {
            return {};
        }
        return is_directory ? vfs::remove_directory(context_, entry.name, at_root_)
                            : vfs::unlink(context_, entry.name, at_root_);
    }

    Result<void> make_another_name(std::string_view first, const Entry& entry) {
        Path target = TRY(vfs::walk(context_, first, at_root_));
        return vfs::make_link(context_, target, entry.name, at_root_);
    }

    Result<void> make_file(const Entry& entry) {
        u16 permissions = static_cast<u16>(entry.permissions & vfs::kPermissionBits);
        if (entry.kind == EntryKind::Directory) {
            Result<void> made = vfs::make_directory(context_, entry.name, permissions, at_root_);
            if (!made.ok() && made.error() != Errno::eexist) {
                return made;
            }
        } else if (entry.kind == EntryKind::SymbolicLink) {
            TRY(vfs::make_symbolic_link(context_, entry.target(), entry.name, at_root_));
        } else {
            u32 mode = static_cast<u32>(type_of(entry.kind)) | permissions;
            vfs::DeviceNumber device{entry.device.major, entry.device.minor};
            TRY(vfs::make_node(context_, entry.name, mode, device.encode(), at_root_));
        }
        return set_attributes(entry, permissions);
    }

    Result<void> set_attributes(const Entry& entry, u16 permissions) {
        Path path = TRY(vfs::walk(context_, entry.name, at_root_));
        TRY(vfs::change_owner(context_, path, entry.user_id, entry.group_id));
        if (entry.kind != EntryKind::SymbolicLink) {
            TRY(vfs::change_mode(context_, path, permissions));
        }
        return set_times(path, entry);
    }

    Result<void> set_times(const Path& path, const Entry& entry) {
        using Kind = vfs::TimesRequest::Kind;
        vfs::FileTime time{entry.modified, 0};
        vfs::TimesRequest times{Kind::Set, Kind::Set, time, time};
        return vfs::change_times(context_, path, times);
    }

    Result<void> write_contents(const Entry& entry) {
        Path path = TRY(vfs::walk(context_, entry.name, at_root_));
        Ref<vfs::File> file = TRY(vfs::open_path(context_, path, vfs::open_flags::kWriteOnly));
        mm::IoSource source = mm::IoSource::from_kernel(entry.data);
        u64 offset = 0;
        usize rest = source.truncate(kConsumedStep);
        while (source.remaining() != 0) {
            usize written = TRY(file->write_at(context_, source, offset));
            offset += written;
            if (written == 0) {
                return fail(Errno::enospc);
            }
            source.expand(rest);
            rest = source.truncate(kConsumedStep);
            if (entry.data.size() > kConsumedStep) {
                consumption_.reach(entry.data_offset + offset);
            }
        }
        bytes_ += offset;
        return set_times(path, entry);
    }

    vfs::OperationContext& context_;
    Path root_;
    WalkOptions at_root_;
    Consumption consumption_;
    HardLinks links_;
    u64 bytes_ = 0;
};

}  // namespace

Result<UnpackStatistics> unpack(vfs::OperationContext& context, std::span<const std::byte> input,
                                InputConsumer* consumer) {
    Reader reader(input);
    Unpacker unpacker(context, input, consumer);
    UnpackStatistics statistics;
    for (;;) {
        Result<std::optional<Entry>> next = reader.next();
        if (!next.ok()) {
            log_error("cpio", "damaged archive at offset {}: {}", reader.offset(), reader.problem());
            return next.failure();
        }
        if (!next.value()) {
            break;
        }
        const Entry& entry = *next.value();
        Result<void> made = unpacker.make(reader, entry);
        if (!made.ok()) {
            if (made.error() == Errno::enomem || made.error() == Errno::enospc) {
                return made.failure();
            }
            log_warning("cpio", "{}: {}", entry.name, made.error());
            ++statistics.skipped;
        }
        ++statistics.entries;
    }
    statistics.bytes = unpacker.bytes();
    return statistics;
}

namespace {

/// Makes free memory of a module as it is unpacked.
class ModuleMemory final : public InputConsumer {
public:
    explicit ModuleMemory(PhysicalRange module) : at_(module.start) {}
    // The direct map covers all memory that a boot loader may have used.
    const std::byte* first() const { return static_cast<const std::byte*>(arch::direct_map(at_)); }
    void consumed(std::span<const std::byte> part) override {
        const PhysicalAddress start = at_ + static_cast<u64>(part.data() - start_);
        static_cast<void>(g_kernel.frames->reclaim_boot_memory({start, start + part.size()}));
    }

private:
    const PhysicalAddress at_;
    const std::byte* const start_ = first();
};

}  // namespace

Result<void> unpack_cpio(vfs::OperationContext& context, PhysicalRange module) {
    ModuleMemory memory(module);
    UnpackStatistics statistics = TRY(unpack(context, {memory.first(), module.size()}, &memory));
    log_info("cpio", "{} entries, {} KiB unpacked, {} skipped", statistics.entries, statistics.bytes / kKiB,
             statistics.skipped);
    return {};
}

}  // namespace cairn::fs::cpio
