// exit, wait4, waitid, orphans. Rules X01-X04.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

pid_t child_that_exits(int status) {
    return start_child([=] { _exit(status); });
}

void wait_until_zombie(pid_t pid) {
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
}

}  // namespace

TEST(Exit, StatusIsCutToEightBits) {  // X01
    for (int status : {0, 1, 127, 128, 255, 256, 257, -1}) {
        EXPECT_ENDS("exit " + std::to_string(status & 255), wait_for(child_that_exits(status)));
    }
}

TEST(Exit, SignalEndsTheProcess) {  // X01, S02
    for (int signal :
         {SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGIO, SIGPROF, SIGSYS, SIGRTMIN, SIGRTMAX}) {
        pid_t pid = start_sleeper();
        ASSERT_OK(kill(pid, signal));
        int status = wait_for(pid);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << signal << ": " << status_text(status);
    }
}

TEST(Exit, ThreadsExitLeavesTheProcess) {  // X01
    child([] {
        std::thread other([] { syscall(SYS_exit, 3); });
        other.join();
        // The thread is joined a little before it is gone.
        while (proc_status("Threads") != "1") {
            sched_yield();
        }
    });
}

TEST(Exit, GroupEndsThreadsInEverySleep) {  // X01, S01
    EXPECT_ENDS("exit 5", run_child([] {
                    int ends[2];
                    ASSERT_OK(pipe(ends));
                    std::vector<std::thread> threads;
                    threads.emplace_back([&] {
                        char byte;
                        (void)!read(ends[0], &byte, 1);
                    });
                    threads.emplace_back([] { pause(); });
                    threads.emplace_back([] { poll(nullptr, 0, -1); });
                    threads.emplace_back([] { sleep_ms(100'000); });
                    static int word = 0;
                    threads.emplace_back([] { syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr); });
                    threads.emplace_back([] {
                        for (volatile int i = 0;;) {
                            (void)i;
                        }
                    });
                    sleep_ms(1);
                    _exit(5);
                }));
}

TEST(Exit, LeaderMayEndBeforeTheOthers) {  // X01
    EXPECT_ENDS("exit 9", run_child([] {
                    Gate gone;
                    static pid_t leader = getpid();
                    std::thread other([] {
                        while (process_state(leader) != 'Z') {
                            sched_yield();
                        }
                        _exit(9);
                    });
                    syscall(SYS_exit, 1);
                }));
}

TEST(Exit, StatusOfTheLastThreadCounts) {  // X01
    EXPECT_ENDS("exit 2", run_child([] {
                    std::thread other([] {
                        while (process_state(getpid()) != 'Z') {
                            sched_yield();
                        }
                        syscall(SYS_exit, 2);
                    });
                    syscall(SYS_exit, 1);
                }));
}

TEST(Exit, AllDescriptorsAreClosed) {  // X01
    int ends[2];
    ASSERT_OK(pipe(ends));
    pid_t pid = start_sleeper();
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char byte;
    EXPECT_ERRNO(EAGAIN, read(ends[0], &byte, 1));
    kill(pid, SIGKILL);
    wait_for(pid);
    EXPECT_EQ(0, read(ends[0], &byte, 1));
}

TEST(Wait, NoChildrenIsEchild) {  // X03
    EXPECT_ERRNO(ECHILD, wait(nullptr));
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, WNOHANG));
    EXPECT_ERRNO(ECHILD, waitpid(1, nullptr, 0));
    EXPECT_ERRNO(ECHILD, waitpid(getpid(), nullptr, 0));
    EXPECT_ERRNO(EINVAL, waitpid(-1, nullptr, 0x100));
    EXPECT_ERRNO(ESRCH, waitpid(INT_MIN, nullptr, 0));
    siginfo_t info;
    EXPECT_ERRNO(EINVAL, waitid(P_ALL, 0, &info, 0)) << "waitid must be told what for";
    EXPECT_ERRNO(EINVAL, waitid(static_cast<idtype_t>(9), 0, &info, WEXITED));
    EXPECT_ERRNO(ECHILD, waitid(P_ALL, 0, &info, WEXITED));
}

TEST(Wait, GivesAStatusOnce) {  // X03
    pid_t pid = child_that_exits(4);
    EXPECT_ENDS("exit 4", wait_for(pid));
    EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, 0));
}

TEST(Wait, NohangDoesNotWait) {  // X03
    pid_t pid = start_sleeper();
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG));
    EXPECT_EQ(0, waitpid(-1, nullptr, WNOHANG));
    siginfo_t info;
    memset(&info, 1, sizeof info);
    EXPECT_EQ(0, waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG));
    EXPECT_EQ(0, info.si_pid);
    EXPECT_EQ(0, info.si_signo);
    kill(pid, SIGKILL);
    EXPECT_ENDS("SIGKILL", wait_for(pid));
}

TEST(Wait, ZombieIsReapedByNohang) {  // X03, trap K
    pid_t pid = child_that_exits(1);
    wait_until_zombie(pid);
    EXPECT_EQ('Z', process_state(pid));
    EXPECT_OK(kill(pid, 0));
    EXPECT_EQ(pid, waitpid(pid, nullptr, WNOHANG));
    EXPECT_ERRNO(ESRCH, kill(pid, 0));
}

TEST(Wait, BadStatusPointerIsEfaultAndReaps) {  // X03
    pid_t pid = child_that_exits(1);
    EXPECT_ERRNO(EFAULT, waitpid(pid, reinterpret_cast<int*>(8), 0));
    EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, 0));
}

TEST(Wait, ByProcessGroup) {  // X03
    pid_t other_group = start_child([] { _exit(1); });
    setpgid(other_group, other_group);
    Gate end;
    pid_t grouped = start_child([&] {
        setpgid(0, 0);
        end.open();
        pause();
    });
    end.wait();
    EXPECT_EQ(0, waitpid(-grouped, nullptr, WNOHANG));
    kill(grouped, SIGTERM);
    int status = 0;
    EXPECT_EQ(grouped, waitpid(-grouped, &status, 0));
    EXPECT_ENDS("SIGTERM", status);
    EXPECT_ERRNO(ECHILD, waitpid(-grouped, &status, 0));
    EXPECT_EQ(other_group, wait(&status));
    pid_t same = child_that_exits(2);
    EXPECT_EQ(same, waitpid(0, &status, 0)) << "0 is the caller's own group";
    siginfo_t info{};
    same = child_that_exits(3);
    EXPECT_OK(waitid(P_PGID, static_cast<id_t>(getpgrp()), &info, WEXITED));
    EXPECT_EQ(same, info.si_pid);
}

TEST(Wait, IdTellsEverything) {  // X03
    siginfo_t info{};
    pid_t pid = child_that_exits(300);
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED));
    EXPECT_EQ(SIGCHLD, info.si_signo);
    EXPECT_EQ(CLD_EXITED, info.si_code);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_EQ(0u, info.si_uid);
    EXPECT_EQ(300 & 255, info.si_status);
    pid = start_sleeper();
    kill(pid, SIGKILL);
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED));
    EXPECT_EQ(CLD_KILLED, info.si_code);
    EXPECT_EQ(SIGKILL, info.si_status);
    EXPECT_ERRNO(EINVAL, waitid(P_PID, 0, &info, WEXITED));
}

TEST(Wait, NowaitLeavesTheZombie) {  // X03
    pid_t pid = child_that_exits(6);
    for (int i = 0; i < 3; i++) {
        siginfo_t info{};
        ASSERT_OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
        EXPECT_EQ(6, info.si_status);
    }
    EXPECT_ENDS("exit 6", wait_for(pid));
}

TEST(Wait, StoppedAndContinued) {  // X03, S04
    pid_t pid = start_sleeper();
    int status = 0;
    kill(pid, SIGSTOP);
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_ENDS("stopped SIGSTOP", status);
    EXPECT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG)) << "reported once";
    kill(pid, SIGCONT);
    EXPECT_EQ(pid, waitpid(pid, &status, WCONTINUED));
    EXPECT_TRUE(WIFCONTINUED(status));
    EXPECT_EQ(0, waitpid(pid, &status, WCONTINUED | WNOHANG));
    kill(pid, SIGTSTP);
    siginfo_t info{};
    EXPECT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT));
    EXPECT_EQ(CLD_STOPPED, info.si_code);
    EXPECT_EQ(SIGTSTP, info.si_status);
    EXPECT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED));
    kill(pid, SIGCONT);
    EXPECT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WCONTINUED));
    EXPECT_EQ(CLD_CONTINUED, info.si_code);
    EXPECT_EQ(SIGCONT, info.si_status);
    kill(pid, SIGKILL);
    EXPECT_ENDS("SIGKILL", wait_for(pid));
}

TEST(Wait, StoppedIsNotReportedWithoutBeingAsked) {  // X03
    pid_t pid = start_sleeper();
    kill(pid, SIGSTOP);
    waitpid(pid, nullptr, WUNTRACED);
    kill(pid, SIGCONT);
    kill(pid, SIGSTOP);
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT));
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG));
    kill(pid, SIGKILL);
    EXPECT_ENDS("SIGKILL", wait_for(pid)) << "a stopped process can be killed";
}

TEST(Wait, IgnoredSigchldReapsAndWaitWaits) {  // X03
    handle(SIGCHLD, SIG_IGN);
    child_that_exits(1);
    child_that_exits(2);
    EXPECT_ERRNO(ECHILD, wait(nullptr)) << "only after all children have ended";
}

TEST(Wait, NocldwaitReapsButStillSignals) {  // X03
    count_signals(SIGCHLD, SA_NOCLDWAIT | SA_RESTART);
    child_that_exits(1);
    EXPECT_ERRNO(ECHILD, wait(nullptr));
    EXPECT_EQ(1, received(SIGCHLD));
}

TEST(Wait, AnyThreadMayWaitUnlessToldOtherwise) {  // X03
    pid_t pid = child_that_exits(1);
    std::thread([=] {
        int status = 0;
        EXPECT_ERRNO(ECHILD, waitpid(pid, &status, __WNOTHREAD));
        EXPECT_EQ(pid, waitpid(pid, &status, 0));
    }).join();
}

TEST(Wait, ManyWaitersOneEach) {  // X03
    std::atomic<int> reaped{0};
    std::vector<std::thread> threads;
    Gate end;
    for (int i = 0; i < 4; i++) {
        start_child([&] { end.wait(); });
    }
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            int status = 0;
            reaped += wait(&status) > 0 ? 1 : 0;
        });
    }
    end.open(4);
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(4, reaped);
    EXPECT_ERRNO(ECHILD, wait(nullptr));
}

TEST(Wait, UsageOfTheChild) {  // X03
    pid_t pid = start_child([] {
        int64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 30'000'000;
        while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < until) {
        }
    });
    rusage usage{};
    int status = 0;
    ASSERT_EQ(pid, wait4(pid, &status, 0, &usage));
    int64_t used =
        (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    EXPECT_GE(used, 20'000);
    rusage children{};
    ASSERT_OK(getrusage(RUSAGE_CHILDREN, &children));
    EXPECT_GE(children.ru_utime.tv_usec + children.ru_stime.tv_usec + children.ru_utime.tv_sec * 1'000'000, 20'000);
}

TEST(Wait, ThroughAPidDescriptor) {  // X03
    Gate end;
    pid_t pid = start_child([&] {
        end.wait();
        _exit(8);
    });
    int file = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    ASSERT_OK(file);
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(0, poll(&one, 1, 0));
    end.open();
    EXPECT_EQ(1, poll(&one, 1, -1));
    siginfo_t info{};
    ASSERT_OK(waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(file), &info, WEXITED));
    EXPECT_EQ(8, info.si_status);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_ERRNO(ECHILD, waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(file), &info, WEXITED));
    EXPECT_ERRNO(ESRCH, syscall(SYS_pidfd_send_signal, file, SIGTERM, nullptr, 0));
}

TEST(Wait, PidDescriptorSendsSignals) {  // X03
    pid_t pid = start_sleeper();
    int file = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    ASSERT_OK(file);
    EXPECT_OK(syscall(SYS_pidfd_send_signal, file, 0, nullptr, 0));
    EXPECT_OK(syscall(SYS_pidfd_send_signal, file, SIGTERM, nullptr, 0));
    EXPECT_ENDS("SIGTERM", wait_for(pid));
    EXPECT_ERRNO(EINVAL, syscall(SYS_pidfd_open, -1, 0));
    EXPECT_ERRNO(ESRCH, syscall(SYS_pidfd_open, 0x3fffff, 0));
}

TEST(Wait, WithoutAnExitSignalOnlyWithWclone) {  // X03
    pid_t pid = static_cast<pid_t>(syscall(SYS_clone, 0, nullptr, nullptr, nullptr, nullptr));
    if (pid == 0) {
        syscall(SYS_exit_group, 3);
    }
    int status = 0;
    EXPECT_ERRNO(ECHILD, waitpid(pid, &status, 0));
    EXPECT_EQ(pid, waitpid(pid, &status, __WCLONE));
    EXPECT_ENDS("exit 3", status);
    pid = child_that_exits(4);
    EXPECT_ERRNO(ECHILD, waitpid(pid, &status, __WCLONE));
    EXPECT_EQ(pid, waitpid(pid, &status, __WALL));
}

TEST(Sigchld, CarriesTheStatus) {  // S02, X03
    static siginfo_t seen;
    handle_info(SIGCHLD, [](int, siginfo_t* info, void*) { seen = *info; }, SA_RESTART);
    pid_t pid = child_that_exits(12);
    EXPECT_ENDS("exit 12", wait_for(pid));
    EXPECT_EQ(pid, seen.si_pid);
    EXPECT_EQ(CLD_EXITED, seen.si_code);
    EXPECT_EQ(12, seen.si_status);
}

TEST(Sigchld, StopsAreSignalledUnlessRefused) {  // S02
    pid_t pid = start_sleeper();
    count_signals(SIGCHLD, SA_RESTART);
    kill(pid, SIGSTOP);
    EXPECT_EQ(pid, waitpid(pid, nullptr, WUNTRACED));
    wait_until_received(SIGCHLD, 1);
    kill(pid, SIGCONT);
    EXPECT_EQ(pid, waitpid(pid, nullptr, WCONTINUED));
    wait_until_received(SIGCHLD, 2);
    count_signals(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
    kill(pid, SIGSTOP);
    EXPECT_EQ(pid, waitpid(pid, nullptr, WUNTRACED));
    EXPECT_EQ(0, received(SIGCHLD));
    kill(pid, SIGKILL);
    wait_for(pid);
    EXPECT_EQ(1, received(SIGCHLD));
}

TEST(Orphan, GoesToTheSubreaper) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    Gate end;
    pid_t* grandchild = shared<pid_t>();
    child([&] {
        *grandchild = start_child([&] {
            end.wait();
            _exit(33);
        });
    });
    EXPECT_EQ(0, waitpid(*grandchild, nullptr, WNOHANG)) << "it is our child now";
    EXPECT_EQ(std::to_string(getpid()), proc_status("PPid", std::to_string(*grandchild)));
    end.open();
    EXPECT_ENDS("exit 33", wait_for(*grandchild));
}

TEST(Orphan, ZombieChildrenGoThere) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t* grandchild = shared<pid_t>();
    child([&] {
        *grandchild = child_that_exits(34);
        wait_until_zombie(*grandchild);
    });
    EXPECT_ENDS("exit 34", wait_for(*grandchild));
}

TEST(Orphan, DeathSignalOfTheParent) {  // X04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t* grandchild = shared<pid_t>();
    Gate ready;
    child([&] {
        *grandchild = start_child([&] {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            ready.open();
            pause();
        });
        ready.wait();
    });
    EXPECT_ENDS("SIGUSR1", wait_for(*grandchild));
}

TEST(Orphan, StoppedGroupGetsHangupAndContinue) {  // X04, S04
    ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t* grandchild = shared<pid_t>();
    child([&] {
        ASSERT_OK(setsid());
        *grandchild = start_child([&] {
            setpgid(0, 0);
            raise(SIGSTOP);
            pause();
        });
        EXPECT_EQ(*grandchild, waitpid(*grandchild, nullptr, WUNTRACED));
    });
    EXPECT_ENDS("SIGHUP", wait_for(*grandchild));
}
