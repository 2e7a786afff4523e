/// The directories of a process whose names are numbers: task, fd and fdinfo; and what stands in the latter two.

#include <algorithm>

#include "fs/procfs/file_paths.h"
#include "fs/procfs/inodes.h"
#include "fs/procfs/proc_file.h"
#include "fs/vfs/path.h"

namespace cairn::procfs {

using vfs::FileType;
using vfs::OperationContext;

namespace {

/// Lists a number; false when the sink is full.
bool list_number(const vfs::Inode& directory, vfs::DirectorySink& sink, i32 number, FileType type) {
    char storage[12];
    TextBuffer name{std::span(storage)};
    format_to(name, "{}", number);
    return sink.entry(name.view(), number_of(directory.number(), name.view()), type, static_cast<u64>(number) + 1);
}

class ThreadsDirectory final : public ProcInode {
public:
    using ProcInode::ProcInode;

    Result<Ref<vfs::Inode>> find_child(OperationContext&, std::string_view name) override {
        std::optional<i32> id = parse_number_name(name);
        Subject thread{{subject_.id.process, id.value_or(0)}};
        if (thread.id.thread != 0) {
            thread.identity = Request::processes().identity(thread.id);
        }
        TRY(check_alive());
        if (thread.identity == 0) {
            return fail(Errno::enoent);
        }
        return make_process_directory(superblock(), number_of(number(), name), thread, Scope::Thread);
    }

    Result<u64> read_directory(OperationContext&, u64 offset, vfs::DirectorySink& sink) override {
        if (!check_alive().ok()) {
            return fail(Errno::enoent);
        }
        for (;;) {
            const i32 id = Request::processes().next_thread(subject_.id.process, static_cast<i32>(offset));
            if (id == 0 || !list_number(*this, sink, id, FileType::Directory)) {
                return offset;
            }
            offset = static_cast<u64>(id) + 1;
        }
    }

    vfs::InodeAttributes attributes() override {
        vfs::InodeAttributes attributes = ProcInode::attributes();
        Result<ProcessFigures> figures = Request::processes().figures(subject_.id);
        attributes.link_count += figures.ok() ? static_cast<u32>(figures.value().threads) : 0;
        return attributes;
    }

private:
    void destroy() override { destroy_counted(this); }
};

// --- fd and fdinfo -------------------------------------------------------------------------------------------------

Result<Ref<vfs::File>> find_file(const Subject& subject, i32 descriptor) {
    std::optional<Ref<vfs::FileDescriptorTable>> table = TRY(Request::processes().descriptors(subject.id));
    if (!table) {
        return fail(Errno::enoent);
    }
    Result<Ref<vfs::File>> file = (*table)->find(vfs::Fd{descriptor}, true);
    return file.ok() ? std::move(file) : Result<Ref<vfs::File>>(fail(Errno::enoent));
}

/// /proc/PID/fd/N.
class DescriptorLink final : public ProcInode {
public:
    DescriptorLink(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes,
                   const Subject& subject, i32 descriptor)
        : ProcInode(superblock, number, attributes, subject), descriptor_(descriptor) {}

    Result<usize> read_link(OperationContext& context, std::span<char> to) override {
        Ref<vfs::File> file = TRY(reach());
        Text text;
        TRY(describe_file(context, *file, text));
        TRY(text.result());
        const usize size = std::min(to.size(), text.size());
        std::copy_n(text.view().data(), size, to.data());
        return size;
    }
    Result<bool> follow_magic_link(OperationContext&, vfs::PathHolder& to) override {
        Ref<vfs::File> file = TRY(reach());
        to.path = TRY(path_of_file(*file));
        return true;
    }

private:
    Result<Ref<vfs::File>> reach() const {
        if (!check_alive().ok()) {
            return fail(Errno::enoent);
        }
        TRY(Request::processes().check_access(subject_.id, AccessMode::Read));
        return find_file(subject_, descriptor_);
    }
    void destroy() override { destroy_counted(this); }
    const i32 descriptor_;
};

/// proc_pid_fdinfo(5)
Result<void> show_descriptor(Request& request, Text& text) {
    Ref<vfs::File> file = TRY(find_file(request.subject, request.descriptor));
    std::optional<Ref<vfs::FileDescriptorTable>> table = TRY(Request::processes().descriptors(request.id()));
    u32 flags = file->flags();
    if (table) {
        Result<bool> close_on_exec = (*table)->close_on_exec(vfs::Fd{request.descriptor});
        flags |= close_on_exec.ok() && close_on_exec.value() ? vfs::open_flags::kCloseOnExec : 0;
    }
    text.format("pos:\t{}\nflags:\t0", file->position());
    text.octal(flags, 1);
    text.format("\nmnt_id:\t{}\nino:\t{}\n", mount_of_file(*file), file->inode().number());
    // As much as any kind of file may say; epoll has a line for each file that it watches.
    for (usize room = 4 * kPageSize;; room *= 2) {
        OwnArray<char> storage = TRY(OwnArray<char>::create_for_overwrite(room));
        TextBuffer more(storage.span());
        file->describe(more);
        if (!more.truncated()) {
            text.append(more.view());
            return {};
        }
    }
}

constexpr Entry kDescriptorDetails = guarded("", 0444, &show_descriptor);

class DescriptorDetails final : public ProcInode {
public:
    DescriptorDetails(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes,
                      const Subject& subject, i32 descriptor)
        : ProcInode(superblock, number, attributes, subject), descriptor_(descriptor) {}
    Result<Ref<vfs::File>> open(OperationContext& context, const vfs::OpenRequest& request) override {
        return ProcFile::create(context, *this, kDescriptorDetails, request, descriptor_);
    }

private:
    void destroy() override { destroy_counted(this); }
    const i32 descriptor_;
};

class DescriptorsDirectory final : public ProcInode {
public:
    DescriptorsDirectory(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes,
                         const Subject& subject, Kind kind)
        : ProcInode(superblock, number, attributes, subject), kind_(kind) {}

    Result<Ref<vfs::Inode>> find_child(OperationContext&, std::string_view name) override {
        std::optional<i32> descriptor = parse_number_name(name);
        if (!descriptor || !check_alive().ok()) {
            return fail(Errno::enoent);
        }
        std::optional<Ref<vfs::FileDescriptorTable>> table = TRY(Request::processes().descriptors(subject_.id));
        if (!table) {
            return fail(Errno::enoent);
        }
        // The file itself is not kept: closing it here might need the locks of other directories.
        Result<vfs::FileDescriptorTable::Access> access = (*table)->access(vfs::Fd{*descriptor});
        if (!access.ok()) {
            return fail(Errno::enoent);
        }
        const u64 number = number_of(this->number(), name);
        if (kind_ == Kind::DescriptorDetails) {
            return make<DescriptorDetails>(number, attributes_for(FileType::Regular, 0444), *descriptor);
        }
        constexpr u32 kReadable = 0500;
        constexpr u32 kWritable = 0300;
        const u32 mode = (access.value().read ? kReadable : 0) | (access.value().write ? kWritable : 0);
        vfs::InodeAttributes attributes = attributes_for(FileType::SymbolicLink, static_cast<u16>(mode));
        attributes.size = 64;  // as Linux says, whatever the target's length
        return make<DescriptorLink>(number, attributes, *descriptor);
    }

    Result<u64> read_directory(OperationContext&, u64 offset, vfs::DirectorySink& sink) override {
        if (!check_alive().ok()) {
            return fail(Errno::enoent);
        }
        if (kind_ == Kind::DescriptorDetails) {
            TRY(Request::processes().check_access(subject_.id, AccessMode::Read));
        }
        std::optional<Ref<vfs::FileDescriptorTable>> table = TRY(Request::processes().descriptors(subject_.id));
        const FileType type = kind_ == Kind::DescriptorDetails ? FileType::Regular : FileType::SymbolicLink;
        while (table) {
            std::optional<vfs::Fd> next = (*table)->next_used(static_cast<u32>(offset));
            if (!next || !list_number(*this, sink, next->value, type)) {
                break;
            }
            offset = static_cast<u64>(next->value) + 1;
        }
        return offset;
    }

    /// A process may always look at its own, even when it is not dumpable and the directory therefore root's.
    std::optional<vfs::Ownership> made_up_ownership() const override {
        if (Request::processes().caller().process != subject_.id.process) {
            return std::nullopt;
        }
        return vfs::Ownership{0, 0, kDirectoryPermissions};
    }

private:
    template <typename Made>
    Result<Ref<vfs::Inode>> make(u64 number, const vfs::InodeAttributes& attributes, i32 descriptor) {
        Ref<Made> made = TRY(try_new_ref<Made>(superblock(), number, attributes, subject_, descriptor));
        return Ref<vfs::Inode>::adopt(made.release());
    }
    void destroy() override { destroy_counted(this); }
    const Kind kind_;
};

}  // namespace

Result<Ref<vfs::Inode>> make_threads_directory(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                               const Subject& subject) {
    Ref<ThreadsDirectory> made = TRY(try_new_ref<ThreadsDirectory>(
        superblock, number, attributes_for(FileType::Directory, entry.permissions), subject));
    return Ref<vfs::Inode>::adopt(made.release());
}

Result<Ref<vfs::Inode>> make_descriptors_directory(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                                   const Subject& subject) {
    Ref<DescriptorsDirectory> made = TRY(try_new_ref<DescriptorsDirectory>(
        superblock, number, attributes_for(FileType::Directory, entry.permissions), subject, entry.kind));
    return Ref<vfs::Inode>::adopt(made.release());
}

}  // namespace cairn::procfs
