/// See inodes.h.

#include "fs/procfs/inodes.h"

#include "fs/procfs/proc_file.h"
#include "fs/procfs/procfs.h"
#include "fs/vfs/path.h"

namespace cairn::procfs {

using vfs::FileType;
using vfs::OperationContext;

u64 number_of(u64 parent, std::string_view name) {
    // FNV-1a, cut so that the numbers stay short enough to be read; 1 is the root's.
    u64 hash = 0xcbf2'9ce4'8422'2325 ^ parent;
    for (char c : name) {
        hash = (hash ^ static_cast<u8>(c)) * 0x100'0000'01b3;
    }
    constexpr u64 kMask = (u64{1} << 40) - 1;
    return ((hash ^ (hash >> 40)) & kMask) | 2;
}

vfs::InodeAttributes attributes_for(FileType type, u16 permissions) {
    vfs::InodeAttributes attributes;
    attributes.type = type;
    attributes.permissions = permissions;
    attributes.block_size = 1024;
    attributes.link_count = type == FileType::Directory ? 2 : 1;
    attributes.access_time = attributes.modification_time = attributes.change_time = vfs::FileTime::now();
    return attributes;
}

std::optional<i32> parse_number_name(std::string_view name) {
    if (name.empty() || name.size() > 9 || (name.size() > 1 && name[0] == '0')) {
        return std::nullopt;
    }
    i32 value = 0;
    for (char c : name) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

Result<void> ProcInode::check_alive() const {
    if (subject_.is_process() && Request::processes().identity(subject_.id) != subject_.identity) {
        return fail(Errno::esrch);
    }
    return {};
}

vfs::InodeAttributes ProcInode::attributes() {
    vfs::InodeAttributes attributes = Inode::attributes();
    if (!subject_.is_process()) {
        return attributes;
    }
    u32 uid = 0;
    u32 gid = 0;
    // What anybody may list shows whose process it is; the rest belongs to root when the process is not dumpable.
    constexpr u16 kForAll = 0555;
    const bool always = type() == FileType::Directory && attributes.permissions == kForAll;
    if (Request::processes().owner(subject_.id, always ? OwnerOf::Process : OwnerOf::Contents, uid, gid).ok()) {
        attributes.uid = uid;
        attributes.gid = gid;
    }
    return attributes;
}

Result<void> ProcInode::change_attributes(OperationContext&, const vfs::AttributeChange& change) {
    constexpr u32 kFixed = vfs::AttributeChange::kPermissions | vfs::AttributeChange::kUid | vfs::AttributeChange::kGid;
    // Truncation, which a shell's ">" asks for, means nothing.
    return (change.what & kFixed) != 0 ? fail(Errno::eperm) : Result<void>();
}

Result<Ref<vfs::Inode>> ProcInode::create_child(OperationContext&, std::string_view, const vfs::CreateRequest&) {
    return fail(Errno::enoent);
}
Result<void> ProcInode::link_child(OperationContext&, std::string_view, vfs::Inode&) {
    return fail(Errno::enoent);
}

Result<std::optional<Ref<mm::AddressSpace>>> Request::address_space() const {
    std::optional<Ref<mm::AddressSpace>> now = TRY(processes().address_space(id()));
    if (now && space != 0 && (*now)->id() != space) {
        now.reset();
    }
    return now;
}

namespace {

/// A file or a link of a table.
class EntryInode final : public ProcInode {
public:
    EntryInode(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes, const Subject& subject,
               const Entry& entry)
        : ProcInode(superblock, number, attributes, subject), entry_(entry) {}

    Result<Ref<vfs::File>> open(OperationContext& context, const vfs::OpenRequest& request) override {
        TRY(check_alive());
        return entry_.open != nullptr ? entry_.open(context, *this, request, subject_)
                                      : ProcFile::create(context, *this, entry_, request);
    }

    Result<usize> read_link(OperationContext& context, std::span<char> to) override {
        if (entry_.kind != Kind::Link) {
            return fail(Errno::einval);
        }
        TRY(check_look());
        Request request{context, subject_};
        Text text;
        TRY(entry_.show(request, text));
        TRY(text.result());
        const usize size = std::min(to.size(), text.size());
        std::copy_n(text.view().data(), size, to.data());
        return size;
    }

    Result<bool> follow_magic_link(OperationContext& context, vfs::PathHolder& to) override {
        if (entry_.follow == nullptr) {
            return false;
        }
        TRY(check_look());
        Request request{context, subject_};
        request.link = this;
        to.path = TRY(entry_.follow(request));
        return true;
    }

    bool yields_to_capabilities() const override { return !entry_.is_setting; }

private:
    Result<void> check_look() const {
        if (entry_.look == Look::Free) {
            return {};
        }
        return Request::processes().check_access(subject_.id, AccessMode::Read);
    }
    void destroy() override { destroy_counted(this); }
    const Entry& entry_;
};

/// A directory that is a table.
class TableDirectory : public ProcInode {
public:
    TableDirectory(vfs::Superblock& superblock, u64 number, const vfs::InodeAttributes& attributes,
                   const Subject& subject, std::span<const Entry> entries, Scope scope)
        : ProcInode(superblock, number, attributes, subject), entries_(entries), scope_(scope) {}

    Result<Ref<vfs::Inode>> find_child(OperationContext&, std::string_view name) override {
        TRY(check_alive());
        for (const Entry& entry : entries_) {
            if (entry.name == name && is_here(entry)) {
                return make_inode(superblock(), number_of(number(), name), entry, subject_);
            }
        }
        return fail(Errno::enoent);
    }

    Result<u64> read_directory(OperationContext&, u64 offset, vfs::DirectorySink& sink) override {
        if (!check_alive().ok()) {
            return fail(Errno::enoent);
        }
        return list_table(offset, sink);
    }

    vfs::InodeAttributes attributes() override {
        vfs::InodeAttributes attributes = ProcInode::attributes();
        for (const Entry& entry : entries_) {
            const bool leaf = entry.kind == Kind::File || entry.kind == Kind::Link;
            attributes.link_count += !leaf && is_here(entry) ? 1 : 0;
        }
        return attributes;
    }

protected:
    ~TableDirectory() = default;

    Result<u64> list_table(u64 offset, vfs::DirectorySink& sink) {
        for (; offset < entries_.size(); ++offset) {
            const Entry& entry = entries_[offset];
            if (is_here(entry) &&
                !sink.entry(entry.name, number_of(number(), entry.name), type_of(entry.kind), offset + 1)) {
                break;
            }
        }
        return offset;
    }
    usize table_size() const { return entries_.size(); }

public:
    static FileType type_of(Kind kind) {
        switch (kind) {
            case Kind::File:
                return FileType::Regular;
            case Kind::Link:
                return FileType::SymbolicLink;
            default:
                return FileType::Directory;
        }
    }

private:
    bool is_here(const Entry& entry) const { return entry.scope == Scope::Both || entry.scope == scope_; }

    const std::span<const Entry> entries_;
    const Scope scope_;
};

/// A directory that is a table and nothing else.
class PlainDirectory final : public TableDirectory {
public:
    using TableDirectory::TableDirectory;

private:
    void destroy() override { destroy_counted(this); }
};

class RootDirectory final : public TableDirectory {
public:
    explicit RootDirectory(vfs::Superblock& superblock)
        : TableDirectory(superblock, kRootNumber, attributes_for(FileType::Directory, kDirectoryPermissions), {},
                         root_entries(), Scope::Process) {}

    Result<Ref<vfs::Inode>> find_child(OperationContext& context, std::string_view name) override {
        std::optional<i32> id = parse_number_name(name);
        if (!id) {
            return TableDirectory::find_child(context, name);
        }
        // A thread's number leads to its process's directory too, though no list shows it.
        ProcessInformation& processes = Request::processes();
        const i32 process = processes.process_of(*id);
        Subject subject{{process, process == *id ? 0 : *id}};
        subject.identity = process == 0 ? 0 : processes.identity(subject.id);
        if (subject.identity == 0) {
            return fail(Errno::enoent);
        }
        return make_process_directory(superblock(), number_of(number(), name), subject, Scope::Process);
    }

    /// Behind the table: kProcesses + PID.
    Result<u64> read_directory(OperationContext&, u64 offset, vfs::DirectorySink& sink) override {
        if (offset < kProcesses) {
            offset = TRY(list_table(offset, sink));
            if (offset < table_size()) {
                return offset;
            }
            offset = kProcesses;
        }
        for (i32 id = static_cast<i32>(offset - kProcesses);; ++id) {
            id = Request::processes().next_process(id);
            if (id == 0) {
                return offset;
            }
            char storage[12];
            TextBuffer name{std::span(storage)};
            format_to(name, "{}", id);
            const u64 next = kProcesses + static_cast<u64>(id) + 1;
            if (!sink.entry(name.view(), number_of(number(), name.view()), FileType::Directory, next)) {
                return offset;
            }
            offset = next;
        }
    }

    vfs::InodeAttributes attributes() override {
        vfs::InodeAttributes attributes = TableDirectory::attributes();
        attributes.link_count += Request::processes().system().processes;
        return attributes;
    }
    bool names_are_stable() const override { return false; }

private:
    static constexpr u64 kProcesses = 256;
    void destroy() override { destroy_counted(this); }
};

}  // namespace

Result<Ref<vfs::Inode>> make_process_directory(vfs::Superblock& superblock, u64 number, const Subject& subject,
                                               Scope scope) {
    Ref<PlainDirectory> made =
        TRY(try_new_ref<PlainDirectory>(superblock, number, attributes_for(FileType::Directory, kDirectoryPermissions),
                                        subject, process_entries(), scope));
    return Ref<vfs::Inode>::adopt(made.release());
}

Result<i32> process_of_directory(vfs::Inode& inode) {
    if (inode.superblock().type_name() != "proc" || inode.type() != FileType::Directory) {
        return fail(Errno::ebadf);
    }
    const auto& directory = static_cast<ProcInode&>(inode);
    char name[16];
    TextBuffer text{std::span(name)};
    format_to(text, "{}", directory.subject().id.process);
    if (!directory.subject().is_process() || inode.number() != number_of(kRootNumber, text.view())) {
        return fail(Errno::ebadf);
    }
    TRY(directory.check_alive());
    return directory.subject().id.process;
}

Result<Ref<vfs::Inode>> make_inode(vfs::Superblock& superblock, u64 number, const Entry& entry,
                                   const Subject& subject) {
    if (entry.make != nullptr) {
        return entry.make(superblock, number, entry, subject);
    }
    switch (entry.kind) {
        case Kind::Threads:
            return make_threads_directory(superblock, number, entry, subject);
        case Kind::Descriptors:
        case Kind::DescriptorDetails:
            return make_descriptors_directory(superblock, number, entry, subject);
        default:
            break;
    }
    const vfs::InodeAttributes attributes = attributes_for(TableDirectory::type_of(entry.kind), entry.permissions);
    if (entry.kind == Kind::Directory) {
        Ref<PlainDirectory> made =
            TRY(try_new_ref<PlainDirectory>(superblock, number, attributes, subject, entry.entries(), Scope::Process));
        return Ref<vfs::Inode>::adopt(made.release());
    }
    Ref<EntryInode> made = TRY(try_new_ref<EntryInode>(superblock, number, attributes, subject, entry));
    return Ref<vfs::Inode>::adopt(made.release());
}

Result<Ref<vfs::Inode>> make_root(vfs::Superblock& superblock) {
    Ref<RootDirectory> made = TRY(try_new_ref<RootDirectory>(superblock));
    return Ref<vfs::Inode>::adopt(made.release());
}

}  // namespace cairn::procfs
