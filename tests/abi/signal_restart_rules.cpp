// EINTR against restart: which handler decides, whom a signal interrupts, what a stop does. Rule S03, signal(7).
#include <sys/epoll.h>
#include <sys/file.h>

#include "tests/abi/support/interrupt.h"
#include "tests/abi/support/unix_socket.h"

using namespace abi_test;

namespace {

int ends[2];
char byte;

void nothing() {}
void write_byte() {
    (void)!write(ends[1], "x", 1);
}

void set_limit(int file, int option) {
    timeval limit{100, 0};
    ASSERT_OK(setsockopt(file, SOL_SOCKET, option, &limit, sizeof limit));
}

// A child that stops in the call is continued, three times; then `finish` runs, and the child tells how it went on.
int stop_and_continue(const Body& body, const Body& end) {
    pid_t pid = start_child(body);
    wait_until_asleep(pid);
    for (int i = 0; i < 3; i++) {
        kill(pid, SIGSTOP);
        int status = 0;
        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
            return status;
        }
        kill(pid, SIGCONT);
    }
    end();
    return wait_for(pid);
}

}  // namespace

TEST(RestartRule, FirstHandlerSetUpDecides) {  // S03
    // Two signals end one wait; the first of them to be delivered says whether it is restarted.
    for (bool first_restarts : {true, false}) {
        ASSERT_OK(pipe(ends));
        pid_t pid = start_child([=] {
            handle(SIGHUP, [](int) {}, first_restarts ? SA_RESTART : 0);
            handle(SIGINT, [](int) {}, first_restarts ? 0 : SA_RESTART);
            errno = 0;
            ssize_t count = read(ends[0], &byte, 1);
            _exit(count == 1 ? 1 : errno == EINTR ? 2 : 3);
        });
        wait_until_asleep(pid);
        kill(pid, SIGSTOP);
        int status = 0;
        waitpid(pid, &status, WUNTRACED);
        kill(pid, SIGHUP);
        kill(pid, SIGINT);
        kill(pid, SIGCONT);
        if (first_restarts) {
            write_byte();
        }
        EXPECT_ENDS(first_restarts ? "exit 1" : "exit 2", wait_for(pid));
    }
}

TEST(RestartRule, HandlerOfAnotherThreadInterruptsNobody) {  // S03
    ASSERT_OK(pipe(ends));
    count_signals(SIGUSR1);
    std::atomic<pid_t> tid{0};
    ssize_t count = 0;
    std::thread reader([&] {
        tid = static_cast<pid_t>(syscall(SYS_gettid));
        char one;
        count = read(ends[0], &one, 1);
    });
    while (tid == 0) {
        sched_yield();
    }
    wait_until_asleep(tid);
    raise(SIGUSR1);
    write_byte();
    reader.join();
    EXPECT_EQ(1, count);
    EXPECT_EQ(1, received(SIGUSR1));
}

TEST(RestartRule, BlockedSignalInterruptsNobody) {  // S03
    ASSERT_OK(pipe(ends));
    pid_t pid = start_child([] {
        count_signals(SIGUSR1);
        block({SIGUSR1});
        EXPECT_EQ(1, read(ends[0], &byte, 1));
        EXPECT_EQ(0, received(SIGUSR1));
        unblock({SIGUSR1});
        EXPECT_EQ(1, received(SIGUSR1));
    });
    wait_until_asleep(pid);
    kill(pid, SIGUSR1);
    write_byte();
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(RestartRule, StopEndsAnEpollWait) {  // S03, signal(7)
    EXPECT_ENDS("exit 0", stop_and_continue(
                              [] {
                                  int epoll = epoll_create1(0);
                                  epoll_event event{};
                                  EXPECT_ERRNO(EINTR, epoll_wait(epoll, &event, 1, -1));
                              },
                              nothing));
}

TEST(RestartRule, StopEndsASigtimedwait) {  // S03
    EXPECT_ENDS("exit 0", stop_and_continue(
                              [] {
                                  block({SIGUSR1});
                                  sigset_t set = set_of({SIGUSR1});
                                  timespec limit{100, 0};
                                  EXPECT_ERRNO(EINTR, sigtimedwait(&set, nullptr, &limit));
                              },
                              nothing));
}

TEST(RestartRule, StopDoesNotEndAPause) {  // S03
    Gate stopped;
    pid_t pid = start_child([] {
        handle(SIGUSR1, [](int) {});
        EXPECT_ERRNO(EINTR, pause());
    });
    wait_until_asleep(pid);
    kill(pid, SIGSTOP);
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    kill(pid, SIGCONT);
    wait_until_asleep(pid);
    EXPECT_EQ(0, waitpid(pid, &status, WNOHANG)) << "it sleeps again";
    kill(pid, SIGUSR1);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(RestartRule, StopDoesNotEndAWait) {  // S03
    Gate end;
    EXPECT_ENDS("exit 0", stop_and_continue(
                              [&] {
                                  pid_t pid = start_child([&] { end.wait(); });
                                  int status = 0;
                                  EXPECT_EQ(pid, waitpid(pid, &status, 0));
                              },
                              [&] { end.open(); }));
}

TEST(RestartRule, StopDoesNotEndALockOrAnAccept) {  // S03
    write_file("f", "");
    int holder = open("f", O_RDWR);
    ASSERT_OK(flock(holder, LOCK_EX));
    EXPECT_ENDS("exit 0", stop_and_continue([] { EXPECT_OK(flock(open("f", O_RDWR), LOCK_EX)); },
                                            [&] { flock(holder, LOCK_UN); }));
    int listener = listening("s");
    EXPECT_ENDS("exit 0",
                stop_and_continue([&] { EXPECT_OK(accept(listener, nullptr, nullptr)); }, [] { connected("s"); }));
}

TEST(RestartRule, StopEndsATimedReceive) {  // S03, signal(7)
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    set_limit(ends[0], SO_RCVTIMEO);
    EXPECT_ENDS("exit 0", stop_and_continue([] { EXPECT_ERRNO(EINTR, recv(ends[0], &byte, 1, 0)); }, nothing));
}

TEST(RestartRule, RestartedCallUsesTheRegistersAgain) {  // S03
    // A handler that changes a call's arguments in the saved registers changes the call that is made again.
    ASSERT_OK(pipe(ends));
    static int other[2];
    ASSERT_OK(pipe(other));
    ASSERT_EQ(1, write(other[1], "y", 1));
    handle_info(
        SIGALRM,
        [](int, siginfo_t*, void* context) {
            static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RDI] = other[0];
        },
        SA_RESTART);
    itimerval every{{0, 5000}, {0, 5000}};
    ASSERT_OK(setitimer(ITIMER_REAL, &every, nullptr));
    byte = 0;
    long result = syscall(SYS_read, ends[0], &byte, 1);
    stop_ticking();
    EXPECT_EQ(1, result);
    EXPECT_EQ('y', byte);
}

TEST(RestartRule, RestartSyscallAloneIsEintr) {  // S03
    EXPECT_ERRNO(EINTR, syscall(SYS_restart_syscall)) << "there is nothing to go on with";
}
