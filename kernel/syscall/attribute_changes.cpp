/// chmod(2), chown(2), utimensat(2) and their kin; see attributes.h.

#include "kernel/syscall/attributes.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr Fd kWorkingDirectory{StartDirectory::kWorkingDirectory};

}  // namespace

/// chmod(2).
Result<void> sys_chmod(Caller& self, UserCString path, u16 mode) {
    return sys_fchmodat2(self, kWorkingDirectory, path, mode, 0);
}
Result<void> sys_fchmodat(Caller& self, Fd start, UserCString path, u16 mode) {
    return sys_fchmodat2(self, start, path, mode, 0);
}
Result<void> sys_fchmodat2(Caller& self, Fd start, UserCString path, u16 mode, u32 flags) {
    if ((flags & ~(at_flags::kNoFollow | at_flags::kEmptyPath)) != 0) {
        return fail(Errno::einval);
    }
    FileTarget target = TRY(FileTarget::find(self, start, path, flags));
    vfs::OperationContext context = self.context();
    return vfs::change_mode(context, target.for_change(), mode);
}
Result<void> sys_fchmod(Caller& self, Fd fd, u16 mode) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    vfs::OperationContext context = self.context();
    return vfs::change_mode(context, target.for_change(), mode);
}

/// chown(2).
Result<void> sys_chown(Caller& self, UserCString path, u32 uid, u32 gid) {
    return sys_fchownat(self, kWorkingDirectory, path, uid, gid, 0);
}
Result<void> sys_lchown(Caller& self, UserCString path, u32 uid, u32 gid) {
    return sys_fchownat(self, kWorkingDirectory, path, uid, gid, at_flags::kNoFollow);
}
Result<void> sys_fchownat(Caller& self, Fd start, UserCString path, u32 uid, u32 gid, u32 flags) {
    if ((flags & ~(at_flags::kNoFollow | at_flags::kEmptyPath)) != 0) {
        return fail(Errno::einval);
    }
    FileTarget target = TRY(FileTarget::find(self, start, path, flags));
    vfs::OperationContext context = self.context();
    return vfs::change_owner(context, target.for_change(), uid, gid);
}
Result<void> sys_fchown(Caller& self, Fd fd, u32 uid, u32 gid) {
    FileTarget target = TRY(FileTarget::of_descriptor(self, fd));
    vfs::OperationContext context = self.context();
    return vfs::change_owner(context, target.for_change(), uid, gid);
}

// --- Times -------------------------------------------------------------------------------------------------------

namespace {

using vfs::TimesRequest;

/// utimensat(2): a time, or one of the two special values.
Result<void> decode_time(const UserTime& user, TimesRequest::Kind& kind, vfs::FileTime& time) {
    constexpr i64 kNow = (i64{1} << 30) - 1;
    constexpr i64 kOmit = (i64{1} << 30) - 2;
    constexpr i64 kNanoseconds = 1'000'000'000;
    if (user.fraction == kNow || user.fraction == kOmit) {
        kind = user.fraction == kNow ? TimesRequest::Kind::Now : TimesRequest::Kind::Omit;
        return {};
    }
    if (user.fraction < 0 || user.fraction >= kNanoseconds) {
        return fail(Errno::einval);
    }
    kind = TimesRequest::Kind::Set;
    time = {user.seconds, static_cast<u32>(user.fraction)};
    return {};
}

Result<TimesRequest> fetch_times(UserIn<UserTime> from) {
    TimesRequest request;
    if (from.is_null()) {
        return request;
    }
    UserTime access = TRY(from.fetch(0));
    UserTime modification = TRY(from.fetch(1));
    TRY(decode_time(access, request.access, request.access_time));
    TRY(decode_time(modification, request.modification, request.modification_time));
    return request;
}

/// The same from struct timeval: microseconds, and no special values.
Result<TimesRequest> fetch_microseconds(UserIn<UserTime> from) {
    TimesRequest request;
    if (from.is_null()) {
        return request;
    }
    constexpr i64 kMicroseconds = 1'000'000;
    UserTime times[2];
    TRY(from.fetch(std::span(times)));
    for (UserTime& time : times) {
        if (time.fraction < 0 || time.fraction >= kMicroseconds) {
            return fail(Errno::einval);
        }
        time.fraction *= 1000;
    }
    TRY(decode_time(times[0], request.access, request.access_time));
    TRY(decode_time(times[1], request.modification, request.modification_time));
    return request;
}

Result<void> change_times_at(Caller& self, Fd start, UserCString path, const TimesRequest& request, u32 flags) {
    FileTarget target = TRY(FileTarget::find(self, start, path, flags));
    vfs::OperationContext context = self.context();
    return vfs::change_times(context, target.for_change(), request);
}

}  // namespace

/// utime(2).
Result<void> sys_utime(Caller& self, UserCString path, UserIn<UserSeconds> from) {
    TimesRequest request;
    if (!from.is_null()) {
        UserSeconds times = TRY(from.fetch());
        using Kind = TimesRequest::Kind;
        request = {Kind::Set, Kind::Set, {times.access, 0}, {times.modification, 0}};
    }
    return change_times_at(self, kWorkingDirectory, path, request, 0);
}

/// utimes(2).
Result<void> sys_utimes(Caller& self, UserCString path, UserIn<UserTime> times) {
    return sys_futimesat(self, kWorkingDirectory, path, times);
}

/// futimesat(2): without a path, the descriptor's file.
Result<void> sys_futimesat(Caller& self, Fd start, UserCString path, UserIn<UserTime> times) {
    TimesRequest request = TRY(fetch_microseconds(times));
    if (path.is_null() && start.value != StartDirectory::kWorkingDirectory) {
        FileTarget target = TRY(FileTarget::of_descriptor(self, start));
        vfs::OperationContext context = self.context();
        return vfs::change_times(context, target.for_change(), request);
    }
    return change_times_at(self, start, path, request, 0);
}

/// utimensat(2), and with a null path futimens(3).
Result<void> sys_utimensat(Caller& self, Fd start, UserCString path, UserIn<UserTime> times, u32 flags) {
    TimesRequest request = TRY(fetch_times(times));
    if (request.access == TimesRequest::Kind::Omit && request.modification == TimesRequest::Kind::Omit) {
        return {};
    }
    if (path.is_null() && start.value != StartDirectory::kWorkingDirectory) {
        if (flags != 0) {
            return fail(Errno::einval);
        }
        FileTarget target = TRY(FileTarget::of_descriptor(self, start));
        vfs::OperationContext context = self.context();
        return vfs::change_times(context, target.for_change(), request);
    }
    if ((flags & ~(at_flags::kNoFollow | at_flags::kEmptyPath)) != 0) {
        return fail(Errno::einval);
    }
    return change_times_at(self, start, path, request, flags);
}

}  // namespace cairn::syscall
