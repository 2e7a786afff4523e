// For cases about processor time.
#pragma once

#include "tests/abi/support/abi.h"

namespace abi_test {

inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kTick = 10 * kMs;
inline constexpr clockid_t kProcess = CLOCK_PROCESS_CPUTIME_ID;
inline constexpr clockid_t kThread = CLOCK_THREAD_CPUTIME_ID;

inline int64_t ns(const timespec& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}
inline int64_t ns(const timeval& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_usec * 1000;
}

// Works without system calls for a moment.
inline void work() {
    static volatile int sink;
    for (int i = 0; i < 20'000; i++) {
        sink = i;
    }
}
inline void work_for(int64_t length, clockid_t clock = kThread) {
    for (int64_t end = now_ns(clock) + length; now_ns(clock) < end;) {
        work();
    }
}
[[noreturn]] inline void work_for_ever() {
    for (;;) {
        work();
    }
}

}  // namespace abi_test
