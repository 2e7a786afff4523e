/// What procfs tells of a process's memory: maps, smaps, cmdline, environ, auxv, and mem, which is the memory itself
/// (proc_pid_maps(5) and the others).

#include <algorithm>

#include "fs/procfs/inodes.h"
#include "fs/procfs/process_files.h"

namespace cairn::procfs {

namespace {

using mm::MappingFlag;
using mm::MappingInformation;

void show_mapping_name(mm::AddressSpace& space, const MappingInformation& mapping, std::span<char> buffer,
                       usize line_start, Text& text) {
    constexpr usize kNameColumn = 73;
    std::string_view name = space.name_of(mapping);
    if (mapping.file) {
        name = {buffer.data(), (*mapping.file)->describe(buffer)};
    } else if (name.empty() && mapping.has_object && mapping.properties.name == nullptr) {
        name = "/dev/zero (deleted)";  // shared memory without a name
    }
    if (!name.empty()) {
        text.pad(line_start, kNameColumn);
        // Nothing but the newline would break the line.
        for (char c : name) {
            if (c == '\n') {
                text.append("\\012");
            } else {
                text.append(c);
            }
        }
    }
}

void show_mapping(mm::AddressSpace& space, const MappingInformation& mapping, std::span<char> buffer, Text& text) {
    const usize line_start = text.size();
    mm::MappedFile::Identity identity;
    if (mapping.file) {
        identity = (*mapping.file)->identity();
    }
    const vfs::DeviceNumber device = vfs::DeviceNumber::decode(identity.device);
    const u32 access = mapping.properties.access;
    const bool is_special = mapping.properties.name != nullptr;  // the kernel's own pages: parts of nothing
    text.format("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", mapping.start.value, mapping.end.value,
                (access & mm::kAccessRead) != 0 ? 'r' : '-', (access & mm::kAccessWrite) != 0 ? 'w' : '-',
                (access & mm::kAccessExecute) != 0 ? 'x' : '-', mapping.is_shared() ? 's' : 'p',
                is_special || !mapping.has_object ? 0 : mapping.offset, device.major, device.minor, identity.inode);
    show_mapping_name(space, mapping, buffer, line_start, text);
    text.append('\n');
}

void kilobytes(Text& text, std::string_view name, u64 bytes) {
    const usize line_start = text.size();
    text.format("{}:", name);
    text.pad(line_start, 16);
    text.format("{:8} kB\n", bytes / 1024);
}

/// The rows that smaps has for a mapping and smaps_rollup for all of them.
void show_usage(const mm::MappingUsage& usage, Text& text) {
    kilobytes(text, "Rss", usage.resident);
    kilobytes(text, "Pss", usage.proportional);
    kilobytes(text, "Pss_Dirty", std::min(usage.proportional, usage.private_dirty + usage.shared_dirty));
}

void show_usage_details(const mm::MappingUsage& usage, u64 locked, Text& text) {
    kilobytes(text, "Shared_Clean", usage.shared_clean);
    kilobytes(text, "Shared_Dirty", usage.shared_dirty);
    kilobytes(text, "Private_Clean", usage.private_clean);
    kilobytes(text, "Private_Dirty", usage.private_dirty);
    kilobytes(text, "Referenced", usage.referenced);
    kilobytes(text, "Anonymous", usage.anonymous);
    for (std::string_view name : {"KSM", "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped",
                                  "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss"}) {
        kilobytes(text, name, 0);
    }
    kilobytes(text, "Locked", locked);
}

void show_flags(const MappingInformation& mapping, Text& text) {
    struct Flag {
        u32 bit;
        std::string_view name;
    };
    const u32 access = mapping.properties.access;
    const u32 maximum = mapping.properties.maximum;
    const u32 flags = mapping.properties.flags;
    constexpr Flag kAccess[] = {{mm::kAccessRead, "rd "}, {mm::kAccessWrite, "wr "}, {mm::kAccessExecute, "ex "}};
    constexpr Flag kMaximum[] = {{mm::kAccessRead, "mr "}, {mm::kAccessWrite, "mw "}, {mm::kAccessExecute, "me "}};
    constexpr Flag kFlags[] = {
        {flag_bits(MappingFlag::GrowsDown), "gd "},      {flag_bits(MappingFlag::Locked), "lo "},
        {flag_bits(MappingFlag::SequentialRead), "sr "}, {flag_bits(MappingFlag::RandomRead), "rr "},
        {flag_bits(MappingFlag::DontFork), "dc "},       {flag_bits(MappingFlag::DontExpand), "de "},
        {flag_bits(MappingFlag::NoReserve), "nr "},      {flag_bits(MappingFlag::WipeOnFork), "wf "},
        {flag_bits(MappingFlag::DontDump), "dd "},
    };
    auto show = [&](std::span<const Flag> table, u32 set) {
        for (const Flag& flag : table) {
            text.append((set & flag.bit) != 0 ? flag.name : "");
        }
    };
    text.append("VmFlags: ");
    show(kAccess, access);
    text.append(mapping.is_shared() ? "sh " : "");
    show(kMaximum, maximum);
    text.append(mapping.is_shared() && (maximum & mm::kAccessWrite) != 0 ? "ms " : "");
    show(kFlags, flags);
    text.append('\n');
}

u64 locked_bytes(const MappingInformation& mapping, const mm::MappingUsage& usage) {
    return (mapping.properties.flags & flag_bits(MappingFlag::Locked)) != 0 ? usage.proportional : 0;
}

void add(mm::MappingUsage& sum, const mm::MappingUsage& part) {
    sum.resident += part.resident;
    sum.shared_clean += part.shared_clean;
    sum.shared_dirty += part.shared_dirty;
    sum.private_clean += part.private_clean;
    sum.private_dirty += part.private_dirty;
    sum.referenced += part.referenced;
    sum.anonymous += part.anonymous;
    sum.proportional += part.proportional;
}

}  // namespace

Result<void> show_maps(Request& request, Text& text) {
    std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space());
    if (!space) {
        return {};
    }
    OwnArray<char> buffer = TRY(OwnArray<char>::create_for_overwrite(vfs::kPathLimit));
    (*space)->for_each_mapping(
        [&](const MappingInformation& mapping) { show_mapping(**space, mapping, buffer.span(), text); });
    return {};
}

Result<void> show_smaps(Request& request, Text& text) {
    std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space());
    if (!space) {
        return {};
    }
    OwnArray<char> buffer = TRY(OwnArray<char>::create_for_overwrite(vfs::kPathLimit));
    (*space)->for_each_mapping([&](const MappingInformation& mapping) {
        show_mapping(**space, mapping, buffer.span(), text);
        const mm::MappingUsage usage = (*space)->usage(mapping.start, mapping.end);
        kilobytes(text, "Size", mapping.end - mapping.start);
        kilobytes(text, "KernelPageSize", kPageSize);
        kilobytes(text, "MMUPageSize", kPageSize);
        show_usage(usage, text);
        show_usage_details(usage, locked_bytes(mapping, usage), text);
        text.append("THPeligible:           0\n");
        show_flags(mapping, text);
    });
    return {};
}

Result<void> show_smaps_rollup(Request& request, Text& text) {
    std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space());
    if (!space) {
        return {};
    }
    mm::MappingUsage sum;
    u64 locked = 0;
    u64 first = 0;
    u64 last = 0;
    u64 dirty_anonymous = 0;
    u64 dirty_file = 0;
    u64 dirty_shared = 0;
    (*space)->for_each_mapping([&](const MappingInformation& mapping) {
        const mm::MappingUsage usage = (*space)->usage(mapping.start, mapping.end);
        add(sum, usage);
        locked += locked_bytes(mapping, usage);
        first = last == 0 ? mapping.start.value : first;
        last = mapping.end.value;
        u64& kind = mapping.is_shared() ? (mapping.file ? dirty_file : dirty_shared) : dirty_anonymous;
        kind += usage.proportional;
    });
    const usize line_start = text.size();
    text.format("{:08x}-{:08x} ---p 00000000 00:00 0 ", first, last);
    text.pad(line_start, 73);
    text.append("[rollup]\n");
    show_usage(sum, text);
    kilobytes(text, "Pss_Anon", sum.anonymous);
    kilobytes(text, "Pss_File", sum.proportional - std::min(sum.proportional, sum.anonymous + dirty_shared));
    kilobytes(text, "Pss_Shmem", dirty_shared);
    show_usage_details(sum, locked, text);
    return {};
}

// --- Arguments, environment, auxiliary vector ----------------------------------------------------------------------

namespace {

/// Appends [start, end) of the process's memory; what cannot be read ends it.
void append_memory(mm::AddressSpace& space, VirtualAddress start, VirtualAddress end, Text& text) {
    constexpr u64 kMost = 32 * kMiB;  // no more fits into a new program
    const u64 size = end > start ? std::min<u64>(end - start, kMost) : 0;
    std::span<char> room = text.extend(size);
    if (room.empty()) {
        return;
    }
    const usize read = space.read_memory(start, std::as_writable_bytes(room), mm::AddressSpace::RemoteAccess::Forced);
    text.shrink(room.size() - read);
}

}  // namespace

/// proc_pid_cmdline(5): the arguments, wherever the program has moved them; when it has overwritten the last NUL
/// (setproctitle), up to the first one, into the environment if need be.
Result<void> show_command_line(Request& request, Text& text) {
    std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space());
    if (!space) {
        return {};
    }
    const mm::SpaceLayout layout = (*space)->layout();
    append_memory(**space, layout.arguments_start, layout.arguments_end, text);
    if (text.size() == 0 || text.view().back() == '\0') {
        return {};
    }
    const usize arguments = text.size();
    const usize inside = text.view().find('\0');
    if (inside == std::string_view::npos && layout.environment_start == layout.arguments_end) {
        append_memory(**space, layout.environment_start, layout.environment_end, text);
        const usize end = text.view().find('\0', arguments);
        text.shrink(end == std::string_view::npos ? 0 : text.size() - end - 1);
    } else if (inside != std::string_view::npos) {
        text.shrink(text.size() - inside - 1);
    }
    return {};
}

Result<void> show_environment(Request& request, Text& text) {
    if (std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space())) {
        const mm::SpaceLayout layout = (*space)->layout();
        append_memory(**space, layout.environment_start, layout.environment_end, text);
    }
    return {};
}

Result<void> show_auxiliary_vector(Request& request, Text& text) {
    if (std::optional<Ref<mm::AddressSpace>> space = TRY(request.address_space())) {
        constexpr usize kMost = 1024;
        std::byte vector[kMost];
        const usize size = TRY(Request::processes().auxiliary_vector(request.id(), vector));
        std::span<char> room = text.extend(size);
        std::copy_n(vector, room.size(), std::as_writable_bytes(room).data());
    }
    return {};
}

// --- mem -------------------------------------------------------------------------------------------------------------

namespace {

/// proc_pid_mem(5). The offset is the address. Keeps no memory alive: it remembers which space it was opened on.
class MemoryFile final : public vfs::File {
public:
    MemoryFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, const Subject& subject, u64 space)
        : File(std::move(inode), flags, path), subject_(subject), space_(space) {}

    bool seekable() const override { return true; }

    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64& offset) override {
        return move(sink, offset, [&](mm::AddressSpace& space, std::span<std::byte> part) -> Result<usize> {
            const usize read = space.read_memory({offset}, part, mm::AddressSpace::RemoteAccess::Forced);
            return read == 0 ? Result<usize>(usize{0}) : sink.put(part.data(), read);
        });
    }

    Result<usize> write(vfs::OperationContext&, mm::IoSource& source, u64& offset) override {
        return move(source, offset, [&](mm::AddressSpace& space, std::span<std::byte> part) -> Result<usize> {
            const usize taken = TRY(source.take(part.data(), part.size()));
            const usize written =
                space.write_memory({offset}, part.first(taken), mm::AddressSpace::RemoteAccess::Forced);
            source.revert(taken - written);
            return written;
        });
    }

    Result<u64> seek(vfs::OperationContext&, i64 offset, u32 whence) override {
        constexpr u32 kSet = 0;
        constexpr u32 kCurrent = 1;
        // Addresses of the upper half are no negative offsets here.
        if (whence == kSet) {
            return static_cast<u64>(offset);
        }
        return whence == kCurrent ? Result<u64>(position() + static_cast<u64>(offset)) : fail(Errno::einval);
    }

private:
    /// Moves page by page until a page cannot be used: EIO for the first, the end for a later one. A process whose
    /// memory is gone has none left: the end of the file.
    template <typename Cursor, typename MovePart>
    Result<usize> move(Cursor& cursor, u64& offset, MovePart move_part) {
        std::optional<Ref<mm::AddressSpace>> space = TRY(find_space());
        if (!space || cursor.remaining() == 0) {
            return usize{0};
        }
        OwnArray<std::byte> page = TRY(OwnArray<std::byte>::create_for_overwrite(kPageSize));
        const u64 start = offset;
        while (cursor.remaining() != 0) {
            const usize size = std::min<u64>(cursor.remaining(), kPageSize - offset % kPageSize);
            Result<usize> moved = move_part(**space, page.span().first(size));
            if (!moved.ok() || moved.value() == 0) {
                const Errno error = moved.ok() ? Errno::eio : moved.error();
                return offset != start ? Result<usize>(offset - start) : Result<usize>(fail(error));
            }
            offset += moved.value();
        }
        return offset - start;
    }

    Result<std::optional<Ref<mm::AddressSpace>>> find_space() {
        std::optional<Ref<mm::AddressSpace>> space;
        if (Request::processes().identity(subject_.id) == subject_.identity) {
            space = TRY(Request::processes().address_space(subject_.id));
        }
        if (space && (*space)->id() != space_) {
            space.reset();
        }
        return space;
    }
    void destroy() override { destroy_counted(this); }

    const Subject subject_;
    const u64 space_;
};

}  // namespace

Result<Ref<vfs::File>> open_memory(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request,
                                   const Subject& subject) {
    // In this order: rights to a later program open nothing, since its memory is another one (find_space).
    std::optional<Ref<mm::AddressSpace>> space = TRY(Request::processes().address_space(subject.id));
    TRY(Request::processes().check_access(subject.id, AccessMode::Attach));
    return vfs::try_new_file<MemoryFile>(Ref<vfs::Inode>(inode), request.flags, request.path, subject,
                                         space ? (*space)->id() : 0);
}

}  // namespace cairn::procfs
