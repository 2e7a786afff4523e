#include "arch/x86_64/smp/tsc_check.h"

#include "arch/x86_64/time/counter.h"

namespace cairn::arch {

namespace {

/// A round takes a microsecond when both CPUs run. Where a hypervisor runs them by turns it takes
/// milliseconds and says little, so then a few must do.
constexpr u32 kMostRounds = 64;
constexpr u32 kLeastRounds = 4;
constexpr Nanoseconds kEnoughTime = Nanoseconds::from_milliseconds(1);
constexpr u32 kFinished = ~u32{0};
/// The first answer comes when the CPU is set up, the others at once unless a hypervisor pauses it.
constexpr Nanoseconds kAnswerTime = Nanoseconds::from_seconds(1);

}  // namespace

Result<u64> TscCheck::ask() {
    u64 worst = 0;
    Nanoseconds enough = Nanoseconds::never();  // counts from the first answer
    for (u32 round = 0; round < kMostRounds; ++round) {
        Nanoseconds now = monotonic_now();
        if (round == 1) {
            enough = now + kEnoughTime;
        } else if (round >= kLeastRounds && now > enough) {
            break;
        }
        u32 question = 2 * round + 1;
        Nanoseconds deadline = now + kAnswerTime;
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
