/// The code of the vDSO (vdso(7)): runs in programs, with nothing but the page below it. Whatever it
/// cannot do it leaves to the system call of the same name. Bad pointers fault here, as they do in
/// Linux's.

#include "arch/x86_64/time/counter.h"
#include "arch/x86_64/vdso/user/read_clock.h"

/// Placed by vdso.ld: the page before the image. Not const to the compiler, since it changes.
extern "C" [[gnu::visibility("hidden")]] cairn::arch::VdsoData vdso_data;

namespace {

using namespace cairn;
using arch::Moment;

constexpr u64 kNanosecondsPerSecond = 1'000'000'000;
constexpr u64 kNanosecondsPerMicrosecond = 1'000;

// clock_gettime(2).
enum Clock : i32 {
    kRealtime = 0,
    kMonotonic = 1,
    kMonotonicRaw = 4,
    kRealtimeCoarse = 5,
    kMonotonicCoarse = 6,
    kBoottime = 7,
};

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

Moment now() {
    return arch::read_clock(vdso_data, arch::read_counter);
}

/// Which of the two clocks a clock is; nothing slews or suspends, so there are no others.
enum class Kind : u8 { Wall, Monotonic, Other };
Kind kind_of(i32 clock) {
    switch (clock) {
        case kRealtime:
        case kRealtimeCoarse:
            return Kind::Wall;
        case kMonotonic:
        case kMonotonicRaw:
        case kMonotonicCoarse:
        case kBoottime:
            return Kind::Monotonic;
        default:
            return Kind::Other;
    }
}

}  // namespace

extern "C" {

// Names of programs' world: what the version script exports.
int __vdso_clock_gettime(i32 clock, Timespec* time) {
    Kind kind = kind_of(clock);
    Moment moment = kind == Kind::Other ? Moment{} : now();
    if (!moment.valid) {
        return static_cast<int>(system_call(kCallClockGettime, static_cast<u64>(clock), argument(time)));
    }
    u64 value = kind == Kind::Wall ? moment.wall : moment.monotonic;
    time->seconds = static_cast<i64>(value / kNanosecondsPerSecond);
    time->nanoseconds = static_cast<i64>(value % kNanosecondsPerSecond);
    return 0;
}

int __vdso_gettimeofday(Timeval* time, void* zone) {
    Moment moment = zone != nullptr ? Moment{} : now();
    if (!moment.valid) {
        return static_cast<int>(system_call(kCallGettimeofday, argument(time), argument(zone)));
    }
    if (time != nullptr) {
        time->seconds = static_cast<i64>(moment.wall / kNanosecondsPerSecond);
        time->microseconds = static_cast<i64>(moment.wall % kNanosecondsPerSecond / kNanosecondsPerMicrosecond);
    }
    return 0;
}

i64 __vdso_time(i64* time) {
    Moment moment = now();
    if (!moment.valid) {
        return system_call(kCallTime, argument(time), 0);
    }
    i64 seconds = static_cast<i64>(moment.wall / kNanosecondsPerSecond);
    if (time != nullptr) {
        *time = seconds;
    }
    return seconds;
}

/// The coarse clocks' resolution is the kernel's affair.
int __vdso_clock_getres(i32 clock, Timespec* resolution) {
    bool fine = clock == kRealtime || clock == kMonotonic || clock == kMonotonicRaw || clock == kBoottime;
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
