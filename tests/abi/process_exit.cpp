// The end of processes and threads: statuses, what goes with them, orphans, death signals. Rules X01, X02 and X04.
#include <sys/eventfd.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

pid_t parent_of(pid_t pid) {
    return static_cast<pid_t>(std::stol(proc_status("PPid", std::to_string(pid))));
}

}  // namespace

TEST(ExitStatus, ExitTakesTheLowByteOfANegativeNumber) {  // X01
    EXPECT_ENDS("exit 255", run_child([] { _exit(-1); }));
    EXPECT_ENDS("exit 0", run_child([] { syscall(SYS_exit_group, 0x1234500); }));
}

TEST(ExitStatus, ExitOfTheOnlyThreadIsTheProcesss) {  // X01
    EXPECT_ENDS("exit 9", run_child([] { syscall(SYS_exit, 9); }));
}

TEST(ExitStatus, FirstGroupExitCounts) {  // X01
    // Two threads end the process at once: one of the two statuses, never a mixture.
    int status =
        run_child([] { together({[] { syscall(SYS_exit_group, 0x11); }, [] { syscall(SYS_exit_group, 0x22); }}); });
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_TRUE(WEXITSTATUS(status) == 0x11 || WEXITSTATUS(status) == 0x22) << WEXITSTATUS(status);
}

TEST(ExitStatus, KillAgainstExitIsOneOfTheTwo) {  // X01
    for (int i = 0; i < 10; i++) {
        Gate ready;
        pid_t pid = start_child([&] {
            ready.open();
            _exit(3);
        });
        ready.wait();
        kill(pid, SIGKILL);
        int status = wait_for(pid);
        EXPECT_TRUE(status_text(status) == "exit 3" || status_text(status) == "SIGKILL") << status_text(status);
    }
}

TEST(ExitStatus, SignalInAnyThreadIsTheProcesss) {  // X01
    EXPECT_ENDS("SIGSEGV", run_child([] { std::thread([] { *reinterpret_cast<volatile int*>(8) = 1; }).join(); }));
}

TEST(ExitStatus, OfAThreadIsNotTheProcesss) {  // X01
    EXPECT_ENDS("exit 0", run_child([] {
                    std::thread([] { syscall(SYS_exit, 77); }).join();
                    _exit(0);
                }));
}

TEST(ExitStatus, SignalSentToAZombieIsNoError) {  // X01
    pid_t pid = start_child([] {});
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_OK(kill(pid, 0));
    EXPECT_ENDS("exit 0", wait_for(pid));
    EXPECT_ERRNO(ESRCH, kill(pid, 0));
}

TEST(ExitStatus, ZombieKeepsItsGroupAlive) {  // X01
    pid_t pid = start_child([] { setpgid(0, 0); });
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
    EXPECT_OK(kill(-pid, 0));
    EXPECT_EQ(pid, getpgid(pid));
    wait_for(pid);
    EXPECT_ERRNO(ESRCH, kill(-pid, 0));
}

TEST(ExitRelease, MemoryBeforeTheZombie) {  // X01
    pid_t pid = start_child([] {});
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
    EXPECT_EQ("", read_file("/proc/" + std::to_string(pid) + "/maps"));
    EXPECT_EQ("", read_file("/proc/" + std::to_string(pid) + "/cmdline"));
    wait_for(pid);
}

TEST(ExitRelease, DescriptorsBeforeTheParentHears) {  // X01
    // Whoever sees the zombie sees the end of the pipe.
    for (int i = 0; i < 10; i++) {
        int ends[2];
        ASSERT_OK(pipe2(ends, O_NONBLOCK));
        pid_t pid = start_child([] {});
        close(ends[1]);
        siginfo_t info{};
        ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
        char byte;
        EXPECT_EQ(0, read(ends[0], &byte, 1));
        wait_for(pid);
        close(ends[0]);
    }
}

TEST(ExitRelease, RecordLocksBeforeTheParentHears) {  // X01
    write_file("f", "");
    int file = open("f", O_RDWR);
    child([] {
        int own = open("f", O_RDWR);
        struct flock lock{};
        lock.l_type = F_WRLCK;
        EXPECT_OK(fcntl(own, F_SETLK, &lock));
    });
    struct flock lock{};
    lock.l_type = F_WRLCK;
    EXPECT_OK(fcntl(file, F_SETLK, &lock));
}

TEST(ExitRelease, PidIsFreeOnlyAfterTheWait) {  // X01
    pid_t pid = start_child([] {});
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
    int file = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    EXPECT_OK(file) << "a zombie can still be named";
    wait_for(pid);
    EXPECT_ERRNO(ESRCH, syscall(SYS_pidfd_open, pid, 0));
    EXPECT_ERRNO(ESRCH, syscall(SYS_pidfd_send_signal, file, 0, nullptr, 0));
}

TEST(ExitRelease, LimitOfProcessesCountsUntilTheWait) {  // F06
    as_user(5001, [] {
        rlimit limit{2, 2};
        ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
        for (int i = 0; i < 30; i++) {
            pid_t pid = start_child([] {});
            siginfo_t info{};
            ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
            EXPECT_ERRNO(EAGAIN, fork()) << "a zombie counts";
            wait_for(pid);
        }
    });
}

TEST(ExitRelease, ExecveAfterSetuidPastTheLimitIsEagain) {  // F06
    write_probe("probe");
    Gate end;
    Gate ready;
    pid_t pid = start_child([&] {
        become_user(5002, 5002);
        ready.open();
        end.wait();
    });
    ready.wait();
    Outcome result = run_program_after(
        [] {
            rlimit limit{0, 0};
            ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
            become_user(5002, 5002);
        },
        "./probe", {"p"});
    EXPECT_ENDS("exit " + std::to_string(200 + EAGAIN), result.status) << "setuid itself succeeds";
    end.open();
    wait_for(pid);
}

TEST(Subreaper, IsNotInheritedButSeenByGrandchildren) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    child([] {
        int value = 7;
        ASSERT_OK(prctl(PR_GET_CHILD_SUBREAPER, &value));
        EXPECT_EQ(0, value);
    });
}

TEST(Subreaper, NearestOneWins) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    child([] {
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        auto* orphan = shared<pid_t>();
        Gate end;
        child([&] { *orphan = start_child([&] { end.wait(); }); });
        EXPECT_EQ(getpid(), parent_of(*orphan));
        end.open();
        EXPECT_ENDS("exit 0", wait_for(*orphan));
    });
}

TEST(Subreaper, EndOfTheSubreaperHandsOn) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    auto* orphan = shared<pid_t>();
    Gate end;
    child([&] {
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        child([&] { *orphan = start_child([&] { end.wait(); }); });
        EXPECT_EQ(getpid(), parent_of(*orphan));
    });
    EXPECT_EQ(getpid(), parent_of(*orphan)) << "to the next one up";
    end.open();
    wait_for(*orphan);
}

TEST(Subreaper, CanBeGivenUp) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    child([] {
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 0));
        auto* orphan = shared<pid_t>();
        Gate end;
        child([&] { *orphan = start_child([&] { end.wait(); }); });
        EXPECT_NE(getpid(), parent_of(*orphan));
        end.open();
    });
}

TEST(Subreaper, OrphansExitSignalBecomesSigchld) {  // X04, F05
    // clone(2): whatever exit signal was chosen, the new parent gets SIGCHLD.
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    count_signals(SIGUSR1);
    count_signals(SIGCHLD);
    auto* orphan = shared<pid_t>();
    Gate end;
    child([&] {
        long pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
        if (pid == 0) {
            end.wait();
            _exit(6);
        }
        *orphan = static_cast<pid_t>(pid);
    });
    int before = received(SIGCHLD);
    end.open();
    wait_until_received(SIGCHLD, before + 1);
    EXPECT_EQ(0, received(SIGUSR1));
    int status = 0;
    EXPECT_EQ(*orphan, waitpid(*orphan, &status, 0)) << "and it needs no __WCLONE";
    EXPECT_ENDS("exit 6", status);
}

TEST(Subreaper, IgnoringOneReapsOrphansAtOnce) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    handle(SIGCHLD, SIG_IGN);
    auto* orphan = shared<pid_t>();
    Gate end;
    pid_t middle = start_child([&] { *orphan = start_child([&] { end.wait(); }); });
    EXPECT_ERRNO(ESRCH, [&] {
        while (kill(middle, 0) == 0) {
            sched_yield();
        }
        return -1;
    }());
    end.open();
    EXPECT_ERRNO(ECHILD, waitpid(*orphan, nullptr, 0));
}

TEST(DeathSignal, IsClearedByFork) {  // X04
    ASSERT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    child([] {
        int signal = 5;
        ASSERT_OK(prctl(PR_GET_PDEATHSIG, &signal));
        EXPECT_EQ(0, signal);
    });
}

TEST(DeathSignal, ComesWhenTheThreadThatForkedEnds) {  // X04
    // The parent is a thread: its end counts, though its process lives on.
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t pid = 0;
    std::thread([&] {
        Gate ready;
        pid = start_child([&] {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            ready.open();
            pause();
        });
        ready.wait();
    }).join();
    EXPECT_ENDS("SIGTERM", wait_for(pid));
}

TEST(DeathSignal, ComesWithEachParentThatDies) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    Gate ready;
    Gate first;
    Gate second;
    child([&] {
        ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
        Gate go;
        pid_t middle = start_child([&] {
            start_child([&] {
                static Gate* gates[] = {&first, &second};
                static int count;
                count = 0;
                handle(SIGUSR1, [](int) { gates[count++]->open(); });
                prctl(PR_SET_PDEATHSIG, SIGUSR1);
                ready.open();
                while (count < 2) {
                    pause();
                }
            });
            ready.wait();
            go.open();
        });
        go.wait();
        wait_for(middle);
        EXPECT_TRUE(first.wait_for(20'000));
    });
    EXPECT_TRUE(second.wait_for(20'000)) << "the subreaper that took it in died, too";
    while (waitpid(-1, nullptr, 0) > 0) {
    }
}

TEST(DeathSignal, IsClearedWhenIdsChange) {  // X04
    child([] {
        ASSERT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
        ASSERT_OK(seteuid(1000));
        int signal = 5;
        ASSERT_OK(prctl(PR_GET_PDEATHSIG, &signal));
        EXPECT_EQ(0, signal);
    });
}

TEST(DeathSignal, Errors) {  // X04
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_PDEATHSIG, 65));
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_PDEATHSIG, -1));
    EXPECT_ERRNO(EFAULT, prctl(PR_GET_PDEATHSIG, 8));
}

TEST(OrphanedGroup, StopSignalsOfTheTerminalDoNothingInIt) {  // S04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    // The test's own group is one: its leader's parent is in another session.
    child([] {
        for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) {
            kill(getpid(), signal);
        }
        _exit(0);
    });
}

TEST(OrphanedGroup, SigstopWorksInItAllTheSame) {  // S04
    pid_t pid = start_child([] { pause(); });
    kill(pid, SIGSTOP);
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_TRUE(WIFSTOPPED(status));
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(OrphanedGroup, RunningMembersGetNoHangup) {  // S04, X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    auto* orphan = shared<pid_t>();
    Gate end;
    child([&] {
        ASSERT_OK(setsid());
        Gate ready;
        *orphan = start_child([&] {
            setpgid(0, 0);
            ready.open();
            end.wait();
        });
        ready.wait();
    });
    end.open();
    EXPECT_ENDS("exit 0", wait_for(*orphan)) << "nobody in the group was stopped";
}

TEST(OrphanedGroup, OneStoppedMemberHangsUpAll) {  // S04, X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    auto* members = shared<pid_t[2]>();
    child([&] {
        ASSERT_OK(setsid());
        Gate ready;
        (*members)[0] = start_child([&] {
            setpgid(0, 0);
            ready.open();
            pause();
        });
        ready.wait();
        (*members)[1] = start_child([&] {
            setpgid(0, (*members)[0]);
            raise(SIGSTOP);
            pause();
        });
        EXPECT_EQ((*members)[1], waitpid((*members)[1], nullptr, WUNTRACED));
    });
    EXPECT_ENDS("SIGHUP", wait_for((*members)[0]));
    EXPECT_ENDS("SIGHUP", wait_for((*members)[1]));
}
