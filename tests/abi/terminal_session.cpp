// The controlling terminal: sessions, foreground and background, hangups. Rule S04.
#include "tests/abi/support/pseudo_terminal.h"

using namespace abi_test;

TEST(Terminal, BecomesControllingOnRequest) {  // S04
    make_terminal();
    pid_t pid = start_session([] {
        EXPECT_EQ(getpid(), tcgetsid(slave));
        EXPECT_EQ(getpid(), tcgetpgrp(slave));
        int tty = open("/dev/tty", O_RDWR);
        EXPECT_OK(tty);
        EXPECT_EQ(getpid(), tcgetpgrp(tty));
        EXPECT_OK(ioctl(tty, TIOCNOTTY)) << "given up";
        EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR));
    });
    // Giving it up hangs up the foreground group, which is the leader itself.
    int status = wait_for(pid);
    EXPECT_TRUE(status_text(status) == "SIGHUP" || status_text(status) == "exit 0") << status_text(status);
    note("leader that gives up its terminal: " + status_text(status));
}

TEST(Terminal, BecomesControllingByOpening) {  // S04
    make_terminal();
    std::string name = slave_name();
    child([&] {
        setsid();
        int file = open(name.c_str(), O_RDWR);
        EXPECT_OK(file);
        EXPECT_EQ(getpid(), tcgetsid(file));
    });
    child([&] {
        setsid();
        open(name.c_str(), O_RDWR | O_NOCTTY);
        EXPECT_ERRNO(ENXIO, open("/dev/tty", O_RDWR));
    });
}

TEST(Terminal, OnlyLeadersWithoutOneMayTakeIt) {  // S04
    make_terminal();
    child([] {
        setsid();
        child([] { EXPECT_ERRNO(EPERM, ioctl(slave, TIOCSCTTY, 0)) << "not the leader"; });
    });
    Gate taken;
    Gate end;
    pid_t pid = start_session([&] {
        taken.open();
        end.wait();
    });
    taken.wait();
    child([] {
        setsid();
        EXPECT_ERRNO(EPERM, ioctl(slave, TIOCSCTTY, 0)) << "it belongs to another session";
        EXPECT_ERRNO(ENOTTY, tcgetpgrp(slave));
        EXPECT_ERRNO(ENOTTY, tcsetpgrp(slave, getpid()));
    });
    end.open();
    wait_for(pid);
}

TEST(Terminal, CharactersSignalTheForegroundGroup) {  // S04
    make_terminal();
    struct Key {
        const char* text;
        const char* outcome;
    };
    for (Key key : {Key{"\x03", "SIGINT"}, Key{"\x1c", "SIGQUIT"}}) {
        Gate ready;
        pid_t pid = start_session([&] {
            pid_t inner = start_child([&] {
                setpgid(0, 0);
                handle(SIGTTOU, SIG_IGN);
                EXPECT_OK(tcsetpgrp(slave, getpid()));
                ready.open();
                pause();
            });
            EXPECT_ENDS(key.outcome, wait_for(inner));
        });
        ready.wait();
        type(key.text);
        EXPECT_ENDS("exit 0", wait_for(pid)) << key.outcome << " only to the foreground group";
    }
}

TEST(Terminal, SuspendCharacterStops) {  // S04
    make_terminal();
    Gate ready;
    pid_t pid = start_session([&] {
        handle(SIGTTOU, SIG_IGN);
        pid_t inner = start_child([&] {
            setpgid(0, 0);
            EXPECT_OK(tcsetpgrp(slave, getpid()));
            ready.open();
            for (;;) {
                pause();
            }
        });
        int status = 0;
        EXPECT_EQ(inner, waitpid(inner, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTSTP", status);
        EXPECT_OK(tcsetpgrp(slave, getpgrp()));
        kill(inner, SIGCONT);
        EXPECT_EQ(inner, waitpid(inner, &status, WCONTINUED));
        kill(inner, SIGKILL);
        wait_for(inner);
    });
    ready.wait();
    type("\x1a");
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Terminal, BackgroundReadStops) {  // S04
    make_terminal();
    pid_t pid = start_session([] {
        pid_t inner = start_child([] {
            setpgid(0, 0);
            char byte;
            (void)!read(slave, &byte, 1);
        });
        int status = 0;
        EXPECT_EQ(inner, waitpid(inner, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTTIN", status);
        kill(inner, SIGKILL);
        wait_for(inner);
        child([] {
            setpgid(0, 0);
            handle(SIGTTIN, SIG_IGN);
            char byte;
            EXPECT_ERRNO(EIO, read(slave, &byte, 1)) << "ignored: an error instead";
        });
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Terminal, BackgroundWriteStopsOnRequest) {  // S04
    make_terminal();
    pid_t pid = start_session([] {
        child([] {
            setpgid(0, 0);
            EXPECT_EQ(1, write(slave, "x", 1)) << "without TOSTOP";
        });
        change([](termios& t) { t.c_lflag |= TOSTOP; });
        pid_t inner = start_child([] {
            setpgid(0, 0);
            (void)!write(slave, "x", 1);
        });
        int status = 0;
        EXPECT_EQ(inner, waitpid(inner, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTTOU", status);
        kill(inner, SIGKILL);
        wait_for(inner);
        inner = start_child([] {
            setpgid(0, 0);
            termios now = settings();
            tcsetattr(slave, TCSANOW, &now);
        });
        EXPECT_EQ(inner, waitpid(inner, &status, WUNTRACED));
        EXPECT_ENDS("stopped SIGTTOU", status) << "settings, too";
        kill(inner, SIGKILL);
        wait_for(inner);
        child([] {
            setpgid(0, 0);
            block({SIGTTOU});
            EXPECT_OK(tcsetpgrp(slave, getpgrp())) << "blocked: it goes through";
        });
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Terminal, OrphanedGroupGetsAnError) {  // S04
    make_terminal();
    Gate ready;
    pid_t pid = start_session([&] {
        child([&] {
            start_child([&] {
                setpgid(0, 0);
                while (getppid() != 1 && kill(getppid(), 0) == 0 && proc_status("PPid", "self") != "1" &&
                       getsid(getppid()) == getsid(0)) {
                    sched_yield();
                }
                char byte;
                EXPECT_ERRNO(EIO, read(slave, &byte, 1));
                ready.open();
            });
        });
        ready.wait();
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Terminal, HangupReachesTheSession) {  // S04
    make_terminal();
    Gate ready;
    pid_t pid = start_session([&] {
        close(master);
        ready.open();
        for (;;) {
            pause();
        }
    });
    ready.wait();
    close(master);
    EXPECT_ENDS("SIGHUP", wait_for(pid));
}

TEST(Terminal, LeadersEndHangsUpTheForeground) {  // S04
    make_terminal();
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    auto* inner = shared<pid_t>();
    Gate ready;
    pid_t pid = start_session([&] {
        handle(SIGTTOU, SIG_IGN);
        *inner = start_child([&] {
            setpgid(0, 0);
            tcsetpgrp(slave, getpid());
            ready.open();
            for (;;) {
                pause();
            }
        });
        ready.wait();
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_ENDS("SIGHUP", wait_for(*inner));
    EXPECT_EQ(1, write(slave, "x", 1)) << "a pseudo-terminal itself is not hung up by this";
}

TEST(Terminal, ForegroundGroupErrors) {  // S04
    make_terminal();
    pid_t pid = start_session([] {
        EXPECT_ERRNO(EPERM, tcsetpgrp(slave, getppid())) << "a group of another session";
        EXPECT_ERRNO(EINVAL, tcsetpgrp(slave, -1));
        EXPECT_ERRNO(ESRCH, tcsetpgrp(slave, 0x3ffff0));
        Gate end;
        signal(SIGTTOU, SIG_IGN);
        pid_t member = start_child([&] { end.wait(); });
        EXPECT_OK(tcsetpgrp(slave, member)) << "a process of the session that leads no group";
        EXPECT_OK(tcsetpgrp(slave, getpid()));
        end.open();
        wait_for(member);
        EXPECT_ERRNO(ESRCH, tcsetpgrp(slave, member)) << "it is gone";
        EXPECT_ERRNO(ENOTTY, tcgetpgrp(open("/dev/null", O_RDWR)));
        EXPECT_EQ(std::to_string(getpid()), [] {
            std::string stat = read_file("/proc/self/stat");
            stat = stat.substr(stat.rfind(')') + 2);
            int group = 0;
            sscanf(stat.c_str(), "%*c %*d %*d %*d %*d %d", &group);
            return std::to_string(group);
        }());
    });
    EXPECT_ENDS("exit 0", wait_for(pid));
}
