/// fcntl(2), flock(2), ioctl(2); see descriptors.h.

#include "fs/pipe/pipe_file.h"
#include "fs/terminal/pty.h"
#include "fs/vfs/file_locks.h"
#include "fs/vfs/regular_file.h"
#include "kernel/syscall/descriptors.h"

namespace cairn::syscall {

namespace {

using vfs::RecordLock;

/// struct flock on x86-64.
struct UserLock {
    u16 type = 0;
    u16 whence = 0;
    u32 padding = 0;
    i64 start = 0;
    i64 length = 0;
    i32 process = 0;
    u32 padding_at_end = 0;
};
/// struct f_owner_ex.
struct UserOwner {
    i32 type = 0;
    i32 id = 0;
};

enum Command : u32 {
    kDuplicate = 0,
    kGetDescriptorFlags = 1,
    kSetDescriptorFlags = 2,
    kGetFlags = 3,
    kSetFlags = 4,
    kGetLock = 5,
    kSetLock = 6,
    kSetLockWait = 7,
    kSetOwner = 8,
    kGetOwner = 9,
    kSetSignal = 10,
    kGetSignal = 11,
    kSetOwnerEx = 15,
    kGetOwnerEx = 16,
    kGetOpenFileLock = 36,
    kSetOpenFileLock = 37,
    kSetOpenFileLockWait = 38,
    kSetLease = 1024,
    kGetLease = 1025,
    kDuplicateQuery = 1027,
    kDuplicateCloseOnExec = 1030,
    kSetPipeSize = 1031,
    kGetPipeSize = 1032,
    kAddSeals = 1033,
    kGetSeals = 1034,
};

constexpr u64 kCloseOnExecFlag = 1;  // FD_CLOEXEC

Result<u64> duplicate(Caller& self, Fd fd, u64 minimum, bool close_on_exec) {
    Ref<vfs::File> file = TRY(self.file_or_path(fd));
    if (minimum >= self.descriptor_limit()) {
        return fail(Errno::einval);
    }
    Fd made =
        TRY(self.descriptors().add(std::move(file), self.descriptor_limit(), close_on_exec, static_cast<u32>(minimum)));
    return static_cast<u64>(made.value);
}

Result<u64> set_flags(Caller& self, Fd fd, vfs::File& file, u64 argument) {
    u32 flags = static_cast<u32>(argument);
    bool gains_no_access_time = (flags & ~file.flags() & vfs::open_flags::kNoAccessTime) != 0;
    if (gains_no_access_time && !vfs::is_owner_or_capable(self.credentials(), file.inode())) {
        return fail(Errno::eperm);
    }
    file.async_descriptor.store(fd.value, Order::relaxed);
    file.set_flags(flags);
    return u64{0};
}

// --- Record locks ------------------------------------------------------------------------------------------------

/// The bytes that struct flock means (fcntl(2)): EINVAL for those before the file's start, EOVERFLOW.
Result<RecordLock> decode_lock(vfs::File& file, const UserLock& user) {
    enum : u16 { kSet, kCurrent, kEnd };
    i64 base = 0;
    if (user.whence == kCurrent) {
        base = static_cast<i64>(file.position());
    } else if (user.whence == kEnd) {
        base = static_cast<i64>(file.inode().attributes().size);
    } else if (user.whence != kSet) {
        return fail(Errno::einval);
    }
    constexpr u16 kLastType = 2;
    if (user.type > kLastType) {
        return fail(Errno::einval);
    }
    i64 start = 0;
    i64 end = 0;
    if (__builtin_add_overflow(base, user.start, &start)) {
        return fail(Errno::eoverflow);
    }
    if (user.length < 0) {
        end = start;
        if (__builtin_add_overflow(start, user.length, &start)) {
            return fail(Errno::einval);
        }
    } else if (__builtin_add_overflow(start, user.length, &end)) {
        return fail(Errno::eoverflow);
    }
    if (start < 0) {
        return fail(Errno::einval);
    }
    u64 last = user.length == 0 ? ~u64{0} >> 1 : static_cast<u64>(end) - 1;
    return RecordLock{static_cast<RecordLock::Type>(user.type), static_cast<u64>(start), last, 0};
}

Result<u64> get_lock(Caller& self, vfs::File& file, UserInOut<UserLock> at, vfs::LockScope scope) {
    UserLock user = TRY(at.fetch());
    RecordLock wanted = TRY(decode_lock(file, user));
    if (wanted.type == RecordLock::Type::Unlock || (scope == vfs::LockScope::OpenFile && user.process != 0)) {
        return fail(Errno::einval);
    }
    vfs::OperationContext context = self.context();
    std::optional<RecordLock> conflict = vfs::find_conflicting_lock(context, file, wanted, scope);
    if (!conflict) {
        user.type = static_cast<u16>(RecordLock::Type::Unlock);
    } else {
        bool to_end = conflict->end >= ~u64{0} >> 1;
        user = {.type = static_cast<u16>(conflict->type),
                .start = static_cast<i64>(conflict->start),
                .length = to_end ? 0 : static_cast<i64>(conflict->end - conflict->start + 1),
                .process = conflict->process};
    }
    TRY(at.store(user));
    return u64{0};
}

Result<u64> set_lock(Caller& self, Fd fd, vfs::File& file, UserIn<UserLock> at, vfs::LockScope scope,
                     vfs::LockWait wait) {
    UserLock user = TRY(at.fetch());
    RecordLock wanted = TRY(decode_lock(file, user));
    if (scope == vfs::LockScope::OpenFile && user.process != 0) {
        return fail(Errno::einval);
    }
    if ((wanted.type == RecordLock::Type::Read && !file.readable()) ||
        (wanted.type == RecordLock::Type::Write && !file.writable())) {
        return fail(Errno::ebadf);
    }
    vfs::OperationContext context = self.context();
    TRY(vfs::set_record_lock(context, file, wanted, scope, wait));
    if (scope == vfs::LockScope::Process && wanted.type != RecordLock::Type::Unlock) {
        // Another thread may have closed the descriptor meanwhile, before there was a lock for it to release.
        Result<Ref<vfs::File>> present = self.file(fd);
        if (!present.ok() || &*present.value() != &file) {
            vfs::release_record_locks(context, file);
            return fail(Errno::ebadf);
        }
    }
    return u64{0};
}

Result<u64> lock_command(Caller& self, Fd fd, vfs::File& file, u32 command, u64 argument) {
    using vfs::LockScope;
    using vfs::LockWait;
    switch (command) {
        case kGetLock:
            return get_lock(self, file, UserInOut<UserLock>(argument), LockScope::Process);
        case kGetOpenFileLock:
            return get_lock(self, file, UserInOut<UserLock>(argument), LockScope::OpenFile);
        case kSetLock:
            return set_lock(self, fd, file, UserIn<UserLock>(argument), LockScope::Process, LockWait::No);
        case kSetLockWait:
            return set_lock(self, fd, file, UserIn<UserLock>(argument), LockScope::Process, LockWait::Yes);
        case kSetOpenFileLock:
            return set_lock(self, fd, file, UserIn<UserLock>(argument), LockScope::OpenFile, LockWait::No);
        default:
            return set_lock(self, fd, file, UserIn<UserLock>(argument), LockScope::OpenFile, LockWait::Yes);
    }
}

// --- Owner, seals ------------------------------------------------------------------------------------------------

constexpr i32 kOwnerThread = 0;
constexpr i32 kOwnerProcess = 1;
constexpr i32 kOwnerGroup = 2;

Result<u64> owner_command(Caller& self, vfs::File& file, u32 command, u64 argument) {
    switch (command) {
        case kSetOwner:
            file.set_owner(static_cast<i32>(argument), self.credentials());
            return u64{0};
        case kGetOwner:
            return static_cast<u64>(i64{file.owner_process.load(Order::relaxed)});
        case kSetOwnerEx: {
            UserOwner owner = TRY(UserIn<UserOwner>(argument).fetch());
            if (owner.type < kOwnerThread || owner.type > kOwnerGroup) {
                return fail(Errno::einval);
            }
            file.set_owner(owner.type == kOwnerGroup ? -owner.id : owner.id, self.credentials());
            return u64{0};
        }
        case kGetOwnerEx: {
            i32 id = file.owner_process.load(Order::relaxed);
            UserOwner owner{id < 0 ? kOwnerGroup : kOwnerProcess, id < 0 ? -id : id};
            TRY(UserOut<UserOwner>(argument).store(owner));
            return u64{0};
        }
        case kSetSignal: {
            constexpr u64 kSignals = 64;
            if (argument > kSignals) {
                return fail(Errno::einval);
            }
            file.owner_signal.store(static_cast<i32>(argument), Order::relaxed);
            return u64{0};
        }
        default:
            return static_cast<u64>(file.owner_signal.load(Order::relaxed));
    }
}

/// memfd_create(2), "File sealing".
Result<u64> add_seals(vfs::File& file, u64 argument) {
    if (!file.writable()) {
        return fail(Errno::eperm);
    }
    if ((argument & ~u64{vfs::seal_flags::kAll}) != 0) {
        return fail(Errno::einval);
    }
    vfs::Inode& inode = file.inode();
    if (inode.seals.load(Order::relaxed) == vfs::Inode::kNoSeals) {
        return fail(Errno::einval);
    }
    Ref<mm::MemoryObject> object = TRY(file.memory_object());
    sync::MutexGuard guard(inode.data_lock);
    u32 present = inode.seals.load(Order::relaxed);
    if ((present & vfs::seal_flags::kSeal) != 0) {
        return fail(Errno::eperm);
    }
    if ((argument & vfs::seal_flags::kWrite) != 0) {
        TRY(object->forbid_writable_mappings());
    }
    inode.seals.store(present | static_cast<u32>(argument), Order::release);
    return u64{0};
}

Result<u64> get_seals(vfs::File& file) {
    u32 seals = file.inode().seals.load(Order::acquire);
    return seals == vfs::Inode::kNoSeals ? Result<u64>(fail(Errno::einval)) : u64{seals};
}

/// What works on O_PATH descriptors too.
std::optional<Result<u64>> descriptor_command(Caller& self, Fd fd, u32 command, u64 argument) {
    switch (command) {
        case kDuplicate:
            return duplicate(self, fd, static_cast<u32>(argument), false);
        case kDuplicateCloseOnExec:
            return duplicate(self, fd, static_cast<u32>(argument), true);
        case kGetDescriptorFlags: {
            Result<bool> marked = self.descriptors().close_on_exec(fd);
            return marked.ok() ? Result<u64>(marked.value() ? kCloseOnExecFlag : 0) : marked.failure();
        }
        case kSetDescriptorFlags: {
            Result<void> set = self.descriptors().set_close_on_exec(fd, (argument & kCloseOnExecFlag) != 0);
            return set.ok() ? Result<u64>(u64{0}) : set.failure();
        }
        case kGetFlags: {
            const Result<vfs::DescriptorReference> file = self.borrow_or_path(fd);
            return file.ok() ? Result<u64>(u64{file.value()->flags()}) : file.failure();
        }
        case kDuplicateQuery: {
            Result<Ref<vfs::File>> file = self.file_or_path(fd);
            Result<Ref<vfs::File>> other = self.file_or_path(Fd{static_cast<i32>(argument)});
            if (!file.ok() || !other.ok()) {
                return Result<u64>(fail(Errno::ebadf));
            }
            return Result<u64>(u64{&*file.value() == &*other.value() ? 1u : 0u});
        }
        default:
            return std::nullopt;
    }
}

}  // namespace

/// fcntl(2).
Result<u64> sys_fcntl(Caller& self, Fd fd, u32 command, u64 argument) {
    if (std::optional<Result<u64>> result = descriptor_command(self, fd, command, argument)) {
        return std::move(*result);
    }
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    vfs::OperationContext context = self.context();
    switch (command) {
        case kSetFlags:
            return set_flags(self, fd, *file, argument);
        case kGetLock:
        case kSetLock:
        case kSetLockWait:
        case kGetOpenFileLock:
        case kSetOpenFileLock:
        case kSetOpenFileLockWait:
            return lock_command(self, fd, *file, command, argument);
        case kSetOwner:
        case kGetOwner:
        case kSetOwnerEx:
        case kGetOwnerEx:
        case kSetSignal:
        case kGetSignal:
            return owner_command(self, *file, command, argument);
        case kGetLease:
            return static_cast<u64>(RecordLock::Type::Unlock);  // there are none: F_UNLCK
        case kSetPipeSize:
            return pipe::set_pipe_size(context, *file, static_cast<u32>(argument));
        case kGetPipeSize:
            return pipe::get_pipe_size(*file);
        case kAddSeals:
            return add_seals(*file, argument);
        case kGetSeals:
            return get_seals(*file);
        default:
            return fail(Errno::einval);
    }
}

/// flock(2).
Result<void> sys_flock(Caller& self, Fd fd, u32 operation) {
    enum : u32 { kShared = 1, kExclusive = 2, kNonBlocking = 4, kUnlock = 8 };
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    vfs::LockWait wait = (operation & kNonBlocking) != 0 ? vfs::LockWait::No : vfs::LockWait::Yes;
    vfs::OperationContext context = self.context();
    switch (operation & ~u32{kNonBlocking}) {
        case kShared:
            return vfs::set_flock(context, *file, RecordLock::Type::Read, wait);
        case kExclusive:
            return vfs::set_flock(context, *file, RecordLock::Type::Write, wait);
        case kUnlock:
            return vfs::set_flock(context, *file, RecordLock::Type::Unlock, wait);
        default:
            return fail(Errno::einval);
    }
}

namespace {

/// FIONBIO and FIOASYNC: a flag from an int.
Result<u64> set_flag_from_int(vfs::File& file, u64 argument, u32 flag) {
    i32 value = TRY(UserIn<i32>(argument).fetch());
    file.set_flags(value != 0 ? file.flags() | flag : file.flags() & ~flag);
    return u64{0};
}

}  // namespace

/// ioctl(2): what every file knows; the rest is the file's own.
Result<u64> sys_ioctl(Caller& self, Fd fd, u32 command, u64 argument) {
    enum : u32 {
        kMark = 0x5451,             // FIOCLEX
        kUnmark = 0x5450,           // FIONCLEX
        kSetNonBlocking = 0x5421,   // FIONBIO
        kSetAsynchronous = 0x5452,  // FIOASYNC
        kBytesToRead = 0x541b,      // FIONREAD
    };
    vfs::DescriptorReference file = TRY(self.borrow(fd));
    switch (command) {
        case kMark:
        case kUnmark:
            TRY(self.descriptors().set_close_on_exec(fd, command == kMark));
            return u64{0};
        case kSetNonBlocking:
            return set_flag_from_int(*file, argument, vfs::open_flags::kNonBlock);
        case kSetAsynchronous:
            return set_flag_from_int(*file, argument, vfs::open_flags::kAsync);
        case kBytesToRead:
            if (file->inode().is_regular()) {
                i64 left = static_cast<i64>(file->inode().attributes().size - file->position());
                TRY(UserOut<i32>(argument).store(static_cast<i32>(left)));
                return u64{0};
            }
            break;
        case fs::terminal::kOpenPeerCommand: {
            const u32 flags = static_cast<u32>(argument);
            vfs::OperationContext context = self.context();
            Ref<vfs::File> peer = TRY(fs::terminal::open_peer(context, *file, flags));
            const Fd made = TRY(self.install(std::move(peer), (flags & vfs::open_flags::kCloseOnExec) != 0));
            return static_cast<u64>(made.value);
        }
        default:
            break;
    }
    vfs::OperationContext context = self.context();
    return file->ioctl(context, command, argument);
}

}  // namespace cairn::syscall
