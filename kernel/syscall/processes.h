#pragma once
/// Processes and threads: clone, execve, exit, wait, ids, groups, sessions.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// struct clone_args, version 2 (88 bytes).
struct CloneArguments {
    u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
/// struct rusage.
struct ResourceUsage {
    i64 user_seconds, user_microseconds, system_seconds, system_microseconds;
    i64 peak_resident_kib, shared, data, stack, minor_faults, major_faults, swaps, blocks_in, blocks_out, sent,
        received, signals, voluntary_switches, involuntary_switches;
};
/// struct tms.
struct ClockTicks {
    i64 user, system, children_user, children_system;
};
/// siginfo_t whole, as waitid(2) fills it in.
struct WaitInformation {
    i32 signal, error, code, padding;
    i32 pid;
    u32 uid;
    i32 status;
    u32 unused[25];
};

Result<i32> sys_fork(Caller& self);
Result<i32> sys_vfork(Caller& self);
Result<i32> sys_clone(Caller& self, u64 flags, u64 stack, UserOut<i32> parent_tid, UserOut<i32> child_tid, u64 tls);
Result<i32> sys_clone3(Caller& self, UserIn<CloneArguments> arguments, usize size);
Result<void> sys_unshare(Caller& self, u64 flags);
Result<void> sys_setns(Caller& self, Fd fd, u32 kind);
Result<void> sys_execve(Caller& self, UserCString path, UserIn<u64> arguments, UserIn<u64> environment);
Result<void> sys_execveat(Caller& self, Fd directory, UserCString path, UserIn<u64> arguments, UserIn<u64> environment,
                          i32 flags);
Result<void> sys_exit(Caller& self, i32 code);
Result<void> sys_exit_group(Caller& self, i32 code);
Result<i32> sys_wait4(Caller& self, i32 pid, UserOut<i32> status, i32 options, UserOut<ResourceUsage> usage);
Result<void> sys_waitid(Caller& self, i32 which, i32 id, UserOut<WaitInformation> information, i32 options,
                        UserOut<ResourceUsage> usage);

Result<i32> sys_getpid(Caller& self);
Result<i32> sys_gettid(Caller& self);
Result<i32> sys_getppid(Caller& self);
Result<i32> sys_getpgrp(Caller& self);
Result<i32> sys_getpgid(Caller& self, i32 pid);
Result<void> sys_setpgid(Caller& self, i32 pid, i32 group);
Result<i32> sys_getsid(Caller& self, i32 pid);
Result<i32> sys_setsid(Caller& self);
Result<i32> sys_set_tid_address(Caller& self, UserOut<i32> address);
Result<void> sys_set_robust_list(Caller& self, UserIn<u64> head, usize size);
Result<void> sys_get_robust_list(Caller& self, i32 tid, UserOut<u64> head, UserOut<u64> size);
Result<void> sys_getrusage(Caller& self, i32 who, UserOut<ResourceUsage> usage);
Result<i64> sys_times(Caller& self, UserOut<ClockTicks> times);
Result<u64> sys_ptrace(Caller& self, u64 request, i32 pid, u64 address, u64 data);
Result<u64> sys_personality(Caller& self, u32 persona);
Result<Fd> sys_pidfd_open(Caller& self, i32 pid, u32 flags);
Result<void> sys_pidfd_send_signal(Caller& self, Fd pidfd, i32 signal, UserIn<std::byte> information, u32 flags);
Result<Fd> sys_pidfd_getfd(Caller& self, Fd pidfd, Fd fd, u32 flags);

}  // namespace cairn::syscall
