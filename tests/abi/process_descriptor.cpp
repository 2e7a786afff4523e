// pidfd_open, pidfd_send_signal, pidfd_getfd, process_vm_readv and -writev, kcmp's rights. pidfd_open(2) and its kin.
#include <sys/epoll.h>
#include <sys/uio.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int pidfd(pid_t pid, unsigned flags = 0) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, flags));
}
long send(int file, int signal, siginfo_t* info = nullptr, unsigned flags = 0) {
    return syscall(SYS_pidfd_send_signal, file, signal, info, flags);
}
long take_file(int file, int theirs, unsigned flags = 0) {
    return syscall(SYS_pidfd_getfd, file, theirs, flags);
}

// A child that sleeps until it is killed, and is gone with the object.
class Victim {
public:
    explicit Victim(const Body& before = [] {}) {
        Gate ready;
        pid_ = start_child([&] {
            before();
            ready.open();
            for (;;) {
                pause();
            }
        });
        ready.wait();
    }
    ~Victim() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

struct Vector {
    void* base;
    size_t size;
};

}  // namespace

TEST(PidFile, BecomesReadableAtTheEnd) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    int file = pidfd(pid);
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(0, poll(&one, 1, 0));
    end.open();
    EXPECT_EQ(1, poll(&one, 1, -1));
    EXPECT_EQ(POLLIN, one.revents) << "a zombie";
    wait_for(pid);
    one.revents = 0;
    EXPECT_EQ(1, poll(&one, 1, 0));
    EXPECT_EQ(POLLIN | POLLHUP, one.revents) << "and waited for";
}

TEST(PidFile, WorksWithEpoll) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    int file = pidfd(pid);
    int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event));
    EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
    end.open();
    EXPECT_EQ(1, epoll_wait(epoll, &event, 1, -1));
    wait_for(pid);
}

TEST(PidFile, IsNotReadableBeforeTheLastThreadEnds) {
    Gate end;
    pid_t pid = start_child([&] {
        std::thread([&] {
            end.wait();
            _exit(0);
        }).detach();
        syscall(SYS_exit, 0);
    });
    int file = pidfd(pid);
    while (process_state(pid) != 'Z') {
        sched_yield();
    }
    pollfd one{file, POLLIN, 0};
    EXPECT_EQ(0, poll(&one, 1, 0));
    end.open();
    EXPECT_EQ(1, poll(&one, 1, -1));
    wait_for(pid);
}

TEST(PidFile, IsCloexecAndMayBeNonblocking) {
    int file = pidfd(getpid());
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    EXPECT_EQ(O_RDWR, fcntl(file, F_GETFL));
    int other = pidfd(getpid(), O_NONBLOCK);
    EXPECT_EQ(O_RDWR | O_NONBLOCK, fcntl(other, F_GETFL));
}

TEST(PidFile, Errors) {
    EXPECT_ERRNO(EINVAL, pidfd(0));
    EXPECT_ERRNO(EINVAL, pidfd(-1));
    EXPECT_ERRNO(EINVAL, pidfd(getpid(), 1));
    EXPECT_ERRNO(ESRCH, pidfd(0x3fffff));
    char byte;
    EXPECT_ERRNO(EINVAL, read(pidfd(getpid()), &byte, 1));
    EXPECT_ERRNO(EINVAL, write(pidfd(getpid()), &byte, 1));
}

TEST(PidFile, TellsItsPidInFdinfo) {
    Victim victim;
    int file = pidfd(victim.pid());
    std::string text = read_file("/proc/self/fdinfo/" + std::to_string(file));
    EXPECT_NE(std::string::npos, text.find("Pid:\t" + std::to_string(victim.pid()) + "\n"));
    pid_t pid = start_child([] {});
    int ended = pidfd(pid);
    wait_for(pid);
    text = read_file("/proc/self/fdinfo/" + std::to_string(ended));
    EXPECT_NE(std::string::npos, text.find("Pid:\t-1\n")) << "of one that is gone";
}

TEST(PidFile, SignalCarriesTheSender) {
    block({SIGUSR1});
    ASSERT_OK(send(pidfd(getpid()), SIGUSR1));
    sigset_t set = set_of({SIGUSR1});
    siginfo_t info{};
    sigwaitinfo(&set, &info);
    EXPECT_EQ(SI_USER, info.si_code);
    EXPECT_EQ(getpid(), info.si_pid);
}

TEST(PidFile, SignalMayCarryAValue) {
    block({SIGRTMIN});
    siginfo_t info{};
    info.si_signo = SIGRTMIN;
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 5;
    ASSERT_OK(send(pidfd(getpid()), SIGRTMIN, &info));
    sigset_t set = set_of({SIGRTMIN});
    siginfo_t got{};
    sigwaitinfo(&set, &got);
    EXPECT_EQ(5, got.si_value.sival_int);
    info.si_signo = SIGRTMIN + 1;
    EXPECT_ERRNO(EINVAL, send(pidfd(getpid()), SIGRTMIN, &info)) << "two numbers that differ";
    Victim victim;
    info.si_signo = SIGRTMIN;
    info.si_code = SI_USER;
    EXPECT_ERRNO(EPERM, send(pidfd(victim.pid()), SIGRTMIN, &info)) << "the kernel's code";
}

TEST(PidFile, SignalErrors) {
    Victim victim;
    int file = pidfd(victim.pid());
    EXPECT_ERRNO(EINVAL, send(file, 65));
    EXPECT_ERRNO(EBADF, send(500, 0));
    EXPECT_ERRNO(EBADF, send(1, 0)) << "another kind of file";
    EXPECT_ERRNO(EINVAL, send(file, 0, nullptr, 0x100));
    EXPECT_ERRNO(EFAULT, send(file, SIGUSR1, reinterpret_cast<siginfo_t*>(8)));
    as_user(1000, [=] { EXPECT_ERRNO(EPERM, send(file, 0)); });
    EXPECT_OK(send(file, 0));
}

TEST(PidFile, NumberThatIsUsedAgainIsNotMeant) {
    pid_t pid = start_child([] {});
    int file = pidfd(pid);
    wait_for(pid);
    EXPECT_ERRNO(ESRCH, send(file, 0));
    EXPECT_ERRNO(ESRCH, take_file(file, 0));
}

TEST(PidFile, SignalGoesThroughADirectoryOfProc) {
    pid_t pid = start_child([] { pause(); });
    const std::string path = "/proc/" + std::to_string(pid);
    int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY);
    int thread = open((path + "/task/" + std::to_string(pid)).c_str(), O_RDONLY | O_DIRECTORY);
    int name = open(path.c_str(), O_PATH);
    int file = open((path + "/stat").c_str(), O_RDONLY);
    int root = open("/proc", O_RDONLY | O_DIRECTORY);
    EXPECT_OK(send(directory, 0));
    for (int other : {thread, name, file, root}) {
        EXPECT_ERRNO(EBADF, send(other, SIGKILL));
    }
    EXPECT_ERRNO(EINVAL, take_file(directory, 0, 1)) << "flags first";
    EXPECT_ERRNO(EBADF, take_file(directory, 0)) << "only signals go this way";
    EXPECT_OK(send(directory, SIGTERM));
    EXPECT_ENDS("SIGTERM", wait_for(pid));
    EXPECT_ERRNO(ESRCH, send(directory, SIGTERM));
}

TEST(PidFile, GetfdCopiesTheOpenFile) {
    write_file("f", "0123456789");
    int theirs = 0;
    auto* number = shared<int>();
    Victim victim([=] {
        *number = open("f", O_RDONLY);
        lseek(*number, 4, SEEK_SET);
    });
    theirs = *number;
    long mine = take_file(pidfd(victim.pid()), theirs);
    ASSERT_GE(mine, 0);
    EXPECT_EQ(4, lseek(static_cast<int>(mine), 0, SEEK_CUR)) << "one open file, one offset";
    EXPECT_EQ(FD_CLOEXEC, fcntl(static_cast<int>(mine), F_GETFD));
}

TEST(PidFile, GetfdErrors) {
    Victim victim;
    int file = pidfd(victim.pid());
    EXPECT_ERRNO(EBADF, take_file(file, 600));
    EXPECT_ERRNO(EINVAL, take_file(file, 0, 1));
    EXPECT_ERRNO(EBADF, take_file(600, 0));
    as_user(1000, [=] { EXPECT_ERRNO(EPERM, take_file(file, 0)); });
}

TEST(ProcessVm, ReadsAcrossSeveralPieces) {
    auto* pages = map_pages(2);
    strcpy(pages + 10, "hello");
    strcpy(pages + kPage, "world");
    Victim victim;
    char one[3] = {};
    char two[7] = {};
    iovec local[] = {{one, 3}, {two, 7}};
    iovec remote[] = {{pages + 10, 5}, {pages + kPage, 5}};
    EXPECT_EQ(10, process_vm_readv(victim.pid(), local, 2, remote, 2, 0));
    EXPECT_EQ("hel", std::string(one, 3));
    EXPECT_EQ("loworld", std::string(two, 7));
}

TEST(ProcessVm, WritesChangeOnlyTheOther) {
    auto* page = map_pages(1);
    page[0] = 'a';
    auto* seen = shared<char>();
    Gate go;
    Gate done;
    pid_t pid = start_child([&] {
        go.wait();
        *seen = page[0];
        done.open();
    });
    char byte = 'z';
    iovec local{&byte, 1};
    iovec remote{page, 1};
    EXPECT_EQ(1, process_vm_writev(pid, &local, 1, &remote, 1, 0));
    go.open();
    done.wait();
    EXPECT_EQ('z', *seen);
    EXPECT_EQ('a', page[0]);
    wait_for(pid);
}

TEST(ProcessVm, StopsAtTheFirstPieceThatIsNotThere) {
    auto* pages = map_pages(2);
    munmap(pages + kPage, kPage);
    Victim victim;
    std::vector<char> room(2 * kPage);
    iovec local{room.data(), room.size()};
    iovec remote[] = {{pages, 100}, {pages + kPage, 100}};
    EXPECT_EQ(100, process_vm_readv(victim.pid(), &local, 1, remote, 2, 0)) << "what came before";
    EXPECT_ERRNO(EFAULT, process_vm_readv(victim.pid(), &local, 1, remote + 1, 1, 0));
}

TEST(ProcessVm, ReadOnlyMemoryIsNotWritten) {
    auto* page = map_pages(1, PROT_READ);
    Victim victim;
    char byte = 1;
    iovec local{&byte, 1};
    iovec remote{page, 1};
    EXPECT_ERRNO(EFAULT, process_vm_writev(victim.pid(), &local, 1, &remote, 1, 0));
    EXPECT_EQ(1, process_vm_readv(victim.pid(), &local, 1, &remote, 1, 0));
}

TEST(ProcessVm, LengthsThatDifferMoveTheLess) {
    auto* page = map_pages(1);
    Victim victim;
    char room[100];
    iovec local{room, 100};
    iovec remote{page, 7};
    EXPECT_EQ(7, process_vm_readv(victim.pid(), &local, 1, &remote, 1, 0));
    remote.iov_len = 200;
    EXPECT_EQ(100, process_vm_readv(victim.pid(), &local, 1, &remote, 1, 0));
    EXPECT_EQ(0, process_vm_readv(victim.pid(), &local, 1, nullptr, 0, 0));
    EXPECT_EQ(0, process_vm_readv(victim.pid(), nullptr, 0, &remote, 1, 0));
}

TEST(ProcessVm, NeedsTheRightsOfATracer) {
    auto* page = map_pages(1);
    Victim root;
    char byte;
    iovec local{&byte, 1};
    iovec remote{page, 1};
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, process_vm_readv(root.pid(), &local, 1, &remote, 1, 0));
        EXPECT_EQ(1, process_vm_readv(getpid(), &local, 1, &remote, 1, 0)) << "oneself, though not dumpable";
    });
}

TEST(ProcessVm, Errors) {
    auto* page = map_pages(1);
    Victim victim;
    char byte;
    iovec local{&byte, 1};
    iovec remote{page, 1};
    EXPECT_ERRNO(EINVAL, process_vm_readv(victim.pid(), &local, 1, &remote, 1, 1)) << "flags";
    EXPECT_ERRNO(ESRCH, process_vm_readv(0x3fffff, &local, 1, &remote, 1, 0));
    EXPECT_ERRNO(EINVAL, process_vm_readv(victim.pid(), &local, 1025, &remote, 1, 0));
    EXPECT_ERRNO(EINVAL, process_vm_readv(victim.pid(), &local, 1, &remote, 1025, 0));
    EXPECT_ERRNO(EFAULT, process_vm_readv(victim.pid(), reinterpret_cast<iovec*>(8), 1, &remote, 1, 0));
    EXPECT_ERRNO(EFAULT, process_vm_readv(victim.pid(), &local, 1, reinterpret_cast<iovec*>(8), 1, 0));
    remote.iov_len = ~size_t{0};
    EXPECT_ERRNO(EINVAL, process_vm_readv(victim.pid(), &local, 1, &remote, 1, 0)) << "a negative length";
}

TEST(ProcessVm, ZombieHasNoMemory) {
    auto* page = map_pages(1);
    pid_t pid = start_child([] {});
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    char byte;
    iovec local{&byte, 1};
    iovec remote{page, 1};
    EXPECT_ERRNO(ESRCH, process_vm_readv(pid, &local, 1, &remote, 1, 0));
    wait_for(pid);
}
