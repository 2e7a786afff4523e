#include "kernel/signal/deliver.h"

#include <span>

#include "kernel/base/log.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/process_timers.h"
#include "kernel/signal/send.h"
#include "kernel/signal/stop.h"
#include "kernel/task/exit.h"
#include "kernel/task/rseq.h"

namespace cairn::signal {

using task::RestartKind;
using task::Task;
using task::ThreadGroup;

namespace {

constexpr i32 kOnStack = 1, kDisabled = 2;
constexpr i32 kAutoDisarm = static_cast<i32>(1u << 31);
constexpr u64 kRestartSystemCall = 219;  // restart_syscall(2)

/// The entry of a signal that was taken: for the process's next one, or to be freed. The lock is held.
void put_aside_locked(ThreadGroup& group, QueuedSignal& entry, QueuedSignalList& freed) {
    if (group.spare_entry) {
        freed.add(entry);
        return;
    }
    entry.account->pending_signals.fetch_sub(1, Order::relaxed);
    group.spare_entry = Own<QueuedSignal>::adopt(&entry);
}

/// Takes the next signal for the calling thread: its own, synchronous ones first, then the process's. The lock is held.
bool take_locked(Task& self, SignalSet allowed, SignalInfo& info, QueuedSignalList& freed) {
    ThreadGroup& group = self.group();
    QueuedSignal* entry = nullptr;
    if (!self.pending.take(allowed, info, entry) && !group.pending.take(allowed, info, entry)) {
        return false;
    }
    if (entry == nullptr) {
        return true;
    }
    if (entry->timer != nullptr) {
        note_timer_delivered_locked(*entry->timer, info);
    } else {
        put_aside_locked(group, *entry, freed);
    }
    return true;
}

bool on_alternate_stack(const Task& self, u64 stack_pointer) {
    const arch::SignalStack& stack = self.alternate_stack;
    if ((stack.flags & kAutoDisarm) != 0) {
        return false;
    }
    return stack.size != 0 && stack_pointer > stack.base && stack_pointer - stack.base <= stack.size;
}

/// The call that a handler interrupts (signal(7)): EINTR, or again after the handler.
void restart_before_handler(Task& self, arch::TrapFrame& frame, const SignalAction& action) {
    self.restart = RestartKind::None;
    const RestartKind kind = task::restart_kind(frame);
    if (kind == RestartKind::Always ||
        (kind == RestartKind::HandlerDecides && (action.flags & SignalAction::kRestart) != 0)) {
        arch::restart_syscall(frame, arch::syscall_number(frame));
    } else if (kind != RestartKind::None) {
        arch::set_syscall_result(frame, static_cast<u64>(-static_cast<i64>(static_cast<i32>(Errno::eintr))));
    }
}

/// No handler has run: every interrupted call goes on.
void restart_without_handler(Task& self, arch::TrapFrame& frame) {
    self.restart = RestartKind::None;
    const RestartKind kind = task::restart_kind(frame);
    if (kind != RestartKind::None) {
        const bool continues = kind == RestartKind::Continuation;
        arch::restart_syscall(frame, continues ? kRestartSystemCall : arch::syscall_number(frame));
    }
}

/// A signal that was taken, and what is to become of it.
struct Delivery {
    SignalInfo info;
    SignalAction action;
    SignalSet mask_before;  // with a handler: what was blocked before it blocked what it does
    bool traced = false;    // the tracer decides first
};

/// Finds out the action, and blocks what the handler does, if there is one. The lock is held.
void take_action_locked(Task& self, Delivery& delivery) {
    const i32 signal = delivery.info.signal;
    delivery.action = self.group().handlers->take_for_delivery_inner(signal);
    delivery.mask_before = self.blocked;
    if (delivery.action.has_handler()) {
        SignalSet blocked = self.blocked | delivery.action.mask;
        if ((delivery.action.flags & SignalAction::kNoDefer) == 0) {
            blocked.add(signal);
        }
        change_mask_locked(self, blocked);
    }
}

/// There is no room for the frame.
[[gnu::noinline]] void refuse_handler(Task& self, const arch::TrapFrame& frame, const Delivery& delivery) {
    log_info("signal", "{}[{}]: no room for the frame of signal {} at {:#x}", self.name().view(), self.number(),
             delivery.info.signal, arch::stack_pointer(frame).value);
    set_blocked(delivery.mask_before);
    if (delivery.info.signal == kSigSegv) {
        // The handler of SIGSEGV is what cannot run.
        SpinLockGuard guard(self.group().lock);
        static_cast<void>(self.group().handlers->exchange(kSigSegv, {}));
    }
    force(SignalInfo::from_kernel(kSigSegv));
}

/// The area is bad: SIGSEGV with the mask that was in force before the handler's.
[[gnu::noinline]] void refuse_rseq(Task& self, Delivery& delivery) {
    const SignalSet added = self.blocked & ~delivery.mask_before;
    set_blocked(delivery.mask_before);
    force(SignalInfo::from_kernel(kSigSegv));
    delivery.mask_before = self.blocked;
    set_blocked(self.blocked | added);
}

void run_handler(Task& self, arch::TrapFrame& frame, Delivery& delivery) {
    const SignalAction& action = delivery.action;
    restart_before_handler(self, frame, action);
    const bool stepping =
        (self.syscall_work.load(Order::relaxed) & ptrace::work::kStep) != 0 && ptrace::hide_step(self, frame);
    if (!task::try_update_rseq(self, frame)) {
        refuse_rseq(self, delivery);
    }
    const bool already = on_alternate_stack(self, arch::stack_pointer(frame).value);
    const bool enter = (action.flags & SignalAction::kOnStack) != 0 && self.alternate_stack.size != 0 && !already;
    arch::SignalStack shown = self.alternate_stack;
    shown.flags = shown.size == 0 ? kDisabled : shown.flags;
    const arch::SignalFrameRequest request{
        .signal = delivery.info.signal,
        .siginfo = std::as_bytes(std::span<const SignalInfo, 1>(&delivery.info, 1)),
        .handler = action.handler,
        .restorer = (action.flags & SignalAction::kRestorer) != 0 ? action.restorer : 0,
        .mask = self.restore_saved_mask ? self.saved_mask.bits : delivery.mask_before.bits,
        .alternate_stack = shown,
        .enter_alternate_stack = enter,
        .confine_to_alternate = enter || already,
        .trap_number = self.fault_number,
        .trap_error_code = self.fault_error,
        .fault_address = self.fault_address};
    if (!arch::push_signal_frame(frame, request).ok()) [[unlikely]] {
        refuse_handler(self, frame, delivery);
        return;
    }
    self.restore_saved_mask = false;
    if ((self.alternate_stack.flags & kAutoDisarm) != 0) {
        self.alternate_stack = {0, kDisabled, 0, 0};
    }
    if (stepping) {
        ptrace::stop_in_handler(self);
    }
}

/// The default action ends the process.
[[noreturn]] void die_of(Task& self, i32 signal) {
    const bool core = kCoreSignals.has(signal);
    if (core) {
        log_info("signal", "{}[{}] ended by signal {} at {:#x}, address {:#x}", self.name().view(), self.number(),
                 signal, arch::instruction_pointer(arch::user_frame(self.thread().context())).value,
                 self.fault_address);
    }
    ThreadGroup& group = self.group();
    // The flag says that a core was dumped: only where the limit lets one be written.
    const bool dumped = core && group.limits[task::Resource::Core].soft != 0;
    task::exit_process(signal | (dumped ? 0x80 : 0));
}

/// The group's stop is for threads that nobody traces; for others it is one of the tracer's. The lock is held.
bool stop_is_due(Task& self) {
    return self.is_traced() ? self.tracing->trap_is_due() : self.group().stopped;
}

/// What a look at all that may be pending has found.
enum class Found : u8 { Nothing, Signal, Other };

Found look(Task& self, Delivery& delivery) {
    ThreadGroup& group = self.group();
    QueuedSignalList freed;
    OutermostSpinLockGuard guard(group.lock);
    if (group.exiting || self.must_exit || group.parent_event != 0 || stop_is_due(self)) [[unlikely]] {
        return Found::Other;
    }
    if (!take_locked(self, ~self.blocked, delivery.info, freed)) {
        recompute_pending_locked(self);
        return Found::Nothing;
    }
    const i32 signal = delivery.info.signal;
    delivery.traced = self.is_traced() && signal != kSigKill;
    // A tracer may make any signal one that stops.
    self.stop_dequeued = self.stop_dequeued || kStopSignals.has(signal) || delivery.traced;
    if (!delivery.traced) {
        take_action_locked(self, delivery);
    }
    return Found::Signal;
}

/// What comes before any signal: the end, news for the parent, a stop.
[[gnu::noinline]] void do_other_work(Task& self) {
    ThreadGroup& group = self.group();
    bool ending = false;
    bool stopped = false;
    i32 event = 0;
    {
        SpinLockGuard guard(group.lock);
        ending = group.exiting || self.must_exit;
        stopped = stop_is_due(self);
        event = std::exchange(group.parent_event, 0);
    }
    if (ending) {
        task::exit_thread_at_request();
    }
    if (event != 0) {
        tell_parent(group, event);
    } else if (stopped && self.is_traced()) {
        ptrace::stop_for_trap(self);
    } else if (stopped) {
        stop_here(self);
    }
}

/// Whether the signal is delivered all the same.
[[gnu::noinline]] bool ask_tracer(Task& self, Delivery& delivery) {
    if (!ptrace::stop_for_signal(self, delivery.info)) {
        return false;
    }
    SpinLockGuard guard(self.group().lock);
    take_action_locked(self, delivery);
    return true;
}

/// A signal without a handler.
[[gnu::noinline]] void do_default_action(Task& self, const Delivery& delivery) {
    const i32 signal = delivery.info.signal;
    if (delivery.action.ignores(signal)) {
        return;
    }
    if (self.group().is_init && signal != kSigKill && delivery.info.code <= 0) {
        return;  // only a fault of its own ends the first process
    }
    if (kStopSignals.has(signal)) {
        begin_stop(self, signal);
        return;
    }
    die_of(self, signal);
}

/// Nothing is left to do. False: with the mask that is to be in force again there may be.
[[gnu::noinline]] bool settle(Task& self, arch::TrapFrame& frame) {
    restart_without_handler(self, frame);
    if (!self.restore_saved_mask) {
        return true;
    }
    self.restore_saved_mask = false;
    set_blocked(self.saved_mask);
    return false;
}

}  // namespace

void handle_pending(arch::TrapFrame& frame) {
    Task& self = task::current_task();
    Delivery delivery;
    for (;;) {
        const Found found = look(self, delivery);
        if (found == Found::Other) [[unlikely]] {
            do_other_work(self);
        } else if (found == Found::Nothing) {
            if (settle(self, frame)) {
                return;
            }
        } else if (delivery.traced && !ask_tracer(self, delivery)) [[unlikely]] {
            continue;
        } else if (delivery.action.has_handler()) {
            run_handler(self, frame, delivery);
            return;  // further signals come when the loop of kernel_prepare_user_return looks again
        } else {
            do_default_action(self, delivery);
        }
    }
}

void set_temporary_mask(SignalSet mask) {
    Task& self = task::current_task();
    if (!self.restore_saved_mask) {  // else the call is made again, for want of memory
        self.saved_mask = self.blocked;
    }
    self.restore_saved_mask = true;
    self.thread().want_attention();
    set_blocked(mask & ~kUnblockable);
}

bool take_pending(SignalSet set, SignalInfo& info) {
    Task& self = task::current_task();
    QueuedSignalList freed;
    SpinLockGuard guard(self.group().lock);
    const bool taken = take_locked(self, set, info, freed);
    recompute_pending_locked(self);
    return taken;
}

Result<SignalInfo> wait_for_signal(SignalSet set, Nanoseconds deadline) {
    Task& self = task::current_task();
    ThreadGroup& group = self.group();
    set = set & ~kUnblockable;
    SignalInfo info;
    if (take_pending(set, info)) {
        return info;
    }
    if (deadline.value == 0) {
        return fail(Errno::eagain);
    }
    // What is waited for is unblocked meanwhile, so that it is directed here and ends the sleep like any other.
    {
        SpinLockGuard guard(group.lock);
        self.really_blocked = self.blocked;
        self.blocked = self.blocked & ~set;
        recompute_pending_locked(self);
    }
    sync::Parking parking;
    const sync::WakeReason reason = parking.sleep(sync::SleepKind::Interruptible, deadline);
    QueuedSignalList freed;
    SpinLockGuard guard(group.lock);
    const bool taken = take_locked(self, set, info, freed);
    // What else was directed here goes to a thread that does not block it.
    change_mask_locked(self, std::exchange(self.really_blocked, {}));
    if (taken) {
        return info;
    }
    return fail(reason == sync::WakeReason::TimedOut ? Errno::eagain : Errno::eintr);
}

Result<void> return_from_handler(arch::TrapFrame& frame) {
    Task& self = task::current_task();
    Result<arch::SignalReturn> state = arch::pop_signal_frame(frame);
    if (!state.ok()) {
        log_info("signal", "{}[{}]: bad signal frame", self.name().view(), self.number());
        force(SignalInfo::from_kernel(kSigSegv));
        return state.failure();
    }
    self.restart = RestartKind::None;
    set_blocked(SignalSet{state.value().mask});
    // A program may have changed uc_stack; what sigaltstack would refuse is passed over (sigreturn(2)).
    static_cast<void>(set_alternate_stack(state.value().alternate_stack, arch::stack_pointer(frame).value));
    return {};
}

Result<void> set_alternate_stack(const arch::SignalStack& fresh, u64 stack_pointer) {
    Task& self = task::current_task();
    if (on_alternate_stack(self, stack_pointer)) {
        return fail(Errno::eperm);
    }
    const i32 mode = fresh.flags & ~kAutoDisarm;
    if (mode != 0 && mode != kOnStack && mode != kDisabled) {
        return fail(Errno::einval);
    }
    if (mode == kDisabled) {
        self.alternate_stack = {0, kDisabled, 0, 0};
        return {};
    }
    constexpr u64 kLeast = 2048;  // MINSIGSTKSZ
    if (fresh.size < kLeast || fresh.size < arch::minimum_signal_stack()) {
        return fail(Errno::enomem);
    }
    self.alternate_stack = {fresh.base, fresh.flags, 0, fresh.size};
    return {};
}

arch::SignalStack alternate_stack_seen(u64 stack_pointer) {
    Task& self = task::current_task();
    arch::SignalStack seen = self.alternate_stack;
    if (seen.size == 0) {
        seen.flags = kDisabled;
    } else {
        seen.flags = (on_alternate_stack(self, stack_pointer) ? kOnStack : 0) | (seen.flags & kAutoDisarm);
    }
    return seen;
}

}  // namespace cairn::signal
