#include "kernel/syscall/table.h"

#include <array>

#include "kernel/syscall/control.h"
#include "kernel/syscall/decode.h"
#include "kernel/syscall/events.h"
#include "kernel/syscall/futexes.h"
#include "kernel/syscall/identity.h"
#include "kernel/syscall/memory.h"
#include "kernel/syscall/pipes.h"
#include "kernel/syscall/polling.h"
#include "kernel/syscall/processes.h"
#include "kernel/syscall/signals.h"
#include "kernel/syscall/time.h"

namespace cairn::syscall {

namespace {

struct Row {
    u32 number;
    Call call;
};

#define SYSCALL(number, name, restart) Row{number, Decoder<&sys_##name>::describe(#name, restart)}

/// By number, as in Linux's table for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
constexpr Row kRows[] = {
    SYSCALL(7, poll, Restart::WithoutHandler),
    SYSCALL(9, mmap, Restart::No),
    SYSCALL(10, mprotect, Restart::No),
    SYSCALL(11, munmap, Restart::No),
    SYSCALL(12, brk, Restart::No),
    SYSCALL(13, rt_sigaction, Restart::No),
    SYSCALL(14, rt_sigprocmask, Restart::No),
    SYSCALL(15, rt_sigreturn, Restart::No),
    SYSCALL(22, pipe, Restart::No),
    SYSCALL(23, select, Restart::WithoutHandler),
    SYSCALL(24, sched_yield, Restart::No),
    SYSCALL(25, mremap, Restart::No),
    SYSCALL(26, msync, Restart::Yes),
    SYSCALL(27, mincore, Restart::No),
    SYSCALL(28, madvise, Restart::No),
    SYSCALL(34, pause, Restart::WithoutHandler),
    SYSCALL(35, nanosleep, Restart::Continuation),
    SYSCALL(36, getitimer, Restart::No),
    SYSCALL(37, alarm, Restart::No),
    SYSCALL(38, setitimer, Restart::No),
    SYSCALL(39, getpid, Restart::No),
    SYSCALL(56, clone, Restart::No),
    SYSCALL(57, fork, Restart::No),
    SYSCALL(58, vfork, Restart::No),
    SYSCALL(59, execve, Restart::No),
    SYSCALL(60, exit, Restart::No),
    SYSCALL(61, wait4, Restart::Yes),
    SYSCALL(62, kill, Restart::No),
    SYSCALL(96, gettimeofday, Restart::No),
    SYSCALL(97, getrlimit, Restart::No),
    SYSCALL(98, getrusage, Restart::No),
    SYSCALL(100, times, Restart::No),
    SYSCALL(102, getuid, Restart::No),
    SYSCALL(104, getgid, Restart::No),
    SYSCALL(105, setuid, Restart::No),
    SYSCALL(106, setgid, Restart::No),
    SYSCALL(107, geteuid, Restart::No),
    SYSCALL(108, getegid, Restart::No),
    SYSCALL(109, setpgid, Restart::No),
    SYSCALL(110, getppid, Restart::No),
    SYSCALL(111, getpgrp, Restart::No),
    SYSCALL(112, setsid, Restart::No),
    SYSCALL(113, setreuid, Restart::No),
    SYSCALL(114, setregid, Restart::No),
    SYSCALL(115, getgroups, Restart::No),
    SYSCALL(116, setgroups, Restart::No),
    SYSCALL(117, setresuid, Restart::No),
    SYSCALL(118, getresuid, Restart::No),
    SYSCALL(119, setresgid, Restart::No),
    SYSCALL(120, getresgid, Restart::No),
    SYSCALL(121, getpgid, Restart::No),
    SYSCALL(122, setfsuid, Restart::No),
    SYSCALL(123, setfsgid, Restart::No),
    SYSCALL(124, getsid, Restart::No),
    SYSCALL(125, capget, Restart::No),
    SYSCALL(126, capset, Restart::No),
    SYSCALL(127, rt_sigpending, Restart::No),
    SYSCALL(128, rt_sigtimedwait, Restart::No),
    SYSCALL(129, rt_sigqueueinfo, Restart::No),
    SYSCALL(130, rt_sigsuspend, Restart::WithoutHandler),
    SYSCALL(131, sigaltstack, Restart::No),
    SYSCALL(135, personality, Restart::No),
    SYSCALL(140, getpriority, Restart::No),
    SYSCALL(141, setpriority, Restart::No),
    SYSCALL(142, sched_setparam, Restart::No),
    SYSCALL(143, sched_getparam, Restart::No),
    SYSCALL(144, sched_setscheduler, Restart::No),
    SYSCALL(145, sched_getscheduler, Restart::No),
    SYSCALL(146, sched_get_priority_max, Restart::No),
    SYSCALL(147, sched_get_priority_min, Restart::No),
    SYSCALL(148, sched_rr_get_interval, Restart::No),
    SYSCALL(149, mlock, Restart::No),
    SYSCALL(150, munlock, Restart::No),
    SYSCALL(151, mlockall, Restart::No),
    SYSCALL(152, munlockall, Restart::No),
    SYSCALL(157, prctl, Restart::No),
    SYSCALL(158, arch_prctl, Restart::No),
    SYSCALL(160, setrlimit, Restart::No),
    SYSCALL(164, settimeofday, Restart::No),
    SYSCALL(186, gettid, Restart::No),
    SYSCALL(200, tkill, Restart::No),
    SYSCALL(201, time, Restart::No),
    SYSCALL(202, futex, Restart::Yes),
    SYSCALL(203, sched_setaffinity, Restart::No),
    SYSCALL(204, sched_getaffinity, Restart::No),
    SYSCALL(213, epoll_create, Restart::No),
    SYSCALL(218, set_tid_address, Restart::No),
    SYSCALL(219, restart_syscall, Restart::Continuation),
    SYSCALL(222, timer_create, Restart::No),
    SYSCALL(223, timer_settime, Restart::No),
    SYSCALL(224, timer_gettime, Restart::No),
    SYSCALL(225, timer_getoverrun, Restart::No),
    SYSCALL(226, timer_delete, Restart::No),
    SYSCALL(227, clock_settime, Restart::No),
    SYSCALL(228, clock_gettime, Restart::No),
    SYSCALL(229, clock_getres, Restart::No),
    SYSCALL(230, clock_nanosleep, Restart::Continuation),
    SYSCALL(231, exit_group, Restart::No),
    SYSCALL(232, epoll_wait, Restart::No),
    SYSCALL(233, epoll_ctl, Restart::No),
    SYSCALL(234, tgkill, Restart::No),
    SYSCALL(247, waitid, Restart::Yes),
    SYSCALL(270, pselect6, Restart::WithoutHandler),
    SYSCALL(271, ppoll, Restart::WithoutHandler),
    SYSCALL(272, unshare, Restart::No),
    SYSCALL(273, set_robust_list, Restart::No),
    SYSCALL(274, get_robust_list, Restart::No),
    SYSCALL(275, splice, Restart::Yes),
    SYSCALL(276, tee, Restart::Yes),
    SYSCALL(278, vmsplice, Restart::Yes),
    SYSCALL(281, epoll_pwait, Restart::No),
    SYSCALL(282, signalfd, Restart::No),
    SYSCALL(283, timerfd_create, Restart::No),
    SYSCALL(284, eventfd, Restart::No),
    SYSCALL(286, timerfd_settime, Restart::No),
    SYSCALL(287, timerfd_gettime, Restart::No),
    SYSCALL(289, signalfd4, Restart::No),
    SYSCALL(290, eventfd2, Restart::No),
    SYSCALL(291, epoll_create1, Restart::No),
    SYSCALL(293, pipe2, Restart::No),
    SYSCALL(297, rt_tgsigqueueinfo, Restart::No),
    SYSCALL(302, prlimit64, Restart::No),
    SYSCALL(309, getcpu, Restart::No),
    SYSCALL(310, process_vm_readv, Restart::No),
    SYSCALL(311, process_vm_writev, Restart::No),
    SYSCALL(314, sched_setattr, Restart::No),
    SYSCALL(315, sched_getattr, Restart::No),
    SYSCALL(322, execveat, Restart::No),
    SYSCALL(324, membarrier, Restart::No),
    SYSCALL(325, mlock2, Restart::No),
    SYSCALL(424, pidfd_send_signal, Restart::No),
    SYSCALL(434, pidfd_open, Restart::No),
    SYSCALL(435, clone3, Restart::No),
    SYSCALL(441, epoll_pwait2, Restart::No),
    SYSCALL(449, futex_waitv, Restart::Yes),
};
#undef SYSCALL

consteval u32 highest_number() {
    u32 highest = 0;
    for (const Row& row : kRows) {
        highest = row.number > highest ? row.number : highest;
    }
    return highest;
}

void number_stands_twice();  // not constant: calling it ends the compilation

/// The rows by number; a number that stands twice does not compile.
constexpr usize kLimit = highest_number() + 1;
consteval std::array<Call, kLimit> make_table() {
    std::array<Call, kLimit> table{};
    for (const Row& row : kRows) {
        if (table[row.number].run != nullptr) {
            number_stands_twice();
        }
        table[row.number] = row.call;
    }
    return table;
}
constexpr std::array<Call, kLimit> kTable = make_table();

}  // namespace

usize call_limit() {
    return kLimit;
}

const Call* find_call(u64 number) {
    if (number >= kLimit) {
        return nullptr;
    }
    const Call& call = kTable[arch::speculation_safe_index(number, kLimit)];
    return call.run == nullptr ? nullptr : &call;
}

}  // namespace cairn::syscall
