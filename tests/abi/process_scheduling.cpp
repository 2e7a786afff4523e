// Policies, attributes, affinity, nice values and who may change them; sched(7), setpriority(2), getrusage(2).
#include <linux/sched.h>

#include "tests/abi/support/capabilities.h"

using namespace abi_test;

namespace {

struct Attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};
constexpr uint32_t kFirstSize = 48;

long set_attributes(Attributes attributes, pid_t pid = 0, unsigned flags = 0) {
    return syscall(SYS_sched_setattr, pid, &attributes, flags);
}
Attributes attributes_of(pid_t pid = 0) {
    Attributes now{};
    EXPECT_OK(syscall(SYS_sched_getattr, pid, &now, sizeof now, 0));
    return now;
}
Attributes with(uint32_t policy, uint32_t priority = 0, int32_t nice = 0, uint64_t flags = 0) {
    return {kFirstSize, policy, flags, nice, priority, 0, 0, 0, 0, 0};
}

long set_policy(int policy, int priority, pid_t pid = 0) {
    sched_param param{};
    param.sched_priority = priority;
    return sched_setscheduler(pid, policy, &param);
}

// A field of /proc/PID/stat, counted from 1.
long stat_field(pid_t pid, int wanted) {
    std::string text = read_file("/proc/" + std::to_string(pid) + "/stat");
    text = text.substr(text.rfind(')') + 2);
    for (int field = 3; field < wanted; field++) {
        text = text.substr(text.find(' ') + 1);
    }
    return std::stol(text);
}

void limit(__rlimit_resource_t resource, rlim_t value) {
    rlimit both{value, value};
    ASSERT_OK(setrlimit(resource, &both));
}

// Some roots have no CAP_SYS_RESOURCE.
#define SKIP_UNLESS_LIMITS_CAN_BE_RAISED()                             \
    if ((own_capabilities().effective & bit(CAP_SYS_RESOURCE)) == 0) { \
        GTEST_SKIP() << "this root may not raise limits";              \
    }

}  // namespace

TEST(SchedPolicy, ShowsInStat) {
    child([] {
        ASSERT_OK(set_policy(SCHED_RR, 7));
        EXPECT_EQ(-8, stat_field(getpid(), 18)) << "priority";
        EXPECT_EQ(7, stat_field(getpid(), 40)) << "real-time priority";
        EXPECT_EQ(SCHED_RR, stat_field(getpid(), 41));
        ASSERT_OK(set_policy(SCHED_BATCH, 0));
        EXPECT_EQ(20, stat_field(getpid(), 18));
        EXPECT_EQ(SCHED_BATCH, stat_field(getpid(), 41));
    });
}

TEST(SchedPolicy, IsInheritedByForkAndKeptByExec) {  // F03, E16
    write_probe("probe");
    child([] {
        ASSERT_OK(set_policy(SCHED_FIFO, 3));
        child([] {
            EXPECT_EQ(SCHED_FIFO, sched_getscheduler(0));
            Outcome result = run_program("./probe", {"p", "cat", "/proc/self/stat"});
            EXPECT_NE(std::string::npos, result.output.find(" -4 0 1 0 ")) << result.output;
        });
    });
}

TEST(SchedPolicy, ResetOnForkMakesAnOrdinaryChild) {
    child([] {
        ASSERT_OK(set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, 3));
        EXPECT_EQ(SCHED_FIFO | SCHED_RESET_ON_FORK, sched_getscheduler(0));
        child([] {
            EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0)) << "and the flag is gone";
            EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0));
        });
        EXPECT_EQ(SCHED_FIFO | SCHED_RESET_ON_FORK, sched_getscheduler(0));
    });
}

TEST(SchedPolicy, ResetOnForkTakesNegativeNiceAway) {
    child([] {
        ASSERT_OK(setpriority(PRIO_PROCESS, 0, -5));
        ASSERT_OK(set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
        child([] { EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0)); });
        ASSERT_OK(setpriority(PRIO_PROCESS, 0, 5));
        child([] { EXPECT_EQ(5, getpriority(PRIO_PROCESS, 0)) << "a positive one stays"; });
    });
}

TEST(SchedPolicy, ResetOnForkIsNotForUsersToClear) {
    as_user(1000, [] {
        ASSERT_OK(set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
        EXPECT_ERRNO(EPERM, set_policy(SCHED_OTHER, 0));
        EXPECT_EQ(SCHED_OTHER | SCHED_RESET_ON_FORK, sched_getscheduler(0));
    });
}

TEST(SchedPolicy, ResetOnForkShowsInTheAttributes) {
    child([] {
        ASSERT_OK(set_attributes(with(SCHED_OTHER, 0, 0, SCHED_FLAG_RESET_ON_FORK)));
        EXPECT_EQ(static_cast<uint64_t>(SCHED_FLAG_RESET_ON_FORK), attributes_of().flags);
        EXPECT_EQ(SCHED_OTHER | SCHED_RESET_ON_FORK, sched_getscheduler(0));
    });
}

TEST(SchedPolicy, UsersNeedTheLimitForRealtime) {
    SKIP_UNLESS_LIMITS_CAN_BE_RAISED();
    child([] {
        limit(RLIMIT_RTPRIO, 5);
        become_user(1000, 1000);
        EXPECT_ERRNO(EPERM, set_policy(SCHED_FIFO, 6));
        EXPECT_OK(set_policy(SCHED_FIFO, 5));
        EXPECT_OK(set_policy(SCHED_RR, 2));
        EXPECT_OK(set_policy(SCHED_OTHER, 0));
    });
    as_user(1000, [] { EXPECT_ERRNO(EPERM, set_policy(SCHED_FIFO, 1)); });
}

TEST(SchedPolicy, UserMayLowerWhatIsAboveItsLimit) {
    child([] {
        ASSERT_OK(set_policy(SCHED_FIFO, 50));
        limit(RLIMIT_RTPRIO, 0);
        become_user(1000, 1000);
        EXPECT_ERRNO(EPERM, set_policy(SCHED_FIFO, 51));
        EXPECT_OK(set_policy(SCHED_FIFO, 50)) << "the same";
        EXPECT_OK(set_policy(SCHED_FIFO, 20)) << "less";
        EXPECT_ERRNO(EPERM, set_policy(SCHED_RR, 20)) << "no other real-time policy";
        EXPECT_OK(set_policy(SCHED_OTHER, 0));
        EXPECT_ERRNO(EPERM, set_policy(SCHED_FIFO, 1));
    });
}

TEST(SchedPolicy, UserLeavesIdleOnlyAsNiceAllows) {
    SKIP_UNLESS_LIMITS_CAN_BE_RAISED();
    child([] {
        limit(RLIMIT_NICE, 0);
        become_user(1000, 1000);
        ASSERT_OK(set_policy(SCHED_IDLE, 0));
        EXPECT_ERRNO(EPERM, set_policy(SCHED_OTHER, 0));
    });
    child([] {
        limit(RLIMIT_NICE, 20);
        become_user(1000, 1000);
        ASSERT_OK(set_policy(SCHED_IDLE, 0));
        EXPECT_OK(set_policy(SCHED_OTHER, 0)) << "nice 0 is within the limit";
    });
}

TEST(SchedPolicy, OfOthersNeedsTheSameUser) {
    pid_t pid = start_sleeper();
    as_user(1000, [=] {
        EXPECT_ERRNO(EPERM, set_policy(SCHED_BATCH, 0, pid));
        EXPECT_EQ(SCHED_OTHER, sched_getscheduler(pid)) << "everybody may look";
        sched_param param{};
        EXPECT_OK(sched_getparam(pid, &param));
    });
    EXPECT_OK(set_policy(SCHED_BATCH, 0, pid));
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(SchedPolicy, Errors) {
    sched_param param{};
    EXPECT_ERRNO(EINVAL, set_policy(SCHED_FIFO, 0));
    EXPECT_ERRNO(EINVAL, set_policy(SCHED_FIFO, 100));
    EXPECT_ERRNO(EINVAL, set_policy(SCHED_OTHER, 1));
    EXPECT_ERRNO(EINVAL, set_policy(77, 0));
    EXPECT_ERRNO(EINVAL, set_policy(-1, 0));
    EXPECT_ERRNO(EINVAL, set_policy(SCHED_OTHER, 0, -1));
    EXPECT_ERRNO(ESRCH, set_policy(SCHED_OTHER, 0, 0x3fffff));
    EXPECT_ERRNO(EINVAL, sched_getscheduler(-1));
    EXPECT_ERRNO(ESRCH, sched_getscheduler(0x3fffff));
    EXPECT_ERRNO(EINVAL, sched_getparam(0, nullptr));
    EXPECT_ERRNO(EFAULT, syscall(SYS_sched_getparam, 0, 8));
    EXPECT_ERRNO(EINVAL, sched_getparam(-1, &param));
    EXPECT_ERRNO(EINVAL, sched_get_priority_max(77));
}

TEST(SchedPolicy, PriorityRanges) {
    EXPECT_EQ(99, sched_get_priority_max(SCHED_RR));
    EXPECT_EQ(1, sched_get_priority_min(SCHED_FIFO));
    EXPECT_EQ(0, sched_get_priority_max(SCHED_IDLE));
    EXPECT_EQ(0, sched_get_priority_max(6)) << "deadline";
}

TEST(SchedPolicy, IsTheThreads) {
    std::thread([] { EXPECT_OK(set_policy(SCHED_BATCH, 0)); }).join();
    EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0));
}

TEST(SchedAttributes, NiceAndPolicyTogether) {
    child([] {
        ASSERT_OK(set_attributes(with(SCHED_BATCH, 0, 7)));
        EXPECT_EQ(7, getpriority(PRIO_PROCESS, 0));
        Attributes now = attributes_of();
        EXPECT_EQ(static_cast<uint32_t>(SCHED_BATCH), now.policy);
        EXPECT_EQ(7, now.nice);
        EXPECT_EQ(0u, now.priority);
        ASSERT_OK(set_attributes(with(SCHED_FIFO, 4)));
        now = attributes_of();
        EXPECT_EQ(4u, now.priority);
        EXPECT_EQ(0, now.nice);
        ASSERT_OK(set_attributes(with(SCHED_OTHER, 0, -3)));
        EXPECT_EQ(-3, getpriority(PRIO_PROCESS, 0));
    });
}

TEST(SchedAttributes, KeepFlagsLeaveWhatIsThere) {
    child([] {
        ASSERT_OK(set_policy(SCHED_RR, 9));
        EXPECT_OK(set_attributes(with(0, 0, 0, SCHED_FLAG_KEEP_ALL)));
        EXPECT_EQ(SCHED_RR, sched_getscheduler(0));
        EXPECT_OK(set_attributes(with(SCHED_OTHER, 11, 0, SCHED_FLAG_KEEP_POLICY)));
        EXPECT_EQ(11u, attributes_of().priority);
        EXPECT_EQ(SCHED_RR, sched_getscheduler(0));
    });
}

TEST(SchedAttributes, Errors) {
    Attributes now{};
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getattr, 0, &now, 47, 0)) << "less than the first size";
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getattr, 0, &now, 5000, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getattr, 0, &now, sizeof now, 1));
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getattr, -1, &now, sizeof now, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_setattr, 0, nullptr, 0));
    EXPECT_ERRNO(EINVAL, set_attributes(with(SCHED_OTHER), 0, 1)) << "flags";
    EXPECT_ERRNO(EINVAL, set_attributes(with(SCHED_OTHER, 0, 0, 0x8000)));
    EXPECT_ERRNO(EINVAL, set_attributes(with(SCHED_OTHER, 3)));
    EXPECT_ERRNO(EINVAL, set_attributes(with(55)));
    EXPECT_ERRNO(ESRCH, set_attributes(with(SCHED_OTHER), 0x3fffff));
    Attributes small = with(SCHED_OTHER);
    small.size = 20;
    EXPECT_ERRNO(E2BIG, set_attributes(small));
    EXPECT_EQ(static_cast<long>(kFirstSize), [&] {
        syscall(SYS_sched_setattr, 0, &small, 0);
        return static_cast<long>(small.size) == 20 ? 0L : static_cast<long>(small.size) >= 48 ? 48L : -1L;
    }()) << "it tells the size that it knows";
}

TEST(SchedAttributes, LargerStructureMustEndInZeros) {
    struct {
        Attributes known;
        uint64_t more;
    } larger{with(SCHED_OTHER), 0};
    larger.known.size = sizeof larger;
    EXPECT_OK(syscall(SYS_sched_setattr, 0, &larger, 0));
    larger.more = 1;
    EXPECT_ERRNO(E2BIG, syscall(SYS_sched_setattr, 0, &larger, 0));
}

TEST(SchedAttributes, SizeZeroMeansTheFirst) {
    Attributes attributes = with(SCHED_OTHER);
    attributes.size = 0;
    EXPECT_OK(set_attributes(attributes));
}

TEST(SchedInterval, OfEachPolicy) {
    timespec slice{7, 7};
    child([&] {
        ASSERT_OK(set_policy(SCHED_FIFO, 1));
        ASSERT_OK(sched_rr_get_interval(0, &slice));
        EXPECT_EQ(0, slice.tv_nsec) << "no turns";
        ASSERT_OK(set_policy(SCHED_RR, 1));
        ASSERT_OK(sched_rr_get_interval(0, &slice));
        EXPECT_EQ(100'000'000, slice.tv_nsec);
    });
    EXPECT_ERRNO(EINVAL, sched_rr_get_interval(-1, &slice));
    EXPECT_ERRNO(ESRCH, sched_rr_get_interval(0x3fffff, &slice));
    EXPECT_ERRNO(EFAULT, syscall(SYS_sched_rr_get_interval, 0, 8));
}

TEST(Affinity, IsInheritedByForkThreadAndExec) {  // F03, E16
    write_probe("probe");
    child([] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
        auto mine = [] {
            cpu_set_t now;
            EXPECT_OK(sched_getaffinity(0, sizeof now, &now));
            return CPU_COUNT(&now);
        };
        std::thread([&] { EXPECT_EQ(1, mine()); }).join();
        child([&] {
            EXPECT_EQ(1, mine());
            EXPECT_EQ(0, sched_getcpu());
        });
        Outcome result = run_program("./probe", {"p", "cat", "/proc/self/status"});
        EXPECT_NE(std::string::npos, result.output.find("Cpus_allowed_list:\t0\n"));
    });
}

TEST(Affinity, Errors) {
    cpu_set_t none;
    CPU_ZERO(&none);
    EXPECT_ERRNO(EINVAL, sched_setaffinity(0, sizeof none, &none)) << "nowhere to run";
    CPU_SET(900, &none);
    EXPECT_ERRNO(EINVAL, sched_setaffinity(0, sizeof none, &none)) << "only where there is nothing";
    CPU_SET(0, &none);
    EXPECT_OK(sched_setaffinity(0, sizeof none, &none)) << "what does not exist is left out";
    EXPECT_ERRNO(EFAULT, syscall(SYS_sched_setaffinity, 0, 8, 8));
    EXPECT_ERRNO(ESRCH, sched_setaffinity(0x3fffff, sizeof none, &none));
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getaffinity, 0, 7, &none)) << "no whole words";
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getaffinity, 0, 0, &none));
    EXPECT_ERRNO(EFAULT, syscall(SYS_sched_getaffinity, 0, 128, 8));
    EXPECT_ERRNO(ESRCH, sched_getaffinity(0x3fffff, sizeof none, &none));
}

TEST(Affinity, OfOthersNeedsTheSameUser) {
    pid_t pid = start_sleeper();
    as_user(1000, [=] {
        cpu_set_t set;
        EXPECT_OK(sched_getaffinity(pid, sizeof set, &set)) << "everybody may look";
        EXPECT_ERRNO(EPERM, sched_setaffinity(pid, sizeof set, &set));
    });
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(NiceValue, GroupAndUserAreMany) {
    child([] {
        setpgid(0, 0);
        Gate end;
        Gate ready;
        pid_t pid = start_child([&] {
            ready.open();
            end.wait();
        });
        ready.wait();
        ASSERT_OK(setpriority(PRIO_PROCESS, pid, 3));
        EXPECT_EQ(0, getpriority(PRIO_PGRP, 0)) << "the best one of the group";
        ASSERT_OK(setpriority(PRIO_PGRP, 0, 8));
        EXPECT_EQ(8, getpriority(PRIO_PROCESS, pid));
        EXPECT_EQ(8, getpriority(PRIO_PROCESS, 0));
        EXPECT_ERRNO(ESRCH, getpriority(PRIO_PGRP, 0x3fffff));
        end.open();
        wait_for(pid);
    });
    child([] {
        become_user(5555, 5555);
        ASSERT_OK(setpriority(PRIO_USER, 0, 4)) << "0 is the caller's real user";
        EXPECT_EQ(4, getpriority(PRIO_USER, 5555));
        errno = 0;
        EXPECT_ERRNO(ESRCH, getpriority(PRIO_USER, 5556));
    });
}

TEST(NiceValue, LimitLetsUsersRaise) {
    SKIP_UNLESS_LIMITS_CAN_BE_RAISED();
    child([] {
        limit(RLIMIT_NICE, 25);
        become_user(1000, 1000);
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, -5)) << "20 - 25";
        EXPECT_ERRNO(EACCES, setpriority(PRIO_PROCESS, 0, -6));
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, 10));
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, 0)) << "and back";
    });
}

TEST(NiceValue, IsTheThreads) {
    std::thread([] {
        ASSERT_OK(setpriority(PRIO_PROCESS, 0, 6));
        EXPECT_EQ(6, getpriority(PRIO_PROCESS, 0));
    }).join();
    EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0));
}

TEST(Rusage, OfAThreadAndOfAll) {
    rusage self{};
    rusage thread{};
    std::thread([&] {
        char* pages = map_pages(60);
        for (size_t i = 0; i < 60; i++) {
            pages[i * kPage] = 1;
        }
        ASSERT_OK(getrusage(RUSAGE_THREAD, &thread));
    }).join();
    ASSERT_OK(getrusage(RUSAGE_SELF, &self));
    EXPECT_GE(thread.ru_minflt, 60);
    EXPECT_GE(self.ru_minflt, thread.ru_minflt) << "with the threads that have ended";
    rusage mine{};
    getrusage(RUSAGE_THREAD, &mine);
    EXPECT_LT(mine.ru_minflt, self.ru_minflt);
}

TEST(Rusage, Errors) {
    rusage usage{};
    EXPECT_ERRNO(EINVAL, syscall(SYS_getrusage, 2, &usage));
    EXPECT_ERRNO(EINVAL, syscall(SYS_getrusage, -2, &usage));
    EXPECT_ERRNO(EFAULT, syscall(SYS_getrusage, RUSAGE_SELF, 8));
}

TEST(Rusage, LargestResidentSizeOfChildren) {
    child([] {
        char* pages = map_pages(2000);
        for (size_t i = 0; i < 2000; i++) {
            pages[i * kPage] = 1;
        }
    });
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    EXPECT_GE(usage.ru_maxrss, 8000) << "kilobytes";
}

TEST(Rusage, SwitchesAreCounted) {
    rusage before{};
    getrusage(RUSAGE_SELF, &before);
    rusage after = before;
    // On a slow machine a short sleep may be over before it begins, which is no switch.
    for (int i = 0; i < 100 && after.ru_nvcsw - before.ru_nvcsw < 3; i++) {
        sleep_ms(5);
        getrusage(RUSAGE_SELF, &after);
    }
    EXPECT_GE(after.ru_nvcsw - before.ru_nvcsw, 3);
}

TEST(LimitsMore, PrlimitChecksTheWholeIdentity) {
    Gate ready;
    Gate end;
    pid_t pid = start_child([&] {
        become_user(1000, 1000);
        ready.open();
        end.wait();
    });
    ready.wait();
    rlimit old{};
    as_user(1000, [&] { EXPECT_OK(prlimit(pid, RLIMIT_NOFILE, nullptr, &old)); });
    child([&] {
        ASSERT_OK(setgroups(0, nullptr));
        ASSERT_OK(setresgid(7, 7, 7));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_ERRNO(EPERM, prlimit(pid, RLIMIT_NOFILE, nullptr, &old)) << "the group counts, too";
    });
    end.open();
    wait_for(pid);
}

TEST(LimitsMore, PrlimitGivesTheOldOneWithTheNew) {
    rlimit fresh{100, 200};
    rlimit old{};
    ASSERT_OK(prlimit(0, RLIMIT_NOFILE, &fresh, nullptr));
    fresh = {50, 150};
    ASSERT_OK(prlimit(0, RLIMIT_NOFILE, &fresh, &old));
    EXPECT_EQ(100u, old.rlim_cur);
    EXPECT_EQ(200u, old.rlim_max);
    EXPECT_ERRNO(EINVAL, prlimit(0, static_cast<__rlimit_resource>(16), nullptr, &old));
    EXPECT_ERRNO(ESRCH, prlimit(-1, RLIMIT_NOFILE, nullptr, &old));
    EXPECT_ERRNO(EFAULT, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 8, nullptr));
}

TEST(LimitsMore, AreTheProcesss) {
    std::thread([] {
        rlimit fresh{77, 777};
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &fresh));
    }).join();
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    EXPECT_EQ(77u, now.rlim_cur);
}
