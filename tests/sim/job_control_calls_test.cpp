/// Sessions, their terminal, and who may use it (S04): the calls of a shell and of its jobs, on a pseudoterminal.

#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kGo = 20;
constexpr i64 kMaster = 100, kSlave = 101;

i64 control(UserMachine& u, i64 fd, u64 command, i32 value = 0) {
    u.store<i32>(word(90), value);
    return u.syscall(SYS_ioctl, fd, command, word(90));
}
i32 answer(UserMachine& u) {
    return u.load<i32>(word(90));
}
i64 type(UserMachine& u, const char* keys) {
    return write_text(u, kMaster, keys);
}

/// Becomes a session's leader with a terminal of its own, whose ends are kMaster and kSlave.
void begin_session(UserMachine& u) {
    check_made(u.syscall(SYS_setsid));
    const i64 master = open_at(u, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
    check(control(u, master, TIOCSPTLCK, 0), 0);
    check(control(u, master, TIOCGPTN), 0);
    char path[32];
    TextBuffer name{std::span(path)};
    format_to(name, "/dev/pts/{}", answer(u));
    path[name.view().size()] = 0;
    expect_at(u, -ENXIO, SYS_open, "/dev/tty", O_RDWR, 0);  // there is none yet
    const i64 slave = open_at(u, path, O_RDWR | O_NOCTTY);
    expect(u, kMaster, SYS_dup2, master, kMaster);
    expect(u, kSlave, SYS_dup2, slave, kSlave);
    expect(u, 0, SYS_close, master);
    expect(u, 0, SYS_close, slave);
    check(control(u, kSlave, TIOCGPGRP), -ENOTTY);
    expect(u, 0, SYS_ioctl, kSlave, TIOCSCTTY, 0);
}

/// A child in a group of its own, which begins when that is so.
i64 start_job(UserMachine& u, UserFunction job) {
    const i64 pid = check_made(fork(u, job));
    expect(u, 0, SYS_setpgid, pid, pid);
    arrive(kGo);
    return pid;
}
void expect_stopped(UserMachine& u, i64 pid, int signal, std::source_location where = std::source_location::current()) {
    check(wait(u, pid, WUNTRACED), {pid, where});
    check(status(u), {signal << 8 | 0x7f, where});
}

TEST(JobControlCalls, ASessionHasATerminal) {
    check_calls("session, terminal", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            begin_session(c);
            const i64 self = c.syscall(SYS_getpid);
            check(control(c, kSlave, TIOCGPGRP), 0);
            check(answer(c), self);
            check(control(c, kSlave, TIOCGSID), 0);
            check(answer(c), self);
            open_at(c, "/dev/tty", O_RDWR);
            check(control(c, kSlave, TIOCSPGRP, 29'999), -ESRCH);
            check(control(c, kSlave, TIOCSPGRP, -1), -EINVAL);
            check(control(c, kSlave, TIOCSPGRP, 1), -EPERM);  // another session's
            const i64 job = start_job(c, [](UserMachine& j) {
                await(j, kGo);
                j.syscall(SYS_pause);
            });
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(job)), 0);
            check(control(c, kMaster, TIOCGPGRP), 0);
            check(answer(c), job);
            // ^C for the job in the foreground only.
            check(type(c, "\3"), 1);
            expect_end(c, job, SIGINT, "^C");
            exit(c, 0);
        });
    });
}

TEST(JobControlCalls, JobsInTheBackgroundWait) {
    check_calls("SIGTTIN, SIGTTOU", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            begin_session(c);
            i64 job = start_job(c, [](UserMachine& j) {
                await(j, kGo);
                check(j.syscall(SYS_read, kSlave, kBuffer, 10), 3);
                exit(j, 4);
            });
            expect_stopped(c, job, SIGTTIN);
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(job)), 0);
            check(type(c, "ab\n"), 3);
            expect(c, 0, SYS_kill, -job, SIGCONT);
            expect_end(c, job, exited(4), "it read in the foreground");
            // The terminal now belongs to nobody who lives: the shell takes it back, which it may only do when it
            // ignores or blocks SIGTTOU.
            set_handler(c, SIGTTOU, 1);
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(c.syscall(SYS_getpid))), 0);
            board.words[kGo] = 0;
            job = start_job(c, [](UserMachine& j) {
                set_handler(j, SIGTTIN, 1);
                set_handler(j, SIGTTOU, 0);
                await(j, kGo);
                check(j.syscall(SYS_read, kSlave, kBuffer, 10), -EIO);  // it ignores SIGTTIN
                check(control(j, kSlave, TIOCSPGRP, static_cast<i32>(j.syscall(SYS_getpid))), 0);
                exit(j, 5);
            });
            expect_stopped(c, job, SIGTTOU);
            set_handler(c, SIGCHLD, 0);
            expect(c, 0, SYS_kill, -job, SIGCONT);
            // It is stopped again, unless it is in the foreground by then.
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(job)), 0);
            for (;;) {
                check(wait(c, job, WUNTRACED), job);
                if ((status(c) & 0xff) != 0x7f) {
                    break;
                }
                expect(c, 0, SYS_kill, -job, SIGCONT);
            }
            check(status(c), exited(5));
            exit(c, 0);
        });
    });
}

TEST(JobControlCalls, StopAndContinueFromTheKeyboard) {
    check_calls("^Z, ^\\", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            begin_session(c);
            set_handler(c, SIGTTOU, 1);
            const i64 job = start_job(c, [](UserMachine& j) {
                await(j, kGo);
                for (;;) {
                    j.syscall(SYS_pause);
                }
            });
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(job)), 0);
            check(type(c, "\32"), 1);
            expect_stopped(c, job, SIGTSTP);
            expect(c, 0, SYS_kill, -job, SIGCONT);
            check(wait(c, job, WCONTINUED), job);
            check(status(c), 0xffff);
            check(type(c, "\34"), 1);
            check(wait(c, job), job);
            check(status(c) & 0x7f, SIGQUIT);
            exit(c, 0);
        });
    });
}

TEST(JobControlCalls, TheEndOfASession) {
    check_calls("hang-up, orphans", [](UserMachine& u) {
        // The leader ends: its foreground job is told, loses the terminal, and is nobody's then.
        expect(u, 0, SYS_prctl, 36, 1, 0, 0, 0);  // PR_SET_CHILD_SUBREAPER
        const i64 leader = fork(u, [](UserMachine& c) {
            begin_session(c);
            set_handler(c, SIGTTOU, 1);
            const i64 job = start_job(c, [](UserMachine& j) {
                set_handler(j, SIGHUP, address_of([](UserMachine&) {}).value);
                expect(j, 0, SYS_close, kMaster);
                await(j, kGo);
                arrive(1);
                check(j.syscall(SYS_pause), -EINTR);
                check(j.syscall(SYS_read, kSlave, kBuffer, 1), 0);  // hung up: the leader had the master
                check(j.syscall(SYS_write, kSlave, kBuffer, 1), -EIO);
                expect_at(j, -ENXIO, SYS_open, "/dev/tty", O_RDWR, 0);
                exit(j, 6);
            });
            check(control(c, kSlave, TIOCSPGRP, static_cast<i32>(job)), 0);
            await(c, 1);
            sleep_nanoseconds(c, 10'000'000);
            exit(c, 7);
        });
        expect_end(u, leader, exited(7), "the leader");
        require(wait(u, -1) > 0 && status(u) == exited(6), "its job comes to the next reaper");
        // A stopped job whose parent ends is orphaned: SIGHUP and SIGCONT.
        board.words[kGo] = 0;
        const i64 parent = fork(u, [](UserMachine& c) {
            check_made(c.syscall(SYS_setsid));
            const i64 job = start_job(c, [](UserMachine& j) {
                await(j, kGo);
                for (;;) {
                    j.syscall(SYS_pause);
                }
            });
            expect(c, 0, SYS_kill, job, SIGSTOP);
            expect_stopped(c, job, SIGSTOP);
            exit(c, 8);
        });
        expect_end(u, parent, exited(8), "the parent");
        require(wait(u, -1) > 0 && status(u) == SIGHUP, "an orphaned stopped group");
    });
}

TEST(JobControlCalls, GivingTheTerminalUp) {
    check_calls("TIOCNOTTY, TIOCSCTTY, vhangup", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            begin_session(c);
            set_handler(c, SIGHUP, 1);
            expect(c, 0, SYS_ioctl, kSlave, TIOCNOTTY, 0);
            check(control(c, kSlave, TIOCGPGRP), -ENOTTY);
            expect(c, -ENOTTY, SYS_ioctl, kSlave, TIOCNOTTY, 0);
            expect(c, 0, SYS_ioctl, kSlave, TIOCSCTTY, 0);
            // Another session does not get it, unless it takes it by force.
            run_child(c, [](UserMachine& d) {
                check_made(d.syscall(SYS_setsid));
                expect(d, -EPERM, SYS_ioctl, kSlave, TIOCSCTTY, 0);
                expect(d, 0, SYS_ioctl, kSlave, TIOCSCTTY, 1);
                exit(d, 0);
            });
            check(control(c, kSlave, TIOCGPGRP), -ENOTTY);
            expect(c, 0, SYS_vhangup);
            exit(c, 0);
        });
    });
}

}  // namespace
}  // namespace cairn
