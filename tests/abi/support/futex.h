// What the tests of futexes share: the call, a thread that waits, points in time, robust lists.
#pragma once

#include "tests/abi/support/abi.h"

namespace abi_test {

inline long futex(void* word, int what, unsigned value, const timespec* limit = nullptr, void* second = nullptr,
                  unsigned value3 = 0) {
    return syscall(SYS_futex, word, what, value, limit, second, value3);
}

// A thread that waits on a word, known to sleep before the constructor returns.
class Waiter {
public:
    explicit Waiter(std::atomic<unsigned>* word, unsigned bits = ~0U) {
        thread_ = std::thread([this, word, bits] {
            tid_ = static_cast<pid_t>(syscall(SYS_gettid));
            result_ = futex(word, FUTEX_WAIT_BITSET, *word, nullptr, nullptr, bits);
            done_ = true;
        });
        while (tid_ == 0) {
            sleep_ms(1);
        }
        wait_until_asleep(tid_);
    }
    bool done() const { return done_; }
    long join() {
        thread_.join();
        return result_;
    }

private:
    std::thread thread_;
    std::atomic<pid_t> tid_{0};
    std::atomic<bool> done_{false};
    long result_ = -2;
};

inline timespec in_ms(int64_t milliseconds, clockid_t clock) {
    int64_t at = now_ns(clock) + milliseconds * 1'000'000;
    return {at / 1'000'000'000, at % 1'000'000'000};
}

struct RobustNode {
    RobustNode* next;
    unsigned word;
};
struct RobustHead {
    RobustNode* next;
    long offset;
    RobustNode* pending;
};

inline pid_t own_tid() {
    return static_cast<pid_t>(syscall(SYS_gettid));
}

// The fourth argument where it is a number.
inline timespec* number(long value) {
    return reinterpret_cast<timespec*>(value);
}

// A thread that runs the body, known to sleep (or to have ended) when the constructor is done.
class Sleeper {
public:
    explicit Sleeper(const Body& body) {
        thread_ = std::thread([this, body] {
            tid_ = own_tid();
            body();
            done_ = true;
        });
        while (tid_ == 0) {
            sleep_ms(1);  // not a yield: whoever makes it may have been lent a real-time priority
        }
        wait_until_asleep(tid_);
    }
    pid_t tid() const { return tid_; }
    bool done() const { return done_; }
    void join() { thread_.join(); }

private:
    std::thread thread_;
    std::atomic<pid_t> tid_{0};
    std::atomic<bool> done_{false};
};

}  // namespace abi_test
