// EINTR against restart: the calls that signal_interrupt.cpp leaves. Rule S03.
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "tests/abi/support/interrupt.h"
#include "tests/abi/support/pseudo_terminal.h"
#include "tests/abi/support/unix_socket.h"

using namespace abi_test;

namespace {

int ends[2];
char byte;

void nothing() {}
void write_byte() {
    (void)!write(ends[1], "x", 1);
}
void drain() {
    static char room[1 << 16];
    (void)!read(ends[0], room, sizeof room);
}
void make_full_pipe() {
    ASSERT_OK(pipe(ends));
    std::string much(65536, 'x');
    ASSERT_EQ(65536, write(ends[1], much.data(), much.size()));
}
// A stream socket that takes no more.
void make_full_socket() {
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    std::string much(4096, 'x');
    while (send(ends[1], much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
}
void drain_all() {
    static char room[1 << 16];
    while (recv(ends[0], room, sizeof room, MSG_DONTWAIT) > 0) {
    }
}

void set_limit(int file, int option) {
    timeval limit{100, 0};
    ASSERT_OK(setsockopt(file, SOL_SOCKET, option, &limit, sizeof limit));
}

}  // namespace

TEST(Restart, ReadOfATerminal) {  // S03
    make_terminal();
    raw();
    check(Restarts::Yes, [] { return read(slave, &byte, 1); }, [] { (void)!write(master, "x", 1); }, 1);
}

TEST(Restart, ReadOfALineOfATerminal) {  // S03
    make_terminal();
    char line[8];
    check(Restarts::Yes, [&] { return read(slave, line, 8); }, [] { (void)!write(master, "ab\n", 3); }, 3);
}

TEST(Restart, ReadOfAMaster) {  // S03
    make_terminal();
    raw();
    check(Restarts::Yes, [] { return read(master, &byte, 1); }, [] { (void)!write(slave, "x", 1); }, 1);
}

TEST(Restart, WriteToAStoppedTerminal) {  // S03
    make_terminal();
    raw();
    ASSERT_OK(tcflow(slave, TCOOFF));
    check(Restarts::Yes, [] { return write(slave, "x", 1); }, [] { tcflow(slave, TCOON); }, 1);
}

TEST(Restart, WriteOfSeveralPieces) {  // S03
    make_full_pipe();
    iovec piece{const_cast<char*>("x"), 1};
    check(Restarts::Yes, [&] { return writev(ends[1], &piece, 1); }, drain, 1);
}

TEST(Restart, ReadOfAnEmptyFifo) {  // S03
    ASSERT_OK(mkfifo("fifo", 0600));
    ends[0] = open("fifo", O_RDWR);
    ends[1] = ends[0];
    check(Restarts::Yes, [] { return read(ends[0], &byte, 1); }, write_byte, 1);
}

TEST(Restart, OpenOfAFifoForWriting) {  // S03
    ASSERT_OK(mkfifo("fifo", 0600));
    check(
        Restarts::Yes, [] { return open("fifo", O_WRONLY) < 0 ? -1L : 1L; },
        [] { open("fifo", O_RDONLY | O_NONBLOCK); }, 1);
}

TEST(Restart, SpliceFromAnEmptyPipe) {  // S03
    ASSERT_OK(pipe(ends));
    int other[2];
    ASSERT_OK(pipe(other));
    check(Restarts::Yes, [&] { return splice(ends[0], nullptr, other[1], nullptr, 1, 0); }, write_byte, 1);
}

TEST(Restart, SpliceToAFullPipe) {  // S03
    make_full_pipe();
    write_file("f", "x");
    int file = open("f", O_RDONLY);
    check(
        Restarts::Yes,
        [&] {
            off_t at = 0;
            return splice(file, &at, ends[1], nullptr, 1, 0);
        },
        drain, 1);
}

TEST(Restart, TeeFromAnEmptyPipe) {  // S03
    ASSERT_OK(pipe(ends));
    int other[2];
    ASSERT_OK(pipe(other));
    check(Restarts::Yes, [&] { return tee(ends[0], other[1], 1, 0); }, write_byte, 1);
}

TEST(Restart, SendfileToAFullPipe) {  // S03
    make_full_pipe();
    write_file("f", "x");
    int file = open("f", O_RDONLY);
    check(
        Restarts::Yes,
        [&] {
            off_t at = 0;
            return sendfile(ends[1], file, &at, 1);
        },
        drain, 1);
}

TEST(Restart, SendOnAFullSocket) {  // S03
    make_full_socket();
    check(Restarts::Yes, [] { return send(ends[1], "x", 1, 0); }, drain_all, 1);
}

TEST(Restart, SendWithATimeout) {  // S03
    make_full_socket();
    set_limit(ends[1], SO_SNDTIMEO);
    check(Restarts::Never, [] { return send(ends[1], "x", 1, 0); }, nothing, 0);
}

TEST(Restart, SendOfADatagramToAFullSocket) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    while (send(ends[1], "x", 1, MSG_DONTWAIT) > 0) {
    }
    check(Restarts::Yes, [] { return send(ends[1], "x", 1, 0); }, drain_all, 1);
}

TEST(Restart, ReceiveOfAMessage) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    iovec piece{&byte, 1};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    check(Restarts::Yes, [&] { return recvmsg(ends[0], &message, 0); }, write_byte, 1);
}

TEST(Restart, ReceiveOfSeveralMessages) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    iovec piece{&byte, 1};
    mmsghdr messages[2] = {};
    messages[0].msg_hdr.msg_iov = messages[1].msg_hdr.msg_iov = &piece;
    messages[0].msg_hdr.msg_iovlen = messages[1].msg_hdr.msg_iovlen = 1;
    check(Restarts::Yes, [&] { return recvmmsg(ends[0], messages, 2, MSG_WAITFORONE, nullptr); }, write_byte, 1);
}

TEST(Restart, ReceiveThatHasBegunIsACount) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    ASSERT_EQ(3, write(ends[1], "abc", 3));
    char text[8];
    start_ticking(SA_RESTART);
    EXPECT_EQ(3, recv(ends[0], text, 8, MSG_WAITALL)) << "what is there, then the signal";
    stop_ticking();
}

TEST(Restart, SendThatHasBegunIsACount) {  // S03
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    std::string much(8 << 20, 'x');
    start_ticking(SA_RESTART);
    ssize_t count = send(ends[1], much.data(), much.size(), 0);
    stop_ticking();
    EXPECT_GT(count, 0);
    EXPECT_LT(count, 8 << 20);
}

TEST(Restart, AcceptWithATimeout) {  // S03
    int listener = listening("s");
    set_limit(listener, SO_RCVTIMEO);
    check(Restarts::Never, [&] { return accept(listener, nullptr, nullptr); }, nothing, 0);
}

TEST(Restart, ConnectToAFullQueue) {  // S03
    static int listener;
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    static Name name;
    name = named("s");
    ASSERT_OK(bind(listener, name.get(), name.size));
    ASSERT_OK(listen(listener, 0));
    connected("s");
    check(
        Restarts::Yes,
        [] {
            int file = socket(AF_UNIX, SOCK_STREAM, 0);
            return connect(file, name.get(), name.size) == 0 ? 1 : -1;
        },
        [] { accept(listener, nullptr, nullptr); }, 1);
}

TEST(Restart, ConnectToAFullQueueWithATimeout) {  // S03
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    Name name = named("s");
    ASSERT_OK(bind(listener, name.get(), name.size));
    ASSERT_OK(listen(listener, 0));
    connected("s");
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    set_limit(file, SO_SNDTIMEO);
    check(Restarts::Never, [&] { return connect(file, name.get(), name.size); }, nothing, 0);
}

TEST(Restart, ReadOfASignalfd) {  // S03
    block({SIGUSR1});
    sigset_t set = set_of({SIGUSR1});
    int file = signalfd(-1, &set, 0);
    signalfd_siginfo info{};
    check(
        Restarts::Yes, [&] { return read(file, &info, sizeof info); }, [] { kill(getpid(), SIGUSR1); },
        static_cast<long>(sizeof info));
}

TEST(Restart, ReadOfInotify) {  // S03
    write_file("f", "");
    int file = inotify_init();
    ASSERT_OK(inotify_add_watch(file, "f", IN_OPEN));
    char text[256];
    check(Restarts::Yes, [&] { return read(file, text, sizeof text) > 0 ? 1 : -1; }, [] { open("f", O_RDONLY); }, 1);
}

TEST(Restart, LockOfAnOpenFile) {  // S03
    write_file("f", "");
    static int holder;
    holder = open("f", O_RDWR);
    int other = open("f", O_RDWR);
    static struct flock lock;
    lock = {};
    lock.l_type = F_WRLCK;
    ASSERT_OK(fcntl(holder, F_OFD_SETLK, &lock));
    check(
        Restarts::Yes,
        [&] {
            struct flock wish{};
            wish.l_type = F_WRLCK;
            return fcntl(other, F_OFD_SETLKW, &wish);
        },
        [] {
            lock.l_type = F_UNLCK;
            fcntl(holder, F_OFD_SETLK, &lock);
        },
        0);
}

TEST(Restart, SharedFlock) {  // S03
    write_file("f", "");
    static int holder;
    holder = open("f", O_RDWR);
    ASSERT_OK(flock(holder, LOCK_EX));
    int other = open("f", O_RDWR);
    check(Restarts::Yes, [&] { return flock(other, LOCK_SH); }, [] { flock(holder, LOCK_UN); }, 0);
}

TEST(Restart, TimedReceiveFromAMessageQueue) {  // S03
    static mqd_t queue;
    const std::string name = "/abi-restart-" + std::to_string(getpid());
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    queue = mq_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    ASSERT_OK(queue);
    mq_unlink(name.c_str());
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 100;
    char text[8];
    // The time is absolute, so that nothing stands against a restart.
    check(
        Restarts::Yes, [&] { return mq_timedreceive(queue, text, 8, nullptr, &until); },
        [] { mq_send(queue, "x", 1, 0); }, 1);
}

TEST(Restart, WaitForAStoppedChild) {  // S03
    static pid_t pid;
    pid = start_sleeper();
    int status = 0;
    check(
        Restarts::Yes, [&] { return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) ? 1 : -1; },
        [] { kill(pid, SIGSTOP); }, 1);
    kill(pid, SIGKILL);
}

TEST(Restart, FutexOfPriorityInheritanceNeverTells) {  // S03
    // ERESTARTNOINTR: restarted whatever the handler says.
    static std::atomic<unsigned> word;
    static std::atomic<bool> release;
    std::atomic<bool> held{false};
    std::thread owner([&] {
        syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, nullptr);
        held = true;
        while (!release) {
            sched_yield();
        }
        syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, nullptr);
    });
    while (!held) {
        sched_yield();
    }
    finish = [] { release = true; };
    sigset_t alarm = set_of({SIGALRM});
    pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
    start_ticking(0);
    EXPECT_OK(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, nullptr));
    stop_ticking();
    EXPECT_GE(ticks, 3);
    owner.join();
}

TEST(Restart, FutexBitsetUntilATime) {  // S03
    static int word = 0;
    timespec until{};
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 100;
    check(
        Restarts::Never, [&] { return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &until, nullptr, ~0U); }, nothing,
        0);
}

TEST(Restart, SeveralFutexes) {  // S03
    static std::atomic<unsigned> word;
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } one{0, reinterpret_cast<uint64_t>(&word), 2 /* 32 bits */, 0};
    check(
        Restarts::Yes,
        [&] {
            word = 0;
            long result = syscall(449, &one, 1, 0, nullptr, CLOCK_MONOTONIC);
            return result == -1 && errno == EAGAIN ? 7 : result;
        },
        [] { word = 1; }, 7);
}

TEST(Restart, SigwaitinfoNever) {  // S03
    block({SIGUSR1});
    sigset_t set = set_of({SIGUSR1});
    check(Restarts::Never, [&] { return sigwaitinfo(&set, nullptr); }, nothing, 0);
}

TEST(Restart, PselectAndEpollPwaitNever) {  // S03
    timespec limit{100, 0};
    sigset_t none = set_of({});
    check(Restarts::Never, [&] { return pselect(0, nullptr, nullptr, nullptr, &limit, &none); }, nothing, 0);
    int epoll = epoll_create1(0);
    epoll_event event{};
    check(Restarts::Never, [&] { return epoll_pwait(epoll, &event, 1, 100'000, &none); }, nothing, 0);
    check(Restarts::Never, [&] { return syscall(441, epoll, &event, 1, &limit, &none, 8); }, nothing, 0);
}

TEST(Restart, MessagesAndSemaphoresNever) {  // S03
    int queue = msgget(IPC_PRIVATE, 0600);
    ASSERT_OK(queue);
    struct {
        long type;
        char text[8];
    } message{};
    check(Restarts::Never, [&] { return msgrcv(queue, &message, 8, 0, 0); }, nothing, 0);
    msgctl(queue, IPC_RMID, nullptr);
    int set = semget(IPC_PRIVATE, 1, 0600);
    ASSERT_OK(set);
    sembuf take{0, -1, 0};
    timespec limit{100, 0};
    check(Restarts::Never, [&] { return semop(set, &take, 1); }, nothing, 0);
    check(Restarts::Never, [&] { return semtimedop(set, &take, 1, &limit); }, nothing, 0);
    semctl(set, 0, IPC_RMID);
}

TEST(Restart, SelectTellsTheTimeThatIsLeft) {  // S03
    timeval limit{3600, 0};
    start_ticking(0);
    EXPECT_ERRNO(EINTR, select(0, nullptr, nullptr, nullptr, &limit));
    stop_ticking();
    EXPECT_LT(limit.tv_sec, 3600);
    EXPECT_GE(limit.tv_sec, 3500);
    timespec raw_limit{3600, 0};
    start_ticking(0);
    EXPECT_ERRNO(EINTR, syscall(SYS_ppoll, nullptr, 0, &raw_limit, nullptr, 8));
    stop_ticking();
    EXPECT_LT(raw_limit.tv_sec, 3600) << "so does ppoll, behind the C library";
}

TEST(Restart, AbsoluteSleepTellsNothing) {  // S03
    timespec when{};
    clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_sec += 3600;
    timespec left{77, 77};
    start_ticking(0);
    EXPECT_EQ(EINTR, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, &left));
    stop_ticking();
    EXPECT_EQ(77, left.tv_sec);
}
