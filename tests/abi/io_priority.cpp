// ioprio_set(2), ioprio_get(2): which values are allowed, for whom, and how they are inherited.
#include <sched.h>
#include <sys/resource.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

enum { kProcess = 1, kGroup = 2, kUser = 3 };

long get(int which, int who) {
    return syscall(SYS_ioprio_get, which, who);
}
long set(int which, int who, int priority) {
    return syscall(SYS_ioprio_set, which, who, priority);
}
constexpr int value(int its_class, int level) {
    return its_class << 13 | level;
}

}  // namespace

TEST(IoPriority, ClassesAndLevels) {
    EXPECT_EQ(0, get(kProcess, 0));
    for (int its_class = 0; its_class < 9; its_class++) {
        for (int level : {0, 1, 4, 7, 8, 4096, 8191}) {
            long result = set(kProcess, 0, value(its_class, level));
            note("class " + std::to_string(its_class) + " level " + std::to_string(level) + ": " +
                 (result < 0 ? errno_name(errno) : "ok") + " " + std::to_string(get(kProcess, 0)));
        }
    }
    EXPECT_ERRNO(EINVAL, set(kProcess, 0, -1));
}

TEST(IoPriority, Errors) {
    for (int which : {0, 4, -1}) {
        EXPECT_ERRNO(EINVAL, get(which, 0));
        EXPECT_ERRNO(EINVAL, set(which, 0, value(2, 4)));
    }
    for (int which : {kProcess, kGroup, kUser}) {
        EXPECT_ERRNO(ESRCH, get(which, 999999));
        EXPECT_ERRNO(ESRCH, set(which, 999999, value(2, 4)));
    }
    EXPECT_ERRNO(ESRCH, get(kProcess, -1));
    EXPECT_ERRNO(ESRCH, get(kUser, -1));
    EXPECT_ERRNO(EINVAL, set(kProcess, 999999, value(4, 0))) << "the value comes first";
}

TEST(IoPriority, IsInheritedAndKeptByExec) {
    ASSERT_OK(set(kProcess, 0, value(2, 5)));
    child([] { EXPECT_EQ(value(2, 5), get(kProcess, 0)); });
    std::thread([] {
        EXPECT_EQ(value(2, 5), get(kProcess, 0));
        EXPECT_OK(set(kProcess, 0, value(3, 0)));
    }).join();
    EXPECT_EQ(value(2, 5), get(kProcess, 0)) << "each thread has its own";
}

TEST(IoPriority, OfAGroup) {
    child([] {
        setpgid(0, 0);
        ASSERT_OK(set(kProcess, 0, value(2, 6)));
        Gate ready, end;
        auto member = [&](int priority) {
            return start_child([&, priority] {
                EXPECT_OK(set(kProcess, 0, priority));
                ready.open();
                end.wait();
            });
        };
        pid_t idle = member(value(3, 0));
        pid_t urgent = member(value(1, 2));
        ready.wait();
        ready.wait();
        EXPECT_EQ(value(1, 2), get(kGroup, 0)) << "the most urgent one's";
        EXPECT_EQ(value(1, 2), get(kGroup, getpgrp()));
        EXPECT_OK(set(kGroup, 0, value(2, 1)));
        EXPECT_EQ(value(2, 1), get(kProcess, idle));
        EXPECT_EQ(value(2, 1), get(kProcess, urgent));
        EXPECT_OK(set(kProcess, urgent, 0));
        EXPECT_EQ(0, get(kProcess, urgent)) << "as it was set";
        EXPECT_OK(set(kProcess, 0, value(3, 0)));
        EXPECT_OK(set(kProcess, idle, value(3, 0)));
        EXPECT_EQ(value(2, 4), get(kGroup, 0)) << "what follows from the nice value";
        end.open(2);
        wait_for(idle);
        wait_for(urgent);
    });
}

TEST(IoPriority, FollowsSchedulingWhereNoneIsSet) {
    for (int nice : {-20, -5, 0, 5, 19}) {
        child([&] {
            setpgid(0, 0);
            ASSERT_OK(setpriority(PRIO_PROCESS, 0, nice));
            EXPECT_EQ(0, get(kProcess, 0));
            EXPECT_EQ(value(2, (nice + 20) / 5), get(kGroup, 0)) << nice;
        });
    }
    for (int policy : {SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE}) {
        child([&] {
            setpgid(0, 0);
            sched_param parameter{policy == SCHED_FIFO || policy == SCHED_RR ? 1 : 0};
            ASSERT_OK(sched_setscheduler(0, policy, &parameter));
            note("policy " + std::to_string(policy) + ": " + std::to_string(get(kGroup, 0)));
        });
    }
}

TEST(IoPriority, OfOthersAndOfUsers) {
    pid_t root = getpid();
    as_user(1234, [&] {
        EXPECT_ERRNO(EPERM, set(kProcess, 0, value(1, 3))) << "real time is for root";
        EXPECT_OK(set(kProcess, 0, value(3, 3)));
        EXPECT_OK(set(kProcess, 0, value(2, 0)));
        EXPECT_ERRNO(EPERM, set(kProcess, root, value(2, 0)));
        EXPECT_OK(get(kProcess, root));
        EXPECT_EQ(value(2, 0), get(kUser, 0));
        EXPECT_EQ(value(2, 0), get(kUser, 1234));
        EXPECT_OK(set(kUser, 1234, value(2, 2)));
        EXPECT_EQ(value(2, 2), get(kUser, 0));
        EXPECT_ERRNO(EPERM, set(kUser, 0, value(2, 2))) << "here, 0 is root";
        EXPECT_ERRNO(EPERM, set(kProcess, 999999, value(1, 3)));
    });
}
