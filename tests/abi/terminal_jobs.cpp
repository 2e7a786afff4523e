// Job control on a terminal: who is stopped by what, who may change the foreground group, what a hangup does. Rule S04.
#include "tests/abi/support/pseudo_terminal.h"

using namespace abi_test;

namespace {

void in_session(const Body& body) {
    make_terminal();
    EXPECT_ENDS("exit 0", wait_for(start_session(body)));
}

// A child in a background group of its own runs the body; tells how it stopped or ended, and ends it.
std::string in_background(const Body& body) {
    pid_t pid = start_child([&] {
        setpgid(0, 0);
        body();
    });
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        wait_for(pid);
    }
    return status_text(status);
}

bool is_pending(int signal) {
    sigset_t set{};
    sigpending(&set);
    return sigismember(&set, signal) == 1;
}

}  // namespace

TEST(JobControl, ForegroundGroupIsChangedOnlyFromTheForeground) {  // S04
    in_session([] {
        EXPECT_EQ("stopped SIGTTOU", in_background([] { tcsetpgrp(slave, getpgrp()); }));
        EXPECT_EQ(getpgrp(), tcgetpgrp(slave)) << "nothing has changed";
    });
}

TEST(JobControl, IgnoringTheOutputSignalLetsItThrough) {  // S04
    in_session([] {
        EXPECT_EQ("exit 0", in_background([] {
                      handle(SIGTTOU, SIG_IGN);
                      EXPECT_OK(tcsetpgrp(slave, getpgrp()));
                      EXPECT_EQ(getpgrp(), tcgetpgrp(slave));
                  }));
    });
}

TEST(JobControl, ReadThatIsBlockedInsteadIsAnError) {  // S04
    in_session([] {
        EXPECT_EQ("exit 0", in_background([] {
                      block({SIGTTIN});
                      char byte;
                      EXPECT_ERRNO(EIO, read(slave, &byte, 1));
                  }));
    });
}

TEST(JobControl, ReaderComesToTheForegroundAndReads) {  // S04
    in_session([] {
        pid_t pid = start_child([] {
            setpgid(0, 0);
            char line[8];
            EXPECT_EQ(3, read(slave, line, 8)) << "restarted after the stop";
        });
        int status = 0;
        EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTTIN", status);
        ASSERT_OK(tcsetpgrp(slave, pid));
        kill(-pid, SIGCONT);
        type("ab\n");
        EXPECT_ENDS("exit 0", wait_for(pid));
    });
}

TEST(JobControl, HandlerOfTheInputSignalMakesEintr) {  // S04, S03
    in_session([] {
        EXPECT_EQ("exit 0", in_background([] {
                      count_signals(SIGTTIN);
                      char byte;
                      EXPECT_ERRNO(EINTR, read(slave, &byte, 1));
                      EXPECT_EQ(1, received(SIGTTIN));
                  }));
    });
}

TEST(JobControl, WholeGroupIsStopped) {  // S04
    in_session([] {
        pid_t leader = start_child([] {
            setpgid(0, 0);
            pause();
        });
        while (getpgid(leader) != leader) {
            sched_yield();
        }
        pid_t reader = start_child([=] {
            setpgid(0, leader);
            char byte;
            (void)!read(slave, &byte, 1);
        });
        int status = 0;
        EXPECT_EQ(reader, waitpid(reader, &status, WUNTRACED));
        EXPECT_EQ(leader, waitpid(leader, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTTIN", status) << "which did not read";
        kill(-leader, SIGKILL);
        wait_for(reader);
        wait_for(leader);
    });
}

TEST(JobControl, SettingsOfOthersStopTheBackground) {  // S04
    in_session([] {
        EXPECT_EQ("stopped SIGTTOU", in_background([] { tcflush(slave, TCIFLUSH); }));
        EXPECT_EQ("stopped SIGTTOU", in_background([] { tcsendbreak(slave, 0); }));
        EXPECT_EQ("exit 0", in_background([] {
                      winsize size{5, 6, 0, 0};
                      EXPECT_OK(ioctl(slave, TIOCSWINSZ, &size)) << "but not the window's size";
                  }));
    });
}

TEST(JobControl, CharactersWithoutISIGAreData) {  // S04
    in_session([] {
        change([](termios& t) { t.c_lflag &= ~static_cast<tcflag_t>(ISIG | ECHO); });
        type("\x03\x1a\n");
        EXPECT_EQ("\x03\x1a\n", get(slave));
    });
}

TEST(JobControl, SignalFlushesTheLineUnlessRefused) {  // S04
    in_session([] {
        block({SIGINT});
        no_echo();
        type(
            "ab\x03"
            "c\n");
        EXPECT_EQ("c\n", get(slave));
        change([](termios& t) { t.c_lflag |= NOFLSH; });
        type(
            "ab\x03"
            "c\n");
        EXPECT_EQ("abc\n", get(slave));
        EXPECT_TRUE(is_pending(SIGINT));
    });
}

TEST(JobControl, OtherCharactersMayBeChosen) {  // S04
    in_session([] {
        block({SIGINT, SIGQUIT});
        change([](termios& t) {
            t.c_cc[VINTR] = 'x';
            t.c_cc[VQUIT] = 0;  // _POSIX_VDISABLE
        });
        type("\x1c");
        type("x");
        // What is typed arrives a moment later.
        sigset_t set = set_of({SIGINT});
        EXPECT_EQ(SIGINT, sigwaitinfo(&set, nullptr));
        EXPECT_FALSE(is_pending(SIGQUIT));
    });
}

TEST(JobControl, WindowSizeSignalsOnlyAChange) {  // S04
    in_session([] {
        block({SIGWINCH});
        winsize size{11, 22, 0, 0};
        ASSERT_OK(ioctl(slave, TIOCSWINSZ, &size));
        EXPECT_TRUE(is_pending(SIGWINCH));
        sigset_t set = set_of({SIGWINCH});
        sigwaitinfo(&set, nullptr);
        ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
        EXPECT_FALSE(is_pending(SIGWINCH)) << "the same size";
    });
}

TEST(JobControl, GivingTheTerminalUp) {  // S04
    in_session([] {
        Gate ready;
        pid_t foreground = start_child([&] {
            setpgid(0, 0);
            handle(SIGTTOU, SIG_IGN);
            EXPECT_OK(tcsetpgrp(slave, getpgrp()));
            ready.open();
            pause();
        });
        ready.wait();
        EXPECT_OK(ioctl(slave, TIOCNOTTY, 0));
        EXPECT_ENDS("SIGHUP", wait_for(foreground)) << "when the leader does it";
        EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR));
        EXPECT_ERRNO(ENOTTY, tcgetpgrp(slave));
        EXPECT_ERRNO(ENOTTY, ioctl(slave, TIOCNOTTY, 0)) << "twice";
    });
}

TEST(JobControl, AMemberGivesTheTerminalUpForItselfAndItsChildren) {  // S04
    in_session([] {
        child([] {
            ASSERT_OK(ioctl(slave, TIOCNOTTY, 0));
            EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR));
            EXPECT_ERRNO(ENOTTY, tcgetpgrp(slave));
            EXPECT_ERRNO(ENOTTY, ioctl(slave, TIOCNOTTY, 0)) << "twice";
            EXPECT_ERRNO(EPERM, ioctl(slave, TIOCSCTTY, 0)) << "it does not lead";
            child([] { EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR)) << "a child is born without"; });
        });
        EXPECT_EQ(getpgrp(), tcgetpgrp(slave)) << "the leader keeps it";
        child([] {
            EXPECT_OK(open("/dev/tty", O_RDWR)) << "and so do its other children";
            EXPECT_EQ(getppid(), tcgetpgrp(slave));
        });
    });
}

TEST(JobControl, SessionIsTold) {  // S04
    in_session([] {
        pid_t session = 0;
        EXPECT_OK(ioctl(slave, TIOCGSID, &session));
        EXPECT_EQ(getsid(0), session);
        EXPECT_OK(ioctl(master, TIOCGSID, &session)) << "through the master, too";
        EXPECT_EQ(getsid(0), session);
        EXPECT_EQ(getpgrp(), tcgetpgrp(master));
    });
    pid_t session = 0;
    EXPECT_ERRNO(ENOTTY, ioctl(slave, TIOCGSID, &session)) << "not the caller's terminal";
}

TEST(JobControl, HungUpTerminalIsAtItsEnd) {  // S04
    make_terminal();
    Gate ready;
    pid_t pid = start_session([&] {
        handle(SIGHUP, SIG_IGN);
        close(master);
        ready.open();
        pollfd one{slave, POLLIN, 0};
        while (poll(&one, 1, -1) < 0 || (one.revents & POLLHUP) == 0) {
        }
        char byte;
        EXPECT_EQ(0, read(slave, &byte, 1));
        EXPECT_ERRNO(EIO, write(slave, "x", 1));
        EXPECT_ERRNO(EIO, [] {
            termios now{};
            return ioctl(slave, TCGETS, &now);
        }());
    });
    ready.wait();
    close(master);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(JobControl, StoppedGroupsOfOtherSessionsCannotBeForeground) {  // S04
    in_session([] {
        Gate ready;
        pid_t other = start_child([&] {
            setsid();
            ready.open();
            pause();
        });
        ready.wait();
        EXPECT_ERRNO(EPERM, tcsetpgrp(slave, other));
        kill(other, SIGKILL);
        wait_for(other);
        EXPECT_ERRNO(ESRCH, tcsetpgrp(slave, 0x3ffff0));
        EXPECT_ERRNO(EINVAL, tcsetpgrp(slave, -1));
    });
}
