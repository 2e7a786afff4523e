/// open(2), close(2), dup(2) and their kin; see descriptors.h. fcntl(2), flock(2) and ioctl(2) are in
/// descriptor_control.cpp.

#include "kernel/syscall/descriptors.h"

#include <algorithm>

#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/walker.h"
#include "kernel/syscall/path_arguments.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

namespace {

using namespace vfs::open_flags;

/// All flags that open(2) knows; it ignores others, while openat2(2) refuses them.
constexpr u32 kKnown = kAccessMode | kCreate | kExclusive | kNoControllingTerminal | kTruncate | kAppend | kNonBlock |
                       kSync | kAsync | kDirect | kLargeFile | kDirectory | kNoFollow | kNoAccessTime | kCloseOnExec |
                       kPath | kTemporary;

Result<Fd> open_at(Caller& self, Fd start, UserCString path, u32 flags, u16 mode, u32 resolve) {
    const bool in_root = (resolve & vfs::resolve_flags::kInRoot) != 0;
    PathAt at;
    TRY(at.fetch(self, start, path, in_root ? at_flags::kStartIsRoot : 0));
    if ((flags & kPath) != 0) {
        flags &= kPath | kDirectory | kNoFollow | kCloseOnExec;
    } else {
        flags |= kLargeFile;
    }
    vfs::WalkOptions options = at.options();
    options.resolve = resolve;
    // The number is taken first: opening may have effects (a FIFO's other side goes on, a tape rewinds).
    auto reservation = TRY(self.descriptors().reserve(self.descriptor_limit(), (flags & kCloseOnExec) != 0));
    vfs::OperationContext context = self.context();
    Ref<vfs::File> file =
        TRY(vfs::open(context, at.text(), flags, static_cast<u16>(mode & vfs::kPermissionBits), options));
    return std::move(reservation).install(std::move(file));
}

}  // namespace

/// open(2).
Result<Fd> sys_open(Caller& self, UserCString path, u32 flags, u16 mode) {
    return sys_openat(self, Fd{StartDirectory::kWorkingDirectory}, path, flags, mode);
}

/// openat(2).
Result<Fd> sys_openat(Caller& self, Fd start, UserCString path, u32 flags, u16 mode) {
    return open_at(self, start, path, flags & kKnown, mode, 0);
}

/// creat(2).
Result<Fd> sys_creat(Caller& self, UserCString path, u16 mode) {
    return sys_open(self, path, kCreate | kWriteOnly | kTruncate, mode);
}

/// openat2(2).
Result<Fd> sys_openat2(Caller& self, Fd start, UserCString path, UserIn<OpenHow> from, usize size) {
    if (size < sizeof(OpenHow)) {
        return fail(Errno::einval);
    }
    if (size > kPageSize) {
        return fail(Errno::e2big);
    }
    OpenHow how = TRY(from.fetch());
    // A later version's larger structure is fine as long as what we do not know is zero.
    for (usize at = sizeof(OpenHow); at < size; ++at) {
        u8 extra = 0;
        TRY(mm::copy_in(&extra, from.address() + at, 1));
        if (extra != 0) {
            return fail(Errno::e2big);
        }
    }
    bool creates = (how.flags & kCreate) != 0 || (how.flags & kTemporary) == kTemporary;
    u32 both = vfs::resolve_flags::kBeneath | vfs::resolve_flags::kInRoot;
    bool bad_path_flags =
        (how.flags & kPath) != 0 && (how.flags & ~u64{kPath | kDirectory | kNoFollow | kCloseOnExec}) != 0;
    if ((how.flags & ~u64{kKnown}) != 0 || (how.resolve & ~u64{vfs::resolve_flags::kAll}) != 0 ||
        (how.resolve & both) == both || (how.mode & ~u64{vfs::kPermissionBits}) != 0 || (!creates && how.mode != 0) ||
        bad_path_flags) {
        return fail(Errno::einval);
    }
    if ((how.resolve & vfs::resolve_flags::kCached) != 0 && (creates || (how.flags & kTruncate) != 0)) {
        return fail(Errno::eagain);
    }
    return open_at(self, start, path, static_cast<u32>(how.flags), static_cast<u16>(how.mode),
                   static_cast<u32>(how.resolve));
}

/// memfd_create(2).
Result<Fd> sys_memfd_create(Caller& self, UserCString from, u32 flags) {
    namespace memfd = fs::tmpfs::memfd_flags;
    constexpr u32 kSupported = memfd::kCloseOnExec | memfd::kAllowSealing | memfd::kNoExecSeal | memfd::kExecute;
    constexpr u32 kExecutability = memfd::kNoExecSeal | memfd::kExecute;
    if ((flags & ~kSupported) != 0 || (flags & kExecutability) == kExecutability) {
        return fail(Errno::einval);
    }
    constexpr usize kPrefix = 6;  // "memfd:"
    char name[vfs::kNameLimit - kPrefix + 1];
    Result<usize> size = from.fetch(std::span(name));
    if (!size.ok()) {
        return fail(size.error() == Errno::enametoolong ? Errno::einval : size.error());
    }
    vfs::OperationContext context = self.context();
    Ref<vfs::File> file = TRY(fs::tmpfs::create_memory_file(context, {name, size.value()}, flags));
    return self.install(std::move(file), (flags & memfd::kCloseOnExec) != 0);
}

/// close(2). Never restarted: the descriptor is gone whatever the answer.
Result<void> sys_close(Caller& self, Fd fd) {
    vfs::OperationContext context = self.context();
    return self.descriptors().close(context, fd);
}

namespace {

/// CLOSE_RANGE_UNSHARE: a table of one's own, which lacks what is to be closed unless that is only marked.
Result<void> unshare_descriptors(Caller& self, u32 first, u32 last, bool without_range) {
    vfs::FileDescriptorTable& shared = self.descriptors();
    if (shared.users.load(Order::acquire) == 1) {
        return {};
    }
    Ref<vfs::FileDescriptorTable> own = TRY(without_range ? shared.copy_without(first, last) : shared.copy());
    std::optional<Ref<vfs::FileDescriptorTable>> old = self.task.exchange_descriptors(std::move(own));
    if (old && (*old)->users.fetch_sub(1, Order::acq_rel) == 1) {
        vfs::OperationContext context = self.context();
        (*old)->close_all(context);
    }
    return {};
}

}  // namespace

/// close_range(2).
Result<void> sys_close_range(Caller& self, u32 first, u32 last, u32 flags) {
    constexpr u32 kUnshare = 2;
    constexpr u32 kMarkOnly = 4;
    if ((flags & ~(kUnshare | kMarkOnly)) != 0 || first > last) {
        return fail(Errno::einval);
    }
    bool mark_only = (flags & kMarkOnly) != 0;
    if ((flags & kUnshare) != 0) {
        TRY(unshare_descriptors(self, first, last, !mark_only));
    }
    if (mark_only) {
        self.descriptors().set_close_on_exec_range(first, last);
    } else {
        vfs::OperationContext context = self.context();
        self.descriptors().close_range(context, first, last);
    }
    return {};
}

/// dup(2).
Result<Fd> sys_dup(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file_or_path(fd));
    return self.install(std::move(file), false);
}

/// dup2(2).
Result<Fd> sys_dup2(Caller& self, Fd fd, Fd target) {
    if (fd.value == target.value) {
        static_cast<void>(TRY(self.file_or_path(fd)));
        return fd;
    }
    return sys_dup3(self, fd, target, 0);
}

/// dup3(2).
Result<Fd> sys_dup3(Caller& self, Fd fd, Fd target, u32 flags) {
    if ((flags & ~kCloseOnExec) != 0 || fd.value == target.value) {
        return fail(Errno::einval);
    }
    if (static_cast<u32>(target.value) >= self.descriptor_limit()) {
        return fail(Errno::ebadf);
    }
    Ref<vfs::File> file = TRY(self.file_or_path(fd));
    vfs::OperationContext context = self.context();
    return self.descriptors().replace(context, target, std::move(file), (flags & kCloseOnExec) != 0,
                                      self.descriptor_limit());
}

}  // namespace cairn::syscall
