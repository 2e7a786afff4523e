/// What the calls of processes do: clone(2)'s flags, waiting, groups and sessions, scheduling, pidfds, personality.

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

void leave(UserMachine& c) {
    exit_thread(c, 0);
}
i64 clone_with(UserMachine& u, u64 flags, UserFunction child = leave) {
    return u.fork_into(address_of(child), SYS_clone, flags, 0, word(20), word(21), 0);
}

TEST(ProcessCalls, CloneRefusesWhatCannotBe) {
    check_calls("clone, EINVAL", [](UserMachine& u) {
        // F05; clone(2).
        constexpr u64 kWrong[] = {CLONE_THREAD,
                                  CLONE_THREAD | CLONE_VM,
                                  CLONE_SIGHAND,
                                  CLONE_NEWNS | CLONE_FS,
                                  CLONE_PIDFD | CLONE_PARENT_SETTID,
                                  CLONE_PIDFD | CLONE_DETACHED,
                                  CLONE_NEWUSER | CLONE_FS};
        for (u64 flags : kWrong) {
            check(clone_with(u, flags | SIGCHLD), -EINVAL);
        }
        clone_args arguments = {};
        const auto clone3_with = [](UserMachine& c, const clone_args& wanted, u64 size = sizeof(clone_args)) {
            c.store(kBuffer, wanted);
            return c.fork_into(address_of(leave), SYS_clone3, kBuffer, size);
        };
        arguments.exit_signal = 65;
        check(clone3_with(u, arguments), -EINVAL);
        arguments.exit_signal = SIGCHLD;
        check(clone3_with(u, arguments, 8), -EINVAL);
        check(clone3_with(u, arguments, 5000), -E2BIG);
        arguments.stack = 0x1000;
        check(clone3_with(u, arguments), -EINVAL);  // without a size
        arguments.stack = 0;
        arguments.stack_size = 0x1000;
        check(clone3_with(u, arguments), -EINVAL);
        arguments.stack_size = 0;
        arguments.flags = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
        check(clone3_with(u, arguments), -EINVAL);  // with an exit signal
        arguments.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
        check(clone3_with(u, arguments), -EINVAL);
        arguments.flags = 1;
        check(clone3_with(u, arguments), -EINVAL);
        arguments.flags = CLONE_DETACHED;
        check(clone3_with(u, arguments), -EINVAL);
        expect(u, -ECHILD, SYS_wait4, -1, 0, __WALL, 0);
        for (u64 flags : {CLONE_THREAD, CLONE_VM, CLONE_SIGHAND}) {
            expect(u, 0, SYS_unshare, flags);  // of a process with one thread
        }
        expect(u, -EINVAL, SYS_unshare, 1);
    });
}

TEST(ProcessCalls, CloneSharesWhatItIsTold) {
    check_calls("clone, flags", [](UserMachine& u) {
        // Memory, descriptors, working directory; and not.
        const auto change = [](UserMachine& c) {
            c.store<u32>(word(0), 2);
            c.syscall(SYS_chdir, text(c, "/mount", 1));
            c.syscall(SYS_close, 0);
            exit_thread(c, 0);
        };
        u.store<u32>(word(0), 1);
        expect_at(u, 0, SYS_chdir, "/d");
        i64 child = check_made(clone_with(u, SIGCHLD, change));
        check(wait(u, child), child);
        expect_memory<u32>(u, word(0), 1);
        expect(u, 3, SYS_getcwd, kBuffer, 100);
        expect(u, 0, SYS_fcntl, 0, F_GETFD);
        child = check_made(clone_with(u, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_VFORK | SIGCHLD, change));
        expect_memory<u32>(u, word(0), 2);
        expect(u, 7, SYS_getcwd, kBuffer, 100);
        expect(u, -EBADF, SYS_fcntl, 0, F_GETFD);
        check(wait(u, child), child);
        // A child without SIGCHLD is waited for with __WCLONE or __WALL only.
        child = check_made(clone_with(u, 0));
        expect(u, -ECHILD, SYS_wait4, child, 0, 0, 0);
        expect(u, child, SYS_wait4, child, 0, __WCLONE, 0);
        // Numbers into memory; the pid's descriptor.
        child = check_made(clone_with(u, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, [](UserMachine& c) {
            expect_memory<i32>(c, word(21), static_cast<i32>(c.syscall(SYS_gettid)));
            exit(c, 0);
        }));
        expect_memory<i32>(u, word(20), static_cast<i32>(child));
        check(wait(u, child), child);
        check(status(u), 0);
        child = check_made(clone_with(u, CLONE_PIDFD | SIGCHLD));
        const i32 pidfd = u.load<i32>(word(20));
        expect(u, 0, SYS_waitid, P_PIDFD, pidfd, kBuffer, WEXITED, 0);
        expect_memory<i32>(u, kBuffer, SIGCHLD);
        expect_memory<i32>(u, kBuffer + 16, static_cast<i32>(child));
        expect(u, -ESRCH, SYS_pidfd_send_signal, pidfd, 0, 0, 0);
        // CLONE_PARENT: a sibling.
        run_child(u, [](UserMachine& c) {
            const i64 sibling = check_made(clone_with(c, CLONE_PARENT | SIGCHLD));
            expect(c, -ECHILD, SYS_wait4, sibling, 0, 0, 0);
            c.syscall(SYS_nanosleep, 0, 0);
            exit(c, 0);
        });
        require(wait(u, -1) > 0, "the sibling is a child of the parent");
        // set_tid: a number that is chosen.
        clone_args arguments = {};
        arguments.exit_signal = SIGCHLD;
        u.store<i32>(word(3), 777);
        arguments.set_tid = word(3).value;
        arguments.set_tid_size = 1;
        u.store(kBuffer, arguments);
        check(u.fork_into(address_of(leave), SYS_clone3, kBuffer, sizeof arguments), 777);
        check(u.fork_into(address_of(leave), SYS_clone3, kBuffer, sizeof arguments), -EEXIST);
        check(wait(u, 777), 777);
        // CLONE_CLEAR_SIGHAND: handlers go, what is ignored stays.
        set_handler(u, SIGUSR1, address_of(leave).value);
        set_handler(u, SIGUSR2, 1);
        arguments = {};
        arguments.exit_signal = SIGCHLD;
        arguments.flags = CLONE_CLEAR_SIGHAND;
        u.store(kBuffer, arguments);
        child = check_made(u.fork_into(address_of([](UserMachine& c) {
                                           require(handler_of(c, SIGUSR1) == 0, "a handler of the parent's");
                                           require(handler_of(c, SIGUSR2) == 1, "SIG_IGN stays");
                                           exit(c, 0);
                                       }),
                                       SYS_clone3, kBuffer, sizeof arguments));
        check(wait(u, child), child);
        check(status(u), 0);
    });
}

TEST(ProcessCalls, Waiting) {
    check_calls("wait4, waitid", [](UserMachine& u) {
        const auto pause = [](UserMachine& c) {
            for (;;) {
                c.syscall(SYS_pause);
            }
        };
        const i64 child = fork(u, pause);
        expect(u, 0, SYS_wait4, child, word(1), WNOHANG, 0);
        expect(u, 0, SYS_kill, child, SIGSTOP);
        expect(u, child, SYS_wait4, child, word(1), WUNTRACED, 0);
        expect_memory<i32>(u, word(1), SIGSTOP << 8 | 0x7f);
        expect(u, 0, SYS_wait4, child, word(1), WUNTRACED | WNOHANG, 0);  // told once
        expect(u, 0, SYS_kill, child, SIGCONT);
        expect(u, 0, SYS_waitid, P_PID, child, kBuffer, WCONTINUED | WNOWAIT, 0);
        expect_memory<i32>(u, kBuffer + 8, CLD_CONTINUED);
        expect(u, 0, SYS_waitid, P_PID, child, kBuffer, WCONTINUED, 0);
        expect_memory<i32>(u, kBuffer + 24, SIGCONT);
        expect(u, 0, SYS_kill, child, SIGTERM);
        expect(u, 0, SYS_waitid, P_ALL, 0, kBuffer, WEXITED | WNOWAIT, 0);
        expect_memory<i32>(u, kBuffer + 8, CLD_KILLED);
        expect(u, child, SYS_wait4, child, word(1), 0, kBuffer);
        expect_memory<i32>(u, word(1), SIGTERM);
        expect(u, -ECHILD, SYS_wait4, child, word(1), 0, 0);
        expect(u, -EINVAL, SYS_wait4, -1, word(1), 0x100, 0);
        expect(u, -ESRCH, SYS_wait4, static_cast<i32>(0x8000'0000), 0, 0, 0);
        expect(u, -EINVAL, SYS_waitid, 9, 0, kBuffer, WEXITED, 0);
        expect(u, -EINVAL, SYS_waitid, P_ALL, 0, kBuffer, 0, 0);
        expect(u, -EBADF, SYS_waitid, P_PIDFD, 99, kBuffer, WEXITED, 0);
        expect(u, -EINVAL, SYS_waitid, P_PID, 0, kBuffer, WEXITED, 0);
        // SA_NOCLDWAIT: nobody is left to be waited for.
        set_handler(u, SIGCHLD, 1);
        check_made(fork(u, leave));
        expect(u, -ECHILD, SYS_wait4, -1, 0, 0, 0);
    });
}

TEST(ProcessCalls, GroupsAndSessions) {
    check_calls("setpgid, setsid, kill", [](UserMachine& u) {
        const i64 self = u.syscall(SYS_getpid);
        expect(u, 0, SYS_setpgid, 0, 0);
        expect(u, self, SYS_getpgrp);
        expect(u, -EPERM, SYS_setsid);  // a group's leader
        expect(u, -EINVAL, SYS_setpgid, 0, -1);
        expect(u, -ESRCH, SYS_setpgid, 29'999, 0);
        expect(u, -EPERM, SYS_setpgid, 0, 29'999);
        expect(u, -ESRCH, SYS_getpgid, 29'999);
        expect(u, -ESRCH, SYS_getsid, 29'999);
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_pause);
            exit(c, 0);
        });
        expect(u, self, SYS_getpgid, child);
        expect(u, 0, SYS_setpgid, child, child);
        expect(u, child, SYS_getpgid, child);
        expect(u, 0, SYS_kill, -child, SIGTERM);
        expect_end(u, child, SIGTERM, "a signal to a group");
        expect(u, -ESRCH, SYS_kill, -child, SIGTERM);
        run_child(u, [](UserMachine& c) {
            const i64 me = c.syscall(SYS_getpid);
            expect(c, me, SYS_setsid);
            expect(c, me, SYS_getsid, 0);
            expect(c, me, SYS_getpgrp);
            expect(c, -EPERM, SYS_setpgid, 0, 0);  // a session's leader
            exit(c, 0);
        });
        expect(u, -EINVAL, SYS_kill, self, 65);
        expect(u, 0, SYS_kill, self, 0);
        expect(u, -EINVAL, SYS_tgkill, self, -1, 0);
        expect(u, -ESRCH, SYS_tgkill, self, 29'999, 0);
        expect(u, -ESRCH, SYS_tkill, 29'999, 0);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect(c, -EPERM, SYS_kill, 1, SIGTERM);
            expect(c, -EPERM, SYS_kill, c.syscall(SYS_getppid), SIGTERM);
            exit(c, 0);
        });
    });
}

TEST(ProcessCalls, Scheduling) {
    check_calls("sched_setscheduler and its kin", [](UserMachine& u) {
        expect(u, 0, SYS_sched_getscheduler, 0);
        u.store<i32>(word(0), 5);
        expect(u, -EINVAL, SYS_sched_setscheduler, 0, 0, word(0));
        expect(u, 0, SYS_sched_setscheduler, 0, 1, word(0));
        expect(u, 1, SYS_sched_getscheduler, 0);
        expect(u, 0, SYS_sched_getparam, 0, word(1));
        expect_memory<i32>(u, word(1), 5);
        u.store<i32>(word(0), 7);
        expect(u, 0, SYS_sched_setparam, 0, word(0));
        u.store<i32>(word(0), 100);
        expect(u, -EINVAL, SYS_sched_setparam, 0, word(0));
        expect(u, 99, SYS_sched_get_priority_max, 1);
        expect(u, 1, SYS_sched_get_priority_min, 2);
        expect(u, 0, SYS_sched_get_priority_max, 0);
        expect(u, -EINVAL, SYS_sched_get_priority_max, 77);
        u.store<i32>(word(0), 0);
        expect(u, 0, SYS_sched_setscheduler, 0, 3 | 0x4000'0000, word(0));
        expect(u, 3 | 0x4000'0000, SYS_sched_getscheduler, 0);
        // SCHED_RESET_ON_FORK: children get no more than everybody has.
        u.store<i32>(word(0), 5);
        expect(u, 0, SYS_sched_setscheduler, 0, 1 | 0x4000'0000, word(0));
        run_child(u, [](UserMachine& c) {
            expect(c, 0, SYS_sched_getscheduler, 0);
            exit(c, 0);
        });
        expect(u, 0, SYS_sched_getattr, 0, kBuffer, 48, 0);
        expect_memory<u64>(u, kBuffer + 8, 1);
        u.store<u64>(kBuffer + 8, 1 | 8 | 0x10);  // keeps policy and parameters
        expect(u, 0, SYS_sched_setattr, 0, kBuffer, 0);
        expect(u, 1 | 0x4000'0000, SYS_sched_getscheduler, 0);
        run_child(u, [](UserMachine& c) {
            c.store<i32>(word(0), 0);
            expect(c, 0, SYS_sched_setscheduler, 0, 0 | 0x4000'0000, word(0));
            drop_privileges(c);
            expect(c, -EPERM, SYS_sched_setscheduler, 0, 0, word(0));  // not taken back
            exit(c, 0);
        });
        u.store<u64>(kBuffer + 8, 0x80);
        expect(u, -EINVAL, SYS_sched_setattr, 0, kBuffer, 0);
        u.store<i32>(word(0), 0);
        expect(u, 0, SYS_sched_setscheduler, 0, 3 | 0x4000'0000, word(0));
        expect(u, -ESRCH, SYS_sched_getscheduler, 29'999);
        expect(u, -EINVAL, SYS_sched_getscheduler, -1);
        expect(u, 0, SYS_sched_setscheduler, 0, 0, word(0));
        expect(u, 0, SYS_sched_getattr, 0, kBuffer, 48, 0);
        expect_memory<u32>(u, kBuffer, 48);
        u.store<i32>(kBuffer + 16, 4);  // nice
        expect(u, 0, SYS_sched_setattr, 0, kBuffer, 0);
        expect(u, 16, SYS_getpriority, PRIO_PROCESS, 0);
        expect(u, -EINVAL, SYS_sched_setattr, 0, kBuffer, 1);
        expect(u, 0, SYS_setpriority, PRIO_PROCESS, 0, -50);
        expect(u, 40, SYS_getpriority, PRIO_PROCESS, 0);
        expect(u, 0, SYS_setpriority, PRIO_PGRP, 0, 3);
        expect(u, 17, SYS_getpriority, PRIO_PGRP, 0);
        expect(u, 17, SYS_getpriority, PRIO_USER, 0);
        expect(u, -EINVAL, SYS_getpriority, 3, 0);
        expect(u, -ESRCH, SYS_getpriority, PRIO_PROCESS, 29'999);
        expect(u, 0, SYS_ioprio_set, 1, 0, 2 << 13 | 3);
        expect(u, 2 << 13 | 3, SYS_ioprio_get, 1, 0);
        expect(u, -EINVAL, SYS_ioprio_set, 1, 0, 7 << 13);
        expect(u, -EINVAL, SYS_ioprio_get, 9, 0);
        expect(u, 0, SYS_sched_rr_get_interval, 0, word(0));
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            c.store<i32>(word(0), 5);
            expect(c, -EPERM, SYS_sched_setscheduler, 0, 1, word(0));
            expect(c, -EACCES, SYS_setpriority, PRIO_PROCESS, 0, 0);
            expect(c, 0, SYS_setpriority, PRIO_PROCESS, 0, 10);
            expect(c, -EPERM, SYS_setpriority, PRIO_PROCESS, c.syscall(SYS_getppid), 12);
            exit(c, 0);
        });
        // Two CPUs: on either, and on none that is not there.
        u.store<u64>(kBuffer, 2);
        expect(u, 0, SYS_sched_setaffinity, 0, 8, kBuffer);
        expect(u, 0, SYS_getcpu, word(0), word(1));
        expect_memory<u32>(u, word(0), 1);
        require(u.syscall(SYS_sched_getaffinity, 0, 128, kBuffer) >= 8, "sched_getaffinity");
        expect_memory<u64>(u, kBuffer, 2);
        expect(u, -EINVAL, SYS_sched_getaffinity, 0, 4, kBuffer);
        u.store<u64>(kBuffer, 0xf0);
        expect(u, -EINVAL, SYS_sched_setaffinity, 0, 8, kBuffer);
        expect(u, 0, SYS_sched_yield);
        require(u.syscall(SYS_membarrier, 0, 0, 0) > 0, "membarrier's commands");
        expect(u, 0, SYS_membarrier, 1, 0, 0);
        expect(u, -EPERM, SYS_membarrier, 8, 0, 0);  // not registered
        expect(u, 0, SYS_membarrier, 16, 0, 0);
        expect(u, 0, SYS_membarrier, 8, 0, 0);
        expect(u, -EINVAL, SYS_membarrier, 3, 0, 0);
        expect(u, -EINVAL, SYS_membarrier, 1, 5, 0);
    });
}

TEST(ProcessCalls, TheSystem) {
    check_calls("uname, sysinfo and the like", [](UserMachine& u) {
        expect(u, 0, SYS_sethostname, text(u, "machine"), 7);
        expect(u, 0, SYS_setdomainname, text(u, "domain"), 6);
        expect(u, 0, SYS_uname, kBuffer);
        expect_bytes(u, kBuffer, "Linux");
        expect_bytes(u, kBuffer + 65, std::string_view("machine\0", 8));
        expect_bytes(u, kBuffer + 5 * 65, std::string_view("domain\0", 7));
        expect(u, -EINVAL, SYS_sethostname, text(u, "machine"), 65);
        // A UTS namespace of its own.
        run_child(u, [](UserMachine& c) {
            expect(c, 0, SYS_unshare, CLONE_NEWUTS);
            expect(c, 0, SYS_sethostname, text(c, "other"), 5);
            const i64 fd = open_at(c, "/proc/1/ns/uts", O_RDONLY);
            expect(c, -EINVAL, SYS_setns, fd, CLONE_NEWPID);
            expect(c, 0, SYS_setns, fd, CLONE_NEWUTS);
            expect(c, 0, SYS_uname, kBuffer);
            expect_bytes(c, kBuffer + 65, "machine");
            drop_privileges(c);
            expect(c, -EPERM, SYS_sethostname, text(c, "other"), 5);
            expect(c, -EPERM, SYS_setns, fd, 0);
            expect(c, -EPERM, SYS_reboot, 0xfee1dead, 672274793, 0, 0);
            expect(c, -EPERM, SYS_vhangup);
            exit(c, 0);
        });
        expect(u, 0, SYS_sysinfo, kBuffer);
        require(u.load<u64>(kBuffer + 32) > 0, "total memory");
        expect(u, 64, SYS_getrandom, kBuffer, 64, 0);
        expect(u, -EINVAL, SYS_getrandom, kBuffer, 64, 8);
        expect(u, -EFAULT, SYS_getrandom, 8, 64, 0);
        expect(u, -EINVAL, SYS_reboot, 0xfee1dead, 1, 0, 0);
        expect(u, -EINVAL, SYS_reboot, 0xfee1dead, 672274793, 0x12345, 0);
        expect(u, 0, SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, 0);
        require(u.syscall(SYS_syslog, 3, kBuffer, 1000) > 0, "the log");
        expect(u, -EINVAL, SYS_syslog, 3, 0, 1000);
        expect(u, -EINVAL, SYS_syslog, 99, 0, 0);
        require(u.syscall(SYS_syslog, 10, 0, 0) > 0, "the size of the log");
        expect(u, 0, SYS_personality, 0xffff'ffff);
        expect(u, 0, SYS_personality, 0x40000);
        expect(u, 0x40000, SYS_personality, 0);
        require(u.syscall(SYS_times, kBuffer) >= 0, "times");
        expect(u, 0, SYS_getrusage, RUSAGE_SELF, kBuffer);
        expect(u, 0, SYS_getrusage, RUSAGE_CHILDREN, kBuffer);
        expect(u, -EINVAL, SYS_getrusage, 7, kBuffer);
        expect(u, -EINVAL, SYS_set_robust_list, kBuffer, 8);
        expect(u, 0, SYS_set_robust_list, kBuffer, 24);
        expect(u, 0, SYS_get_robust_list, 0, word(0), word(1));
        expect_memory<u64>(u, word(0), kBuffer.value);
        expect_memory<u64>(u, word(1), 24);
        expect(u, -ESRCH, SYS_get_robust_list, 29'999, word(0), word(1));
        expect(u, 0, SYS_arch_prctl, 0x1002, 0x1234'5678);
        require(u.fs_base() == 0x1234'5678, "ARCH_SET_FS");
        expect(u, 0, SYS_arch_prctl, 0x1003, word(0));
        expect_memory<u64>(u, word(0), 0x1234'5678);
        expect(u, 0, SYS_arch_prctl, 0x1001, 0x5678);
        expect(u, 0, SYS_arch_prctl, 0x1004, word(0));
        expect_memory<u64>(u, word(0), 0x5678);
        expect(u, -EPERM, SYS_arch_prctl, 0x1002, ~u64{0});
        expect(u, -EINVAL, SYS_arch_prctl, 1, 0);
    });
}

TEST(ProcessCalls, Pidfds) {
    check_calls("pidfd_open and its kin", [](UserMachine& u) {
        const Pipe ends = pipe(u, 0);
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_pause);
            exit(c, 0);
        });
        const i64 pidfd = check_made(u.syscall(SYS_pidfd_open, child, 0));
        expect(u, -ESRCH, SYS_pidfd_open, 29'999, 0);
        expect(u, -EINVAL, SYS_pidfd_open, 0, 0);
        expect(u, -EINVAL, SYS_pidfd_open, child, 1);
        const i64 copy = check_made(u.syscall(SYS_pidfd_getfd, pidfd, ends.reader, 0));
        expect(u, 1, SYS_write, ends.writer, kBuffer, 1);
        expect(u, 1, SYS_read, copy, kBuffer, 1);
        expect(u, FD_CLOEXEC, SYS_fcntl, copy, F_GETFD);
        expect(u, -EBADF, SYS_pidfd_getfd, pidfd, 99, 0);
        expect(u, -EBADF, SYS_pidfd_getfd, ends.reader, 0, 0);
        expect(u, -EINVAL, SYS_pidfd_getfd, pidfd, 0, 1);
        expect(u, -EBADF, SYS_pidfd_send_signal, ends.reader, 0, 0, 0);
        expect(u, -EINVAL, SYS_pidfd_send_signal, pidfd, 65, 0, 0);
        struct {
            i32 fd;
            i16 events, revents;
        } const polled = {static_cast<i32>(pidfd), 1, 0};
        u.store(kBuffer, polled);
        expect(u, 0, SYS_poll, kBuffer, 1, 0);
        expect(u, 0, SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
        expect(u, 1, SYS_poll, kBuffer, 1, -1);
        expect_end(u, child, SIGKILL, "pidfd_send_signal");
    });
}

void new_program(UserMachine& u) {
    require(u.load<u64>(u.stack_pointer()) == 1, "argc");
    exit(u, static_cast<int>(u.syscall(SYS_geteuid)) / 100);
}

TEST(ProcessCalls, ExecAndCredentials) {
    check_calls("execve, set-user-ID",
                [](UserMachine& u) {
                    // E15: the bits count for who is not traced and may gain privileges.
                    expect_at(u, 0, SYS_chown, "/bin/setuid", 500, 500);
                    expect_at(u, 0, SYS_chmod, "/bin/setuid", 06755);
                    const auto run = [](UserMachine& c) {
                        drop_privileges(c);
                        execve(c, "/bin/setuid");
                        exit(c, 99);
                    };
                    run_child(u, run, 5);
                    run_child(
                        u,
                        [](UserMachine& c) {
                            drop_privileges(c);
                            expect(c, 0, SYS_prctl, 38, 1, 0, 0, 0);  // PR_SET_NO_NEW_PRIVS
                            execve(c, "/bin/setuid");
                            exit(c, 99);
                        },
                        10);
                    run_child(
                        u,
                        [](UserMachine& c) {
                            drop_privileges(c);
                            execve(c, "/bin/program");
                            exit(c, 99);
                        },
                        10);
                    const auto fails = [](UserMachine& c, const char* path, Must must) {
                        check(execve(c, path), must);
                    };
                    fails(u, "/absent", -ENOENT);
                    fails(u, "/d", -EACCES);
                    fails(u, "/d/f", -EACCES);
                    fails(u, "/d/f/x", -ENOTDIR);
                    fails(u, "/bin/garbage", -ENOEXEC);
                    fails(u, "/d/loop", -ELOOP);
                    fails(u, "", -ENOENT);
                    expect(u, -EFAULT, SYS_execve, 8, 0, 0);
                    expect(u, -EFAULT, SYS_execve, text(u, "/bin/program"), 8, 0);
                    const i64 program = open_at(u, "/bin/program", O_RDONLY);
                    expect(u, -ENOENT, SYS_execveat, program, text(u, ""), 0, 0, 0);
                    expect(u, -EINVAL, SYS_execveat, program, text(u, ""), 0, 0, 1);
                    expect(u, -ELOOP, SYS_execveat, AT_FDCWD, text(u, "/d/link"), 0, 0, AT_SYMLINK_NOFOLLOW);
                    const i64 writer = open_at(u, "/bin/program", O_RDWR);
                    fails(u, "/bin/program", -ETXTBSY);
                    expect(u, 0, SYS_close, writer);
                    run_child(
                        u,
                        [](UserMachine& c) {
                            const i64 file = open_at(c, "/bin/program", O_RDONLY | O_CLOEXEC);
                            drop_privileges(c);
                            c.syscall(SYS_execveat, file, text(c, ""), 0, 0, AT_EMPTY_PATH);
                            exit(c, 99);
                        },
                        10);
                },
                {{"/program", new_program}});
}

}  // namespace
}  // namespace cairn
