#include "kernel/syscall/futexes.h"

#include "kernel/base/own.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/futex.h"

namespace cairn::syscall {

using task::FutexWord;

namespace {

constexpr i32 kWait = 0, kWake = 1, kRequeue = 3, kCompareRequeue = 4, kWakeOperation = 5, kLockPi = 6, kUnlockPi = 7;
constexpr i32 kTryLockPi = 8, kWaitBitset = 9, kWakeBitset = 10, kWaitRequeuePi = 11, kCompareRequeuePi = 12;
constexpr i32 kLockPi2 = 13;
constexpr i32 kPrivateFlag = 128, kClockRealtime = 256;

enum class TimeoutKind : u8 { Relative, Absolute, AbsoluteRealtime };

/// As a deadline of the monotonic clock. Null: never.
Result<Nanoseconds> deadline_of(u64 timeout, TimeoutKind kind) {
    if (timeout == 0) {
        return Nanoseconds::never();
    }
    const TimeSpecification time = TRY(UserIn<TimeSpecification>(timeout).fetch());
    const Nanoseconds length = TRY(duration_of(time));
    switch (kind) {
        case TimeoutKind::Relative:
            return time::now() + length;
        case TimeoutKind::Absolute:
            return length;
        case TimeoutKind::AbsoluteRealtime:
            return time::now() + (length - time::wall_now());
    }
    __builtin_unreachable();
}

Result<u64> wait_again(Caller& self, const u64 (&data)[6]);

Result<u64> wait(Caller& self, const FutexWord& word, u32 expected, u32 bitset, Nanoseconds deadline) {
    Result<void> waited = task::futex_wait(word, expected, bitset, deadline);
    if (waited.ok()) {
        return u64{0};
    }
    if (waited.error() == Errno::eintr && deadline != Nanoseconds::never()) {
        return self.interrupted(
            {&wait_again, {word.address, static_cast<u64>(word.scope), expected, bitset, deadline.value}});
    }
    return waited.failure();
}

Result<u64> wait_again(Caller& self, const u64 (&data)[6]) {
    const FutexWord word{data[0], static_cast<mm::AddressSpace::FutexScope>(data[1])};
    return wait(self, word, static_cast<u32>(data[2]), static_cast<u32>(data[3]), {data[4]});
}

/// A result without a value.
Result<u64> done(Result<void> result) {
    if (!result.ok()) {
        return result.failure();
    }
    return u64{0};
}
/// The same for waits that begin again whatever a signal's handler says.
Result<u64> done_or_again(Caller& self, Result<void> result) {
    if (!result.ok() && result.error() == Errno::eintr) {
        self.task.set_restart(task::RestartKind::Always);
    }
    return done(std::move(result));
}
Result<u64> counted(Result<u32> result) {
    if (!result.ok()) {
        return result.failure();
    }
    return u64{result.value()};
}

}  // namespace

/// futex(2)
Result<u64> sys_futex(Caller& self, u64 address, i32 operation, u32 value, u64 timeout, u64 second, u32 third) {
    const i32 command = operation & ~(kPrivateFlag | kClockRealtime);
    const bool realtime = (operation & kClockRealtime) != 0;
    const auto scope =
        (operation & kPrivateFlag) != 0 ? mm::AddressSpace::FutexScope::Private : mm::AddressSpace::FutexScope::Shared;
    if (realtime && command != kWaitBitset && command != kWaitRequeuePi && command != kLockPi2) {
        return fail(Errno::enosys);
    }
    const FutexWord word{address, scope};
    const FutexWord other{second, scope};
    const u32 count = static_cast<u32>(timeout);  // the fourth argument is a number for some commands
    const TimeoutKind absolute = realtime ? TimeoutKind::AbsoluteRealtime : TimeoutKind::Absolute;
    switch (command) {
        case kWait:
            return wait(self, word, value, task::kMatchAny, TRY(deadline_of(timeout, TimeoutKind::Relative)));
        case kWaitBitset:
            return wait(self, word, value, third, TRY(deadline_of(timeout, absolute)));
        case kWake:
            return counted(task::futex_wake(word, value, task::kMatchAny));
        case kWakeBitset:
            return counted(task::futex_wake(word, value, third));
        case kRequeue:
        case kCompareRequeue:
            if (static_cast<i32>(value) < 0 || static_cast<i32>(count) < 0) {
                return fail(Errno::einval);
            }
            return counted(task::futex_requeue(word, other, value, count, command == kRequeue ? nullptr : &third));
        case kWakeOperation:
            return counted(task::futex_wake_operation(word, other, value, count, third));
        case kLockPi:
            return done_or_again(
                self, task::futex_lock_pi(word, TRY(deadline_of(timeout, TimeoutKind::AbsoluteRealtime)), false));
        case kLockPi2:
            return done_or_again(self, task::futex_lock_pi(word, TRY(deadline_of(timeout, absolute)), false));
        case kTryLockPi:
            return done(task::futex_lock_pi(word, Nanoseconds::never(), true));
        case kUnlockPi:
            return done(task::futex_unlock_pi(word));
        case kWaitRequeuePi:
            return done_or_again(self, task::futex_wait_requeue_pi(word, value, task::kMatchAny,
                                                                   TRY(deadline_of(timeout, absolute)), other));
        case kCompareRequeuePi:
            if (value != 1) {
                return fail(Errno::einval);
            }
            return counted(task::futex_requeue_pi(word, other, count, third));
        default:
            return fail(Errno::enosys);
    }
}

/// futex_waitv(2)
Result<u64> sys_futex_waitv(Caller&, UserIn<FutexWaitArgument> waiters, u32 count, u32 flags,
                            UserIn<TimeSpecification> timeout, i32 clock) {
    constexpr u32 kMost = 128, k32Bits = 2, kPrivate = 128;
    if (flags != 0 || count == 0 || count > kMost || waiters.is_null()) {
        return fail(Errno::einval);
    }
    Nanoseconds deadline = Nanoseconds::never();
    if (!timeout.is_null()) {
        if (clock != 0 && clock != 1) {
            return fail(Errno::einval);
        }
        deadline = TRY(
            deadline_of(timeout.address().value, clock == 0 ? TimeoutKind::AbsoluteRealtime : TimeoutKind::Absolute));
    }
    struct Entries {
        task::FutexWaitEntry entry[kMost];
    };
    const auto entries = TRY(try_new<Entries>());
    for (u32 i = 0; i < count; ++i) {
        const FutexWaitArgument argument = TRY(waiters.fetch(i));
        if ((argument.flags & ~(k32Bits | kPrivate)) != 0 || (argument.flags & k32Bits) == 0 ||
            argument.reserved != 0 || argument.value >> 32 != 0) {
            return fail(Errno::einval);
        }
        entries->entry[i] = {
            {argument.address, (argument.flags & kPrivate) != 0 ? mm::AddressSpace::FutexScope::Private
                                                                : mm::AddressSpace::FutexScope::Shared},
            static_cast<u32>(argument.value)};
    }
    return counted(task::futex_wait_many(std::span(entries->entry, count), deadline));
}

}  // namespace cairn::syscall
