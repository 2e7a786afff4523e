/// What the requests of ptrace(2) do: memory, registers, stops at calls and events, signals.

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr int kCallStop = (SIGTRAP | 0x80) << 8 | 0x7f;
constexpr int stopped(int signal, int event = 0) {
    return signal << 8 | 0x7f | event << 16;
}
i64 trace(UserMachine& u, u64 request, i64 pid, u64 address = 0, u64 data = 0) {
    return u.syscall(SYS_ptrace, request, pid, address, data);
}
void expect_stop(UserMachine& u, i64 pid, int wanted, std::source_location where = std::source_location::current()) {
    check(wait(u, pid, __WALL), {pid, where});
    check(status(u), {wanted, where});
}
/// A child that stops itself and is traced; it is at the stop when this returns.
i64 traced_child(UserMachine& u, UserFunction child) {
    board.words[3] = 0;
    const i64 pid = check_made(fork(u, child));
    expect_stop(u, pid, stopped(SIGSTOP));
    return pid;
}
void let_trace(UserMachine& c) {
    expect(c, 0, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    expect(c, 0, SYS_kill, c.syscall(SYS_getpid), SIGSTOP);
}
u64 user_word(UserMachine& u, i64 pid, u64 offset) {
    check(trace(u, PTRACE_PEEKUSER, pid, offset, word(8).value), 0);
    return u.load<u64>(word(8));
}

TEST(PtraceCalls, MemoryAndRegisters) {
    check_calls("ptrace: memory, registers", [](UserMachine& u) {
        u.store<u64>(word(0), 0x1111);
        const i64 child = traced_child(u, [](UserMachine& c) {
            c.store<u64>(word(0), 0x2222);
            let_trace(c);
            require(c.load<u64>(word(0)) == 0x3333, "PTRACE_POKEDATA");
            exit(c, static_cast<int>(c.syscall(SYS_getpid)) == 0 ? 1 : 7);
        });
        check(trace(u, PTRACE_PEEKDATA, child, word(0).value, word(1).value), 0);
        expect_memory<u64>(u, word(1), 0x2222);
        check(trace(u, PTRACE_POKEDATA, child, word(0).value, 0x3333), 0);
        expect_memory<u64>(u, word(0), 0x1111);
        check(trace(u, PTRACE_PEEKDATA, child, 8, word(1).value), -EIO);
        check(trace(u, PTRACE_POKETEXT, child, 8, 1), -EIO);
        // Code, which the tracee itself may not write.
        check(trace(u, PTRACE_POKETEXT, child, 0x40'1000, 0x90), 0);
        check(trace(u, PTRACE_PEEKTEXT, child, 0x40'1000, word(1).value), 0);
        expect_memory<u64>(u, word(1), 0x90);
        check(trace(u, PTRACE_GETREGS, child, 0, kBuffer.value), 0);
        auto registers = u.load<user_regs_struct>(kBuffer);
        require(registers.orig_rax == SYS_kill && registers.rax == 0, "registers at a stop behind kill");
        require(registers.cs == 0x33 && registers.ss == 0x2b, "selectors");
        check(static_cast<i64>(user_word(u, child, offsetof(user_regs_struct, rip))), static_cast<i64>(registers.rip));
        registers.r15 = 0x1515;
        u.store(kBuffer, registers);
        check(trace(u, PTRACE_SETREGS, child, 0, kBuffer.value), 0);
        check(static_cast<i64>(user_word(u, child, 0)), 0x1515);
        check(trace(u, PTRACE_POKEUSER, child, 8, 0x1414), 0);
        check(static_cast<i64>(user_word(u, child, 8)), 0x1414);
        // What would be privilege is refused or left alone.
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, cs), 0x10), -EIO);
        const u64 flags = user_word(u, child, offsetof(user_regs_struct, eflags));
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, eflags), flags | 0x3000), 0);
        check(static_cast<i64>(user_word(u, child, offsetof(user_regs_struct, eflags))), static_cast<i64>(flags));
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, fs_base), ~u64{0}), -EIO);
        check(trace(u, PTRACE_PEEKUSER, child, 3, word(1).value), -EIO);
        check(trace(u, PTRACE_PEEKUSER, child, 100'000, word(1).value), -EIO);
        // By sets.
        iovec set = {reinterpret_cast<void*>(kBuffer.value), sizeof(user_regs_struct)};
        u.store(word(2), set);
        check(trace(u, PTRACE_GETREGSET, child, NT_PRSTATUS, word(2).value), 0);
        require(u.load<user_regs_struct>(kBuffer).r15 == 0x1515, "NT_PRSTATUS");
        set.iov_len = 8;
        u.store(word(2), set);
        check(trace(u, PTRACE_SETREGSET, child, NT_PRSTATUS, word(2).value), 0);
        expect_memory<u64>(u, word(2) + 8, 8);
        set.iov_len = 512;
        u.store(word(2), set);
        check(trace(u, PTRACE_GETREGSET, child, NT_PRFPREG, word(2).value), 0);
        check(trace(u, PTRACE_SETREGSET, child, NT_PRFPREG, word(2).value), 0);
        check(trace(u, PTRACE_GETREGSET, child, 0x7777, word(2).value), -EINVAL);
        check(trace(u, PTRACE_GETREGSET, child, NT_PRSTATUS, 8), -EFAULT);
        check(trace(u, PTRACE_GETFPREGS, child, 0, kBuffer.value), 0);
        check(trace(u, PTRACE_SETFPREGS, child, 0, kBuffer.value), 0);
        check(trace(u, 77, child), -EIO);
        check(trace(u, PTRACE_CONT, child, 0, 65), -EIO);
        check(trace(u, PTRACE_CONT, child), 0);
        expect_end(u, child, exited(7), "the tracee went on");
    });
}

TEST(PtraceCalls, StopsAtSystemCalls) {
    check_calls("ptrace: system calls", [](UserMachine& u) {
        const i64 child = traced_child(u, [](UserMachine& c) {
            let_trace(c);
            check(c.syscall(SYS_getppid), 4321);       // the tracer's result
            check(c.syscall(SYS_setpgid, -5, 0), 99);  // the tracer's call: never made
            exit(c, 3);
        });
        check(trace(u, PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD), 0);
        check(trace(u, PTRACE_SETOPTIONS, child, 0, u64{1} << 40), -EINVAL);
        check(trace(u, PTRACE_SYSCALL, child), 0);
        expect_stop(u, child, kCallStop);
        check(trace(u, PTRACE_GET_SYSCALL_INFO, child, 88, kBuffer.value), 80);
        auto info = u.load<__ptrace_syscall_info>(kBuffer);
        require(info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getppid, "at the entry");
        check(static_cast<i64>(user_word(u, child, offsetof(user_regs_struct, orig_rax))), SYS_getppid);
        check(static_cast<i64>(user_word(u, child, offsetof(user_regs_struct, rax))), -ENOSYS);
        check(trace(u, PTRACE_SYSCALL, child), 0);
        expect_stop(u, child, kCallStop);
        check(trace(u, PTRACE_GET_SYSCALL_INFO, child, 88, kBuffer.value), 33);
        info = u.load<__ptrace_syscall_info>(kBuffer);
        require(info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == u.syscall(SYS_getpid), "at the exit");
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, rax), 4321), 0);
        check(trace(u, PTRACE_SYSCALL, child), 0);
        expect_stop(u, child, kCallStop);
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, orig_rax), ~u64{0}), 0);
        check(trace(u, PTRACE_SYSCALL, child), 0);
        expect_stop(u, child, kCallStop);
        check(static_cast<i64>(user_word(u, child, offsetof(user_regs_struct, rax))), -ENOSYS);
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, rax), 99), 0);
        check(trace(u, PTRACE_CONT, child), 0);
        expect_end(u, child, exited(3), "the end");
        check(trace(u, PTRACE_CONT, child), -ESRCH);
    });
}

TEST(PtraceCalls, EmulatesSystemCalls) {
    check_calls("ptrace: PTRACE_SYSEMU", [](UserMachine& u) {
        const i64 child = traced_child(u, [](UserMachine& c) {
            let_trace(c);
            check(c.syscall(SYS_getppid), 11);
            exit(c, 4);
        });
        check(trace(u, 31, child), 0);  // PTRACE_SYSEMU
        expect_stop(u, child, stopped(SIGTRAP));
        check(trace(u, PTRACE_POKEUSER, child, offsetof(user_regs_struct, rax), 11), 0);
        check(trace(u, PTRACE_CONT, child), 0);
        expect_end(u, child, exited(4), "the tracer was the kernel");
    });
}

TEST(PtraceCalls, Events) {
    check_calls("ptrace: events", [](UserMachine& u) {
        const i64 child = traced_child(u, [](UserMachine& c) {
            let_trace(c);
            const i64 grandchild = fork(c, [](UserMachine& g) { exit(g, 5); });
            c.syscall(SYS_wait4, grandchild, 0, 0, 0);
            vfork(c, [](UserMachine& g) { exit(g, 5); });
            start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
            join_thread(c, 0);
            execve(c, "/bin/program");
        });
        constexpr u64 kOptions = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                                 PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE;
        check(trace(u, PTRACE_SETOPTIONS, child, 0, kOptions), 0);
        u64 seen = 0;
        i64 pid = child;
        // Everybody goes on from wherever he stops, until the child has ended.
        for (;;) {
            if (pid > 0) {
                check(trace(u, PTRACE_CONT, pid), 0);
            }
            pid = check_made(wait(u, -1, __WALL));
            const int state = status(u);
            if ((state & 0xff) != 0x7f) {
                if (pid == child) {
                    check(state, exited(77));
                    break;
                }
                pid = 0;
                continue;
            }
            if (state >> 16 != 0) {
                check(trace(u, PTRACE_GETEVENTMSG, pid, 0, word(0).value), 0);
                const u64 message = u.load<u64>(word(0));
                const int event = state >> 16;
                seen |= u64{1} << event;
                if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
                    require(message > static_cast<u64>(child), "the new one's number");
                }
                if (event == PTRACE_EVENT_EXIT && pid == child) {
                    require(message == static_cast<u64>(exited(77)), "the status to be");
                }
            }
        }
        for (int event : {PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE, PTRACE_EVENT_EXEC,
                          PTRACE_EVENT_EXIT, PTRACE_EVENT_VFORK_DONE}) {
            require((seen & u64{1} << event) != 0, "an event did not come");
        }
        // The others may still be about to end.
        while (wait(u, -1, __WALL) > 0) {
        }
    });
}

TEST(PtraceCalls, Signals) {
    check_calls("ptrace: signals", [](UserMachine& u) {
        const i64 child = traced_child(u, [](UserMachine& c) {
            set_handler(c, SIGUSR2, address_of([](UserMachine& h) { h.store<u64>(word(30), h.argument(0)); }).value);
            let_trace(c);
            expect(c, 0, SYS_kill, c.syscall(SYS_getpid), SIGUSR1);  // swallowed
            expect(c, 0, SYS_kill, c.syscall(SYS_getpid), SIGUSR1);  // becomes another
            expect_memory<u64>(c, word(30), SIGUSR2);
            set_mask(c, SIG_BLOCK, bit(34));
            expect(c, 0, SYS_kill, c.syscall(SYS_getpid), 34);
            expect(c, 0, SYS_kill, c.syscall(SYS_getpid), SIGUSR1);
            exit(c, 6);
        });
        check(trace(u, PTRACE_CONT, child), 0);
        expect_stop(u, child, stopped(SIGUSR1));
        check(trace(u, PTRACE_GETSIGINFO, child, 0, kBuffer.value), 0);
        expect_memory<i32>(u, kBuffer, SIGUSR1);
        expect_memory<i32>(u, kBuffer + 16, static_cast<i32>(child));
        check(trace(u, PTRACE_CONT, child), 0);
        expect_stop(u, child, stopped(SIGUSR1));
        check(trace(u, PTRACE_GETSIGINFO, child, 0, kBuffer.value), 0);
        u.store<i32>(kBuffer, SIGUSR2);
        check(trace(u, PTRACE_SETSIGINFO, child, 0, kBuffer.value), 0);
        check(trace(u, PTRACE_CONT, child, 0, SIGUSR2), 0);
        expect_stop(u, child, stopped(SIGUSR1));
        // What is pending, without taking it; the mask.
        const struct {
            u64 offset;
            u32 flags;
            i32 count;
        } which = {0, 1, 4};  // PTRACE_PEEKSIGINFO_SHARED
        u.store(word(0), which);
        check(trace(u, PTRACE_PEEKSIGINFO, child, word(0).value, kBuffer.value), 1);
        expect_memory<i32>(u, kBuffer, 34);
        check(trace(u, PTRACE_GETSIGMASK, child, 8, word(1).value), 0);
        expect_memory<u64>(u, word(1), bit(34));
        check(trace(u, PTRACE_SETSIGMASK, child, 8, word(1).value), 0);
        check(trace(u, PTRACE_GETSIGMASK, child, 4, word(1).value), -EINVAL);
        check(trace(u, PTRACE_DETACH, child, 0, 65), -EIO);
        check(trace(u, PTRACE_DETACH, child), 0);
        expect_end(u, child, exited(6), "after PTRACE_DETACH");
    });
}

TEST(PtraceCalls, SeizeInterruptAndListen) {
    check_calls("ptrace: PTRACE_SEIZE", [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            for (;;) {
                c.syscall(SYS_pause);
            }
        });
        check(trace(u, PTRACE_CONT, child), -ESRCH);
        check(trace(u, PTRACE_SEIZE, child, 1), -EIO);
        check(trace(u, PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD), 0);
        check(trace(u, PTRACE_ATTACH, child), -EPERM);
        check(trace(u, PTRACE_GETREGS, child, 0, kBuffer.value), -ESRCH);  // it runs
        check(trace(u, PTRACE_INTERRUPT, child), 0);
        expect_stop(u, child, stopped(SIGTRAP, PTRACE_EVENT_STOP));
        check(trace(u, PTRACE_CONT, child), 0);
        expect(u, 0, SYS_kill, child, SIGSTOP);
        expect_stop(u, child, stopped(SIGSTOP));
        check(trace(u, PTRACE_CONT, child, 0, SIGSTOP), 0);
        expect_stop(u, child, stopped(SIGSTOP, PTRACE_EVENT_STOP));
        check(trace(u, PTRACE_LISTEN, child), 0);
        expect(u, 0, SYS_kill, child, SIGCONT);
        expect_stop(u, child, stopped(SIGTRAP, PTRACE_EVENT_STOP));
        check(trace(u, PTRACE_KILL, child), 0);
        check(trace(u, PTRACE_CONT, child), -ESRCH);
        expect_end(u, child, SIGKILL, "PTRACE_KILL");
        // Whom one may not look at.
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            check(trace(c, PTRACE_ATTACH, 1), -EPERM);
            check(trace(c, PTRACE_SEIZE, c.syscall(SYS_getppid)), -EPERM);
            check(trace(c, PTRACE_ATTACH, 29'999), -ESRCH);
            check(trace(c, PTRACE_ATTACH, c.syscall(SYS_getpid)), -EPERM);
            expect(c, 0, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
            expect(c, -EPERM, SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
            exit(c, 0);
        });
    });
}

TEST(PtraceCalls, SingleSteps) {
    check_calls("ptrace: single steps", [](UserMachine& u) {
        const i64 child = traced_child(u, [](UserMachine& c) {
            let_trace(c);
            exit(c, 2);
        });
        check(trace(u, PTRACE_SINGLESTEP, child), 0);
        // The machine has no instructions to step over: the flag stands in the registers, and a call ends in a trap.
        check(wait(u, child, __WALL), child);
        if ((status(u) & 0xff) == 0x7f) {
            check(status(u), stopped(SIGTRAP));
            check(trace(u, PTRACE_CONT, child), 0);
            check(wait(u, child), child);
        }
        check(status(u), exited(2));
    });
}

}  // namespace
}  // namespace cairn
