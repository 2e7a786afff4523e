// Files mapped into memory: private and shared, truncation, msync, memory files and their seals.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

int new_file(const char* name, size_t size) {
    write_file(name, std::string(size, 'f'));
    return open(name, O_RDWR);
}

char* map_file(int file, size_t size, int flags, int protection = kReadWrite, off_t offset = 0) {
    return static_cast<char*>(mmap(nullptr, size, protection, flags, file, offset));
}

}  // namespace

TEST(MapFile, SharedWritesReachTheFile) {
    int file = new_file("f", 2 * kPage);
    char* memory = map_file(file, 2 * kPage, MAP_SHARED);
    memory[kPage + 1] = 'm';
    char byte = 0;
    ASSERT_EQ(1, pread(file, &byte, 1, kPage + 1));
    EXPECT_EQ('m', byte);
    ASSERT_EQ(1, pwrite(file, "w", 1, 5));
    EXPECT_EQ('w', memory[5]);
    EXPECT_OK(msync(memory, 2 * kPage, MS_SYNC));
}

TEST(MapFile, PrivateWritesDoNot) {
    int file = new_file("f", kPage);
    char* memory = map_file(file, kPage, MAP_PRIVATE);
    memory[0] = 'p';
    EXPECT_EQ('f', read_file("f")[0]);
    ASSERT_EQ(1, pwrite(file, "w", 1, 1));
    EXPECT_EQ('f', memory[1]) << "the page is ours already";
}

TEST(MapFile, PrivateUntouchedPagesShowTheFile) {
    int file = new_file("f", 2 * kPage);
    char* memory = map_file(file, 2 * kPage, MAP_PRIVATE);
    EXPECT_EQ('f', memory[0]);
    ASSERT_EQ(1, pwrite(file, "w", 1, 0));
    EXPECT_EQ('w', memory[0]);
}

TEST(MapFile, SeenByAllWhoMapIt) {
    int file = new_file("f", kPage);
    char* memory = map_file(file, kPage, MAP_SHARED);
    char* again = map_file(file, kPage, MAP_SHARED);
    child([&] {
        int other = open("f", O_RDWR);
        map_file(other, kPage, MAP_SHARED)[3] = 'c';
        again[4] = 'd';
    });
    EXPECT_EQ('c', memory[3]);
    EXPECT_EQ('d', memory[4]);
}

TEST(MapFile, OffsetsAndCloses) {
    write_file("f", std::string(kPage, 'a') + std::string(kPage, 'b') + std::string(kPage, 'c'));
    int file = open("f", O_RDONLY);
    char* memory = map_file(file, kPage, MAP_SHARED, PROT_READ, kPage);
    close(file);
    unlink("f");
    EXPECT_EQ('b', memory[0]);
    EXPECT_EQ('b', memory[kPage - 1]);
    EXPECT_NE(std::string::npos, read_file("/proc/self/maps").find("/f (deleted)"));
}

TEST(MapFile, TruncationTakesPagesAway) {
    int file = new_file("f", 3 * kPage);
    char* memory = map_file(file, 3 * kPage, MAP_SHARED);
    memory[2 * kPage] = 1;
    ASSERT_OK(ftruncate(file, kPage + 10));
    EXPECT_EQ("exit 0", outcome_of_read(memory + kPage));
    EXPECT_EQ("SIGBUS", outcome_of_read(memory + 2 * kPage));
    EXPECT_EQ(0, memory[kPage + 10]) << "behind the end of the last page are zeros";
    ASSERT_OK(ftruncate(file, 3 * kPage));
    EXPECT_EQ(0, memory[2 * kPage]);
}

TEST(MapFile, TruncationTakesPrivateCopiesToo) {
    int file = new_file("f", 2 * kPage);
    char* memory = map_file(file, 2 * kPage, MAP_PRIVATE);
    memory[kPage] = 1;
    ASSERT_OK(ftruncate(file, kPage));
    EXPECT_EQ("SIGBUS", outcome_of_read(memory + kPage));
}

TEST(MapFile, WritesBehindTheEndAreLost) {
    int file = new_file("f", 10);
    char* memory = map_file(file, kPage, MAP_SHARED);
    memory[10] = 'x';
    ASSERT_OK(ftruncate(file, 12));
    std::string text = read_file("f");
    EXPECT_EQ(12u, text.size());
    EXPECT_EQ(0, text[11]);
}

TEST(MapFile, GrowsWithTheFile) {
    int file = new_file("f", 10);
    char* memory = map_file(file, 2 * kPage, MAP_SHARED);
    EXPECT_EQ("SIGBUS", outcome_of_read(memory + kPage));
    ASSERT_OK(ftruncate(file, 2 * kPage));
    EXPECT_EQ("exit 0", outcome_of_write(memory + kPage));
}

TEST(MapFile, ReadFromAMapOfTheSameFile) {
    int file = new_file("f", 2 * kPage);
    char* memory = map_file(file, 2 * kPage, MAP_SHARED);
    memset(memory, 'z', kPage);
    ASSERT_EQ(static_cast<ssize_t>(kPage), pwrite(file, memory, kPage, kPage)) << "source and target are one file";
    EXPECT_EQ('z', memory[2 * kPage - 1]);
    ASSERT_EQ(static_cast<ssize_t>(kPage), pread(file, memory + kPage, kPage, 0));
}

TEST(MapFile, SystemCallsFaultPagesIn) {
    int file = new_file("f", 4 * kPage);
    char* memory = map_file(file, 4 * kPage, MAP_PRIVATE);
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_EQ(static_cast<ssize_t>(3 * kPage), write(ends[1], memory, 3 * kPage));
    char* target = map_file(file, 4 * kPage, MAP_PRIVATE);
    EXPECT_EQ(static_cast<ssize_t>(3 * kPage), read(ends[0], target + 100, 4 * kPage - 100));
    EXPECT_EQ('f', target[2 * kPage]);
}

TEST(MapFile, MsyncErrors) {
    char* memory = map_pages(2);
    EXPECT_OK(msync(memory, kPage, MS_ASYNC));
    EXPECT_ERRNO(EINVAL, msync(memory + 1, kPage, MS_SYNC));
    EXPECT_ERRNO(EINVAL, msync(memory, kPage, MS_SYNC | MS_ASYNC));
    EXPECT_ERRNO(EINVAL, msync(memory, kPage, 0x100));
    munmap(memory + kPage, kPage);
    EXPECT_ERRNO(ENOMEM, msync(memory, 2 * kPage, MS_SYNC));
}

TEST(MapFile, DevZeroIsPrivateZeros) {
    int file = open("/dev/zero", O_RDWR);
    ASSERT_OK(file);
    char* memory = map_file(file, kPage, MAP_PRIVATE);
    ASSERT_OK(memory);
    EXPECT_EQ(0, memory[0]);
    memory[0] = 1;
    auto* common = map_file(file, kPage, MAP_SHARED);
    ASSERT_OK(common);
    child([=] { common[0] = 2; });
    EXPECT_EQ(2, common[0]);
}

TEST(MapFile, MremapOfASharedMapping) {
    int file = new_file("f", 4 * kPage);
    char* memory = map_file(file, kPage, MAP_SHARED);
    memory = static_cast<char*>(mremap(memory, kPage, 4 * kPage, MREMAP_MAYMOVE));
    ASSERT_OK(memory);
    EXPECT_EQ('f', memory[3 * kPage]);
    // A length of zero of a shared mapping makes a second one.
    char* twin = static_cast<char*>(mremap(memory, 0, 4 * kPage, MREMAP_MAYMOVE));
    ASSERT_OK(twin);
    twin[0] = 't';
    EXPECT_EQ('t', memory[0]);
}

TEST(MapFile, ForkedPrivatePagesOfAFile) {
    int file = new_file("f", kPage);
    char* memory = map_file(file, kPage, MAP_PRIVATE);
    memory[0] = 'a';
    child([&] {
        EXPECT_EQ('a', memory[0]);
        memory[0] = 'b';
    });
    EXPECT_EQ('a', memory[0]);
    EXPECT_EQ('f', read_file("f")[0]);
}

TEST(Memfd, IsAFileInMemory) {
    int file = memfd_create("name", MFD_CLOEXEC);
    ASSERT_OK(file);
    EXPECT_EQ(FD_CLOEXEC, fcntl(file, F_GETFD));
    EXPECT_EQ(5, write(file, "hello", 5));
    struct stat info{};
    ASSERT_OK(fstat(file, &info));
    EXPECT_EQ(5, info.st_size);
    EXPECT_EQ(0777u | S_IFREG, info.st_mode);
    EXPECT_EQ(0u, info.st_nlink);
    char target[100] = {};
    ASSERT_OK(readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), target, sizeof target));
    EXPECT_STREQ("/memfd:name (deleted)", target);
    EXPECT_ERRNO(EINVAL, memfd_create(std::string(250, 'x').c_str(), 0));
    EXPECT_ERRNO(EINVAL, memfd_create("x", 0x1000));
    EXPECT_ERRNO(EFAULT, syscall(SYS_memfd_create, 8, 0));
}

TEST(Memfd, SealsForbid) {
    int file = memfd_create("x", MFD_ALLOW_SEALING);
    ASSERT_OK(file);
    ASSERT_OK(ftruncate(file, kPage));
    EXPECT_EQ(0, fcntl(file, F_GET_SEALS));
    ASSERT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
    EXPECT_ERRNO(EPERM, ftruncate(file, 10));
    EXPECT_OK(ftruncate(file, 2 * kPage));
    ASSERT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    EXPECT_ERRNO(EPERM, ftruncate(file, 3 * kPage));
    EXPECT_ERRNO(EPERM, pwrite(file, "x", 1, 2 * kPage));
    EXPECT_EQ(1, pwrite(file, "x", 1, 0));
    ASSERT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_ERRNO(EPERM, pwrite(file, "x", 1, 0));
    EXPECT_ERRNO(EPERM, mmap(nullptr, kPage, kReadWrite, MAP_SHARED, file, 0));
    EXPECT_OK(mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE, file, 0));
    ASSERT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL));
    EXPECT_ERRNO(EPERM, fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    EXPECT_EQ(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, fcntl(file, F_GET_SEALS));
}

TEST(Memfd, SealingNeedsToBeAllowed) {
    int file = memfd_create("x", 0);
    EXPECT_EQ(F_SEAL_SEAL, fcntl(file, F_GET_SEALS));
    EXPECT_ERRNO(EPERM, fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_ERRNO(EINVAL, fcntl(file, F_ADD_SEALS, 0x1000));
}

TEST(Memfd, WriteSealWaitsForSharedMappings) {
    int file = memfd_create("x", MFD_ALLOW_SEALING);
    ASSERT_OK(ftruncate(file, kPage));
    char* memory = map_file(file, kPage, MAP_SHARED);
    EXPECT_ERRNO(EBUSY, fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    memory[0] = 1;
    EXPECT_ERRNO(EPERM, pwrite(file, "x", 1, 0));
    munmap(memory, kPage);
    EXPECT_OK(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST(ProcessMemory, ReadAndWriteOfAnother) {
    char* memory = map_pages(1);
    strcpy(memory, "parent");
    Gate ready;
    Gate end;
    pid_t pid = start_child([&] {
        strcpy(memory, "child!");
        ready.open();
        end.wait();
        EXPECT_STREQ("poked!", memory);
    });
    ready.wait();
    char text[16] = {};
    iovec local{text, 7};
    iovec remote{memory, 7};
    EXPECT_EQ(7, process_vm_readv(pid, &local, 1, &remote, 1, 0));
    EXPECT_STREQ("child!", text);
    strcpy(text, "poked!");
    EXPECT_EQ(7, process_vm_writev(pid, &local, 1, &remote, 1, 0));
    iovec bad{reinterpret_cast<void*>(8), 7};
    EXPECT_ERRNO(EFAULT, process_vm_readv(pid, &local, 1, &bad, 1, 0));
    EXPECT_ERRNO(EINVAL, process_vm_readv(pid, &local, 1, &remote, 1, 1));
    EXPECT_ERRNO(ESRCH, process_vm_readv(0x3fffff, &local, 1, &remote, 1, 0));
    end.open();
    EXPECT_ENDS("exit 0", wait_for(pid));
}
