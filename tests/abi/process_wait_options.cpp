// wait4 and waitid: options and their combinations, which children each kind of waiter sees, errors, races. Rule X03.
#include <sys/pidfd.h>
#include <sys/ptrace.h>

#include "tests/abi/support/abi.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

using namespace abi_test;

namespace {

pid_t exits(int status) {
    return start_child([=] { _exit(status); });
}

// Waits until the child is a zombie, without reaping it.
void until_zombie(pid_t pid) {
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT));
}

// A child whose end is told with this signal, or with none.
pid_t clone_with(int signal, int status) {
    long pid = syscall(SYS_clone, signal, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(status);
    }
    return static_cast<pid_t>(pid);
}

long wait_raw(int type, pid_t id, siginfo_t* info, int options, rusage* usage = nullptr) {
    return syscall(SYS_waitid, type, id, info, options, usage);
}

void stop_it(pid_t pid) {
    kill(pid, SIGSTOP);
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT));
}

void end_it(pid_t pid) {
    kill(pid, SIGKILL);
    wait_for(pid);
}

}  // namespace

TEST(WaitOption, StopAloneDoesNotSeeTheEnd) {  // X03
    pid_t pid = exits(3);
    until_zombie(pid);
    siginfo_t info{};
    EXPECT_ERRNO(ECHILD, waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG))
        << "it will never stop again";
    EXPECT_ERRNO(ECHILD, waitid(P_PID, static_cast<id_t>(pid), &info, WCONTINUED));
    EXPECT_ENDS("exit 3", wait_for(pid));
}

TEST(WaitOption, NowaitLeavesAStop) {  // X03
    pid_t pid = start_sleeper();
    kill(pid, SIGSTOP);
    siginfo_t info{};
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT));
        EXPECT_EQ(CLD_STOPPED, info.si_code);
        EXPECT_EQ(SIGSTOP, info.si_status);
    }
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED | WNOHANG));
    EXPECT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG)) << "told once";
    end_it(pid);
}

TEST(WaitOption, NowaitLeavesAContinuation) {  // X03
    pid_t pid = start_sleeper();
    stop_it(pid);
    kill(pid, SIGCONT);
    siginfo_t info{};
    ASSERT_OK(waitid(P_PID, static_cast<id_t>(pid), &info, WCONTINUED | WNOWAIT));
    EXPECT_EQ(CLD_CONTINUED, info.si_code);
    EXPECT_EQ(SIGCONT, info.si_status);
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WCONTINUED | WNOHANG));
    EXPECT_TRUE(WIFCONTINUED(status));
    EXPECT_EQ(0, waitpid(pid, &status, WCONTINUED | WNOHANG));
    end_it(pid);
}

TEST(WaitOption, ContinuationTakesAnUntoldStopAway) {  // X03
    pid_t pid = start_sleeper();
    stop_it(pid);
    kill(pid, SIGCONT);
    int status = 0;
    EXPECT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG)) << "it is no longer stopped";
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG));
    EXPECT_TRUE(WIFCONTINUED(status));
    end_it(pid);
}

TEST(WaitOption, AnotherStopTakesAnUntoldContinuationAway) {  // X03
    pid_t pid = start_sleeper();
    stop_it(pid);
    kill(pid, SIGCONT);
    stop_it(pid);
    int status = 0;
    EXPECT_EQ(0, waitpid(pid, &status, WCONTINUED | WNOHANG));
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED | WNOHANG));
    end_it(pid);
}

TEST(WaitOption, ContinueOfARunningChildIsNoEvent) {  // X03
    pid_t pid = start_sleeper();
    kill(pid, SIGCONT);
    int status = 0;
    EXPECT_EQ(0, waitpid(pid, &status, WCONTINUED | WNOHANG));
    end_it(pid);
}

TEST(WaitOption, EndTakesAnUntoldStopAway) {  // X03
    pid_t pid = start_sleeper();
    stop_it(pid);
    kill(pid, SIGKILL);
    until_zombie(pid);
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_ENDS("SIGKILL", status);
}

TEST(WaitOption, StopSignalOfEachKindIsTold) {  // X03, S04
    pid_t pid = start_sleeper();
    for (int signal : {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU}) {
        kill(pid, signal);
        int status = 0;
        ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
        EXPECT_EQ(signal, WSTOPSIG(status));
        kill(pid, SIGCONT);
    }
    end_it(pid);
}

TEST(WaitOption, EndIsToldBeforeAStopOfAnotherChild) {  // X03
    // Children are looked at from the oldest on; whatever each has to tell is told.
    pid_t first = start_sleeper();
    pid_t second = exits(4);
    stop_it(first);
    until_zombie(second);
    int status = 0;
    EXPECT_EQ(first, waitpid(-1, &status, WUNTRACED));
    EXPECT_EQ(second, waitpid(-1, &status, WUNTRACED));
    end_it(first);
}

TEST(WaitOption, OldestZombieFirst) {  // X03
    pid_t pids[3];
    for (pid_t& pid : pids) {
        pid = exits(1);
    }
    for (int i = 2; i >= 0; i--) {
        until_zombie(pids[i]);
    }
    for (pid_t pid : pids) {
        EXPECT_EQ(pid, waitpid(-1, nullptr, 0)) << "in the order in which they were made, not in which they ended";
    }
}

TEST(WaitOption, ErrorsOfWait4) {  // X03
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    int status = 0;
    EXPECT_ERRNO(EINVAL, wait4(pid, &status, WEXITED, nullptr)) << "waitid's";
    EXPECT_ERRNO(EINVAL, wait4(pid, &status, WNOWAIT, nullptr));
    EXPECT_ERRNO(EINVAL, wait4(pid, &status, 0x100, nullptr));
    EXPECT_ERRNO(ESRCH, wait4(INT_MIN, &status, WNOHANG, nullptr));
    EXPECT_ERRNO(ECHILD, wait4(-getpid() - 100'000, &status, WNOHANG, nullptr));
    end.open();
    wait_for(pid);
}

TEST(WaitOption, ErrorsOfWaitid) {  // X03
    siginfo_t info{};
    EXPECT_ERRNO(EINVAL, wait_raw(P_ALL, 0, &info, 0)) << "nothing to wait for";
    EXPECT_ERRNO(EINVAL, wait_raw(P_ALL, 0, &info, WNOHANG));
    EXPECT_ERRNO(EINVAL, wait_raw(P_ALL, 0, &info, WEXITED | 0x100));
    EXPECT_ERRNO(EINVAL, wait_raw(9, 0, &info, WEXITED));
    EXPECT_ERRNO(EINVAL, wait_raw(P_PID, 0, &info, WEXITED));
    EXPECT_ERRNO(EINVAL, wait_raw(P_PID, -1, &info, WEXITED));
    EXPECT_ERRNO(EINVAL, wait_raw(P_PGID, -1, &info, WEXITED));
    EXPECT_ERRNO(EINVAL, wait_raw(P_PIDFD, -1, &info, WEXITED));
    EXPECT_ERRNO(EBADF, wait_raw(P_PIDFD, 500, &info, WEXITED));
    EXPECT_ERRNO(EBADF, wait_raw(P_PIDFD, 0, &info, WEXITED)) << "no descriptor of a process";
    EXPECT_ERRNO(ECHILD, wait_raw(P_ALL, 0, &info, WEXITED));
}

TEST(WaitOption, WaitidOfTheOwnGroup) {  // X03
    child([] {
        setpgid(0, 0);
        pid_t same = exits(1);
        pid_t other = start_child([] {
            setpgid(0, 0);
            pause();
        });
        siginfo_t info{};
        EXPECT_OK(wait_raw(P_PGID, 0, &info, WEXITED)) << "group 0 is the caller's";
        EXPECT_EQ(same, info.si_pid);
        end_it(other);
    });
}

TEST(WaitOption, GroupOfWhichNoChildIsLeft) {  // X03
    Gate moved;
    Gate end;
    pid_t pid = start_child([&] {
        setpgid(0, 0);
        moved.open();
        end.wait();
    });
    moved.wait();
    EXPECT_ERRNO(ECHILD, waitpid(0, nullptr, WNOHANG)) << "the only child went to another group";
    EXPECT_EQ(0, waitpid(-pid, nullptr, WNOHANG));
    end.open();
    EXPECT_EQ(pid, waitpid(-pid, nullptr, 0));
}

TEST(WaitOption, WaitidWithoutInfoReapsAllTheSame) {  // X03
    pid_t pid = exits(1);
    EXPECT_OK(wait_raw(P_PID, pid, nullptr, WEXITED));
    EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, 0));
}

TEST(WaitOption, WaitidWithBadInfoReapsAllTheSame) {  // X03
    pid_t pid = exits(1);
    EXPECT_ERRNO(EFAULT, wait_raw(P_PID, pid, reinterpret_cast<siginfo_t*>(8), WEXITED));
    EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, 0));
}

TEST(WaitOption, UsageOfABadPointerIsFoundFirst) {  // X03
    pid_t pid = exits(1);
    int status = 77;
    EXPECT_ERRNO(EFAULT, wait4(pid, &status, 0, reinterpret_cast<rusage*>(8)));
    EXPECT_ERRNO(ECHILD, waitpid(pid, nullptr, 0));
}

TEST(WaitOption, WaitidHasUsageToo) {  // X03
    pid_t pid = start_child([] {
        char* pages = map_pages(50);
        for (size_t i = 0; i < 50; i++) {
            pages[i * kPage] = 1;
        }
    });
    siginfo_t info{};
    rusage usage{};
    ASSERT_OK(wait_raw(P_PID, pid, &info, WEXITED | WNOWAIT, &usage));
    EXPECT_GE(usage.ru_minflt, 50);
    rusage again{};
    ASSERT_OK(wait_raw(P_PID, pid, &info, WEXITED, &again));
    EXPECT_EQ(usage.ru_minflt, again.ru_minflt);
}

TEST(WaitOption, NowaitAddsNothingToTheChildrensUsage) {  // X03
    pid_t pid = start_child([] {
        char* pages = map_pages(50);
        for (size_t i = 0; i < 50; i++) {
            pages[i * kPage] = 1;
        }
    });
    until_zombie(pid);
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    EXPECT_EQ(0, usage.ru_minflt);
    wait_for(pid);
    getrusage(RUSAGE_CHILDREN, &usage);
    EXPECT_GE(usage.ru_minflt, 50);
}

TEST(WaitOption, GrandchildrensUsageComesWithTheirParents) {  // X03
    child([] {
        child([] {
            char* pages = map_pages(100);
            for (size_t i = 0; i < 100; i++) {
                pages[i * kPage] = 1;
            }
        });
    });
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    EXPECT_GE(usage.ru_minflt, 100);
}

TEST(WaitOption, UsageOfAnUnreapedGrandchildIsLost) {  // X03
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    rusage before{};
    child([] { handle(SIGCHLD, SIG_IGN); });
    getrusage(RUSAGE_CHILDREN, &before);
    child([] {
        handle(SIGCHLD, SIG_IGN);
        start_child([] {
            char* pages = map_pages(1000);
            for (size_t i = 0; i < 1000; i++) {
                pages[i * kPage] = 1;
            }
        });
        waitpid(-1, nullptr, 0);
    });
    rusage after{};
    getrusage(RUSAGE_CHILDREN, &after);
    EXPECT_LT(after.ru_minflt - before.ru_minflt, 1000) << "who is not waited for is not counted";
}

TEST(WaitOption, CloneChildrenNeedWcloneOrWall) {  // X03
    handle(SIGUSR1, SIG_IGN);
    pid_t pid = clone_with(SIGUSR1, 5);
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, 0));
    int status = 0;
    EXPECT_EQ(pid, waitpid(-1, &status, __WCLONE));
    EXPECT_ENDS("exit 5", status);
    pid = clone_with(SIGUSR1, 6);
    EXPECT_EQ(pid, waitpid(-1, &status, __WALL));
}

TEST(WaitOption, WcloneDoesNotSeeOrdinaryChildren) {  // X03
    pid_t pid = exits(5);
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, __WCLONE));
    block({SIGUSR2});
    pid_t other = clone_with(SIGUSR2, 6);
    int status = 0;
    EXPECT_EQ(other, waitpid(-1, &status, __WCLONE));
    EXPECT_EQ(pid, waitpid(-1, &status, __WALL | __WCLONE)) << "both flags: everybody";
}

TEST(WaitOption, NothreadSeesOnlyTheThreadsOwnChildren) {  // X03
    Gate end;
    pid_t mine = start_child([&] { end.wait(); });
    std::thread([&] {
        EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, __WNOTHREAD | WNOHANG));
        EXPECT_EQ(0, waitpid(-1, nullptr, WNOHANG));
        pid_t own = exits(7);
        EXPECT_EQ(own, waitpid(-1, nullptr, __WNOTHREAD));
    }).join();
    end.open();
    EXPECT_EQ(mine, waitpid(-1, nullptr, __WNOTHREAD));
}

TEST(WaitOption, ChildOfAThreadThatEndedGoesToAnother) {  // X03, X01
    Gate end;
    pid_t pid = 0;
    std::thread([&] { pid = start_child([&] { end.wait(); }); }).join();
    wait_until_alone();
    end.open();
    EXPECT_EQ(pid, waitpid(pid, nullptr, __WNOTHREAD)) << "the leader is its parent now";
}

TEST(WaitOption, IgnoringMakesWaitEchildOnlyWhenAllAreGone) {  // X03
    handle(SIGCHLD, SIG_IGN);
    Gate end;
    start_child([&] { end.wait(); });
    exits(1);
    EXPECT_EQ(0, waitpid(-1, nullptr, WNOHANG)) << "one is left";
    end.open();
    EXPECT_ERRNO(ECHILD, waitpid(-1, nullptr, 0));
}

TEST(WaitOption, IgnoringLaterLeavesAZombie) {  // X03
    pid_t pid = exits(8);
    until_zombie(pid);
    handle(SIGCHLD, SIG_IGN);
    EXPECT_ENDS("exit 8", wait_for(pid));
}

TEST(WaitOption, OtherExitSignalIsNotReapedByIgnoringSigchld) {  // X03
    handle(SIGCHLD, SIG_IGN);
    handle(SIGUSR1, SIG_IGN);
    pid_t pid = clone_with(SIGUSR1, 9);
    EXPECT_ENDS("exit 9", wait_for(pid));
}

TEST(WaitOption, ThroughADescriptorOfAStrangerIsEchild) {  // X03
    pid_t parent = getpid();
    child([=] {
        int file = static_cast<int>(syscall(SYS_pidfd_open, parent, 0));
        ASSERT_OK(file);
        siginfo_t info{};
        EXPECT_ERRNO(ECHILD, wait_raw(P_PIDFD, file, &info, WEXITED | WNOHANG));
    });
}

TEST(WaitOption, NonblockingDescriptorIsEagain) {  // X03
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    int file = static_cast<int>(syscall(SYS_pidfd_open, pid, O_NONBLOCK));
    ASSERT_OK(file);
    siginfo_t info{};
    EXPECT_ERRNO(EAGAIN, wait_raw(P_PIDFD, file, &info, WEXITED));
    info.si_pid = 5;
    EXPECT_OK(wait_raw(P_PIDFD, file, &info, WEXITED | WNOHANG));
    EXPECT_EQ(0, info.si_pid);
    end.open();
    wait_for(pid);
}

TEST(WaitOption, WaiterInAnotherThreadGetsEchildWhenTheLastGoes) {  // X03
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    std::atomic<pid_t> tid{0};
    pid_t result = 0;
    int code = 0;
    std::thread other([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        result = waitpid(pid, nullptr, WUNTRACED);
        code = errno;
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    handle(SIGCHLD, SIG_IGN);
    end.open();
    other.join();
    EXPECT_EQ(-1, result);
    EXPECT_EQ("ECHILD", errno_name(code)) << "it was reaped at once";
}

TEST(WaitOption, ChildThatMovesToAnotherGroupIsFoundThere) {  // X03
    Gate go;
    Gate moved;
    Gate end;
    pid_t leader = start_sleeper();
    pid_t pid = start_child([&] {
        go.wait();
        EXPECT_OK(setpgid(0, leader));
        moved.open();
        end.wait();
        _exit(3);
    });
    go.open();
    moved.wait();
    end.open();
    int status = 0;
    EXPECT_EQ(pid, waitpid(-leader, &status, 0));
    end_it(leader);
}

TEST(WaitOption, StopOfAllThreadsIsOneEvent) {  // X03, S04
    pid_t pid = start_child([] {
        setpgid(0, 0);
        for (int i = 0; i < 3; i++) {
            std::thread([] { pause(); }).detach();
        }
        pause();
    });
    wait_until_asleep(pid);
    kill(pid, SIGSTOP);
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    EXPECT_EQ(0, waitpid(pid, &status, WUNTRACED | WNOHANG));
    EXPECT_EQ('T', process_state(pid));
    end_it(pid);
}

TEST(WaitOption, LeaderThatEndedFirstIsNoZombieToItsParent) {  // X03, X01
    Gate end;
    pid_t pid = start_child([&] {
        std::thread([&] {
            end.wait();
            _exit(12);
        }).detach();
        syscall(SYS_exit, 5);
    });
    while (process_state(pid) != 'Z') {
        sched_yield();
    }
    EXPECT_EQ(0, waitpid(pid, nullptr, WNOHANG)) << "the other thread lives";
    end.open();
    EXPECT_ENDS("exit 12", wait_for(pid));
}

TEST(WaitOption, TracerSeesItsTraceeThoughNotItsChild) {  // X03
    pid_t pid = start_sleeper();
    child([=] {
        ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
        ASSERT_OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
        int status = 0;
        EXPECT_EQ(pid, waitpid(-1, &status, 0));
        EXPECT_TRUE(WIFSTOPPED(status));
    });
    end_it(pid);
}
