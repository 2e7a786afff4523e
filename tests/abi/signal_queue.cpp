// What is pending, in which order it comes, and how the queue is limited. Rules S01 and S02.
#include <sys/signalfd.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

volatile sig_atomic_t order[64];
volatile sig_atomic_t order_count;

void note_order(int signal, siginfo_t* info, void*) {
    order[order_count] = signal * 100 + info->si_value.sival_int % 100;
    order_count = order_count + 1;
}

std::string order_text() {
    std::string text;
    for (int i = 0; i < order_count; i++) {
        text += std::to_string(order[i]) + " ";
    }
    order_count = 0;
    return text;
}

int queue(pid_t pid, int signal, int value) {
    sigval payload{};
    payload.sival_int = value;
    return sigqueue(pid, signal, payload);
}

bool is_pending(int signal) {
    sigset_t set{};
    sigpending(&set);
    return sigismember(&set, signal) == 1;
}

void set_queue_limit(rlim_t count) {
    rlimit limit{count, count};
    ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
}

std::string queued() {
    std::string text = proc_status("SigQ");
    return text.substr(0, text.find('/'));
}

}  // namespace

TEST(SignalOrder, SynchronousOnesComeFirst) {  // S02
    // Of what is pending together Linux takes SEGV, BUS, ILL, TRAP, FPE and SYS first; and each handler that is set up
    // is interrupted by the next, so the last set up runs first.
    for (int signal : {SIGHUP, SIGSEGV, SIGUSR1}) {
        handle_info(signal, note_order);
        sigset_t set = set_of({SIGHUP, SIGSEGV, SIGUSR1});
        sigprocmask(SIG_BLOCK, &set, nullptr);
    }
    queue(getpid(), SIGHUP, 1);
    queue(getpid(), SIGUSR1, 2);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSEGV);
    unblock({SIGHUP, SIGSEGV, SIGUSR1});
    std::string text = order_text();
    EXPECT_EQ("SEGV last", text.substr(text.size() - 5, 2) == "11" ? "SEGV last" : text);
}

TEST(SignalOrder, ThreadsOwnComeBeforeTheProcesss) {  // S02
    block({SIGUSR1, SIGHUP});
    sigset_t set = set_of({SIGUSR1, SIGHUP});
    kill(getpid(), SIGHUP);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    siginfo_t info{};
    EXPECT_EQ(SIGUSR1, sigwaitinfo(&set, &info)) << "though its number is higher";
    EXPECT_EQ(SIGHUP, sigwaitinfo(&set, &info));
}

TEST(SignalOrder, RealtimeOfOneNumberAcrossThreadAndProcess) {  // S02
    block({SIGRTMIN});
    queue(getpid(), SIGRTMIN, 1);
    siginfo_t own{};
    own.si_code = SI_QUEUE;
    own.si_value.sival_int = 2;
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGRTMIN, &own);
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    sigwaitinfo(&set, &info);
    EXPECT_EQ(2, info.si_value.sival_int) << "the thread's queue first";
    sigwaitinfo(&set, &info);
    EXPECT_EQ(1, info.si_value.sival_int);
}

TEST(SignalOrder, HandlersOfQueuedOnesRunInOrder) {  // S02
    handle_info(SIGRTMIN + 1, note_order);
    block({SIGRTMIN + 1});
    for (int i = 1; i <= 4; i++) {
        queue(getpid(), SIGRTMIN + 1, i);
    }
    unblock({SIGRTMIN + 1});
    std::string n = std::to_string(SIGRTMIN + 1);
    EXPECT_EQ(n + "01 " + n + "02 " + n + "03 " + n + "04 ", order_text());
}

TEST(SignalOrder, StandardOneKeepsItsFirstInformation) {  // S02
    block({SIGUSR1});
    queue(getpid(), SIGUSR1, 1);
    queue(getpid(), SIGUSR1, 2);
    sigset_t set = set_of({SIGUSR1});
    siginfo_t info{};
    sigwaitinfo(&set, &info);
    EXPECT_EQ(1, info.si_value.sival_int);
    EXPECT_FALSE(is_pending(SIGUSR1));
}

TEST(SignalOrder, ThreadAndProcessHoldOneStandardEach) {  // S02
    block({SIGUSR1});
    count_signals(SIGUSR1);
    kill(getpid(), SIGUSR1);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    unblock({SIGUSR1});
    EXPECT_EQ(2, received(SIGUSR1));
}

TEST(SignalLimit, CountsAreTold) {  // S02
    become_user(4321, 4321);
    block({SIGRTMIN, SIGUSR1});
    EXPECT_EQ("0", queued());
    queue(getpid(), SIGRTMIN, 1);
    queue(getpid(), SIGRTMIN, 2);
    queue(getpid(), SIGUSR1, 3);
    queue(getpid(), SIGUSR1, 3);
    EXPECT_EQ("3", queued()) << "one that is not queued does not count";
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    sigwaitinfo(&set, &info);
    EXPECT_EQ("2", queued());
}

TEST(SignalLimit, KillBreaksItWithoutInformation) {  // S02
    become_user(4322, 4322);
    block({SIGRTMIN, SIGUSR1});
    set_queue_limit(0);
    EXPECT_ERRNO(EAGAIN, queue(getpid(), SIGRTMIN, 1));
    EXPECT_FALSE(is_pending(SIGRTMIN));
    EXPECT_OK(kill(getpid(), SIGRTMIN)) << "kill always gets through";
    EXPECT_TRUE(is_pending(SIGRTMIN));
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t info{};
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(0, info.si_pid) << "there was no room for who sent it";
    EXPECT_OK(queue(getpid(), SIGUSR1, 1)) << "a standard signal always";
}

TEST(SignalLimit, IsTheUsersOverAllProcesses) {  // S02
    as_user(4323, [] {
        block({SIGRTMIN});
        set_queue_limit(3);
        Gate ready;
        Gate end;
        pid_t pid = start_child([&] {
            EXPECT_OK(queue(getpid(), SIGRTMIN, 1));
            EXPECT_OK(queue(getpid(), SIGRTMIN, 2));
            ready.open();
            end.wait();
        });
        ready.wait();
        EXPECT_OK(queue(getpid(), SIGRTMIN, 1));
        EXPECT_ERRNO(EAGAIN, queue(getpid(), SIGRTMIN, 2));
        end.open();
        wait_for(pid);
        EXPECT_OK(queue(getpid(), SIGRTMIN, 2)) << "the child's went with it";
    });
}

TEST(SignalLimit, IsTheReceiversNotTheSenders) {  // S02
    Gate ready;
    Gate end;
    pid_t pid = start_child([&] {
        block({SIGRTMIN});
        become_user(4324, 4324);
        set_queue_limit(1);
        ready.open();
        end.wait();
    });
    ready.wait();
    EXPECT_OK(queue(pid, SIGRTMIN, 1));
    EXPECT_ERRNO(EAGAIN, queue(pid, SIGRTMIN, 2)) << "also for root";
    end.open();
    wait_for(pid);
}

TEST(SignalLimit, TimersReserveTheirPlace) {  // S06
    become_user(4325, 4325);
    set_queue_limit(2);
    timer_t timer;
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    EXPECT_ERRNO(EAGAIN, timer_create(CLOCK_MONOTONIC, &event, &timer));
    ASSERT_OK(timer_delete(timer));
    EXPECT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
}

TEST(SignalPending, BlockedIgnoredOnesAreKept) {  // S02
    // The disposition is looked at when a blocked signal is taken, not when it comes.
    handle(SIGUSR1, SIG_IGN);
    block({SIGUSR1});
    raise(SIGUSR1);
    EXPECT_TRUE(is_pending(SIGUSR1));
    unblock({SIGUSR1});
    EXPECT_FALSE(is_pending(SIGUSR1));
}

TEST(SignalPending, UnblockedIgnoredOnesAreNot) {  // S02
    block({});
    raise(SIGURG);
    raise(SIGWINCH);
    EXPECT_FALSE(is_pending(SIGURG) || is_pending(SIGWINCH)) << "ignored by default";
}

TEST(SignalPending, IgnoringDiscardsTheThreadsToo) {  // S02
    block({SIGUSR1, SIGCHLD});
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    handle(SIGUSR1, SIG_IGN);
    EXPECT_FALSE(is_pending(SIGUSR1));
    raise(SIGCHLD);
    handle(SIGCHLD, SIG_DFL);
    EXPECT_FALSE(is_pending(SIGCHLD)) << "the default of SIGCHLD is to ignore";
}

TEST(SignalPending, StopDiscardsContinueAndViceVersa) {  // S04
    block({SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU});
    handle(SIGCONT, [](int) {});
    raise(SIGTSTP);
    raise(SIGTTIN);
    EXPECT_TRUE(is_pending(SIGTSTP) && is_pending(SIGTTIN));
    raise(SIGCONT);
    EXPECT_FALSE(is_pending(SIGTSTP) || is_pending(SIGTTIN)) << "a continue takes all stops away";
    EXPECT_TRUE(is_pending(SIGCONT));
    raise(SIGTTOU);
    EXPECT_FALSE(is_pending(SIGCONT)) << "and a stop the continue";
    EXPECT_TRUE(is_pending(SIGTTOU));
}

TEST(SignalPending, ExecKeepsThem) {  // E12
    write_probe("probe");
    Outcome result = run_program_after(
        [] {
            block({SIGUSR1, SIGRTMIN});
            raise(SIGUSR1);
            kill(getpid(), SIGRTMIN);
        },
        "./probe", {"p", "cat", "/proc/self/status"});
    auto has = [&](const std::string& set, int signal) {
        size_t at = result.output.find("\n" + set + ":\t");
        return at != std::string::npos &&
               (std::stoull(result.output.substr(at + set.size() + 3, 16), nullptr, 16) >> (signal - 1) & 1) != 0;
    };
    EXPECT_TRUE(has("SigPnd", SIGUSR1)) << "the thread's";
    EXPECT_TRUE(has("ShdPnd", SIGRTMIN)) << "the process's";
    EXPECT_TRUE(has("SigBlk", SIGUSR1));
}

TEST(SignalPending, ThreadsEndTakesItsOwn) {  // X01
    block({SIGUSR1});
    std::thread([] { syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1); }).join();
    EXPECT_FALSE(is_pending(SIGUSR1));
}

TEST(SignalPending, ProcesssGoToAnotherThreadWhenOneBlocks) {  // S01
    // A thread that was chosen and then ends or blocks hands the signal on.
    block({SIGUSR1});
    count_signals(SIGUSR1);
    Gate go;
    std::thread other([&] {
        unblock({SIGUSR1});
        wait_until_received(SIGUSR1, 1);
    });
    kill(getpid(), SIGUSR1);
    other.join();
    EXPECT_EQ(1, received(SIGUSR1));
    EXPECT_FALSE(is_pending(SIGUSR1));
}

TEST(SignalPending, UnblockingAThreadTakesTheProcesss) {  // S01
    block({SIGUSR1});
    count_signals(SIGUSR1);
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(0, received(SIGUSR1));
    unblock({SIGUSR1});
    EXPECT_EQ(1, received(SIGUSR1)) << "before the call returns";
}

TEST(SignalPending, Errors) {
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigpending, 8, 8));
    uint64_t set = 0;
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigpending, &set, 16));
    EXPECT_OK(syscall(SYS_rt_sigpending, &set, 4)) << "less than a set is allowed here";
}

TEST(SignalMask, KillAndStopCannotBeBlocked) {  // S02
    sigset_t all;
    sigfillset(&all);
    ASSERT_OK(sigprocmask(SIG_SETMASK, &all, nullptr));
    uint64_t now = 0;
    ASSERT_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, nullptr, &now, 8));
    EXPECT_EQ(0u, now & (1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)));
}

TEST(SignalMask, Errors) {  // S02
    uint64_t set = 0;
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigprocmask, 3, &set, nullptr, 8));
    EXPECT_OK(syscall(SYS_rt_sigprocmask, 3, nullptr, &set, 8)) << "how is not looked at without a set";
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, nullptr, 16));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, nullptr, 8));
    set = 1ULL << (SIGUSR1 - 1);
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 8, 8));
    uint64_t now = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &now, 8);
    EXPECT_EQ(set, now) << "the mask changed all the same";
}

TEST(SignalMask, HandlersReturnRestoresItWhateverTheHandlerDid) {  // S02
    handle(SIGUSR1, [](int) { block({SIGUSR2, SIGTERM}); });
    raise(SIGUSR1);
    sigset_t now{};
    sigprocmask(SIG_BLOCK, nullptr, &now);
    EXPECT_FALSE(sigismember(&now, SIGUSR2) || sigismember(&now, SIGTERM));
}

TEST(SignalMask, HandlerMayChangeWhatIsRestored) {  // S02
    handle_info(SIGUSR1, [](int, siginfo_t*, void* context) {
        sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, SIGUSR2);
    });
    raise(SIGUSR1);
    sigset_t now{};
    sigprocmask(SIG_BLOCK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR2));
}

TEST(SignalMask, NewThreadInheritsItsCreators) {  // F02
    block({SIGUSR1});
    sigset_t now{};
    std::thread([&] { pthread_sigmask(SIG_BLOCK, nullptr, &now); }).join();
    EXPECT_TRUE(sigismember(&now, SIGUSR1));
}

TEST(SignalMask, NewThreadHasNothingPending) {  // F03
    block({SIGUSR1});
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    std::thread([] { EXPECT_FALSE(is_pending(SIGUSR1)); }).join();
    EXPECT_TRUE(is_pending(SIGUSR1));
}
