// What siginfo tells of each source of signals: si_code, sender, value, address. Rules S02 and S05.
#include <mqueue.h>
#include <sys/ptrace.h>
#include <sys/timerfd.h>

#include "tests/abi/support/abi.h"
#include "tests/abi/support/pseudo_terminal.h"

using namespace abi_test;

namespace {

// Waits for a blocked signal and returns what it tells; si_signo is 0 if none comes.
siginfo_t take(int signal) {
    sigset_t set = set_of({signal});
    siginfo_t info{};
    timespec limit{20, 0};
    // The C library would call a thread's SI_TKILL a process's SI_USER.
    while (syscall(SYS_rt_sigtimedwait, &set, &info, &limit, 8) < 0 && errno == EINTR) {
    }
    return info;
}

long queue_info(pid_t pid, int signal, int code) {
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = code;
    info.si_value.sival_int = 7;
    return syscall(SYS_rt_sigqueueinfo, pid, signal, &info);
}

siginfo_t child_report(const std::function<void(pid_t)>& act, const Body& body) {
    block({SIGCHLD});
    pid_t pid = start_child(body);
    act(pid);
    return take(SIGCHLD);
}

}  // namespace

TEST(SignalSource, KillTellsTheSendersRealUser) {  // S02
    block({SIGUSR1});
    pid_t parent = getpid();
    pid_t pid = start_child([=] {
        ASSERT_OK(setresuid(1000, 0, 0));
        EXPECT_OK(kill(parent, SIGUSR1));
    });
    siginfo_t info = take(SIGUSR1);
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_EQ(1000u, info.si_uid) << "the real one, though it acts as another";
    wait_for(pid);
}

TEST(SignalSource, TkillHasACodeOfItsOwn) {  // S02
    block({SIGUSR1});
    ASSERT_OK(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1));
    siginfo_t info = take(SIGUSR1);
    EXPECT_EQ(SI_TKILL, info.si_code);
    EXPECT_EQ(getpid(), info.si_pid);
}

TEST(SignalSource, TgkillChecksTheGroup) {  // S02
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    EXPECT_ERRNO(ESRCH, syscall(SYS_tgkill, getpid(), pid, 0)) << "a thread of another process";
    EXPECT_OK(syscall(SYS_tgkill, pid, pid, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_tgkill, 0, pid, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_tgkill, pid, 0, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_tkill, -1, 0));
    end.open();
    wait_for(pid);
}

TEST(SignalSource, QueueCarriesAPointer) {  // S02
    block({SIGRTMIN});
    sigval value{};
    value.sival_ptr = &value;
    ASSERT_OK(sigqueue(getpid(), SIGRTMIN, value));
    siginfo_t info = take(SIGRTMIN);
    EXPECT_EQ(SI_QUEUE, info.si_code);
    EXPECT_EQ(&value, info.si_value.sival_ptr);
    EXPECT_EQ(getuid(), info.si_uid);
}

TEST(SignalSource, OthersMayNotBeToldOfTheKernel) {  // S02
    pid_t pid = start_sleeper();
    EXPECT_ERRNO(EPERM, queue_info(pid, SIGURG, 0)) << "SI_USER is the kernel's to say";
    EXPECT_ERRNO(EPERM, queue_info(pid, SIGURG, SI_KERNEL));
    EXPECT_ERRNO(EPERM, queue_info(pid, SIGURG, CLD_EXITED));
    EXPECT_ERRNO(EPERM, queue_info(pid, SIGURG, SI_TKILL));
    EXPECT_OK(queue_info(pid, SIGURG, SI_QUEUE));
    EXPECT_OK(queue_info(pid, SIGURG, SI_TIMER));
    EXPECT_OK(queue_info(pid, SIGURG, -60));
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(SignalSource, OneselfMayBeToldAnything) {  // S02
    block({SIGUSR1});
    for (int code : std::vector<int>{SI_USER, SI_KERNEL, CLD_EXITED, SI_TKILL, SI_QUEUE, -60}) {
        ASSERT_OK(queue_info(getpid(), SIGUSR1, code)) << code;
        siginfo_t info = take(SIGUSR1);
        EXPECT_EQ(code, info.si_code);
        EXPECT_EQ(7, info.si_value.sival_int);
    }
}

TEST(SignalSource, QueueInfoNumberComesFromTheArgument) {  // S02
    block({SIGUSR1});
    siginfo_t info{};
    info.si_signo = SIGUSR2;
    info.si_code = SI_QUEUE;
    ASSERT_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    EXPECT_EQ(SIGUSR1, take(SIGUSR1).si_signo);
}

TEST(SignalSource, ThreadQueueReachesThatThread) {  // S02
    block({SIGUSR1});
    std::atomic<pid_t> tid{0};
    int value = 0;
    std::thread other([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        value = take(SIGUSR1).si_value.sival_int;
    });
    while (tid == 0) {
        sched_yield();
    }
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 9;
    EXPECT_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid.load(), SIGUSR1, &info));
    other.join();
    EXPECT_EQ(9, value);
    EXPECT_ERRNO(EINVAL, syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info));
    EXPECT_ERRNO(EFAULT, syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, 8));
}

TEST(SignalSource, PosixTimer) {  // S06
    block({SIGRTMIN});
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    event.sigev_value.sival_int = 77;
    timer_t timer;
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    itimerspec soon{{0, 0}, {0, 1}};
    ASSERT_OK(timer_settime(timer, 0, &soon, nullptr));
    siginfo_t info = take(SIGRTMIN);
    EXPECT_EQ(SI_TIMER, info.si_code);
    EXPECT_EQ(77, info.si_value.sival_int);
    EXPECT_EQ(static_cast<int>(reinterpret_cast<intptr_t>(timer)), info.si_timerid);
    EXPECT_EQ(0, info.si_overrun);
}

TEST(SignalSource, PosixTimerWithoutEventCarriesItsNumber) {  // S06
    block({SIGALRM});
    timer_t timer;
    ASSERT_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, nullptr, &timer));
    itimerspec soon{{0, 0}, {0, 1}};
    int id = *reinterpret_cast<int*>(&timer);
    ASSERT_OK(syscall(SYS_timer_settime, id, 0, &soon, nullptr));
    siginfo_t info = take(SIGALRM);
    EXPECT_EQ(SI_TIMER, info.si_code);
    EXPECT_EQ(id, info.si_value.sival_int);
}

TEST(SignalSource, IntervalTimerIsTheKernels) {  // S06
    block({SIGALRM});
    itimerval soon{{0, 0}, {0, 1}};
    ASSERT_OK(setitimer(ITIMER_REAL, &soon, nullptr));
    siginfo_t info = take(SIGALRM);
    EXPECT_EQ(SI_KERNEL, info.si_code);
    EXPECT_EQ(0, info.si_pid);
}

TEST(SignalSource, BrokenPipeComesFromOneself) {  // S02
    block({SIGPIPE});
    int ends[2];
    ASSERT_OK(pipe(ends));
    close(ends[0]);
    EXPECT_ERRNO(EPIPE, write(ends[1], "x", 1));
    siginfo_t info = take(SIGPIPE);
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(getpid(), info.si_pid);
}

TEST(SignalSource, BrokenSocketToo) {  // S02
    block({SIGPIPE});
    int ends[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    close(ends[0]);
    EXPECT_ERRNO(EPIPE, send(ends[1], "x", 1, 0));
    EXPECT_EQ(SI_USER, take(SIGPIPE).si_code);
    EXPECT_ERRNO(EPIPE, send(ends[1], "x", 1, MSG_NOSIGNAL));
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGPIPE));
}

TEST(SignalSource, BrokenPipeIsForTheThreadThatWrote) {  // S02
    block({SIGPIPE});
    int ends[2];
    ASSERT_OK(pipe(ends));
    close(ends[0]);
    std::thread([&] {
        EXPECT_ERRNO(EPIPE, write(ends[1], "x", 1));
        sigset_t pending{};
        sigpending(&pending);
        EXPECT_TRUE(sigismember(&pending, SIGPIPE));
    }).join();
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGPIPE)) << "it went with its thread";
}

TEST(SignalSource, FileSizeLimit) {  // S02
    block({SIGXFSZ});
    rlimit limit{10, 10};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
    int file = open("f", O_CREAT | O_RDWR, 0600);
    EXPECT_EQ(10, write(file, "0123456789ab", 12)) << "what fits, and no signal";
    EXPECT_ERRNO(EFBIG, write(file, "x", 1));
    siginfo_t info = take(SIGXFSZ);
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(getpid(), info.si_pid);
}

TEST(SignalSource, ChildThatExits) {  // X03
    siginfo_t info = child_report([](pid_t) {}, [] { _exit(300); });
    EXPECT_EQ(CLD_EXITED, info.si_code);
    EXPECT_EQ(300 & 255, info.si_status);
    EXPECT_EQ(getuid(), info.si_uid);
}

TEST(SignalSource, ChildThatIsKilled) {  // X03
    siginfo_t info = child_report([](pid_t pid) { kill(pid, SIGTERM); }, [] { pause(); });
    EXPECT_EQ(CLD_KILLED, info.si_code);
    EXPECT_EQ(SIGTERM, info.si_status);
}

TEST(SignalSource, ChildThatStopsAndGoesOn) {  // X03, S04
    block({SIGCHLD});
    pid_t pid = start_sleeper();
    kill(pid, SIGTSTP);
    siginfo_t info = take(SIGCHLD);
    EXPECT_EQ(CLD_STOPPED, info.si_code);
    EXPECT_EQ(SIGTSTP, info.si_status);
    EXPECT_EQ(pid, info.si_pid);
    kill(pid, SIGCONT);
    info = take(SIGCHLD);
    EXPECT_EQ(CLD_CONTINUED, info.si_code);
    EXPECT_EQ(SIGCONT, info.si_status);
    kill(pid, SIGKILL);
    EXPECT_EQ(CLD_KILLED, take(SIGCHLD).si_code);
}

TEST(SignalSource, ChildThatIsTraced) {  // X03
    block({SIGCHLD});
    pid_t pid = start_child([] {
        ASSERT_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
        raise(SIGUSR1);
    });
    siginfo_t info = take(SIGCHLD);
    EXPECT_EQ(CLD_TRAPPED, info.si_code);
    EXPECT_EQ(SIGUSR1, info.si_status);
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(SignalSource, ChildOfAnotherUserTellsItsUser) {  // X03
    siginfo_t info = child_report([](pid_t) {}, [] { become_user(1234, 1234); });
    EXPECT_EQ(1234u, info.si_uid) << "the child's";
}

TEST(SignalSource, ExitSignalOfOnesChoiceHasTheSameForm) {  // F05
    block({SIGUSR1, SIGCHLD});
    long pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(5);
    }
    siginfo_t info = take(SIGUSR1);
    EXPECT_EQ(CLD_EXITED, info.si_code);
    EXPECT_EQ(5, info.si_status);
    EXPECT_EQ(pid, info.si_pid);
    sigset_t pending{};
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, SIGCHLD));
}

TEST(SignalSource, DeathOfTheParentIsItsMessage) {  // X04
    Gate ready;
    Gate done;
    pid_t middle = start_child([&] {
        start_child([&] {
            block({SIGUSR2});
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            ready.open();
            siginfo_t info = take(SIGUSR2);
            EXPECT_EQ(SI_USER, info.si_code);
            EXPECT_NE(0, info.si_pid) << "the parent that ended";
            done.open();
        });
        ready.wait();
    });
    wait_for(middle);
    EXPECT_TRUE(done.wait_for(20'000));
}

TEST(SignalSource, InputOnRequestTellsDescriptorAndEvents) {  // S02
    block({SIGRTMIN});
    int ends[2];
    ASSERT_OK(pipe(ends));
    ASSERT_OK(fcntl(ends[0], F_SETOWN, getpid()));
    ASSERT_OK(fcntl(ends[0], F_SETSIG, SIGRTMIN));
    ASSERT_OK(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    ASSERT_EQ(1, write(ends[1], "x", 1));
    siginfo_t info = take(SIGRTMIN);
    EXPECT_EQ(POLL_IN, info.si_code);
    EXPECT_EQ(ends[0], info.si_fd);
    EXPECT_EQ(POLLIN | POLLRDNORM, info.si_band);
    EXPECT_EQ(SIGRTMIN, fcntl(ends[0], F_GETSIG));
}

TEST(SignalSource, InputOnRequestWithoutASignalOfChoiceTellsNothing) {  // S02
    block({SIGIO});
    int ends[2];
    ASSERT_OK(pipe(ends));
    ASSERT_OK(fcntl(ends[0], F_SETOWN, getpid()));
    ASSERT_OK(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    ASSERT_EQ(1, write(ends[1], "x", 1));
    siginfo_t info = take(SIGIO);
    EXPECT_EQ(SI_KERNEL, info.si_code);
    EXPECT_EQ(0, fcntl(ends[0], F_GETSIG));
    EXPECT_ERRNO(EINVAL, fcntl(ends[0], F_SETSIG, 65));
}

TEST(SignalSource, RoomInAPipeIsAnEventOfItsWriter) {  // S02
    block({SIGRTMIN});
    int ends[2];
    ASSERT_OK(pipe(ends));
    ASSERT_OK(fcntl(ends[1], F_SETOWN, getpid()));
    ASSERT_OK(fcntl(ends[1], F_SETSIG, SIGRTMIN));
    std::string much(65536, 'x');
    ASSERT_EQ(65536, write(ends[1], much.data(), much.size()));
    ASSERT_OK(fcntl(ends[1], F_SETFL, O_ASYNC | O_NONBLOCK));
    ASSERT_EQ(65536, read(ends[0], much.data(), much.size()));
    siginfo_t info = take(SIGRTMIN);
    EXPECT_EQ(POLL_OUT, info.si_code);
    EXPECT_EQ(ends[1], info.si_fd);
}

TEST(SignalSource, TerminalCharactersAreTheKernels) {  // S04
    child([] {
        ASSERT_OK(setsid());
        int master = posix_openpt(O_RDWR | O_NOCTTY);
        ASSERT_OK(grantpt(master));
        ASSERT_OK(unlockpt(master));
        int slave = open(ptsname(master), O_RDWR);
        ASSERT_OK(slave);
        block({SIGINT, SIGWINCH});
        ASSERT_EQ(1, write(master, "\x03", 1));
        EXPECT_EQ(SI_KERNEL, take(SIGINT).si_code);
        winsize size{7, 9, 0, 0};
        ASSERT_OK(ioctl(master, TIOCSWINSZ, &size));
        EXPECT_EQ(SI_KERNEL, take(SIGWINCH).si_code);
    });
}

TEST(SignalSource, MessageQueueTellsTheSender) {  // S02
    block({SIGUSR1});
    const std::string name = "/abi-source-" + std::to_string(getpid());
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    mqd_t queue = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    ASSERT_OK(queue);
    mq_unlink(name.c_str());
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 5;
    ASSERT_OK(mq_notify(queue, &event));
    pid_t pid = start_child([&] {
        ASSERT_OK(setresuid(1000, 0, 0));
        EXPECT_OK(mq_send(queue, "x", 1, 0));
    });
    siginfo_t info = take(SIGUSR1);
    EXPECT_EQ(SI_MESGQ, info.si_code);
    EXPECT_EQ(pid, info.si_pid);
    EXPECT_EQ(1000u, info.si_uid);
    EXPECT_EQ(5, info.si_value.sival_int);
    wait_for(pid);
}

TEST(SignalSource, CpuTimeLimitIsTheKernels) {  // S02
    block({SIGXCPU});
    rlimit limit{1, RLIM_INFINITY};
    child([&] {
        // Of what the parent used nothing counts; a second of work is too long for a test, so the limit is passed by
        // setting it below what was used.
        limit.rlim_cur = 0;
        ASSERT_OK(setrlimit(RLIMIT_CPU, &limit));
        int64_t end = now_ns() + 20'000'000'000;
        sigset_t pending{};
        do {
            sigpending(&pending);
        } while (!sigismember(&pending, SIGXCPU) && now_ns() < end);
        EXPECT_EQ(SI_KERNEL, take(SIGXCPU).si_code);
    });
}
