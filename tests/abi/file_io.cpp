// read, write and their relatives; lseek with holes; truncation; copies between descriptors.
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

int scratch(const std::string& text = "") {
    write_file("f", text);
    return open("f", O_RDWR);
}

off_t size_of(int file) {
    struct stat info{};
    fstat(file, &info);
    return info.st_size;
}

}  // namespace

TEST(ReadWrite, MovesTheOffset) {
    int file = scratch("0123456789");
    char text[20] = {};
    EXPECT_EQ(4, read(file, text, 4));
    EXPECT_EQ(2, write(file, "ab", 2));
    EXPECT_EQ(4, read(file, text, 20)) << "short at the end";
    EXPECT_EQ(0, memcmp(text, "6789", 4));
    EXPECT_EQ(0, read(file, text, 20));
    EXPECT_EQ("0123ab6789", read_file("f"));
}

TEST(ReadWrite, Errors) {
    int file = scratch("x");
    char byte;
    EXPECT_ERRNO(EBADF, read(600, &byte, 1));
    EXPECT_ERRNO(EBADF, write(-1, "x", 1));
    EXPECT_ERRNO(EFAULT, read(file, reinterpret_cast<void*>(8), 1));
    EXPECT_ERRNO(EFAULT, write(file, reinterpret_cast<void*>(8), 1));
    EXPECT_EQ(0, read(file, nullptr, 0));
    EXPECT_EQ(0, write(file, nullptr, 0));
    int directory = open(".", O_RDONLY);
    EXPECT_ERRNO(EISDIR, read(directory, &byte, 1));
    EXPECT_ERRNO(EISDIR, pread(directory, &byte, 1, 0));
}

TEST(ReadWrite, HugeCountsAreCut) {
    int file = open("/dev/null", O_WRONLY);
    char* memory = map_pages(1);
    EXPECT_ERRNO(EFAULT, syscall(SYS_write, file, memory, -1L)) << "the range ends outside user space";
    int zero = open("/dev/zero", O_RDONLY);
    EXPECT_ERRNO(EFAULT, syscall(SYS_read, zero, memory, -1L));
    EXPECT_ERRNO(EFAULT, syscall(SYS_read, file = open("/dev/null", O_RDWR), memory, -1L)) << "whoever reads nothing";
    EXPECT_ERRNO(EFAULT, syscall(SYS_pread64, zero, memory, LONG_MIN, 0));
    EXPECT_ERRNO(EFAULT, syscall(SYS_write, file, memory, 0x7ffffffff000));
    EXPECT_ERRNO(EFAULT, syscall(SYS_write, file, 0xffff800000000000, 1));
    EXPECT_ERRNO(EFAULT, syscall(SYS_read, file, 0xffff800000000000, 0));
    EXPECT_EQ(1, syscall(SYS_write, file, 8, 1)) << "not mapped, and nobody looks";
    EXPECT_ERRNO(EBADF, syscall(SYS_write, zero, memory, -1L)) << "the access mode comes first";
    EXPECT_ERRNO(EINVAL, syscall(SYS_pread64, zero, memory, -1L, -1L));
    EXPECT_EQ(0x7ffff000, syscall(SYS_write, file, memory, 0x7fffffff));
}

TEST(ReadWrite, HugeSegmentsAreCut) {
    int file = open("/dev/null", O_RDWR);
    char* memory = map_pages(1);
    iovec one[] = {{memory, LONG_MAX}};
    EXPECT_EQ(0x7ffff000, writev(file, one, 1));
    iovec two[] = {{memory, LONG_MAX}, {memory, 1}};
    EXPECT_ERRNO(EFAULT, writev(file, two, 2)) << "of several each is looked at whole";
    iovec wrong[] = {{memory, static_cast<size_t>(-1)}};
    EXPECT_ERRNO(EINVAL, writev(file, wrong, 1));
    EXPECT_ERRNO(EBADF, writev(open("/dev/null", O_RDONLY), wrong, 1));
    iovec kernel[] = {{reinterpret_cast<void*>(0xffff800000000000), 1}};
    EXPECT_ERRNO(EFAULT, writev(file, kernel, 1));
}

TEST(ReadWrite, StopsWhereMemoryEnds) {
    int file = scratch();
    char* memory = map_pages(2);
    munmap(memory + kPage, kPage);
    memset(memory, 'm', kPage);
    EXPECT_EQ(100, write(file, memory + kPage - 100, 200));
    EXPECT_EQ(100, size_of(file));
    ASSERT_OK(ftruncate(file, 300));
    EXPECT_EQ(50, pread(file, memory + kPage - 50, 200, 0));
}

TEST(ReadWrite, AtAnOffset) {
    int file = scratch("0123456789");
    char text[4] = {};
    EXPECT_EQ(3, pread(file, text, 3, 5));
    EXPECT_STREQ("567", text);
    EXPECT_EQ(2, pwrite(file, "xy", 2, 20));
    EXPECT_EQ(0, lseek(file, 0, SEEK_CUR)) << "the offset stays";
    EXPECT_EQ(22, size_of(file));
    EXPECT_EQ(0, pread(file, text, 3, 100));
    EXPECT_ERRNO(EINVAL, pread(file, text, 3, -1));
    EXPECT_ERRNO(EINVAL, pwrite(file, text, 3, -1));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(ESPIPE, pread(ends[0], text, 1, 0));
}

TEST(ReadWrite, Vectors) {
    int file = scratch();
    char a[] = "abc";
    char b[] = "defgh";
    iovec parts[] = {{a, 3}, {nullptr, 0}, {b, 5}};
    EXPECT_EQ(8, writev(file, parts, 3));
    lseek(file, 0, SEEK_SET);
    char c[2];
    char d[10] = {};
    iovec into[] = {{c, 2}, {d, 9}};
    EXPECT_EQ(8, readv(file, into, 2));
    EXPECT_STREQ("cdefgh", d);
    EXPECT_EQ(8, preadv(file, into, 2, 0));
    EXPECT_EQ(8, pwritev(file, parts, 3, 8));
    EXPECT_EQ(16, size_of(file));
    EXPECT_EQ(0, writev(file, parts, 0));
    EXPECT_ERRNO(EINVAL, writev(file, parts, -1));
    EXPECT_ERRNO(EINVAL, writev(file, parts, 1025));
    EXPECT_ERRNO(EFAULT, writev(file, reinterpret_cast<iovec*>(8), 1));
    iovec wrong[] = {{a, 3}, {b, SIZE_MAX}};
    EXPECT_ERRNO(EINVAL, writev(file, wrong, 2));
}

TEST(ReadWrite, VectorStopsAtABadPart) {
    int file = scratch();
    char a[] = "abc";
    iovec parts[] = {{a, 3}, {reinterpret_cast<void*>(8), 5}, {a, 3}};
    EXPECT_EQ(3, writev(file, parts, 3));
    EXPECT_ERRNO(EFAULT, writev(file, parts + 1, 2));
}

TEST(ReadWrite, Preadv2Flags) {
    int file = scratch("0123456789");
    char text[4];
    iovec one{text, 4};
    EXPECT_EQ(4, preadv2(file, &one, 1, -1, 0)) << "-1: the file's own offset";
    EXPECT_EQ(4, lseek(file, 0, SEEK_CUR));
    EXPECT_EQ(4, preadv2(file, &one, 1, 0, RWF_HIPRI));
    EXPECT_ERRNO(EOPNOTSUPP, preadv2(file, &one, 1, 0, 0x10000));
    EXPECT_EQ(4, pwritev2(file, &one, 1, 0, RWF_APPEND));
    EXPECT_EQ(14, size_of(file));
}

namespace {

// What reading and writing with each flag says, at offset 0 and at the file's own.
void note_transfers(const std::string& kind, int file) {
    struct Flag {
        const char* name;
        int value;
    };
    for (const Flag& flag : std::initializer_list<Flag>{{"none", 0},
                                                        {"HIPRI", 1},
                                                        {"DSYNC", 2},
                                                        {"SYNC", 4},
                                                        {"NOWAIT", 8},
                                                        {"APPEND", 16},
                                                        {"NOAPPEND", 32},
                                                        {"APPEND NOAPPEND", 48},
                                                        {"unknown", 0x10000},
                                                        {"all", -1}}) {
        char text[] = "abcd";
        iovec one{text, 4};
        std::string line;
        lseek(file, 0, SEEK_SET);
        for (long offset : {0L, -1L}) {
            ssize_t count = syscall(SYS_preadv2, file, &one, 1, offset, 0L, flag.value);
            line += " " + (count < 0 ? errno_name(errno) : std::to_string(count));
        }
        lseek(file, 0, SEEK_SET);
        for (long offset : {0L, -1L}) {
            ssize_t count = syscall(SYS_pwritev2, file, &one, 1, offset, 0L, flag.value);
            line += " " + (count < 0 ? errno_name(errno) : std::to_string(count));
        }
        struct stat info{};
        fstat(file, &info);
        if (S_ISREG(info.st_mode)) {
            line += " at " + std::to_string(lseek(file, 0, SEEK_CUR)) + " of " + std::to_string(info.st_size);
        }
        note(kind + " " + flag.name + ":" + line);
    }
}

}  // namespace

TEST(ReadWrite, FlagsOfEachKindOfFile) {
    write_file("f", "0123456789");
    note_transfers("file", open("f", O_RDWR));
    note_transfers("appending", open("f", O_RDWR | O_APPEND));
    note_transfers("reader", open("f", O_RDONLY));
    note_transfers("writer", open("f", O_WRONLY));
    int memory = memfd_create("m", 0);
    ASSERT_EQ(10, write(memory, "0123456789", 10));
    note_transfers("memfd", memory);
    note_transfers("null", open("/dev/null", O_RDWR));
    note_transfers("zero", open("/dev/zero", O_RDWR));
    note_transfers("directory", open(".", O_RDONLY));
    int ends[2];
    ASSERT_OK(pipe(ends));
    std::string much(1000, 'x');
    ASSERT_EQ(1000, write(ends[1], much.data(), much.size()));
    note_transfers("pipe's reader", ends[0]);
    note_transfers("pipe's writer", ends[1]);
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    ASSERT_EQ(1000, write(ends[1], much.data(), much.size()));
    note_transfers("socket", ends[0]);
    note_transfers("event counter", eventfd(3, EFD_NONBLOCK));
}

TEST(ReadWrite, Preadv2DoesNotWait) {
    int ends[2];
    char text[8];
    iovec one{text, 8};
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EAGAIN, syscall(SYS_preadv2, ends[0], &one, 1, -1L, 0L, RWF_NOWAIT));
    std::string full(65536, 'x');
    ASSERT_EQ(65536, write(ends[1], full.data(), full.size()));
    EXPECT_ERRNO(EAGAIN, syscall(SYS_pwritev2, ends[1], &one, 1, -1L, 0L, RWF_NOWAIT));
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    EXPECT_ERRNO(EAGAIN, syscall(SYS_preadv2, ends[0], &one, 1, -1L, 0L, RWF_NOWAIT));
    EXPECT_ERRNO(EAGAIN, syscall(SYS_preadv2, eventfd(0, 0), &one, 1, -1L, 0L, RWF_NOWAIT));
}

TEST(ReadWrite, Preadv2OrderOfErrors) {
    int file = scratch("0123456789");
    char text[4];
    iovec one{text, 4};
    EXPECT_EQ(0, syscall(SYS_preadv2, file, &one, 0, 0L, 0L, 0x10000)) << "nothing to read, nothing to refuse";
    EXPECT_ERRNO(EBADF, syscall(SYS_preadv2, -1, &one, 1, 0L, 0L, 0x10000));
    EXPECT_ERRNO(EINVAL, syscall(SYS_preadv2, -1, &one, 1, -2L, 0L, 0x10000));
    EXPECT_ERRNO(EFAULT, syscall(SYS_preadv2, file, 8, 1, 0L, 0L, 0x10000));
    EXPECT_ERRNO(EINVAL, syscall(SYS_preadv2, file, &one, 2000, 0L, 0L, 0x10000));
    EXPECT_ERRNO(EBADF, syscall(SYS_pwritev2, open("f", O_RDONLY), &one, 1, 0L, 0L, 0x10000));
}

TEST(Lseek, Positions) {
    int file = scratch("0123456789");
    EXPECT_EQ(3, lseek(file, 3, SEEK_SET));
    EXPECT_EQ(5, lseek(file, 2, SEEK_CUR));
    EXPECT_EQ(8, lseek(file, -2, SEEK_END));
    EXPECT_EQ(1000, lseek(file, 1000, SEEK_SET)) << "behind the end is allowed";
    EXPECT_EQ(1, write(file, "x", 1));
    EXPECT_EQ(1001, size_of(file));
    std::string text = read_file("f");
    EXPECT_EQ(0, text[500]);
    EXPECT_ERRNO(EINVAL, lseek(file, -1, SEEK_SET));
    EXPECT_ERRNO(EINVAL, lseek(file, 0, 9));
    EXPECT_ERRNO(EINVAL, lseek(file, -2000, SEEK_CUR));
    EXPECT_EQ(1001, lseek(file, 0, SEEK_CUR));
    EXPECT_ERRNO(EINVAL, lseek(file, LONG_MAX, SEEK_CUR));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(ESPIPE, lseek(ends[0], 0, SEEK_SET));
}

TEST(Lseek, HolesAndData) {
    int file = scratch();
    ASSERT_OK(ftruncate(file, 10 * kPage));
    ASSERT_EQ(1, pwrite(file, "x", 1, 4 * kPage));
    EXPECT_EQ(static_cast<off_t>(4 * kPage), lseek(file, 0, SEEK_DATA));
    EXPECT_EQ(0, lseek(file, 0, SEEK_HOLE));
    EXPECT_EQ(static_cast<off_t>(5 * kPage), lseek(file, 4 * kPage, SEEK_HOLE));
    EXPECT_ERRNO(ENXIO, lseek(file, 5 * kPage, SEEK_DATA));
    EXPECT_ERRNO(ENXIO, lseek(file, 11 * kPage, SEEK_HOLE));
    EXPECT_ERRNO(ENXIO, lseek(file, -1, SEEK_DATA));
}

TEST(Truncate, ShrinksAndGrows) {
    int file = scratch("0123456789");
    ASSERT_OK(ftruncate(file, 4));
    ASSERT_OK(truncate("f", 8));
    EXPECT_EQ(std::string("0123\0\0\0\0", 8), read_file("f"));
    EXPECT_ERRNO(EINVAL, ftruncate(file, -1));
    EXPECT_ERRNO(EINVAL, truncate("f", -1));
    EXPECT_ERRNO(ENOENT, truncate("none", 1));
    EXPECT_ERRNO(EISDIR, truncate(".", 0));
    EXPECT_ERRNO(EBADF, ftruncate(600, 0));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EINVAL, ftruncate(ends[1], 0));
}

TEST(Truncate, FileSizeLimit) {
    child([] {
        count_signals(SIGXFSZ);
        int file = scratch("x");
        rlimit limit{100, 100};
        ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
        EXPECT_ERRNO(EFBIG, ftruncate(file, 101));
        EXPECT_EQ(1, received(SIGXFSZ));
        std::string text(200, 'x');
        EXPECT_EQ(100, write(file, text.data(), 200)) << "as far as the limit";
        EXPECT_EQ(1, received(SIGXFSZ));
        EXPECT_ERRNO(EFBIG, write(file, "x", 1));
        EXPECT_EQ(2, received(SIGXFSZ));
    });
}

TEST(Fallocate, Modes) {
    int file = scratch("0123456789");
    ASSERT_OK(fallocate(file, 0, 0, 100));
    EXPECT_EQ(100, size_of(file));
    ASSERT_OK(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 10 * kPage));
    EXPECT_EQ(100, size_of(file));
    ASSERT_OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 5));
    EXPECT_EQ(std::string("01\0\0\0\0\0"
                          "789",
                          10),
              read_file("f").substr(0, 10));
    EXPECT_ERRNO(EOPNOTSUPP, fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, 10));
    EXPECT_ERRNO(EINVAL, fallocate(file, 0, -1, 10));
    EXPECT_ERRNO(EINVAL, fallocate(file, 0, 0, 0));
    int reader = open("f", O_RDONLY);
    EXPECT_ERRNO(EBADF, fallocate(reader, 0, 0, 10));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(ESPIPE, fallocate(ends[1], 0, 0, 10));
    EXPECT_EQ(0, posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL));
    EXPECT_EQ(EINVAL, posix_fadvise(file, 0, 0, 99));
}

TEST(Fallocate, PunchedHoleIsAHoleInTheMap) {
    int file = scratch(std::string(3 * kPage, 'x'));
    char* memory = static_cast<char*>(mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    ASSERT_EQ('x', memory[kPage]);
    ASSERT_OK(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kPage, kPage));
    EXPECT_EQ(static_cast<off_t>(2 * kPage), lseek(file, kPage, SEEK_DATA));
    EXPECT_EQ(0, memory[kPage]);
    EXPECT_EQ('x', memory[2 * kPage]);
}

TEST(Sendfile, FromFileToFileAndPipe) {
    int source = scratch(std::string(10'000, 's'));
    int target = open("g", O_CREAT | O_RDWR, 0644);
    EXPECT_EQ(10'000, sendfile(target, source, nullptr, 20'000));
    EXPECT_EQ(10'000, lseek(source, 0, SEEK_CUR));
    off_t offset = 9'000;
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_EQ(1'000, sendfile(ends[1], source, &offset, 5'000));
    EXPECT_EQ(10'000, offset);
    EXPECT_EQ(0, sendfile(target, source, &offset, 10));
    int append = open("g", O_WRONLY | O_APPEND);
    offset = 0;
    EXPECT_ERRNO(EINVAL, sendfile(append, source, &offset, 10));
    EXPECT_ERRNO(EBADF, sendfile(600, source, &offset, 10));
    EXPECT_ERRNO(EBADF, sendfile(open("g", O_RDONLY), source, &offset, 10));
}

TEST(Sendfile, FillsAPipeAndDoesNotWaitForMoreRoom) {
    int source = scratch(std::string(200'000, 's'));
    int ends[2];
    ASSERT_OK(pipe(ends));
    off_t offset = 0;
    EXPECT_EQ(65'536, sendfile(ends[1], source, &offset, 200'000));
    EXPECT_EQ(65'536, offset);
    close(ends[0]);
    count_signals(SIGPIPE);
    EXPECT_ERRNO(EPIPE, sendfile(ends[1], source, &offset, 200'000));
    EXPECT_EQ(1, received(SIGPIPE));
    EXPECT_EQ(65'536, offset);
}

TEST(CopyFileRange, WithinAndBetweenFiles) {
    int source = scratch("0123456789");
    int target = open("g", O_CREAT | O_RDWR, 0644);
    EXPECT_EQ(10, copy_file_range(source, nullptr, target, nullptr, 100, 0));
    EXPECT_EQ("0123456789", read_file("g"));
    off_t from = 2;
    off_t to = 10;
    EXPECT_EQ(3, copy_file_range(source, &from, source, &to, 3, 0));
    EXPECT_EQ("0123456789234", read_file("f"));
    EXPECT_EQ(5, from);
    from = 0;
    to = 1;
    EXPECT_ERRNO(EINVAL, copy_file_range(source, &from, source, &to, 5, 0)) << "overlap";
    EXPECT_ERRNO(EINVAL, copy_file_range(source, &from, target, &to, 5, 1));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EINVAL, copy_file_range(ends[0], nullptr, target, nullptr, 5, 0));
    EXPECT_ERRNO(EISDIR, copy_file_range(open(".", O_RDONLY), nullptr, target, nullptr, 5, 0));
}

TEST(Splice, FilesAndPipes) {
    int source = scratch("0123456789");
    int ends[2];
    ASSERT_OK(pipe(ends));
    off_t offset = 3;
    EXPECT_EQ(5, splice(source, &offset, ends[1], nullptr, 5, 0));
    EXPECT_EQ(8, offset);
    int target = open("g", O_CREAT | O_RDWR, 0644);
    EXPECT_EQ(5, splice(ends[0], nullptr, target, nullptr, 100, 0));
    EXPECT_EQ("34567", read_file("g"));
    EXPECT_ERRNO(EAGAIN, splice(ends[0], nullptr, target, nullptr, 100, SPLICE_F_NONBLOCK));
    EXPECT_ERRNO(EINVAL, splice(source, &offset, target, nullptr, 5, 0)) << "one must be a pipe";
    EXPECT_ERRNO(ESPIPE, splice(source, nullptr, ends[1], &offset, 5, 0));
    close(ends[1]);
    EXPECT_EQ(0, splice(ends[0], nullptr, target, nullptr, 5, 0)) << "end of file";
}

TEST(Splice, PipeToPipeAndTee) {
    int a[2];
    int b[2];
    ASSERT_OK(pipe(a));
    ASSERT_OK(pipe(b));
    ASSERT_EQ(4, write(a[1], "text", 4));
    EXPECT_EQ(4, tee(a[0], b[1], 100, 0));
    char text[5] = {};
    EXPECT_EQ(4, read(b[0], text, 4));
    EXPECT_STREQ("text", text);
    EXPECT_EQ(4, splice(a[0], nullptr, b[1], nullptr, 100, 0)) << "tee took nothing away";
    EXPECT_ERRNO(EINVAL, tee(a[0], a[1], 1, 0));
    iovec one{text, 4};
    EXPECT_EQ(4, vmsplice(a[1], &one, 1, 0));
    int available = 0;
    EXPECT_OK(ioctl(a[0], FIONREAD, &available));
    EXPECT_EQ(4, available);
}

TEST(Sync, Calls) {
    int file = scratch("x");
    EXPECT_OK(fsync(file));
    EXPECT_OK(fdatasync(file));
    EXPECT_OK(syncfs(file));
    EXPECT_ERRNO(EBADF, fsync(600));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EINVAL, fsync(ends[0]));
    EXPECT_OK(sync_file_range(file, 0, 1, SYNC_FILE_RANGE_WRITE));
    EXPECT_ERRNO(EINVAL, sync_file_range(file, 0, 1, 0x100));
}

TEST(Device, NullZeroFullRandom) {
    char text[8] = "1234567";
    int null = open("/dev/null", O_RDWR);
    EXPECT_EQ(7, write(null, text, 7));
    EXPECT_EQ(0, read(null, text, 7));
    int zero = open("/dev/zero", O_RDWR);
    EXPECT_EQ(8, read(zero, text, 8));
    EXPECT_EQ(std::string(8, '\0'), std::string(text, 8));
    EXPECT_EQ(8, write(zero, text, 8));
    int full = open("/dev/full", O_RDWR);
    ASSERT_OK(full);
    EXPECT_ERRNO(ENOSPC, write(full, text, 8));
    EXPECT_EQ(8, read(full, text, 8));
    int random = open("/dev/urandom", O_RDONLY);
    EXPECT_EQ(8, read(random, text, 8));
    EXPECT_NE(std::string(8, '\0'), std::string(text, 8));
    struct stat info{};
    ASSERT_OK(stat("/dev/null", &info));
    EXPECT_EQ(0x103u, info.st_rdev);
    EXPECT_TRUE(S_ISCHR(info.st_mode));
    EXPECT_ERRNO(ENOTTY, ioctl(null, TCGETS, text));
    EXPECT_EQ(0, lseek(null, 100, SEEK_SET));
}
