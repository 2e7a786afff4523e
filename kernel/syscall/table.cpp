#include "kernel/syscall/table.h"

#include <array>

#include "kernel/base/log.h"
#include "kernel/base/rate_limit.h"
#include "kernel/syscall/attributes.h"
#include "kernel/syscall/control.h"
#include "kernel/syscall/decode.h"
#include "kernel/syscall/descriptors.h"
#include "kernel/syscall/events.h"
#include "kernel/syscall/files.h"
#include "kernel/syscall/futexes.h"
#include "kernel/syscall/identity.h"
#include "kernel/syscall/inotify.h"
#include "kernel/syscall/ipc.h"
#include "kernel/syscall/memory.h"
#include "kernel/syscall/message_queues.h"
#include "kernel/syscall/mounts.h"
#include "kernel/syscall/other_processes.h"
#include "kernel/syscall/paths.h"
#include "kernel/syscall/pipes.h"
#include "kernel/syscall/polling.h"
#include "kernel/syscall/processes.h"
#include "kernel/syscall/signals.h"
#include "kernel/syscall/sockets.h"
#include "kernel/syscall/system.h"
#include "kernel/syscall/time.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"

namespace cairn::syscall {

namespace {

struct Row {
    u32 number;
    Call call;
};

#define SYSCALL(number, name, restart)                         \
    Row {                                                      \
        number, Decoder<&sys_##name>::describe(#name, restart) \
    }
/// One that reads or writes, as /proc/PID/io counts them.
#define TRANSFER(number, name, direction)                                      \
    Row {                                                                      \
        number, Decoder<&sys_##name, direction>::describe(#name, Restart::Yes) \
    }

/// By number, as in Linux's table for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
constexpr Row kRows[] = {
    TRANSFER(0, read, Transfer::Read),
    TRANSFER(1, write, Transfer::Write),
    SYSCALL(2, open, Restart::Yes),
    SYSCALL(3, close, Restart::Yes),
    SYSCALL(4, stat, Restart::No),
    SYSCALL(5, fstat, Restart::No),
    SYSCALL(6, lstat, Restart::No),
    SYSCALL(7, poll, Restart::WithoutHandler),
    SYSCALL(8, lseek, Restart::No),
    SYSCALL(9, mmap, Restart::No),
    SYSCALL(10, mprotect, Restart::No),
    SYSCALL(11, munmap, Restart::No),
    SYSCALL(12, brk, Restart::No),
    SYSCALL(13, rt_sigaction, Restart::No),
    SYSCALL(14, rt_sigprocmask, Restart::No),
    SYSCALL(15, rt_sigreturn, Restart::No),
    SYSCALL(16, ioctl, Restart::Yes),
    TRANSFER(17, pread64, Transfer::Read),
    TRANSFER(18, pwrite64, Transfer::Write),
    TRANSFER(19, readv, Transfer::Read),
    TRANSFER(20, writev, Transfer::Write),
    SYSCALL(21, access, Restart::No),
    SYSCALL(22, pipe, Restart::No),
    SYSCALL(23, select, Restart::WithoutHandler),
    SYSCALL(24, sched_yield, Restart::No),
    SYSCALL(25, mremap, Restart::No),
    SYSCALL(26, msync, Restart::Yes),
    SYSCALL(27, mincore, Restart::No),
    SYSCALL(28, madvise, Restart::No),
    SYSCALL(29, shmget, Restart::No),
    SYSCALL(30, shmat, Restart::No),
    SYSCALL(31, shmctl, Restart::No),
    SYSCALL(32, dup, Restart::No),
    SYSCALL(33, dup2, Restart::No),
    SYSCALL(34, pause, Restart::WithoutHandler),
    SYSCALL(35, nanosleep, Restart::Continuation),
    SYSCALL(36, getitimer, Restart::No),
    SYSCALL(37, alarm, Restart::No),
    SYSCALL(38, setitimer, Restart::No),
    SYSCALL(39, getpid, Restart::No),
    SYSCALL(40, sendfile, Restart::Yes),
    SYSCALL(41, socket, Restart::No),
    SYSCALL(42, connect, Restart::Yes),
    SYSCALL(43, accept, Restart::Yes),
    SYSCALL(44, sendto, Restart::Yes),
    SYSCALL(45, recvfrom, Restart::Yes),
    SYSCALL(46, sendmsg, Restart::Yes),
    SYSCALL(47, recvmsg, Restart::Yes),
    SYSCALL(48, shutdown, Restart::No),
    SYSCALL(49, bind, Restart::No),
    SYSCALL(50, listen, Restart::No),
    SYSCALL(51, getsockname, Restart::No),
    SYSCALL(52, getpeername, Restart::No),
    SYSCALL(53, socketpair, Restart::No),
    SYSCALL(54, setsockopt, Restart::No),
    SYSCALL(55, getsockopt, Restart::No),
    SYSCALL(56, clone, Restart::No),
    SYSCALL(57, fork, Restart::No),
    SYSCALL(58, vfork, Restart::No),
    SYSCALL(59, execve, Restart::No),
    SYSCALL(60, exit, Restart::No),
    SYSCALL(61, wait4, Restart::Yes),
    SYSCALL(62, kill, Restart::No),
    SYSCALL(63, uname, Restart::No),
    SYSCALL(64, semget, Restart::No),
    SYSCALL(65, semop, Restart::No),
    SYSCALL(66, semctl, Restart::No),
    SYSCALL(67, shmdt, Restart::No),
    SYSCALL(68, msgget, Restart::No),
    SYSCALL(69, msgsnd, Restart::WithoutHandler),
    SYSCALL(70, msgrcv, Restart::WithoutHandler),
    SYSCALL(71, msgctl, Restart::No),
    SYSCALL(72, fcntl, Restart::Yes),
    SYSCALL(73, flock, Restart::Yes),
    SYSCALL(74, fsync, Restart::Yes),
    SYSCALL(75, fdatasync, Restart::Yes),
    SYSCALL(76, truncate, Restart::Yes),
    SYSCALL(77, ftruncate, Restart::Yes),
    SYSCALL(78, getdents, Restart::No),
    SYSCALL(79, getcwd, Restart::No),
    SYSCALL(80, chdir, Restart::No),
    SYSCALL(81, fchdir, Restart::No),
    SYSCALL(82, rename, Restart::No),
    SYSCALL(83, mkdir, Restart::No),
    SYSCALL(84, rmdir, Restart::No),
    SYSCALL(85, creat, Restart::Yes),
    SYSCALL(86, link, Restart::No),
    SYSCALL(87, unlink, Restart::No),
    SYSCALL(88, symlink, Restart::No),
    SYSCALL(89, readlink, Restart::No),
    SYSCALL(90, chmod, Restart::No),
    SYSCALL(91, fchmod, Restart::No),
    SYSCALL(92, chown, Restart::No),
    SYSCALL(93, fchown, Restart::No),
    SYSCALL(94, lchown, Restart::No),
    SYSCALL(95, umask, Restart::No),
    SYSCALL(96, gettimeofday, Restart::No),
    SYSCALL(97, getrlimit, Restart::No),
    SYSCALL(98, getrusage, Restart::No),
    SYSCALL(99, sysinfo, Restart::No),
    SYSCALL(100, times, Restart::No),
    SYSCALL(101, ptrace, Restart::No),
    SYSCALL(102, getuid, Restart::No),
    SYSCALL(103, syslog, Restart::No),
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
    SYSCALL(132, utime, Restart::No),
    SYSCALL(133, mknod, Restart::No),
    SYSCALL(135, personality, Restart::No),
    SYSCALL(137, statfs, Restart::No),
    SYSCALL(138, fstatfs, Restart::No),
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
    SYSCALL(153, vhangup, Restart::No),
    SYSCALL(155, pivot_root, Restart::No),
    SYSCALL(157, prctl, Restart::No),
    SYSCALL(158, arch_prctl, Restart::No),
    SYSCALL(159, adjtimex, Restart::No),
    SYSCALL(160, setrlimit, Restart::No),
    SYSCALL(161, chroot, Restart::No),
    SYSCALL(162, sync, Restart::No),
    SYSCALL(164, settimeofday, Restart::No),
    SYSCALL(165, mount, Restart::Yes),
    SYSCALL(166, umount2, Restart::Yes),
    SYSCALL(167, swapon, Restart::Yes),
    SYSCALL(168, swapoff, Restart::Yes),
    SYSCALL(169, reboot, Restart::No),
    SYSCALL(170, sethostname, Restart::No),
    SYSCALL(171, setdomainname, Restart::No),
    SYSCALL(186, gettid, Restart::No),
    SYSCALL(187, readahead, Restart::No),
    SYSCALL(188, setxattr, Restart::No),
    SYSCALL(189, lsetxattr, Restart::No),
    SYSCALL(190, fsetxattr, Restart::No),
    SYSCALL(191, getxattr, Restart::No),
    SYSCALL(192, lgetxattr, Restart::No),
    SYSCALL(193, fgetxattr, Restart::No),
    SYSCALL(194, listxattr, Restart::No),
    SYSCALL(195, llistxattr, Restart::No),
    SYSCALL(196, flistxattr, Restart::No),
    SYSCALL(197, removexattr, Restart::No),
    SYSCALL(198, lremovexattr, Restart::No),
    SYSCALL(199, fremovexattr, Restart::No),
    SYSCALL(200, tkill, Restart::No),
    SYSCALL(201, time, Restart::No),
    SYSCALL(202, futex, Restart::Yes),
    SYSCALL(203, sched_setaffinity, Restart::No),
    SYSCALL(204, sched_getaffinity, Restart::No),
    SYSCALL(213, epoll_create, Restart::No),
    SYSCALL(217, getdents64, Restart::No),
    SYSCALL(218, set_tid_address, Restart::No),
    SYSCALL(219, restart_syscall, Restart::Continuation),
    SYSCALL(220, semtimedop, Restart::No),
    SYSCALL(221, fadvise64, Restart::No),
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
    SYSCALL(235, utimes, Restart::No),
    SYSCALL(240, mq_open, Restart::No),
    SYSCALL(241, mq_unlink, Restart::No),
    SYSCALL(242, mq_timedsend, Restart::Yes),
    SYSCALL(243, mq_timedreceive, Restart::Yes),
    SYSCALL(244, mq_notify, Restart::No),
    SYSCALL(245, mq_getsetattr, Restart::No),
    SYSCALL(247, waitid, Restart::Yes),
    SYSCALL(251, ioprio_set, Restart::No),
    SYSCALL(252, ioprio_get, Restart::No),
    SYSCALL(253, inotify_init, Restart::No),
    SYSCALL(254, inotify_add_watch, Restart::No),
    SYSCALL(255, inotify_rm_watch, Restart::No),
    SYSCALL(257, openat, Restart::Yes),
    SYSCALL(258, mkdirat, Restart::No),
    SYSCALL(259, mknodat, Restart::No),
    SYSCALL(260, fchownat, Restart::No),
    SYSCALL(261, futimesat, Restart::No),
    SYSCALL(262, newfstatat, Restart::No),
    SYSCALL(263, unlinkat, Restart::No),
    SYSCALL(264, renameat, Restart::No),
    SYSCALL(265, linkat, Restart::No),
    SYSCALL(266, symlinkat, Restart::No),
    SYSCALL(267, readlinkat, Restart::No),
    SYSCALL(268, fchmodat, Restart::No),
    SYSCALL(269, faccessat, Restart::No),
    SYSCALL(270, pselect6, Restart::WithoutHandler),
    SYSCALL(271, ppoll, Restart::WithoutHandler),
    SYSCALL(272, unshare, Restart::No),
    SYSCALL(273, set_robust_list, Restart::No),
    SYSCALL(274, get_robust_list, Restart::No),
    SYSCALL(275, splice, Restart::Yes),
    SYSCALL(276, tee, Restart::Yes),
    SYSCALL(277, sync_file_range, Restart::No),
    SYSCALL(278, vmsplice, Restart::Yes),
    SYSCALL(280, utimensat, Restart::No),
    SYSCALL(281, epoll_pwait, Restart::No),
    SYSCALL(282, signalfd, Restart::No),
    SYSCALL(283, timerfd_create, Restart::No),
    SYSCALL(284, eventfd, Restart::No),
    SYSCALL(285, fallocate, Restart::Yes),
    SYSCALL(286, timerfd_settime, Restart::No),
    SYSCALL(287, timerfd_gettime, Restart::No),
    SYSCALL(288, accept4, Restart::Yes),
    SYSCALL(289, signalfd4, Restart::No),
    SYSCALL(290, eventfd2, Restart::No),
    SYSCALL(291, epoll_create1, Restart::No),
    SYSCALL(292, dup3, Restart::No),
    SYSCALL(293, pipe2, Restart::No),
    SYSCALL(294, inotify_init1, Restart::No),
    TRANSFER(295, preadv, Transfer::Read),
    TRANSFER(296, pwritev, Transfer::Write),
    SYSCALL(297, rt_tgsigqueueinfo, Restart::No),
    SYSCALL(299, recvmmsg, Restart::Yes),
    SYSCALL(302, prlimit64, Restart::No),
    SYSCALL(303, name_to_handle_at, Restart::No),
    SYSCALL(305, clock_adjtime, Restart::No),
    SYSCALL(306, syncfs, Restart::No),
    SYSCALL(307, sendmmsg, Restart::Yes),
    SYSCALL(308, setns, Restart::No),
    SYSCALL(309, getcpu, Restart::No),
    SYSCALL(310, process_vm_readv, Restart::No),
    SYSCALL(311, process_vm_writev, Restart::No),
    SYSCALL(312, kcmp, Restart::No),
    SYSCALL(314, sched_setattr, Restart::No),
    SYSCALL(315, sched_getattr, Restart::No),
    SYSCALL(316, renameat2, Restart::No),
    SYSCALL(318, getrandom, Restart::Yes),
    SYSCALL(319, memfd_create, Restart::No),
    SYSCALL(322, execveat, Restart::No),
    SYSCALL(324, membarrier, Restart::No),
    SYSCALL(325, mlock2, Restart::No),
    SYSCALL(326, copy_file_range, Restart::Yes),
    TRANSFER(327, preadv2, Transfer::Read),
    TRANSFER(328, pwritev2, Transfer::Write),
    SYSCALL(332, statx, Restart::No),
    SYSCALL(334, rseq, Restart::No),
    SYSCALL(424, pidfd_send_signal, Restart::No),
    SYSCALL(434, pidfd_open, Restart::No),
    SYSCALL(435, clone3, Restart::No),
    SYSCALL(436, close_range, Restart::No),
    SYSCALL(437, openat2, Restart::Yes),
    SYSCALL(438, pidfd_getfd, Restart::No),
    SYSCALL(439, faccessat2, Restart::No),
    SYSCALL(440, process_madvise, Restart::No),
    SYSCALL(441, epoll_pwait2, Restart::No),
    SYSCALL(449, futex_waitv, Restart::Yes),
};
#undef TRANSFER
#undef SYSCALL

consteval u32 highest_number() {
    u32 highest = 0;
    for (const Row& row : kRows) {
        highest = row.number > highest ? row.number : highest;
    }
    return highest;
}

/// What runs for a number without a row.
Result<u64> refuse(Caller& self) {
    static constinit RateLimit limit(10, Nanoseconds::from_seconds(10));
    if (limit.allow(time::now())) {
        const u32 suppressed = limit.take_suppressed();
        log_info("syscall", "{}[{}]: no system call {}{}", self.task.name().view(), self.task.number(),
                 static_cast<u32>(arch::syscall_number(self.frame)), suppressed != 0 ? " (and others)" : "");
    }
    return fail(Errno::enosys);
}
constexpr Call kUnknown{.run = &refuse};

inline void number_stands_twice() {}  // not constexpr: calling it ends the compilation

/// The rows by number; a number that stands twice does not compile.
constexpr usize kLimit = highest_number() + 1;
consteval std::array<Call, kLimit> make_table() {
    std::array<Call, kLimit> table{};
    table.fill(kUnknown);
    for (const Row& row : kRows) {
        if (table[row.number].name != nullptr) {
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

const Call& call_of(u64 number) {
    const u64 index = static_cast<u32>(number);
    return index < kLimit ? kTable[arch::speculation_safe_index(index, kLimit)] : kUnknown;
}

const Call* find_call(u64 number) {
    const Call& call = call_of(number);
    return call.name == nullptr ? nullptr : &call;
}

}  // namespace cairn::syscall
