// EINTR against restart, call by call. Rules S01 and S03.
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "tests/abi/support/interrupt.h"

using namespace abi_test;

namespace {

int pipe_ends[2];
int socket_ends[2];

void nothing() {}

}  // namespace

TEST(Interrupt, ReadOfAPipe) {  // S03
    ASSERT_OK(pipe(pipe_ends));
    char byte;
    check(Restarts::Yes, [&] { return read(pipe_ends[0], &byte, 1); }, [] { (void)!write(pipe_ends[1], "x", 1); }, 1);
}

TEST(Interrupt, WriteToAFullPipe) {  // S03
    ASSERT_OK(pipe(pipe_ends));
    std::string much(65536, 'x');
    ASSERT_EQ(65536, write(pipe_ends[1], much.data(), much.size()));
    check(
        Restarts::Yes, [&] { return write(pipe_ends[1], "x", 1); },
        [] {
            static char drain[65536];
            (void)!read(pipe_ends[0], drain, sizeof drain);
        },
        1);
}

TEST(Interrupt, PartialWriteIsACount) {  // S03
    ASSERT_OK(pipe(pipe_ends));
    std::string much(100'000, 'x');
    start_ticking(SA_RESTART);
    EXPECT_EQ(65536, write(pipe_ends[1], much.data(), much.size())) << "what fits, then the signal";
    stop_ticking();
}

TEST(Interrupt, Readv) {  // S03
    ASSERT_OK(pipe(pipe_ends));
    char byte;
    iovec one{&byte, 1};
    check(Restarts::Yes, [&] { return readv(pipe_ends[0], &one, 1); }, [] { (void)!write(pipe_ends[1], "x", 1); }, 1);
}

TEST(Interrupt, Wait) {  // S03
    Gate end;
    start_child([&] { end.wait(); });
    int status = 0;
    check(Restarts::Yes, [&] { return wait4(-1, &status, 0, nullptr) > 0 ? 1 : -1; }, [&] { end.open(); }, 1);
}

TEST(Interrupt, Waitid) {  // S03
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    siginfo_t info{};
    check(Restarts::Yes, [&] { return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED); }, [&] { end.open(); }, 0);
}

TEST(Interrupt, FutexWait) {  // S03
    static int word = 0;
    // The handler runs in the waiting thread itself, which is then no waiter: the restarted call sees the value.
    check(
        Restarts::Yes,
        [] {
            word = 0;
            long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr);
            return result == -1 && errno == EAGAIN ? 7 : result;
        },
        [] { word = 1; }, 7);
}

TEST(Interrupt, FutexWaitWithATimeout) {  // S03
    // Through restart_syscall: the handler's SA_RESTART decides nothing, EINTR it is.
    static int word = 0;
    timespec limit{100, 0};
    check(Restarts::Never, [&] { return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &limit); }, nothing, 0);
}

TEST(Interrupt, Flock) {  // S03
    write_file("f", "");
    static int holder;
    holder = open("f", O_RDWR);
    ASSERT_OK(flock(holder, LOCK_EX));
    int other = open("f", O_RDWR);
    check(Restarts::Yes, [&] { return flock(other, LOCK_EX); }, [] { flock(holder, LOCK_UN); }, 0);
}

TEST(Interrupt, RecordLock) {  // S03
    write_file("f", "");
    Gate locked;
    Gate release;
    pid_t pid = start_child([&] {
        int file = open("f", O_RDWR);
        struct flock lock{};
        lock.l_type = F_WRLCK;
        EXPECT_OK(fcntl(file, F_SETLK, &lock));
        locked.open();
        release.wait();
    });
    locked.wait();
    int file = open("f", O_RDWR);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    check(Restarts::Yes, [&] { return fcntl(file, F_SETLKW, &lock); }, [&] { release.open(); }, 0);
    wait_for(pid);
}

TEST(Interrupt, OpenOfAFifo) {  // S03
    ASSERT_OK(mkfifo("fifo", 0600));
    check(
        Restarts::Yes,
        [] {
            int file = open("fifo", O_RDONLY);
            return file < 0 ? -1L : 1L;
        },
        [] { open("fifo", O_RDWR | O_NONBLOCK); }, 1);
}

TEST(Interrupt, ReceiveAndSend) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends));
    char byte;
    auto write_byte = [] { (void)!write(socket_ends[1], "x", 1); };
    check(Restarts::Yes, [&] { return recv(socket_ends[0], &byte, 1, 0); }, write_byte, 1);
}

TEST(Interrupt, ReceiveWithATimeout) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends));
    timeval limit{100, 0};
    ASSERT_OK(setsockopt(socket_ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    char byte;
    check(Restarts::Never, [&] { return recv(socket_ends[0], &byte, 1, 0); }, nothing, 0);
}

TEST(Interrupt, Accept) {  // S03
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    static sockaddr_un name;
    name.sun_family = AF_UNIX;
    strcpy(name.sun_path, "s");
    ASSERT_OK(bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name));
    ASSERT_OK(listen(listener, 5));
    check(
        Restarts::Yes, [&] { return accept(listener, nullptr, nullptr) >= 0 ? 1 : -1; },
        [] {
            int other = socket(AF_UNIX, SOCK_STREAM, 0);
            connect(other, reinterpret_cast<sockaddr*>(&name), sizeof name);
        },
        1);
}

TEST(Interrupt, Eventfd) {  // S03
    static int file;
    file = eventfd(0, 0);
    uint64_t value = 0;
    check(
        Restarts::Yes, [&] { return read(file, &value, 8); },
        [] {
            uint64_t one = 1;
            (void)!write(file, &one, 8);
        },
        8);
}

TEST(Interrupt, Timerfd) {  // S03
    static int file;
    file = timerfd_create(CLOCK_MONOTONIC, 0);
    uint64_t value = 0;
    check(
        Restarts::Yes, [&] { return read(file, &value, 8); },
        [] {
            itimerspec soon{{0, 0}, {0, 1}};
            timerfd_settime(file, 0, &soon, nullptr);
        },
        8);
}

// --- never restarted ---------------------------------------------------------------------------------

TEST(Interrupt, Pause) {  // S03
    check(Restarts::Never, [] { return pause(); }, nothing, 0);
}

TEST(Interrupt, Sigsuspend) {  // S03
    sigset_t none = set_of({});
    check(Restarts::Never, [&] { return sigsuspend(&none); }, nothing, 0);
}

TEST(Interrupt, Sigtimedwait) {  // S03
    block({SIGUSR1});
    sigset_t set = set_of({SIGUSR1});
    timespec limit{100, 0};
    check(Restarts::Never, [&] { return sigtimedwait(&set, nullptr, &limit); }, nothing, 0);
}

TEST(Interrupt, Nanosleep) {  // S03
    timespec hour{3600, 0};
    timespec left{};
    check(Restarts::Never, [&] { return nanosleep(&hour, &left); }, nothing, 0);
    EXPECT_GT(left.tv_sec, 3500) << "the rest is told";
    check(
        Restarts::Never,
        [&] {
            int code = clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, &left);
            errno = code;
            return code == 0 ? 0 : -1;
        },
        nothing, 0);
}

TEST(Interrupt, NanosleepUntil) {  // S03
    timespec when{};
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += 3600;
    check(
        Restarts::Never,
        [&] {
            int code = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
            errno = code;
            return code == 0 ? 0 : -1;
        },
        nothing, 0);
}

TEST(Interrupt, PollSelectAndEpoll) {  // S03
    ASSERT_OK(pipe(pipe_ends));
    pollfd one{pipe_ends[0], POLLIN, 0};
    timespec limit{100, 0};
    check(Restarts::Never, [&] { return poll(&one, 1, -1); }, nothing, 0);
    check(Restarts::Never, [&] { return poll(&one, 1, 100'000); }, nothing, 0);
    check(Restarts::Never, [&] { return ppoll(&one, 1, &limit, nullptr); }, nothing, 0);
    check(Restarts::Never, [&] { return ppoll(&one, 1, nullptr, nullptr); }, nothing, 0);
    fd_set set;
    check(
        Restarts::Never,
        [&] {
            FD_ZERO(&set);
            FD_SET(pipe_ends[0], &set);
            return select(pipe_ends[0] + 1, &set, nullptr, nullptr, nullptr);
        },
        nothing, 0);
    int epoll = epoll_create1(0);
    epoll_event event{};
    check(Restarts::Never, [&] { return epoll_wait(epoll, &event, 1, -1); }, nothing, 0);
}

TEST(Interrupt, WithoutAHandlerNothingIsInterrupted) {  // S03
    // Stop and continue restart even the calls that a handler would end.
    for (const char* call : {"read", "poll", "nanosleep", "futex"}) {
        std::string name = call;
        Gate end;
        pid_t pid = start_child([&] {
            if (name == "read") {
                end.wait();
                return;
            }
            timespec limit{0, 50'000'000};
            if (name == "poll") {
                EXPECT_EQ(0, poll(nullptr, 0, 50));
            } else if (name == "nanosleep") {
                EXPECT_OK(nanosleep(&limit, nullptr));
            } else {
                int word = 0;
                EXPECT_ERRNO(ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT, 0, &limit));
            }
        });
        for (int i = 0; i < 3; i++) {
            kill(pid, SIGSTOP);
            int status = 0;
            if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
                EXPECT_ENDS("exit 0", status) << name;
                pid = 0;
                break;
            }
            kill(pid, SIGCONT);
        }
        end.open();
        if (pid > 0) {
            EXPECT_ENDS("exit 0", wait_for(pid)) << name;
        }
    }
}

TEST(Interrupt, IgnoredSignalsDoNot) {  // S03
    handle(SIGUSR1, SIG_IGN);
    pid_t parent = getpid();
    Gate end;
    ASSERT_OK(pipe(pipe_ends));
    pid_t pid = start_child([&] {
        wait_until_asleep(parent);
        for (int i = 0; i < 10; i++) {
            kill(parent, SIGUSR1);
        }
        (void)!write(pipe_ends[1], "x", 1);
    });
    char byte;
    EXPECT_EQ(1, read(pipe_ends[0], &byte, 1));
    wait_for(pid);
}

TEST(Interrupt, KillEndsEverySleep) {  // S01
    ASSERT_OK(pipe(pipe_ends));
    ASSERT_OK(mkfifo("fifo", 0600));
    static int word = 0;
    std::vector<Body> sleeps = {
        [] { pause(); },
        [] {
            char byte;
            (void)!read(pipe_ends[0], &byte, 1);
        },
        [] { open("fifo", O_RDONLY); },
        [] { sleep_ms(1'000'000); },
        [] { syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr); },
        [] { poll(nullptr, 0, -1); },
        [] {
            if (vfork() == 0) {
                for (;;) {
                    poll(nullptr, 0, 1000);
                    if (getppid() == 1) {
                        _exit(0);
                    }
                }
            }
        },
        [] { wait_for(start_child([] { sleep_ms(2000); })); },
        [] {
            sigset_t all;
            sigfillset(&all);
            int signal = 0;
            sigwait(&all, &signal);
        },
    };
    for (size_t i = 0; i < sleeps.size(); i++) {
        pid_t pid = start_child(sleeps[i]);
        while (process_state(pid) == 'R') {
            sched_yield();
        }
        kill(pid, SIGKILL);
        EXPECT_ENDS("SIGKILL", wait_for(pid)) << "sleep " << i;
    }
}

TEST(Sigsuspend, SwapsTheMaskAtomically) {  // S02
    block({SIGUSR1});
    count_signals(SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(0, received(SIGUSR1));
    sigset_t none = set_of({});
    EXPECT_ERRNO(EINTR, sigsuspend(&none));
    EXPECT_EQ(1, received(SIGUSR1));
    sigset_t now{};
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1)) << "the mask is back";
}

TEST(Sigtimedwait, TakesWithoutAHandler) {  // S02
    block({SIGUSR1, SIGRTMIN});
    count_signals(SIGUSR1);
    sigset_t set = set_of({SIGUSR1, SIGRTMIN});
    timespec none{0, 0};
    EXPECT_ERRNO(EAGAIN, sigtimedwait(&set, nullptr, &none));
    kill(getpid(), SIGUSR1);
    siginfo_t info{};
    EXPECT_EQ(SIGUSR1, sigtimedwait(&set, &info, &none));
    EXPECT_EQ(getpid(), info.si_pid);
    EXPECT_EQ(0, received(SIGUSR1));
    timespec wrong{0, -1};
    EXPECT_ERRNO(EINVAL, sigtimedwait(&set, nullptr, &wrong));
    pid_t parent = getpid();
    pid_t pid = start_child([=] { sigqueue(parent, SIGRTMIN, sigval{.sival_int = 5}); });
    EXPECT_EQ(SIGRTMIN, sigwaitinfo(&set, &info));
    EXPECT_EQ(5, info.si_value.sival_int);
    wait_for(pid);
}

TEST(Signalfd, ReadsSignals) {  // S02
    block({SIGUSR1, SIGRTMIN});
    sigset_t set = set_of({SIGUSR1, SIGRTMIN});
    int file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ASSERT_OK(file);
    signalfd_siginfo info[4] = {};
    EXPECT_ERRNO(EAGAIN, read(file, info, sizeof info));
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(0, poll(&one, 1, 0));
    sigqueue(getpid(), SIGRTMIN, sigval{.sival_int = 3});
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(1, poll(&one, 1, 0));
    EXPECT_ERRNO(EINVAL, read(file, info, 10));
    EXPECT_EQ(static_cast<ssize_t>(2 * sizeof(signalfd_siginfo)), read(file, info, sizeof info));
    EXPECT_EQ(static_cast<unsigned>(SIGUSR1), info[0].ssi_signo);
    EXPECT_EQ(static_cast<unsigned>(getpid()), info[0].ssi_pid);
    EXPECT_EQ(3, info[1].ssi_int);
    sigset_t other = set_of({SIGUSR2});
    EXPECT_EQ(file, signalfd(file, &other, 0)) << "changes the set";
    kill(getpid(), SIGUSR1);
    EXPECT_EQ(0, poll(&one, 1, 0));
    EXPECT_ERRNO(EINVAL, signalfd(-1, &set, 0x10));
    EXPECT_ERRNO(EINVAL, signalfd(open("/dev/null", O_RDONLY), &set, 0));
}

TEST(Interrupt, ReceiveFromAMessageQueue) {  // S03
    static mqd_t queue;
    const std::string name = "/abi-interrupt-" + std::to_string(getpid());
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    queue = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    ASSERT_OK(queue);
    mq_unlink(name.c_str());
    char text[8];
    check(Restarts::Yes, [&] { return mq_receive(queue, text, 8, nullptr); }, [] { mq_send(queue, "x", 1, 0); }, 1);
    ASSERT_OK(mq_send(queue, "x", 1, 0));
    check(
        Restarts::Yes, [] { return mq_send(queue, "y", 1, 0); },
        [] {
            char taken[8];
            (void)mq_receive(queue, taken, 8, nullptr);
        },
        0);
}
