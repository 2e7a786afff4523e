#pragma once
/// OperationContext: what the filesystems need to know of whoever calls. They know no tasks: credentials,
/// root and working directory, limits and identity come in here, and what a terminal must ask about jobs is
/// behind JobControl, which kernel/task implements. A local value of one system call.

#include "fs/vfs/credentials.h"
#include "kernel/base/atomic.h"
#include "kernel/base/result.h"

namespace cairn::vfs {

class FilesystemContext;

/// Who holds a POSIX record lock: the descriptor table, or for flock and OFD locks the open file.
using LockOwner = const void*;

/// A process as files know it. What it says is true when it is asked.
struct ProcessIdentity {
    constexpr explicit ProcessIdentity(i32 number, i32 group = 0, i32 session = 0, bool leads_session = false)
        : process(number), group_number(group), session_number(session), session_leader(leads_session) {}
    const i32 process;
    Atomic<i32> group_number;
    Atomic<i32> session_number;
    Atomic<bool> session_leader;
};
inline constinit ProcessIdentity kNoProcess{0};

struct OperationContext {
    const Credentials& credentials;
    FilesystemContext& filesystem;
    u64 file_size_limit =
        ~u64{0};  // RLIMIT_FSIZE: a write that begins beyond it gets EFBIG (and SIGXFSZ from the call)
    LockOwner lock_owner = nullptr;
    const ProcessIdentity* identity = &kNoProcess;
    u32 transfer = 0;  // transfer_flags of the read or write under way

    i32 process() const { return identity->process; }
    i32 process_group() const { return identity->group_number.load(Order::relaxed); }
    i32 session() const { return identity->session_number.load(Order::relaxed); }
    bool session_leader() const { return identity->session_leader.load(Order::relaxed); }
};

/// Who gets SIGIO for an open file: F_SETOWN, F_SETSIG.
struct AsyncOwner {
    i32 target = 0;      // a process, or minus a process group
    i32 signal = 0;      // 0: SIGIO, without details
    i32 descriptor = 0;  // as the details name it
    UserId uid = 0;      // of whoever set the owner: as if this user sent the signal
    UserId euid = 0;
};

/// What happened: si_code, POLL_* (sigaction(2)).
enum class AsyncEvent : u8 { Readable = 1, Writable = 2, HangUp = 6 };

/// How the terminal layer and F_SETOWN reach processes. g_kernel.job_control; implemented by kernel/task.
class JobControl {
public:
    /// Sends a signal from the kernel to every process of a group. No such group: nothing. Any context that holds no
    /// lock of rank PidTable or inner (interrupt handlers hand over to a thread first).
    virtual void signal_group(i32 process_group, i32 signal) = 0;
    /// To a process (positive), as F_SETOWN's target; 0 sends nothing. False: there is no such process.
    virtual bool signal_process(i32 process, i32 signal) = 0;
    /// SIGIO for those of the owner's processes that the one who set it may send signals to.
    virtual void signal_owner(const AsyncOwner& owner, AsyncEvent event) = 0;
    /// SIGHUP and SIGCONT for the session leader when a terminal hangs up; and for the foreground group, now or when
    /// the leader ends.
    enum class Foreground : u8 { Now, WhenLeaderEnds };
    virtual void hang_up_session(i32 session, i32 foreground_group, Foreground when) = 0;
    /// Whether the calling thread blocks or ignores the signal (SIGTTIN, SIGTTOU).
    virtual bool caller_blocks_or_ignores(i32 signal) = 0;
    /// Whether no member of the group has a parent in the session but outside the group.
    virtual bool is_orphaned(i32 process_group) = 0;
    /// Whether the group belongs to the session (tcsetpgrp): ESRCH, EPERM.
    virtual Result<void> check_group(i32 process_group, i32 session) = 0;

    /// The caller's controlling terminal, as an opaque object of the terminal layer: its session's, or none.
    virtual void* controlling_terminal() = 0;
    /// Makes `terminal` the controlling terminal of the caller's session, whose leader it is; null takes it away, from
    /// the whole session if a leader says so, else from the caller and its later children (TIOCNOTTY).
    virtual void set_controlling_terminal(void* terminal) = 0;
    /// Takes the terminal away from a session, when it hangs up.
    virtual void clear_controlling_terminal(i32 session) = 0;

protected:
    ~JobControl() = default;
};

}  // namespace cairn::vfs
