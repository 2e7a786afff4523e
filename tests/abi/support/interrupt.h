// EINTR against restart, call by call.
//
// A repeating timer sends SIGALRM. The first signal must end a call that is not restarted; with SA_RESTART a
// restarted call goes on until the third signal's handler makes what it waits for happen. No signal can come
// too early: if the call has not begun, the next tick finds it.
#pragma once

#include "tests/abi/support/abi.h"

namespace abi_test {

inline volatile int ticks;
inline std::function<void()> finish;

inline void on_tick(int) {
    ticks = ticks + 1;
    if (ticks == 3 && finish) {
        finish();
    }
}

inline void start_ticking(int flags) {
    ticks = 0;
    handle(SIGALRM, on_tick, flags);
    itimerval every{{0, 5000}, {0, 5000}};
    ASSERT_OK(setitimer(ITIMER_REAL, &every, nullptr));
}

inline void stop_ticking() {
    itimerval none{};
    setitimer(ITIMER_REAL, &none, nullptr);
}

enum class Restarts { Yes, Never };

// The call returns -1 and EINTR without SA_RESTART; with it the same, or what `expected` says.
inline void check(Restarts restarts, const std::function<long()>& call, const std::function<void()>& end,
                  long expected) {
    finish = end;
    start_ticking(0);
    errno = 0;
    long result = call();
    int code = errno;
    stop_ticking();
    EXPECT_EQ(-1, result) << "without SA_RESTART";
    EXPECT_EQ("EINTR", errno_name(code));
    start_ticking(SA_RESTART);
    errno = 0;
    result = call();
    code = errno;
    stop_ticking();
    if (restarts == Restarts::Yes) {
        EXPECT_EQ(expected, result) << "with SA_RESTART: " << errno_name(code);
        EXPECT_GE(ticks, 3);
    } else {
        EXPECT_EQ(-1, result) << "with SA_RESTART";
        EXPECT_EQ("EINTR", errno_name(code));
    }
}

}  // namespace abi_test
