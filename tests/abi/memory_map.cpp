// mmap, munmap, mprotect, mremap, madvise, brk on anonymous memory. Rules F01, S05 and E05 lean on them.
#include <sys/auxv.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;

char* map_at(char* at, size_t size, int flags) {
    return static_cast<char*>(mmap(at, size, kReadWrite, kPrivate | flags, -1, 0));
}

// The permission letters of the mapping that holds this address, as /proc/self/maps shows them.
std::string permissions(const void* at) {
    std::string text = read_file("/proc/self/maps");
    for (size_t line = 0; line < text.size(); line = text.find('\n', line) + 1) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char letters[5] = {};
        sscanf(text.c_str() + line, "%lx-%lx %4s", &begin, &end, letters);
        auto address = reinterpret_cast<unsigned long>(at);
        if (address >= begin && address < end) {
            return letters;
        }
    }
    return "none";
}

// How many mappings lie in a range.
int mappings_in(const char* from, size_t size) {
    std::string text = read_file("/proc/self/maps");
    int count = 0;
    for (size_t line = 0; line < text.size(); line = text.find('\n', line) + 1) {
        unsigned long begin = 0;
        unsigned long end = 0;
        sscanf(text.c_str() + line, "%lx-%lx", &begin, &end);
        auto first = reinterpret_cast<unsigned long>(from);
        count += begin < first + size && end > first ? 1 : 0;
    }
    return count;
}

}  // namespace

TEST(Mmap, AnonymousMemoryIsZeroAndWritable) {
    char* memory = map_pages(64);
    for (size_t i = 0; i < 64 * kPage; i += 509) {
        ASSERT_EQ(0, memory[i]);
    }
    memset(memory, 7, 64 * kPage);
    EXPECT_EQ(7, memory[64 * kPage - 1]);
}

TEST(Mmap, LengthIsRoundedUp) {
    char* memory = static_cast<char*>(mmap(nullptr, 100, kReadWrite, kPrivate, -1, 0));
    memory[kPage - 1] = 1;
    EXPECT_OK(munmap(memory, 1));
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory));
}

TEST(Mmap, Errors) {
    EXPECT_ERRNO(EINVAL, mmap(nullptr, 0, kReadWrite, kPrivate, -1, 0));
    EXPECT_ERRNO(EINVAL, mmap(nullptr, kPage, kReadWrite, MAP_ANONYMOUS, -1, 0)) << "neither private nor shared";
    EXPECT_ERRNO(EINVAL, mmap(nullptr, kPage, kReadWrite, kPrivate, -1, 100));
    EXPECT_ERRNO(EBADF, mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE, -1, 0));
    EXPECT_ERRNO(EBADF, mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE, 600, 0));
    EXPECT_ERRNO(ENOMEM, mmap(nullptr, 1UL << 50, kReadWrite, kPrivate, -1, 0));
    EXPECT_ERRNO(ENOMEM, mmap(nullptr, ~0UL - 100, kReadWrite, kPrivate, -1, 0));
    EXPECT_ERRNO(EINVAL, mmap(reinterpret_cast<void*>(0x10001), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
    EXPECT_ERRNO(ENOMEM,
                 mmap(reinterpret_cast<void*>(0xfffffffffff000), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
    EXPECT_ERRNO(ENOMEM, mmap(reinterpret_cast<void*>(~0xfffUL), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
}

TEST(Mmap, FilesAccessModeDecides) {
    write_file("f", std::string(100, 'x'));
    int reader = open("f", O_RDONLY);
    int writer = open("f", O_WRONLY);
    int directory = open(".", O_RDONLY);
    int path = open("f", O_PATH);
    EXPECT_ERRNO(EACCES, mmap(nullptr, kPage, kReadWrite, MAP_SHARED, reader, 0));
    EXPECT_OK(mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE, reader, 0));
    EXPECT_OK(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, reader, 0));
    EXPECT_ERRNO(EACCES, mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, writer, 0));
    EXPECT_ERRNO(EACCES, mmap(nullptr, kPage, PROT_WRITE, MAP_SHARED, writer, 0));
    EXPECT_ERRNO(ENODEV, mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, directory, 0));
    EXPECT_ERRNO(EBADF, mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, path, 0));
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(ENODEV, mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, ends[0], 0));
}

TEST(Mmap, FixedReplacesWhatIsThere) {
    char* memory = map_pages(4);
    memset(memory, 1, 4 * kPage);
    EXPECT_EQ(memory + kPage, map_at(memory + kPage, 2 * kPage, MAP_FIXED));
    EXPECT_EQ(1, memory[0]);
    EXPECT_EQ(0, memory[kPage]);
    EXPECT_EQ(0, memory[2 * kPage]);
    EXPECT_EQ(1, memory[3 * kPage]);
}

TEST(Mmap, FixedNoreplaceRefuses) {
    char* memory = map_pages(4);
    munmap(memory + 2 * kPage, 2 * kPage);
    EXPECT_ERRNO(EEXIST, map_at(memory + kPage, 2 * kPage, MAP_FIXED_NOREPLACE));
    EXPECT_EQ(memory + 2 * kPage, map_at(memory + 2 * kPage, kPage, MAP_FIXED_NOREPLACE));
}

TEST(Mmap, HintIsTakenWhenFree) {
    char* memory = map_pages(8);
    munmap(memory + 2 * kPage, 4 * kPage);
    EXPECT_EQ(memory + 3 * kPage, map_at(memory + 3 * kPage, kPage, 0));
    char* elsewhere = map_at(memory, kPage, 0);
    EXPECT_TRUE(elsewhere < memory || elsewhere >= memory + 8 * kPage || elsewhere == memory + 2 * kPage ||
                elsewhere >= memory + 4 * kPage);
    EXPECT_NE(memory, elsewhere);
    EXPECT_EQ(memory + 4 * kPage, map_at(memory + 4 * kPage + 77, kPage, 0)) << "rounded down";
}

TEST(Mmap, LowAddressesNeedPrivilege) {
    EXPECT_OK(mmap(reinterpret_cast<void*>(0x10000), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
    as_user(1000, [] {
        EXPECT_ERRNO(EPERM, mmap(nullptr, kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
        EXPECT_OK(mmap(reinterpret_cast<void*>(0x10000), kPage, kReadWrite, kPrivate | MAP_FIXED, -1, 0));
    });
}

TEST(Mmap, Below2GiBOnRequest) {
    char* memory = map_at(nullptr, kPage, MAP_32BIT);
    ASSERT_OK(memory);
    EXPECT_LT(reinterpret_cast<uintptr_t>(memory), 1UL << 31);
    memory[0] = 1;
}

TEST(Mmap, NoreserveTakesMoreThanThereIs) {
    char* memory = map_at(nullptr, 1UL << 40, MAP_NORESERVE);
    ASSERT_OK(memory);
    memory[1UL << 39] = 5;
    EXPECT_EQ(5, memory[1UL << 39]);
    EXPECT_EQ(0, memory[(1UL << 39) + kPage]);
    EXPECT_OK(munmap(memory, 1UL << 40));
}

TEST(Mmap, PopulateAndLockedAreResident) {
    char* memory = map_at(nullptr, 4 * kPage, MAP_POPULATE);
    unsigned char resident[4] = {};
    ASSERT_OK(mincore(memory, 4 * kPage, resident));
    for (unsigned char page : resident) {
        EXPECT_EQ(1, page & 1);
    }
    char* lazy = map_pages(4);
    lazy[kPage] = 1;
    ASSERT_OK(mincore(lazy, 4 * kPage, resident));
    EXPECT_EQ(0, resident[0] & 1);
    EXPECT_EQ(1, resident[1] & 1);
    EXPECT_OK(mlock(lazy, 4 * kPage));
    ASSERT_OK(mincore(lazy, 4 * kPage, resident));
    EXPECT_EQ(1, resident[3] & 1);
    EXPECT_OK(munlock(lazy, 4 * kPage));
    EXPECT_ERRNO(ENOMEM, mincore(reinterpret_cast<void*>(0x10000), kPage, resident));
    EXPECT_ERRNO(EINVAL, mincore(lazy + 1, kPage, resident));
}

TEST(Mmap, AddressSpaceLimit) {
    child([] {
        rlimit limit{64 << 20, 64 << 20};
        ASSERT_OK(setrlimit(RLIMIT_AS, &limit));
        EXPECT_ERRNO(ENOMEM, mmap(nullptr, 128 << 20, kReadWrite, kPrivate, -1, 0));
        EXPECT_OK(mmap(nullptr, 1 << 20, kReadWrite, kPrivate, -1, 0));
    });
}

TEST(Mmap, TheNumberOfMappingsIsASetting) {
    const std::string path = "/proc/sys/vm/max_map_count";
    const std::string before = read_file(path);
    write_file(path, "70000\n");
    EXPECT_EQ("70000\n", read_file(path));
    constexpr size_t kPages = 69000;  // each a mapping of its own: every other one is not writable
    char* at = map_at(nullptr, kPages * 4096, MAP_NORESERVE);
    ASSERT_NE(MAP_FAILED, static_cast<void*>(at));
    size_t cut = 1;
    while (cut < kPages && mprotect(at + cut * 4096, 4096, PROT_READ) == 0) {
        cut += 2;
    }
    EXPECT_LE(kPages, cut);
    munmap(at, kPages * 4096);
    write_file(path, before);
    EXPECT_EQ(before, read_file(path));
}

TEST(Mmap, TwoThreadsAtOnce) {
    auto work = [] {
        for (int i = 0; i < 200; i++) {
            char* memory = map_pages(3);
            memory[2 * kPage] = 1;
            memory[0] = 1;
            EXPECT_OK(munmap(memory + kPage, kPage));
            EXPECT_EQ(1, memory[0] & memory[2 * kPage]);
            EXPECT_OK(munmap(memory, 3 * kPage));
        }
    };
    std::thread other(work);
    work();
    other.join();
}

TEST(Mmap, TwoThreadsTouchTheSamePages) {
    for (int round = 0; round < 20; round++) {
        char* memory = map_pages(32);
        std::atomic<int> ready{0};
        auto touch = [&](int offset) {
            ready++;
            while (ready < 2) {
                sched_yield();
            }
            for (size_t i = 0; i < 32; i++) {
                reinterpret_cast<std::atomic<int>*>(memory + i * kPage)->fetch_add(offset);
            }
        };
        std::thread other([&] { touch(1); });
        touch(100);
        other.join();
        for (size_t i = 0; i < 32; i++) {
            ASSERT_EQ(101, *reinterpret_cast<int*>(memory + i * kPage));
        }
        munmap(memory, 32 * kPage);
    }
}

TEST(Munmap, MakesHoles) {
    char* memory = map_pages(5);
    memset(memory, 1, 5 * kPage);
    EXPECT_OK(munmap(memory + 2 * kPage, kPage));
    EXPECT_EQ("exit 0", outcome_of_read(memory + kPage));
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory + 2 * kPage));
    EXPECT_EQ("exit 0", outcome_of_read(memory + 3 * kPage));
    EXPECT_EQ(2, mappings_in(memory, 5 * kPage));
    EXPECT_OK(munmap(memory, 5 * kPage)) << "over the hole";
    EXPECT_OK(munmap(memory, 5 * kPage)) << "of nothing";
    EXPECT_EQ(0, mappings_in(memory, 5 * kPage));
}

TEST(Munmap, Errors) {
    char* memory = map_pages(1);
    EXPECT_ERRNO(EINVAL, munmap(memory + 1, kPage));
    EXPECT_ERRNO(EINVAL, munmap(memory, 0));
    EXPECT_ERRNO(EINVAL, munmap(memory, 1UL << 62));
    EXPECT_ERRNO(EINVAL, munmap(reinterpret_cast<void*>(0xffffffff80000000UL), kPage));
}

TEST(Munmap, AnotherThreadLosesThePageAtOnce) {
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    static char* memory = map_pages(1);
                    std::atomic<bool> running{false};
                    std::thread reader([&] {
                        for (;;) {
                            *reinterpret_cast<volatile char*>(memory) = 1;
                            running = true;
                        }
                    });
                    while (!running) {
                        sched_yield();
                    }
                    munmap(memory, kPage);
                    reader.join();
                }));
}

TEST(Mprotect, ChangesRightsPageByPage) {
    char* memory = map_pages(4);
    memset(memory, 1, 4 * kPage);
    ASSERT_OK(mprotect(memory + kPage, kPage, PROT_READ));
    ASSERT_OK(mprotect(memory + 2 * kPage, kPage, PROT_NONE));
    EXPECT_EQ("exit 0", outcome_of_write(memory));
    EXPECT_EQ("SIGSEGV", outcome_of_write(memory + kPage));
    EXPECT_EQ("exit 0", outcome_of_read(memory + kPage));
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory + 2 * kPage));
    EXPECT_EQ("exit 0", outcome_of_write(memory + 3 * kPage));
    EXPECT_EQ("r--p", permissions(memory + kPage));
    EXPECT_EQ("---p", permissions(memory + 2 * kPage));
    ASSERT_OK(mprotect(memory, 4 * kPage, kReadWrite));
    EXPECT_EQ(1, memory[2 * kPage]) << "the contents stay";
    EXPECT_EQ(1, mappings_in(memory, 4 * kPage)) << "and the pieces are one again";
}

TEST(Mprotect, Errors) {
    char* memory = map_pages(4);
    munmap(memory + 2 * kPage, kPage);
    EXPECT_ERRNO(EINVAL, mprotect(memory + 1, kPage, PROT_READ));
    EXPECT_ERRNO(ENOMEM, mprotect(memory, 4 * kPage, PROT_READ)) << "a hole";
    EXPECT_EQ("r--p", permissions(memory)) << "what lies before the hole has changed";
    EXPECT_EQ("rw-p", permissions(memory + 3 * kPage));
    EXPECT_ERRNO(EINVAL, mprotect(memory, kPage, 0x100));
    EXPECT_OK(mprotect(memory, 0, PROT_READ));
    write_file("f", "x");
    int file = open("f", O_RDONLY);
    void* mapped = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file, 0);
    EXPECT_ERRNO(EACCES, mprotect(mapped, kPage, kReadWrite)) << "the file is open for reading only";
}

TEST(Mprotect, CodeCanBeMadeAndRun) {
    char* memory = map_pages(1);
    memcpy(memory, "\xb8\x2a\x00\x00\x00\xc3", 6);  // mov $42, %eax; ret
    ASSERT_OK(mprotect(memory, kPage, PROT_READ | PROT_EXEC));
    EXPECT_EQ(42, reinterpret_cast<int (*)()>(memory)());
    ASSERT_OK(mprotect(memory, kPage, kReadWrite));
    memory[1] = 43;
    ASSERT_OK(mprotect(memory, kPage, PROT_READ | PROT_EXEC));
    EXPECT_EQ(43, reinterpret_cast<int (*)()>(memory)());
}

TEST(Mprotect, CopyOnWriteStaysThroughRightsAndBack) {
    char* memory = map_pages(1);
    memory[0] = 1;
    child([&] {
        ASSERT_OK(mprotect(memory, kPage, PROT_READ));
        ASSERT_OK(mprotect(memory, kPage, kReadWrite));
        memory[0] = 2;
    });
    EXPECT_EQ(1, memory[0]);
}

TEST(Mremap, GrowsInPlaceOrMoves) {
    char* memory = map_pages(4);
    memset(memory, 3, 4 * kPage);
    munmap(memory + 2 * kPage, 2 * kPage);
    EXPECT_EQ(memory, mremap(memory, 2 * kPage, 3 * kPage, 0));
    EXPECT_EQ(3, memory[0]);
    EXPECT_EQ(0, memory[2 * kPage]);
    ASSERT_EQ(memory + 3 * kPage, map_at(memory + 3 * kPage, kPage, MAP_FIXED));
    EXPECT_ERRNO(ENOMEM, mremap(memory, 3 * kPage, 4 * kPage, 0));
    char* moved = static_cast<char*>(mremap(memory, 3 * kPage, 8 * kPage, MREMAP_MAYMOVE));
    ASSERT_OK(moved);
    EXPECT_NE(memory, moved);
    EXPECT_EQ(3, moved[2 * kPage - 1]);
    EXPECT_EQ(0, moved[7 * kPage]);
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory));
}

TEST(Mremap, Shrinks) {
    char* memory = map_pages(4);
    memory[0] = 1;
    EXPECT_EQ(memory, mremap(memory, 4 * kPage, kPage, 0));
    EXPECT_EQ("SIGSEGV", outcome_of_read(memory + kPage));
    EXPECT_EQ(1, memory[0]);
}

TEST(Mremap, FixedMovesOverWhatIsThere) {
    char* from = map_pages(2);
    char* to = map_pages(2);
    memset(from, 1, 2 * kPage);
    memset(to, 2, 2 * kPage);
    EXPECT_EQ(to, mremap(from, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to));
    EXPECT_EQ(1, to[0]);
    EXPECT_EQ("SIGSEGV", outcome_of_read(from));
    EXPECT_ERRNO(EINVAL, mremap(to, 2 * kPage, 2 * kPage, MREMAP_FIXED, from));
    EXPECT_ERRNO(EINVAL, mremap(to, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to + kPage)) << "overlap";
}

TEST(Mremap, DontunmapLeavesEmptyPages) {
    char* from = map_pages(2);
    from[0] = 1;
    char* to = reinterpret_cast<char*>(syscall(SYS_mremap, from, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | 4, 0));
    ASSERT_OK(to);
    EXPECT_EQ(1, to[0]);
    EXPECT_EQ(0, from[0]);
}

TEST(Mremap, Errors) {
    char* memory = map_pages(2);
    EXPECT_ERRNO(EINVAL, mremap(memory + 1, kPage, kPage, 0));
    EXPECT_ERRNO(EINVAL, mremap(memory, kPage, 0, 0));
    EXPECT_ERRNO(EINVAL, mremap(memory, kPage, kPage, 8));
    EXPECT_ERRNO(EFAULT, mremap(reinterpret_cast<void*>(0x10000), kPage, 2 * kPage, MREMAP_MAYMOVE));
    munmap(memory + kPage, kPage);
    EXPECT_ERRNO(EFAULT, mremap(memory, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE)) << "not all of it is one mapping";
}

TEST(Madvise, DontneedGivesZeros) {
    char* memory = map_pages(3);
    memset(memory, 1, 3 * kPage);
    EXPECT_OK(madvise(memory + kPage, kPage, MADV_DONTNEED));
    EXPECT_EQ(1, memory[0]);
    EXPECT_EQ(0, memory[kPage]);
    EXPECT_EQ(1, memory[2 * kPage]);
}

TEST(Madvise, DontneedOfAFileGivesItsContents) {
    write_file("f", std::string(kPage, 'f'));
    int file = open("f", O_RDWR);
    char* memory = static_cast<char*>(mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE, file, 0));
    memory[0] = 'p';
    EXPECT_OK(madvise(memory, kPage, MADV_DONTNEED));
    EXPECT_EQ('f', memory[0]);
}

TEST(Madvise, Errors) {
    char* memory = map_pages(3);
    EXPECT_ERRNO(EINVAL, madvise(memory, kPage, 9999));
    EXPECT_ERRNO(EINVAL, madvise(memory + 1, kPage, MADV_DONTNEED));
    munmap(memory + kPage, kPage);
    memory[2 * kPage] = 1;
    EXPECT_ERRNO(ENOMEM, madvise(memory, 3 * kPage, MADV_DONTNEED)) << "a hole";
    EXPECT_EQ(0, memory[2 * kPage]) << "but all that is mapped is treated";
    for (int advice : {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_DONTDUMP}) {
        EXPECT_OK(madvise(memory, kPage, advice)) << advice;
    }
}

TEST(Brk, GrowsAndShrinks) {
    char* start = static_cast<char*>(sbrk(0));
    ASSERT_OK(sbrk(3 * kPage));
    memset(start, 1, 3 * kPage);
    ASSERT_OK(brk(start + kPage));
    char* boundary = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(start) + kPage + kPage - 1) & ~(kPage - 1));
    EXPECT_EQ("SIGSEGV", outcome_of_read(boundary + kPage));
    ASSERT_OK(brk(start + 3 * kPage));
    EXPECT_EQ(0, boundary[kPage]) << "new memory is zero";
}

TEST(Brk, RefusalReturnsTheOldEnd) {
    long end = syscall(SYS_brk, 0);
    EXPECT_EQ(end, syscall(SYS_brk, 1));
    EXPECT_EQ(end, syscall(SYS_brk, end + (1L << 46)));
    rlimit limit{1 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_DATA, &limit);
    EXPECT_EQ(end, syscall(SYS_brk, end + (64 << 20)));
}

TEST(Stack, GrowsOnDemandToItsLimit) {
    child([] {
        volatile char* here = static_cast<char*>(__builtin_frame_address(0));
        for (size_t depth = 0; depth < (6 << 20); depth += kPage) {
            here[-static_cast<ptrdiff_t>(depth)] = 1;
        }
        EXPECT_EQ(1, here[-static_cast<ptrdiff_t>(5 << 20)]);
    });
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    rlimit limit{1 << 20, RLIM_INFINITY};
                    setrlimit(RLIMIT_STACK, &limit);
                    volatile char* here = static_cast<char*>(__builtin_frame_address(0));
                    for (size_t depth = 0; depth < (2 << 20); depth += kPage) {
                        here[-static_cast<ptrdiff_t>(depth)] = 1;
                    }
                }));
}

TEST(Stack, GuardGapKeepsMappingsAway) {
    // A mapping is put two pages below the stack: the stack must not grow up against it.
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    std::string text = read_file("/proc/self/maps");
                    size_t at = text.rfind('\n', text.find("[stack]")) + 1;
                    auto bottom = reinterpret_cast<char*>(strtoul(text.c_str() + at, nullptr, 16));
                    ASSERT_EQ(bottom - 4 * kPage, map_at(bottom - 4 * kPage, kPage, MAP_FIXED));
                    *reinterpret_cast<volatile char*>(bottom - 1) = 1;
                }));
}

TEST(Stack, GrowsdownMappings) {
    child([] {
        char* memory = map_pages(600);
        munmap(memory, 600 * kPage);
        char* top = map_at(memory + 590 * kPage, kPage, MAP_GROWSDOWN | MAP_FIXED);
        ASSERT_OK(top);
        *reinterpret_cast<volatile char*>(top - 8) = 1;
        *reinterpret_cast<volatile char*>(top - 10 * static_cast<ptrdiff_t>(kPage)) = 1;
    });
}

TEST(Maps, ShowWhatIsMapped) {
    char* memory = map_pages(3, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    EXPECT_EQ("rw-s", permissions(memory));
    EXPECT_EQ("rw-p", permissions(__builtin_frame_address(0)));
    EXPECT_EQ("r-xp", permissions(reinterpret_cast<const void*>(&map_at)));
    std::string text = read_file("/proc/self/maps");
    for (const char* name : {"[heap]", "[stack]", "[vdso]", "[vvar"}) {
        EXPECT_NE(std::string::npos, text.find(name)) << name;
    }
    EXPECT_NE(std::string::npos, text.find("abi_tests\n"));
}
