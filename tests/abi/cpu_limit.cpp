// RLIMIT_CPU (setrlimit(2)). Rules F03, E16. Only what came too early is wrong.
#include "tests/abi/support/cpu_time.h"

using namespace abi_test;

namespace {

// Linux limits what its tick has sampled, and tells what it has measured.
constexpr int64_t kLimitedSecond = 700 * kMs;

void limit_cpu(rlim_t soft, rlim_t hard) {
    rlimit limit{soft, hard};
    EXPECT_OK(setrlimit(RLIMIT_CPU, &limit));
}
rlim_t soft_limit() {
    rlimit limit{};
    EXPECT_OK(getrlimit(RLIMIT_CPU, &limit));
    return limit.rlim_cur;
}

// How a child ended, and its processor time.
struct End {
    std::string how;
    int64_t used;
};
End end_of(pid_t pid) {
    int status = 0;
    rusage usage{};
    EXPECT_EQ(pid, wait4(pid, &status, 0, &usage));
    return {status_text(status), ns(usage.ru_utime) + ns(usage.ru_stime)};
}

}  // namespace

TEST(CpuLimit, SignalEachSecondThenTheEnd) {
    struct Seen {
        std::atomic<int> signals;
        std::atomic<long> soft[8];
    };
    static Seen* seen = shared<Seen>();
    pid_t pid = start_child([] {
        handle(SIGXCPU, [](int) {
            rlimit limit{};
            getrlimit(RLIMIT_CPU, &limit);
            seen->soft[seen->signals++ % 8] = static_cast<long>(limit.rlim_cur);
        });
        limit_cpu(1, 3);
        work_for_ever();
    });
    End end = end_of(pid);
    EXPECT_EQ("SIGKILL", end.how);
    EXPECT_GE(end.used, 3 * kLimitedSecond);
    EXPECT_EQ(2, seen->signals);
    EXPECT_EQ(2, seen->soft[0]) << "each signal makes the soft limit a second longer";
    EXPECT_EQ(3, seen->soft[1]);
}

TEST(CpuLimit, ForkInheritsItAndBeginsAtZero) {  // F03
    child([] {
        work_for(400 * kMs);
        limit_cpu(1, RLIM_INFINITY);
        pid_t pid = start_child([] {
            EXPECT_EQ(1u, soft_limit());
            work_for_ever();
        });
        End end = end_of(pid);
        EXPECT_EQ("SIGXCPU", end.how);
        EXPECT_GE(end.used, kLimitedSecond);
    });
}

TEST(CpuLimit, ExecKeepsItAndTheTimeUsed) {  // E16
    pid_t pid = start_child([] {
        limit_cpu(1, 1);
        work_for(300 * kMs);
        exec_self("work_for_ever");
    });
    End end = end_of(pid);
    EXPECT_EQ("SIGKILL", end.how) << "the hard limit is looked at first";
    EXPECT_GE(end.used, kLimitedSecond);
}

TEST(CpuLimit, OfAnotherProcessBelowWhatItHasUsed) {
    pid_t pid = start_child([] { work_for_ever(); });
    clockid_t clock{};
    ASSERT_EQ(0, clock_getcpuclockid(pid, &clock));
    while (now_ns(clock) < 1050 * kMs) {
        sleep_ms(5);
    }
    rlimit limit{1, 5};
    ASSERT_OK(prlimit(pid, RLIMIT_CPU, &limit, nullptr));
    End end = end_of(pid);
    EXPECT_EQ("SIGXCPU", end.how);
    EXPECT_LE(end.used, 4000 * kMs) << "it ended at once";
}

TEST(CpuLimit, ZeroIsOver) {
    child([] {
        count_signals(SIGXCPU);
        limit_cpu(0, RLIM_INFINITY);
        while (received(SIGXCPU) == 0) {
            work();
        }
        EXPECT_EQ(1u, soft_limit());
        limit_cpu(RLIM_INFINITY, RLIM_INFINITY);
        work_for(30 * kMs);
        EXPECT_EQ(1, received(SIGXCPU));
    });
}

TEST(CpuLimit, CountsAllThreads) {
    pid_t pid = start_child([] {
        limit_cpu(1, RLIM_INFINITY);
        std::thread([] { work_for(300 * kMs); }).join();
        std::thread(work_for_ever).detach();
        std::thread(work_for_ever).detach();
        work_for_ever();
    });
    End end = end_of(pid);
    EXPECT_EQ("SIGXCPU", end.how);
    EXPECT_GE(end.used, kLimitedSecond);
}
