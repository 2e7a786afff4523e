/// The code of the vDSO (vdso(7)): runs in programs, with nothing but the page below it. Whatever it
/// cannot do it leaves to the system call of the same name. Bad pointers fault here, as they do in
/// Linux's.

#include "arch/x86_64/time/counter.h"
#include "arch/x86_64/vdso/user/read_clock.h"

/// Placed by vdso.ld: the page before the image. Not const to the compiler, since it changes.
extern "C" [[gnu::visibility("hidden")]] cairn::arch::VdsoData vdso_data;

namespace {

using namespace cairn;

constexpr u64 kNanosecondsPerSecond = 1'000'000'000;
constexpr u64 kNanosecondsPerMicrosecond = 1'000;

enum Call : i64 {
    kCallGettimeofday = 96,
    kCallTime = 201,
    kCallClockGettime = 228,
    kCallClockGetres = 229,
};

struct Timespec {
    i64 seconds;
    i64 nanoseconds;
};
struct Timeval {
    i64 seconds;
    i64 microseconds;
};

i64 system_call(Call number, u64 first, u64 second) {
    i64 result;
    // SAFETY: SYSCALL destroys RCX and R11; the kernel checks the arguments.
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
    return result;
}

template <typename T>
u64 argument(T* pointer) {
    return reinterpret_cast<u64>(pointer);
}

bool read(u32 clock, u64& time) {
    return arch::read_clock(vdso_data, clock, arch::read_counter, time);
}

void store(u64 nanoseconds, Timespec* time) {
    time->seconds = static_cast<i64>(nanoseconds / kNanosecondsPerSecond);
    time->nanoseconds = static_cast<i64>(nanoseconds % kNanosecondsPerSecond);
}

[[gnu::noinline]] int get_time_slowly(i32 clock, Timespec* time) {
    u64 now = 0;
    if (!read(static_cast<u32>(clock), now)) {
        return static_cast<int>(system_call(kCallClockGettime, static_cast<u64>(clock), argument(time)));
    }
    store(now, time);
    return 0;
}

}  // namespace

extern "C" {

// Names of programs' world: what the version script exports.
int __vdso_clock_gettime(i32 clock, Timespec* time) {
    // One try stands here, and what may follow it in a function of its own: this one saves no registers.
    u64 now = 0;
    if (arch::try_read_clock(vdso_data, static_cast<u32>(clock), arch::read_counter, now) != arch::Reading::Done)
        [[unlikely]] {
        return get_time_slowly(clock, time);
    }
    store(now, time);
    return 0;
}

int __vdso_gettimeofday(Timeval* time, void* zone) {
    u64 now = 0;
    if (zone != nullptr || !read(arch::kVdsoRealtime, now)) {
        return static_cast<int>(system_call(kCallGettimeofday, argument(time), argument(zone)));
    }
    if (time != nullptr) {
        time->seconds = static_cast<i64>(now / kNanosecondsPerSecond);
        time->microseconds = static_cast<i64>(now % kNanosecondsPerSecond / kNanosecondsPerMicrosecond);
    }
    return 0;
}

i64 __vdso_time(i64* time) {
    u64 now = 0;
    if (!read(arch::kVdsoRealtime, now)) {
        return system_call(kCallTime, argument(time), 0);
    }
    i64 seconds = static_cast<i64>(now / kNanosecondsPerSecond);
    if (time != nullptr) {
        *time = seconds;
    }
    return seconds;
}

/// The coarse clocks' resolution is the kernel's affair.
int __vdso_clock_getres(i32 clock, Timespec* resolution) {
    const u32 number = static_cast<u32>(clock);
    bool fine = number == arch::kVdsoRealtime || number == arch::kVdsoMonotonic || number == arch::kVdsoMonotonicRaw ||
                number == arch::kVdsoBoottime;
    if (!fine) {
        return static_cast<int>(system_call(kCallClockGetres, static_cast<u64>(clock), argument(resolution)));
    }
    if (resolution != nullptr) {
        *resolution = {0, 1};
    }
    return 0;
}

/// Without a system call and without asking what the CPU can do: the limit of a segment that each CPU
/// has in its own descriptor table.
int __vdso_getcpu(u32* cpu, u32* node, void*) {
    u32 number = 0;
    // SAFETY: LSL reads a descriptor's limit; without the descriptor it leaves the zero.
    asm volatile("lsl %1, %0" : "+r"(number) : "r"(u32{arch::kCpuNumberSelector}) : "cc");
    if (cpu != nullptr) {
        *cpu = number & ((1u << arch::kCpuNumberBits) - 1);
    }
    if (node != nullptr) {
        *node = number >> arch::kCpuNumberBits;
    }
    return 0;
}

[[gnu::weak, gnu::alias("__vdso_clock_gettime")]] int clock_gettime(i32, Timespec*);
[[gnu::weak, gnu::alias("__vdso_gettimeofday")]] int gettimeofday(Timeval*, void*);
[[gnu::weak, gnu::alias("__vdso_time")]] i64 time(i64*);
[[gnu::weak, gnu::alias("__vdso_clock_getres")]] int clock_getres(i32, Timespec*);
[[gnu::weak, gnu::alias("__vdso_getcpu")]] int getcpu(u32*, u32*, void*);
}
