#include "kernel/syscall/inotify.h"

#include "fs/inotify/inotify.h"

namespace cairn::syscall {

namespace {

constexpr u32 kFileFlags = vfs::open_flags::kCloseOnExec | vfs::open_flags::kNonBlock;

/// The descriptor's file, which must be an instance: EBADF, EINVAL.
Result<Ref<vfs::File>> find_instance(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (inotify::find_inotify(*file) == nullptr) {
        return fail(Errno::einval);
    }
    return file;
}

}  // namespace

/// inotify_init(2).
Result<Fd> sys_inotify_init(Caller& self) {
    return sys_inotify_init1(self, 0);
}

/// inotify_init1(2).
Result<Fd> sys_inotify_init1(Caller& self, u32 flags) {
    if ((flags & ~kFileFlags) != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(inotify::create_inotify(flags));
    return self.install(std::move(file), (flags & vfs::open_flags::kCloseOnExec) != 0);
}

/// inotify_add_watch(2).
Result<i32> sys_inotify_add_watch(Caller& self, Fd fd, UserCString name, u32 mask) {
    using namespace inotify;
    constexpr u32 kKnown = vfs::notify_events::kAll | kUnmounted | kOverflow | kIgnored | kOnlyDirectory | kDontFollow |
                           kExcludeUnlinked | kMaskCreate | kMaskAdd | vfs::notify_events::kDirectory | kOneShot;
    constexpr u32 kContradiction = kMaskAdd | kMaskCreate;
    if ((mask & kKnown) == 0 || (mask & kContradiction) == kContradiction) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(find_instance(self, fd));
    PathName path_name;
    TRY(path_name.fetch(name));
    vfs::OperationContext context = self.context();
    vfs::WalkOptions options;
    options.follow_last_link = (mask & kDontFollow) == 0;
    options.want_directory = (mask & kOnlyDirectory) != 0;
    vfs::Path path = TRY(vfs::walk(context, path_name.text(), options));
    TRY(vfs::check_permission(context.credentials, path.inode(), static_cast<u32>(vfs::Access::Read)));
    return find_inotify(*file)->add(path.inode(), mask);
}

/// inotify_rm_watch(2).
Result<void> sys_inotify_rm_watch(Caller& self, Fd fd, i32 watch) {
    Ref<vfs::File> file = TRY(find_instance(self, fd));
    return inotify::find_inotify(*file)->remove(watch);
}

}  // namespace cairn::syscall
