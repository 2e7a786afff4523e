/// open(2): finding or creating the file, the checks, and opening it. See path.h.

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/names.h"
#include "fs/vfs/walker.h"

namespace cairn::vfs {

namespace {

using namespace open_flags;

u32 access_wanted(u32 flags) {
    constexpr u32 kRead = static_cast<u32>(Access::Read);
    constexpr u32 kWrite = static_cast<u32>(Access::Write);
    constexpr u32 kByMode[4] = {kRead, kWrite, kRead | kWrite, kRead | kWrite};
    // O_TRUNC needs permission to write even with O_RDONLY.
    return kByMode[flags & kAccessMode] | ((flags & kTruncate) != 0 ? kWrite : 0);
}

/// Counts as a writer of inode and mount; given up unless the file takes it over.
class WriteAccess {
public:
    WriteAccess() = default;
    WriteAccess(const WriteAccess&) = delete;
    WriteAccess& operator=(const WriteAccess&) = delete;
    ~WriteAccess() {
        if (path_ != nullptr) {
            path_->inode().release_write_access();
            path_->mount().writers.fetch_sub(1, Order::release);
        }
    }
    /// ETXTBSY, EROFS.
    Result<void> acquire(const Path& path) {
        path.mount().writers.fetch_add(1, Order::seq_cst);
        bool read_only = path.mount().is_read_only();
        if (read_only || !path.inode().acquire_write_access()) {
            path.mount().writers.fetch_sub(1, Order::release);
            return fail(read_only ? Errno::erofs : Errno::etxtbsy);
        }
        path_ = &path;
        return {};
    }
    void hand_over(File& file) {
        if (path_ != nullptr) {
            file.owe_write_access();
            path_ = nullptr;
        }
    }

private:
    const Path* path_ = nullptr;
};

Result<void> check_type(const Path& path, u32 flags) {
    Inode& inode = path.inode();
    bool writes = (access_wanted(flags) & static_cast<u32>(Access::Write)) != 0;
    switch (inode.type()) {
        case FileType::SymbolicLink:
            return fail(Errno::eloop);
        case FileType::Directory:
            return writes || (flags & kCreate) != 0 ? fail(Errno::eisdir) : Result<void>();
        case FileType::CharacterDevice:
        case FileType::BlockDevice:
            return path.mount().has(mount_flags::kNoDevices) ? fail(Errno::eacces) : Result<void>();
        case FileType::Regular:
            return writes && path.mount().is_read_only() ? fail(Errno::erofs) : Result<void>();
        default:
            return {};
    }
}

enum class Permissions : u8 { Check, CreatedByCaller };

/// The end of every open: the file exists. The path may go into it.
Result<Ref<File>> finish_open(OperationContext& context, Path& path, u32 flags, Permissions permissions) {
    Inode& inode = path.inode();
    if ((flags & kDirectory) != 0 && !inode.is_directory()) {
        return fail(Errno::enotdir);
    }
    TRY(check_type(path, flags));
    if (permissions == Permissions::Check) {
        TRY(check_permission(context.credentials, inode, access_wanted(flags)));
    }
    if ((flags & kNoAccessTime) != 0 && !is_owner_or_capable(context.credentials, inode)) {
        return fail(Errno::eperm);
    }
    WriteAccess access;
    bool truncates = (flags & kTruncate) != 0 && inode.is_regular() && permissions == Permissions::Check;
    if (inode.is_regular() && (access_wanted(flags) & static_cast<u32>(Access::Write)) != 0) {
        TRY(access.acquire(path));
    }
    OpenRequest request{flags, &path, &path};
    Ref<File> file = TRY(inode.open(context, request));
    access.hand_over(*file);
    const Path& opened = file->path() != nullptr ? *file->path() : path;
    if (truncates) {
        sync::MutexGuard guard(inode.data_lock);
        inode.drop_privileges(context.credentials);
        TRY(inode.change_attributes(context, {.what = AttributeChange::kSize}));
        notify(opened, notify_events::kModify);
    }
    notify(opened, notify_events::kOpen);
    return file;
}

/// fs.protected_regular and fs.protected_fifos (proc_sys_fs(5)), at 1: in a sticky directory that everybody may
/// write to, O_CREAT does not open what somebody else than the directory's owner put there.
Result<void> check_protected(OperationContext& context, const Path& directory, Inode& inode) {
    if (inode.type() != FileType::Regular && inode.type() != FileType::Fifo) {
        return {};
    }
    Ownership place = directory.inode().ownership();
    constexpr u16 kShared = kSticky | 0002;
    UserId owner = inode.ownership().uid;
    bool refused = (place.permissions & kShared) == kShared && owner != place.uid && owner != context.credentials.fsuid;
    return refused ? fail(Errno::eacces) : Result<void>();
}

/// O_CREAT: the walker stands before the last component. The file, or nothing when a link is to be followed first.
Result<std::optional<Ref<File>>> open_or_create(OperationContext& context, Walker& walker, u32 flags, u16 permissions) {
    if (walker.last_kind() == Walker::Last::None && !walker.at().dentry().is_directory()) {
        // A magic link led straight to a file.
        Ref<File> file = TRY(finish_open(context, walker.end(), flags, Permissions::Check));
        return std::optional(std::move(file));
    }
    if (walker.last_kind() != Walker::Last::Name || walker.wants_directory()) {
        return fail(Errno::eisdir);
    }
    TRY(walker.check_search());
    std::string_view name = walker.last_name();
    if (name.size() > kNameLimit) {
        return fail(Errno::enametoolong);
    }
    // With O_EXCL it is not meant to be there: only the look under the directory's lock counts.
    const bool exclusive = (flags & kExclusive) != 0;
    std::optional<Ref<Dentry>> entry;
    if (!exclusive) {
        entry = the_vfs().dentries.find(walker.at().dentry(), name);
    }
    if (!entry || (*entry)->is_negative()) {
        CreateRequest request{.type = FileType::Regular, .permissions = permissions};
        CreatedName created =
            TRY(create_name(context, walker.at(), name, request, exclusive ? IfPresent::Refuse : IfPresent::Take));
        if (created.is_new) {
            walker.end().step_to(std::move(created.entry));
            Ref<File> file = TRY(finish_open(context, walker.end(), flags, Permissions::CreatedByCaller));
            return std::optional(std::move(file));
        }
        entry = std::move(created.entry);
    }
    bool follow = (flags & kNoFollow) == 0;
    Path directory = walker.at();
    bool done = TRY(walker.step_last_to(std::move(*entry), follow));
    if (!done) {
        return std::optional<Ref<File>>();
    }
    TRY(check_protected(context, directory, walker.at().inode()));
    Ref<File> file = TRY(finish_open(context, walker.end(), flags, Permissions::Check));
    return std::optional(std::move(file));
}

Result<Ref<File>> open_creating(OperationContext& context, std::string_view name, u32 flags, u16 permissions,
                                const WalkOptions& options) {
    Walker walker(context);
    TRY(walker.begin(name, options));
    for (;;) {
        TRY(walker.to_last());
        std::optional<Ref<File>> file = TRY(open_or_create(context, walker, flags, permissions));
        if (file) {
            return std::move(*file);
        }
    }
}

/// O_TMPFILE: an unnamed file in the directory `name`.
[[gnu::cold]] Result<Ref<File>> open_temporary(OperationContext& context, std::string_view name, u32 flags,
                                               u16 permissions, const WalkOptions& options) {
    if ((flags & kAccessMode) == kReadOnly) {
        return fail(Errno::einval);
    }
    WalkOptions walk_options = options;
    walk_options.want_directory = true;
    Path directory = TRY(walk(context, name, walk_options));
    if (directory.mount().is_read_only()) {
        return fail(Errno::erofs);
    }
    constexpr u32 kNeeded = static_cast<u32>(Access::Write) | static_cast<u32>(Access::Execute);
    TRY(check_permission(context.credentials, directory.inode(), kNeeded));
    CreateRequest request{.type = FileType::Regular, .permissions = permissions};
    complete_request(context, directory.inode(), request);
    Ref<Inode> inode = TRY(directory.inode().create_unnamed(context, request));
    inode->may_get_first_name.store((flags & kExclusive) == 0, Order::release);
    char text[24];
    TextBuffer label{std::span(text)};
    format_to(label, "#{}", inode->number());
    Ref<Dentry> entry = TRY(Dentry::create(directory.dentry(), label.view(), &*inode));
    the_vfs().dentries.forget_deleted(*entry);
    Path path(Ref<Mount>(directory.mount()), std::move(entry));
    return finish_open(context, path, flags & ~(kTemporary | kCreate | kExclusive), Permissions::CreatedByCaller);
}

}  // namespace

Result<Ref<File>> open(OperationContext& context, std::string_view name, u32 flags, u16 permissions,
                       const WalkOptions& options) {
    WalkOptions walk_options = options;
    if ((flags & kNoFollow) != 0) {
        walk_options.follow_last_link = false;
    }
    walk_options.want_directory = walk_options.want_directory || (flags & kDirectory) != 0;
    if ((flags & kPath) != 0) {
        Path path = TRY(walk(context, name, walk_options));
        return create_path_file(path, flags & (kPath | kDirectory | kNoFollow | kCloseOnExec));
    }
    if ((flags & kTemporary) == kTemporary) {
        return open_temporary(context, name, flags, permissions, options);
    }
    if ((flags & kCreate) != 0) {
        if ((flags & kDirectory) != 0) {
            return fail(Errno::einval);
        }
        return open_creating(context, name, flags, permissions, walk_options);
    }
    walk_options.want_directory = options.want_directory;
    Path path = TRY(walk(context, name, walk_options));
    return finish_open(context, path, flags, Permissions::Check);
}

Result<Ref<File>> open_path(OperationContext& context, const Path& path, u32 flags) {
    if ((flags & kPath) != 0) {
        return create_path_file(path, flags);
    }
    Path found = path;
    return finish_open(context, found, flags, Permissions::Check);
}

Result<Ref<File>> open_executable(OperationContext& context, std::string_view name, const WalkOptions& options) {
    Path path = TRY(walk(context, name, options));
    Inode& inode = path.inode();
    if (inode.type() == FileType::SymbolicLink) {
        return fail(Errno::eloop);
    }
    if (!inode.is_regular() || path.mount().has(mount_flags::kNoExec)) {
        return fail(Errno::eacces);
    }
    TRY(check_permission(context.credentials, inode, static_cast<u32>(Access::Execute)));
    if (!inode.deny_write_access()) {
        return fail(Errno::etxtbsy);
    }
    OpenRequest request{kReadOnly | kLargeFile, &path};
    Result<Ref<File>> file = inode.open(context, request);
    if (!file.ok()) {
        inode.allow_write_access();
        return file;
    }
    file.value()->owe_denied_writes();
    return file;
}

}  // namespace cairn::vfs
