// Pipes and FIFOs.
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int ends[2];

void make_pipe(int flags = 0) {
    ASSERT_OK(pipe2(ends, flags));
}

short poll_now(int file, short events) {
    pollfd one{file, events, 0};
    EXPECT_LE(0, poll(&one, 1, 0));
    return one.revents;
}

}  // namespace

TEST(Pipe, CarriesBytesInOrder) {
    make_pipe();
    EXPECT_EQ(5, write(ends[1], "hello", 5));
    EXPECT_EQ(6, write(ends[1], " world", 6));
    char text[20] = {};
    EXPECT_EQ(3, read(ends[0], text, 3));
    EXPECT_EQ(8, read(ends[0], text + 3, 10));
    EXPECT_STREQ("hello world", text);
}

TEST(Pipe, DirectionsAndFlags) {
    make_pipe(O_CLOEXEC | O_NONBLOCK);
    char byte;
    EXPECT_ERRNO(EBADF, read(ends[1], &byte, 1));
    EXPECT_ERRNO(EBADF, write(ends[0], "x", 1));
    EXPECT_EQ(FD_CLOEXEC, fcntl(ends[0], F_GETFD));
    EXPECT_EQ(O_NONBLOCK, fcntl(ends[0], F_GETFL));
    EXPECT_EQ(O_NONBLOCK | O_WRONLY, fcntl(ends[1], F_GETFL));
    EXPECT_ERRNO(EAGAIN, read(ends[0], &byte, 1));
    EXPECT_ERRNO(EINVAL, pipe2(ends, 1));
    EXPECT_ERRNO(EFAULT, syscall(SYS_pipe, 8));
}

TEST(Pipe, EndOfFile) {
    make_pipe();
    (void)!write(ends[1], "x", 1);
    int copy = dup(ends[1]);
    close(ends[1]);
    char byte;
    EXPECT_EQ(1, read(ends[0], &byte, 1));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    EXPECT_ERRNO(EAGAIN, read(ends[0], &byte, 1)) << "a copy is still open";
    close(copy);
    EXPECT_EQ(0, read(ends[0], &byte, 1));
}

TEST(Pipe, WithoutReaders) {
    make_pipe();
    close(ends[0]);
    EXPECT_ENDS("SIGPIPE", run_child([] { (void)!write(ends[1], "x", 1); }));
    handle(SIGPIPE, SIG_IGN);
    EXPECT_ERRNO(EPIPE, write(ends[1], "x", 1));
    EXPECT_EQ(0, write(ends[1], "", 0));
}

TEST(Pipe, ReaderThatGoesWakesTheWriter) {
    make_pipe();
    handle(SIGPIPE, SIG_IGN);
    std::string much(200'000, 'x');
    pid_t pid = start_child([&] {
        close(ends[0]);
        ssize_t count = write(ends[1], much.data(), much.size());
        EXPECT_EQ(65536, count) << "what the pipe took before";
        EXPECT_ERRNO(EPIPE, write(ends[1], "x", 1));
    });
    wait_until_asleep(pid);
    close(ends[0]);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Pipe, AWriteThatLosesItsReadersIsSignalledToo) {
    make_pipe();
    std::string much(200'000, 'x');
    pid_t pid = start_child([&] {
        close(ends[0]);
        count_signals(SIGPIPE);
        EXPECT_EQ(65536, write(ends[1], much.data(), much.size()));
        EXPECT_EQ(1, received(SIGPIPE));
    });
    wait_until_asleep(pid);
    close(ends[0]);
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Pipe, AtTheEndOfMemory) {
    make_pipe(O_NONBLOCK);
    char* pages = map_pages(4);
    char* end = pages + 3 * kPage;
    munmap(end, kPage);
    auto left = [] {
        int bytes = -1;
        ioctl(ends[0], FIONREAD, &bytes);
        return static_cast<size_t>(bytes);
    };
    EXPECT_EQ(100, write(ends[1], pages, 100));
    EXPECT_ERRNO(EFAULT, read(ends[0], end - 50, 100));
    EXPECT_EQ(100u, left());
    EXPECT_EQ(5000, write(ends[1], pages, 5000));
    EXPECT_EQ(1004, read(ends[0], end - 4000, 8000)) << "what of a page does not fit stays";
    EXPECT_EQ(kPage, left());
    EXPECT_EQ(4096, read(ends[0], pages, 8000));
    EXPECT_EQ(3 * 4096, write(ends[1], pages, 3 * kPage));
    EXPECT_EQ(4096, read(ends[0], end - kPage - 100, 3 * kPage));
    EXPECT_EQ(2 * kPage, left());
    EXPECT_EQ(2 * 4096, read(ends[0], pages, 3 * kPage));
    EXPECT_ERRNO(EFAULT, write(ends[1], end - 50, 100));
    EXPECT_EQ(0u, left());
    EXPECT_EQ(2 * 4096, write(ends[1], end - 2 * kPage - 100, 3 * kPage));
    EXPECT_EQ(2 * kPage, left());
}

TEST(Pipe, FullPipe) {
    make_pipe(O_NONBLOCK);
    std::string much(100'000, 'x');
    EXPECT_EQ(65536, write(ends[1], much.data(), much.size()));
    EXPECT_ERRNO(EAGAIN, write(ends[1], "x", 1));
    EXPECT_EQ(0, poll_now(ends[1], POLLOUT));
    char page[kPage];
    EXPECT_EQ(100, read(ends[0], page, 100));
    EXPECT_ERRNO(EAGAIN, write(ends[1], "x", 1)) << "room comes page by page";
    EXPECT_EQ(static_cast<ssize_t>(kPage - 100), read(ends[0], page, kPage - 100));
    EXPECT_EQ(POLLOUT, poll_now(ends[1], POLLOUT));
    EXPECT_EQ(1, write(ends[1], "x", 1));
}

TEST(Pipe, SmallWritesAreAtomic) {
    make_pipe();
    auto writer = [](char letter) {
        std::string block(1000, letter);
        for (int i = 0; i < 100; i++) {
            ASSERT_EQ(1000, write(ends[1], block.data(), block.size()));
        }
    };
    pid_t one = start_child([&] { writer('a'); });
    pid_t two = start_child([&] { writer('b'); });
    close(ends[1]);
    std::string all = read_all(ends[0]);
    EXPECT_EQ(200'000u, all.size());
    for (size_t i = 0; i < all.size(); i += 1000) {
        ASSERT_EQ(std::string(1000, all[i]), all.substr(i, 1000));
    }
    EXPECT_ENDS("exit 0", wait_for(one));
    EXPECT_ENDS("exit 0", wait_for(two));
}

TEST(Pipe, NonblockingAtomicWriteIsAllOrNothing) {
    make_pipe(O_NONBLOCK);
    std::string block(4096, 'x');
    for (int i = 0; i < 15; i++) {
        ASSERT_EQ(4096, write(ends[1], block.data(), 4096));
    }
    ASSERT_EQ(1, write(ends[1], "x", 1));
    EXPECT_ERRNO(EAGAIN, write(ends[1], block.data(), 4096));
    int available = 0;
    ASSERT_OK(ioctl(ends[0], FIONREAD, &available));
    EXPECT_EQ(15 * 4096 + 1, available);
}

TEST(Pipe, LargeTransferBetweenProcesses) {
    make_pipe();
    pid_t pid = start_child([] {
        close(ends[0]);
        std::string block(30'000, 'p');
        for (int i = 0; i < 40; i++) {
            size_t done = 0;
            while (done < block.size()) {
                ssize_t count = write(ends[1], block.data() + done, block.size() - done);
                ASSERT_GT(count, 0);
                done += static_cast<size_t>(count);
            }
        }
    });
    close(ends[1]);
    EXPECT_EQ(1'200'000u, read_all(ends[0]).size());
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Pipe, PollStates) {
    make_pipe();
    EXPECT_EQ(0, poll_now(ends[0], POLLIN));
    EXPECT_EQ(POLLOUT, poll_now(ends[1], POLLOUT | POLLIN));
    (void)!write(ends[1], "x", 1);
    EXPECT_EQ(POLLIN, poll_now(ends[0], POLLIN));
    close(ends[1]);
    EXPECT_EQ(POLLIN | POLLHUP, poll_now(ends[0], POLLIN));
    char byte;
    (void)!read(ends[0], &byte, 1);
    EXPECT_EQ(POLLHUP, poll_now(ends[0], POLLIN));
    make_pipe();
    close(ends[0]);
    EXPECT_EQ(POLLOUT | POLLERR, poll_now(ends[1], POLLOUT));
}

TEST(Pipe, SizeCanBeSet) {
    make_pipe(O_NONBLOCK);
    EXPECT_EQ(65536, fcntl(ends[0], F_GETPIPE_SZ));
    EXPECT_EQ(8192, fcntl(ends[1], F_SETPIPE_SZ, 5000)) << "rounded up";
    std::string much(20'000, 'x');
    EXPECT_EQ(8192, write(ends[1], much.data(), much.size()));
    EXPECT_ERRNO(EBUSY, fcntl(ends[1], F_SETPIPE_SZ, 4096));
    EXPECT_EQ(131072, fcntl(ends[1], F_SETPIPE_SZ, 131072));
    EXPECT_EQ(20'000 - 8192, write(ends[1], much.data(), 20'000 - 8192));
    EXPECT_ERRNO(EBADF, fcntl(0, F_GETPIPE_SZ));
}

TEST(Pipe, PacketMode) {
    make_pipe(O_DIRECT);
    EXPECT_EQ(3, write(ends[1], "abc", 3));
    EXPECT_EQ(4, write(ends[1], "defg", 4));
    char text[10] = {};
    EXPECT_EQ(2, read(ends[0], text, 2)) << "the rest of the packet is lost";
    EXPECT_EQ(4, read(ends[0], text, 10));
    EXPECT_EQ(0, memcmp(text, "defg", 4));
}

TEST(Pipe, OnlyWholePagesCountBeforeAFault) {
    make_pipe(O_NONBLOCK);
    constexpr size_t kPages = 8;
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    char* memory = static_cast<char*>(
        mmap(nullptr, (kPages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_OK(munmap(memory + kPages * page, page));
    std::string sent;
    for (size_t i = 0; i < kPages * page; ++i) {
        memory[i] = static_cast<char>(i * 7 / 5);
    }
    for (int round = 0; round < 3; ++round) {
        // Of the bytes that can be read, those of whole pages are written.
        for (size_t readable : {size_t{100}, page, 2 * page + 100, 5 * page + 1}) {
            const char* start = memory + kPages * page - readable;
            const ssize_t whole = static_cast<ssize_t>(readable / page * page);
            if (whole == 0) {
                EXPECT_ERRNO(EFAULT, write(ends[1], start, kPages * page));
            } else {
                EXPECT_EQ(whole, write(ends[1], start, kPages * page));
            }
            sent.append(start, static_cast<size_t>(whole));
        }
        // And what could not be delivered whole is there for the next read.
        std::string got;
        for (size_t writable : {size_t{100}, 3 * page + 100, size_t{1000}, 2 * page}) {
            std::string kept(memory, kPages * page);
            char* start = memory + kPages * page - writable;
            const ssize_t count = read(ends[0], start, kPages * page);
            EXPECT_EQ(writable < page ? -1 : static_cast<ssize_t>(writable / page * page), count);
            got.append(start, count < 0 ? 0 : static_cast<size_t>(count));
            kept.copy(memory, kept.size());
        }
        std::string rest(sent.size(), 0);
        const ssize_t count = read(ends[0], rest.data(), rest.size());
        got.append(rest, 0, count < 0 ? 0 : static_cast<size_t>(count));
        EXPECT_EQ(sent, got);
        sent.clear();
    }
    munmap(memory, kPages * page);
}

TEST(Pipe, ReopenedThroughProc) {
    make_pipe();
    int again = open(("/proc/self/fd/" + std::to_string(ends[0])).c_str(), O_WRONLY);
    ASSERT_OK(again);
    close(ends[1]);
    EXPECT_EQ(2, write(again, "ab", 2));
    char text[4];
    EXPECT_EQ(2, read(ends[0], text, 4));
    char target[64] = {};
    ASSERT_OK(readlink(("/proc/self/fd/" + std::to_string(again)).c_str(), target, sizeof target));
    EXPECT_EQ(0, strncmp(target, "pipe:[", 6));
}

TEST(Fifo, OpenWaitsForTheOtherEnd) {
    ASSERT_OK(mkfifo("fifo", 0600));
    pid_t pid = start_child([] {
        int file = open("fifo", O_WRONLY);
        ASSERT_OK(file);
        EXPECT_EQ(4, write(file, "text", 4));
    });
    wait_until_asleep(pid);
    int file = open("fifo", O_RDONLY);
    ASSERT_OK(file);
    EXPECT_EQ("text", read_all(file));
    EXPECT_ENDS("exit 0", wait_for(pid));
}

TEST(Fifo, NonblockingOpens) {
    ASSERT_OK(mkfifo("fifo", 0600));
    EXPECT_ERRNO(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    ASSERT_OK(reader);
    char byte;
    EXPECT_EQ(0, read(reader, &byte, 1)) << "no writer: end of file";
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    ASSERT_OK(writer);
    EXPECT_ERRNO(EAGAIN, read(reader, &byte, 1));
    EXPECT_EQ(1, write(writer, "x", 1));
    close(writer);
    EXPECT_EQ(1, read(reader, &byte, 1));
    EXPECT_EQ(0, read(reader, &byte, 1));
    int both = open("fifo", O_RDWR);
    EXPECT_OK(both);
}

TEST(Fifo, SeveralReadersAndWriters) {
    ASSERT_OK(mkfifo("fifo", 0600));
    int keep = open("fifo", O_RDWR);
    auto* taken = shared<std::atomic<int>>();
    Gate opened;
    std::vector<pid_t> readers;
    for (int i = 0; i < 3; i++) {
        readers.push_back(start_child([&] {
            close(keep);
            int file = open("fifo", O_RDONLY);
            opened.open();
            char block[100];
            while (read(file, block, sizeof block) == 100) {
                taken->fetch_add(1);
            }
        }));
        opened.wait();
    }
    std::vector<pid_t> writers;
    for (int i = 0; i < 3; i++) {
        writers.push_back(start_child([=] {
            int file = open("fifo", O_WRONLY);
            char block[100] = {};
            for (int j = 0; j < 50; j++) {
                ASSERT_EQ(100, write(file, block, sizeof block));
            }
        }));
    }
    for (pid_t pid : writers) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
    close(keep);
    for (pid_t pid : readers) {
        EXPECT_ENDS("exit 0", wait_for(pid));
    }
    EXPECT_EQ(150, taken->load());
}

TEST(Pipe, SigioOnRequest) {
    make_pipe(O_NONBLOCK);
    count_signals(SIGIO);
    ASSERT_OK(fcntl(ends[0], F_SETOWN, getpid()));
    EXPECT_EQ(getpid(), fcntl(ends[0], F_GETOWN));
    ASSERT_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK | O_ASYNC));
    (void)!write(ends[1], "x", 1);
    EXPECT_EQ(1, received(SIGIO));
}
