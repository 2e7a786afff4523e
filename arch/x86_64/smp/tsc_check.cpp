#include "arch/x86_64/smp/tsc_check.h"

#include "arch/x86_64/time/counter.h"

namespace cairn::arch {

namespace {

constexpr u32 kRounds = 64;
constexpr u32 kFinished = ~u32{0};
/// The first answer comes when the CPU is set up, the others at once unless a hypervisor pauses it.
constexpr Nanoseconds kAnswerTime = Nanoseconds::from_seconds(1);

}  // namespace

Result<u64> TscCheck::ask() {
    u64 worst = 0;
    for (u32 round = 0; round < kRounds; ++round) {
        u32 question = 2 * round + 1;
        Nanoseconds deadline = monotonic_now() + kAnswerTime;
        u64 before = read_counter();
        turn_.store(question, Order::release);
        while (turn_.load(Order::acquire) == question) {
            if (monotonic_now() > deadline) {
                turn_.store(kFinished, Order::release);
                return fail(Errno::etimedout);
            }
        }
        u64 after = read_counter();
        u64 other = answer_.load(Order::relaxed);
        u64 violation = other < before ? before - other : (other > after ? other - after : 0);
        worst = violation > worst ? violation : worst;
    }
    turn_.store(kFinished, Order::release);
    return worst;
}

void TscCheck::answer() {
    for (u32 question = 1;;) {
        u32 turn = turn_.load(Order::acquire);
        if (turn == kFinished) {
            return;
        }
        if (turn != question) {
            cpu_relax();
            continue;
        }
        answer_.store(read_counter(), Order::relaxed);
        // Fails when the asker has given up in the meantime.
        if (!turn_.compare_exchange(turn, question + 1, Order::release, Order::relaxed)) {
            return;
        }
        question += 2;
    }
}

}  // namespace cairn::arch
