/// The vDSO as the kernel maps it, on the Linux that runs the test: its functions are found as a C library finds them,
/// called, and compared with the clock that the data page describes.

#include <elf.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "arch/x86_64/time/counter.h"
#include "arch/x86_64/vdso/data.h"
#include "arch/x86_64/vdso/user/read_clock.h"
#include "kernel/base/address.h"

namespace cairn::arch {
namespace {

constexpr u64 kSecond = 1'000'000'000;

/// All clocks of a counter that runs at one tick a nanosecond.
VdsoParameters parameters_at(u64 counter, u64 monotonic, u64 wall) {
    VdsoParameters made{0xf3, counter, TickScale::to_nanoseconds(kSecond), {}};
    for (u32 clock = 0; clock < kVdsoClocks; ++clock) {
        made.base[clock] = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? wall : monotonic;
    }
    return made;
}

/// Image and data page in memory, with the symbols by name.
class LoadedVdso {
public:
    LoadedVdso() {
        std::ifstream file(CAIRN_VDSO, std::ios::binary);
        std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        size_ = kPageSize + align_up(bytes.size(), kPageSize);
        memory_ =
            static_cast<char*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        std::memcpy(memory_ + kPageSize, bytes.data(), bytes.size());
        ::mprotect(memory_ + kPageSize, size_ - kPageSize, PROT_READ | PROT_EXEC);
        std::construct_at(&data());
        read_symbols();
    }
    ~LoadedVdso() { ::munmap(memory_, size_); }

    VdsoData& data() { return *reinterpret_cast<VdsoData*>(memory_); }
    const std::map<std::string, std::string>& versions() const { return versions_; }

    template <typename Signature>
    Signature* function(const std::string& name) {
        auto found = symbols_.find(name);
        EXPECT_NE(found, symbols_.end()) << name;
        return reinterpret_cast<Signature*>(found->second);
    }

    /// Wall time is `offset` ahead; the counter runs at one tick a nanosecond.
    void start_clock(u64 base_time, u64 offset) {
        data().parameters = parameters_at(read_counter(), base_time, base_time + offset);
    }

private:
    template <typename T>
    T* at(u64 offset) {
        return reinterpret_cast<T*>(memory_ + kPageSize + offset);
    }
    /// Through the dynamic section and the System V hash table, which is what musl does; no section headers.
    void read_symbols() {
        auto* header = at<Elf64_Ehdr>(0);
        ASSERT_EQ(std::memcmp(header->e_ident, ELFMAG, SELFMAG), 0);
        std::map<i64, u64> dynamic;
        for (int i = 0; i < header->e_phnum; ++i) {
            auto* row = at<Elf64_Phdr>(header->e_phoff) + i;
            if (row->p_type == PT_LOAD) {
                EXPECT_EQ(row->p_vaddr, 0u);
                EXPECT_EQ(row->p_flags, u32{PF_R | PF_X});
            }
            for (auto* entry = at<Elf64_Dyn>(row->p_vaddr); row->p_type == PT_DYNAMIC && entry->d_tag != DT_NULL;
                 ++entry) {
                dynamic[entry->d_tag] = entry->d_un.d_val;
            }
        }
        for (i64 tag : {DT_HASH, DT_GNU_HASH, DT_STRTAB, DT_SYMTAB, DT_VERSYM, DT_VERDEF}) {
            ASSERT_TRUE(dynamic.contains(tag)) << tag;
        }
        EXPECT_FALSE(dynamic.contains(DT_RELA));
        const char* strings = at<char>(dynamic[DT_STRTAB]);
        std::map<u16, std::string> version_names;
        for (auto* version = at<Elf64_Verdef>(dynamic[DT_VERDEF]);;) {
            auto* name = reinterpret_cast<Elf64_Verdaux*>(reinterpret_cast<char*>(version) + version->vd_aux);
            version_names[version->vd_ndx] = strings + name->vda_name;
            if (version->vd_next == 0) {
                break;
            }
            version = reinterpret_cast<Elf64_Verdef*>(reinterpret_cast<char*>(version) + version->vd_next);
        }
        u32 count = at<u32>(dynamic[DT_HASH])[1];
        for (u32 i = 1; i < count; ++i) {
            auto* symbol = at<Elf64_Sym>(dynamic[DT_SYMTAB]) + i;
            if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC) {
                symbols_[strings + symbol->st_name] = memory_ + kPageSize + symbol->st_value;
                versions_[strings + symbol->st_name] = version_names[at<u16>(dynamic[DT_VERSYM])[i] & 0x7fff];
            }
        }
    }

    char* memory_ = nullptr;
    u64 size_ = 0;
    std::map<std::string, char*> symbols_;
    std::map<std::string, std::string> versions_;
};

using ClockFunction = int(clockid_t, timespec*);

u64 nanoseconds(const timespec& time) {
    return static_cast<u64>(time.tv_sec) * kSecond + static_cast<u64>(time.tv_nsec);
}

TEST(Vdso, ExportsWhatLinuxExports) {
    LoadedVdso vdso;
    std::map<std::string, std::string> expected;
    for (const char* name : {"clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"}) {
        expected[name] = "LINUX_2.6";
        expected[std::string("__vdso_") + name] = "LINUX_2.6";
    }
    EXPECT_EQ(vdso.versions(), expected);
}

TEST(Vdso, TellsTheTimeOfThePage) {
    LoadedVdso vdso;
    constexpr u64 kBase = 5 * kSecond;
    constexpr u64 kOffset = 1'700'000'000 * kSecond + 987'654'321;
    vdso.start_clock(kBase, kOffset);
    auto* clock_gettime = vdso.function<ClockFunction>("__vdso_clock_gettime");
    u64 previous = kBase;
    for (clockid_t clock : {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE}) {
        timespec time = {};
        ASSERT_EQ(clock_gettime(clock, &time), 0);
        EXPECT_GE(nanoseconds(time), previous) << clock;
        EXPECT_LT(nanoseconds(time), kBase + 600 * kSecond);
        EXPECT_LT(time.tv_nsec, 1'000'000'000);
        previous = nanoseconds(time);
    }
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_REALTIME_COARSE}) {
        timespec time = {};
        ASSERT_EQ(clock_gettime(clock, &time), 0);
        EXPECT_GE(nanoseconds(time), previous + (clock == CLOCK_REALTIME ? kOffset : 0)) << clock;
        EXPECT_LT(nanoseconds(time), kBase + kOffset + 600 * kSecond);
        previous = nanoseconds(time);
    }
    timeval seconds = {};
    EXPECT_EQ((vdso.function<int(timeval*, void*)>("gettimeofday")(&seconds, nullptr)), 0);
    EXPECT_GE(static_cast<u64>(seconds.tv_sec) * kSecond + static_cast<u64>(seconds.tv_usec) * 1000 + 999, previous);
    EXPECT_LT(seconds.tv_usec, 1'000'000);
    EXPECT_EQ((vdso.function<int(timeval*, void*)>("gettimeofday")(nullptr, nullptr)), 0);
    time_t stored = 0;
    time_t returned = vdso.function<time_t(time_t*)>("time")(&stored);
    EXPECT_EQ(stored, returned);
    EXPECT_GE(static_cast<u64>(returned), kOffset / kSecond);
    EXPECT_GE(vdso.function<time_t(time_t*)>("time")(nullptr), returned);
}

TEST(Vdso, LeavesTheRestToTheKernel) {
    LoadedVdso vdso;
    auto* clock_gettime = vdso.function<ClockFunction>("clock_gettime");
    auto expect_kernel_time = [&](clockid_t clock) {
        timespec before = {};
        timespec time = {};
        timespec after = {};
        ::syscall(SYS_clock_gettime, clock, &before);
        ASSERT_EQ(clock_gettime(clock, &time), 0);
        ::syscall(SYS_clock_gettime, clock, &after);
        EXPECT_LE(nanoseconds(before), nanoseconds(time)) << clock;
        EXPECT_LE(nanoseconds(time), nanoseconds(after)) << clock;
    };
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_TAI}) {
        expect_kernel_time(clock);  // no clock that it could read
    }
    time_t kernel_seconds = static_cast<time_t>(::syscall(SYS_time, nullptr));
    EXPECT_GE(vdso.function<time_t(time_t*)>("time")(nullptr), kernel_seconds);
    timeval kernel_time = {};
    EXPECT_EQ((vdso.function<int(timeval*, void*)>("gettimeofday")(&kernel_time, nullptr)), 0);
    EXPECT_GE(kernel_time.tv_sec, kernel_seconds);

    vdso.start_clock(0, 0);
    for (clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_TAI}) {
        expect_kernel_time(clock);
    }
    timespec time = {};
    EXPECT_EQ(clock_gettime(12345, &time), -EINVAL);
    EXPECT_EQ(clock_gettime(-1, &time), static_cast<int>(::syscall(SYS_clock_gettime, -1, &time)) == 0 ? 0 : -errno);
    timeval day = {};
    struct timezone zone = {1, 1};
    EXPECT_EQ((vdso.function<int(timeval*, void*)>("gettimeofday")(&day, &zone)), 0);
    EXPECT_GT(day.tv_sec, 1'000'000'000);  // the kernel's, not the page's
}

TEST(Vdso, KnowsResolutions) {
    LoadedVdso vdso;
    auto* clock_getres = vdso.function<ClockFunction>("__vdso_clock_getres");
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME}) {
        timespec resolution = {7, 7};
        EXPECT_EQ(clock_getres(clock, &resolution), 0);
        EXPECT_EQ(nanoseconds(resolution), 1u);
        EXPECT_EQ(clock_getres(clock, nullptr), 0);
    }
    timespec ours = {};
    timespec kernels = {};
    EXPECT_EQ(clock_getres(CLOCK_REALTIME_COARSE, &ours), 0);
    ::syscall(SYS_clock_getres, CLOCK_REALTIME_COARSE, &kernels);
    EXPECT_EQ(nanoseconds(ours), nanoseconds(kernels));
    EXPECT_EQ(clock_getres(12345, &ours), -EINVAL);
}

TEST(Vdso, KnowsItsCpu) {
    LoadedVdso vdso;
    auto* getcpu = vdso.function<int(unsigned*, unsigned*, void*)>("__vdso_getcpu");
    cpu_set_t before;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &before)) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
            unsigned number = ~0u;
            unsigned node = ~0u;
            EXPECT_EQ(getcpu(&number, &node, nullptr), 0);
            EXPECT_EQ(number, cpu);
            EXPECT_LT(node, 256u);
            EXPECT_EQ(getcpu(nullptr, nullptr, nullptr), 0);
        }
    }
    ::sched_setaffinity(0, sizeof(before), &before);
}

TEST(Vdso, CounterBehindItsBaseIsTheBase) {
    constexpr TickScale kScale = TickScale::to_nanoseconds(kSecond);
    EXPECT_EQ(elapsed_time(kScale, u64{999} - 1000), 0u);
    EXPECT_EQ(elapsed_time(kScale, 0), 0u);
    EXPECT_EQ(elapsed_time(kScale, 10), 10u);
}

TEST(Vdso, ReaderNeverSeesHalfAChange) {
    VdsoData data;
    std::atomic<bool> stop{false};
    // Two states that a mixture of them would be told from: when the counter is at 0, both show the same time.
    constexpr u64 kTime = 10'000;
    auto write = [&](u64 elapsed) {
        u32 sequence = data.sequence;
        __atomic_store_n(&data.sequence, sequence + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        data.parameters = parameters_at(0 - elapsed, kTime - elapsed, kTime - elapsed);
        __atomic_store_n(&data.sequence, sequence + 2, __ATOMIC_RELEASE);
    };
    write(1000);
    std::thread writer([&] {
        for (u64 i = 0; !stop.load(); ++i) {
            write(i % 2 == 0 ? 1000 : 2000);
        }
    });
    for (int i = 0; i < 100'000; ++i) {
        u64 time = 0;
        ASSERT_TRUE(read_clock(data, CLOCK_REALTIME, [] { return u64{0}; }, time));
        ASSERT_EQ(time, kTime);
    }
    stop = true;
    writer.join();
}

}  // namespace
}  // namespace cairn::arch
