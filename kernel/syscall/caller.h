#pragma once
/// Caller: what a system call's handler gets: the calling task, the registers that it entered with, and the
/// shortcuts that most handlers begin with. A handler is `Result<T> sys_name(Caller& self, …)` with typed
/// parameters (Fd, UserIn<T>, UserOut<T>, UserCString, integers that are truncated from the register); the table
/// (table.cpp) decodes them. It finds objects, calls one subsystem function and encodes; no locks, no policy.

#include <cstring>

#include "fs/vfs/descriptor_table.h"
#include "fs/vfs/filesystem_context.h"
#include "mm/user_memory.h"

namespace cairn::task {
class Task;
}

namespace cairn::syscall {

using mm::UserCString;
using mm::UserIn;
using mm::UserInOut;
using mm::UserOut;
using vfs::Fd;

/// What becomes of a call that ended with EINTR because of a signal (signal(7), "Interruption of system calls").
enum class Restart : u8 {
    No,              // EINTR reaches the program whatever the handler's flags
    Yes,             // restarted when the handler has SA_RESTART, and when there was no handler
    WithoutHandler,  // restarted only when no handler ran (ERESTARTNOHAND): poll, select, pause, sigsuspend …
    Continuation,    // as WithoutHandler, through restart_syscall(2) with the time that is left: nanosleep, futex …
};

class Caller {
public:
    Caller(task::Task& task_, arch::TrapFrame& frame_) : task(task_), frame(frame_) {}

    task::Task& task;
    arch::TrapFrame& frame;

    vfs::FileDescriptorTable& descriptors();
    /// EBADF.
    Result<Ref<vfs::File>> file(Fd fd);
    /// The same for the length of this call, which is cheaper.
    Result<vfs::DescriptorReference> borrow(Fd fd) { return descriptors().borrow(fd); }
    /// O_PATH descriptors too, borrowed or for longer.
    Result<vfs::DescriptorReference> borrow_or_path(Fd fd) { return descriptors().borrow(fd, true); }
    Result<Ref<vfs::File>> file_or_path(Fd fd);
    /// Valid until the call ends: credentials are changed only by their own thread.
    vfs::OperationContext context();
    const vfs::Credentials& credentials();
    /// RLIMIT_NOFILE.
    u64 descriptor_limit();
    /// Makes a descriptor for the file: the common end of open, pipe, socket ….
    Result<Fd> install(Ref<vfs::File> file, bool close_on_exec);

    /// An interrupted sleep goes on through restart_syscall(2): remembers `resume(self, data)` for that call and makes
    /// this one end with EINTR, to be restarted (Restart::Continuation).
    struct Continuation {
        Result<u64> (*resume)(Caller& self, const u64 (&data)[6]) = nullptr;
        u64 data[6] = {};
    };
    Failure interrupted(const Continuation& continuation);

    /// If this call ends with EINTR, the program gets to see it, whatever the table says (signal(7): socket calls
    /// with a timeout).
    void forbid_restart();

    /// SIGPIPE, SIGXFSZ: a signal that the call itself causes for the calling thread.
    void signal_self(i32 signal);
};

/// A path name, fetched once: a short one into the object, a long one into a page of its own. ENAMETOOLONG, EFAULT,
/// ENOENT for an empty one unless allowed, ENOMEM.
class PathName {
public:
    enum class Empty : u8 { Refused, Allowed };
    PathName() {}
    PathName(const PathName&) = delete;
    PathName& operator=(const PathName&) = delete;
    ~PathName() {
        if (long_ != nullptr) {
            free_long();
        }
    }
    /// Once. It stays where it is: moving it would copy it.
    Result<void> fetch(UserCString from, Empty empty = Empty::Refused);
    std::string_view text() const { return {long_ != nullptr ? long_ : short_, size_}; }

private:
    static constexpr usize kShort = 128;
    Result<void> fetch_long(UserCString from);
    void free_long();
    char* long_ = nullptr;
    usize size_ = 0;
    char short_[kShort];
};

/// Where a *at call begins: AT_FDCWD, or a directory descriptor, which it keeps. EBADF.
class StartDirectory {
public:
    static constexpr i32 kWorkingDirectory = -100;  // AT_FDCWD
    static Result<StartDirectory> find(Caller& self, Fd fd);
    /// For WalkOptions::start. Null: the working directory.
    const vfs::Path* path() const { return file_ ? (*file_)->path() : nullptr; }
    /// The descriptor's file; null: the working directory.
    vfs::File* file() const { return file_ ? &**file_ : nullptr; }

private:
    std::optional<Ref<vfs::File>> file_;
};

/// The iovecs of readv(2) and its kin, fetched and checked. EINVAL (more than 1024, a sum beyond SSIZE_MAX), EFAULT,
/// ENOMEM.
class IoVector {
public:
    static Result<IoVector> fetch(UserIn<mm::IoSegment> from, u64 count);
    IoVector(IoVector&& other) noexcept
        : segments_(std::exchange(other.segments_, nullptr)), count_(other.count_), total_(other.total_) {}
    IoVector& operator=(IoVector&&) = delete;
    ~IoVector();
    mm::IoSource source() const { return mm::IoSource::from_user({segments_, count_}, total_); }
    std::span<const mm::IoSegment> segments() const { return {segments_, count_}; }
    mm::IoSink sink() const { return mm::IoSink::to_user({segments_, count_}, total_); }

private:
    IoVector(mm::IoSegment* segments, usize count, usize total) : segments_(segments), count_(count), total_(total) {}
    mm::IoSegment* segments_;
    usize count_;
    usize total_;
};

}  // namespace cairn::syscall
