// What limits say to calls that change an address space, and what is filled in for mlock.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;

char* map_with(size_t pages, int access, int flags = kPrivate) {
    return static_cast<char*>(mmap(nullptr, pages * kPage, access, flags, -1, 0));
}

// Sets a limit to what /proc/self/status says that is used, and so many pages.
void limit_to_use(__rlimit_resource which, const char* name, long pages) {
    const std::string status = read_file("/proc/self/status");
    const rlim_t bytes = strtoul(status.c_str() + status.find(name) + strlen(name), nullptr, 10) * 1024;
    const rlimit limit{bytes + pages * kPage, bytes + pages * kPage};
    ASSERT_OK(setrlimit(which, &limit));
}

std::string residence(char* at, size_t pages) {
    unsigned char state[16] = {};
    mincore(at, pages * kPage, state);
    std::string text;
    for (size_t i = 0; i < pages; i++) {
        text += (state[i] & 1) != 0 ? '1' : '0';
    }
    return text;
}

}  // namespace

TEST(MemoryLimits, OnlyWhatBecomesWritableCountsAsData) {
    char* memory = map_with(100, PROT_READ);
    limit_to_use(RLIMIT_DATA, "VmData:", 10);
    EXPECT_OK(mprotect(memory, 8 * kPage, kReadWrite)) << "eight pages, not the mapping's hundred";
    EXPECT_ERRNO(ENOMEM, mprotect(memory + 8 * kPage, 8 * kPage, kReadWrite));
}

TEST(MemoryLimits, WhatIsReplacedDoesNotCount) {
    char* memory = map_with(26, kReadWrite);
    munmap(memory + 20 * kPage, 6 * kPage);
    limit_to_use(RLIMIT_DATA, "VmData:", 5);
    EXPECT_OK(mmap(memory, 20 * kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
    EXPECT_ERRNO(ENOMEM, mmap(memory, 26 * kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
}

TEST(MemoryLimits, AMoveTakesNoMoreThanBefore) {
    char* memory = map_with(20, kReadWrite);
    char* target = map_with(20, kReadWrite);
    limit_to_use(RLIMIT_AS, "VmSize:", -5);
    EXPECT_EQ(target, mremap(memory, 20 * kPage, 20 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target));
}

TEST(MemoryLimits, CopiesOfASharedMappingAreMappings) {
    char* memory = map_with(1, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
    int copies = 0;
    while (copies < 70000 && mremap(memory, 0, kPage, MREMAP_MAYMOVE) != MAP_FAILED) {
        copies++;
    }
    EXPECT_EQ(ENOMEM, errno);
    EXPECT_GT(65530, copies) << "vm.max_map_count";
    EXPECT_ERRNO(ENOMEM, mremap(memory, 0, kPage, 0)) << "there is no room for it where it is";
}

TEST(MemoryLimits, WhatGrowsDownIsAStack) {
    auto kibibytes = [](const char* name) {
        const std::string status = read_file("/proc/self/status");
        return strtoul(status.c_str() + status.find(name) + strlen(name), nullptr, 10);
    };
    const unsigned long before = kibibytes("VmStk:");
    limit_to_use(RLIMIT_DATA, "VmData:", 2);
    EXPECT_OK(map_with(8, kReadWrite, kPrivate | MAP_GROWSDOWN)) << "no data";
    EXPECT_EQ(before + 8 * kPage / 1024, kibibytes("VmStk:"));
}

TEST(MemoryLimits, LockedMemoryComesFirst) {
    as_user(1000, [] {
        const rlimit some{4 * kPage, 4 * kPage};
        ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &some));
        limit_to_use(RLIMIT_AS, "VmSize:", 6);
        EXPECT_ERRNO(EAGAIN, map_with(8, kReadWrite, kPrivate | MAP_LOCKED));
    });
}

TEST(MemoryLimits, LockedMemoryNeedsALimit) {
    as_user(1000, [] {
        const rlimit none{0, 0};
        ASSERT_OK(setrlimit(RLIMIT_MEMLOCK, &none));
        EXPECT_ERRNO(EPERM, map_with(1, kReadWrite, kPrivate | MAP_LOCKED));
    });
}

TEST(MemoryLimits, LockedOnFaultIsNotFilledIn) {
    ASSERT_OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
    char* end = static_cast<char*>(sbrk(0));
    end += -reinterpret_cast<uintptr_t>(end) % kPage;
    sbrk(4 * kPage);
    EXPECT_EQ("000", residence(end, 3));
    char* memory = map_with(1, kReadWrite);
    memory = static_cast<char*>(mremap(memory, kPage, 3 * kPage, MREMAP_MAYMOVE));
    EXPECT_EQ("000", residence(memory, 3));
    ASSERT_OK(mlock(memory, 3 * kPage));
    memory = static_cast<char*>(mremap(memory, 3 * kPage, 5 * kPage, MREMAP_MAYMOVE));
    EXPECT_EQ("11111", residence(memory, 5));
}

TEST(MemoryLimits, WhatNobodyMayUseCannotBeFilledIn) {
    char* memory = map_pages(3);
    mprotect(memory + kPage, kPage, PROT_NONE);
    EXPECT_ERRNO(ENOMEM, mlock(memory + kPage, kPage));
    EXPECT_OK(mlock2(memory + kPage, kPage, MLOCK_ONFAULT));
    EXPECT_OK(mlockall(MCL_CURRENT)) << "does not say so";
    EXPECT_EQ("101", residence(memory, 3)) << "and goes on behind it";
}

TEST(Mmap, FlagsThatMustBeKnown) {
    const int file = memfd_create("f", 0);
    ftruncate(file, kPage);
    EXPECT_ERRNO(EOPNOTSUPP, mmap(nullptr, kPage, kReadWrite, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
    EXPECT_OK(mmap(nullptr, kPage, kReadWrite, MAP_SHARED | MAP_SYNC, file, 0)) << "nobody looks at the others";
    EXPECT_OK(mmap(nullptr, kPage, kReadWrite, MAP_SHARED_VALIDATE | MAP_POPULATE | MAP_NORESERVE, file, 0));
    EXPECT_ERRNO(EINVAL, map_with(1, kReadWrite, MAP_SHARED_VALIDATE | MAP_ANONYMOUS));
    EXPECT_ERRNO(EINVAL, map_with(1, kReadWrite, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN));
    EXPECT_ERRNO(EINVAL, mmap(nullptr, kPage, kReadWrite, MAP_SHARED | MAP_HUGETLB, file, 0));
    if (read_file("/proc/sys/vm/nr_hugepages").substr(0, 1) < "1") {
        EXPECT_ERRNO(ENOMEM, map_with(512, kReadWrite, kPrivate | MAP_HUGETLB));
    }
}

TEST(Madvise, RemoveGoesOnBehindAHole) {
    char* memory = map_with(3, kReadWrite, MAP_SHARED | MAP_ANONYMOUS);
    memory[2 * kPage] = 1;
    munmap(memory + kPage, kPage);
    EXPECT_ERRNO(ENOMEM, madvise(memory, 3 * kPage, MADV_REMOVE));
    EXPECT_EQ(0, memory[2 * kPage]);
}

TEST(ProcessMemory, WhatMayOnlyBeWritten) {
    char* memory = map_with(1, PROT_WRITE);
    char byte = 1;
    iovec own{&byte, 1};
    iovec other{memory, 1};
    EXPECT_ERRNO(EFAULT, process_vm_readv(getpid(), &own, 1, &other, 1, 0));
    EXPECT_EQ(1, process_vm_writev(getpid(), &own, 1, &other, 1, 0));
    iovec nothing{&byte, 0};
    EXPECT_EQ(0, process_vm_readv(99999999, &nothing, 1, &other, 1, 0)) << "nobody looks whether there is one";
    EXPECT_EQ(0, process_vm_readv(99999999, &own, 1, &nothing, 1, 0));
    EXPECT_ERRNO(ESRCH, process_vm_readv(99999999, &own, 1, &other, 1, 0));
}
