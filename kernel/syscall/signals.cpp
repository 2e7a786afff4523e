#include "kernel/syscall/signals.h"

#include <cstddef>
#include <cstring>

#include "arch/user_words.h"
#include "kernel/signal/deliver.h"
#include "kernel/signal/send.h"
#include "kernel/syscall/processes.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/job_control.h"
#include "kernel/task/pidfd.h"

namespace cairn::syscall {

using signal::SignalAction;
using signal::SignalInfo;
using signal::SignalSet;
using task::Task;

namespace {

Result<void> check_set_size(usize size) {
    if (size != sizeof(u64)) {
        return fail(Errno::einval);
    }
    return {};
}

/// tkill, tgkill and rt_tgsigqueueinfo: to one thread; `pid` zero: of any process.
Result<void> send_to_thread(Caller& self, i32 pid, i32 tid, const SignalInfo& info) {
    if (tid <= 0 || info.signal < 0 || info.signal > signal::kSignals) {
        return fail(Errno::einval);
    }
    Ref<Task> target = TRY(g_kernel.tasks->find_task(tid));
    if (pid != 0 && target->process_number() != pid) {
        return fail(Errno::esrch);
    }
    const bool same_session =
        self.task.group().session_number.load(Order::relaxed) == target->group().session_number.load(Order::relaxed);
    TRY(signal::check_may_signal(self.task, *target, info.signal, same_session));
    if (info.signal == 0) {
        return {};
    }
    return signal::send_to_thread(*target, info, signal::WithoutInfo::Fails);
}

/// What a program may say that a signal is: not that the kernel or kill(2) sent it to somebody else.
Result<SignalInfo> fetch_information(Caller& self, UserIn<SignalInfo> from, i32 signal, i32 target) {
    SignalInfo info = TRY(from.fetch());
    info.signal = signal;
    const bool forged = info.code >= 0 || info.code == signal::kCodeTkill;
    if (forged && target != self.task.process_number()) {
        return fail(Errno::eperm);
    }
    return info;
}

/// Gives a signal an action that ignores it, and forgets what of it is pending (POSIX, 2.4.1), under the lock that
/// senders hold. Returns the action before.
SignalAction ignore_from_now_on(task::ThreadGroup& group, i32 signal, const SignalAction& action) {
    signal::QueuedSignalList freed;
    SpinLockGuard guard(group.lock);
    const SignalAction before = group.handlers->exchange(signal, action);
    group.pending.discard(SignalSet::of(signal), freed);
    task::for_each_thread(group, [&](Task& task) { task.pending.discard(SignalSet::of(signal), freed); });
    return before;
}

/// struct sigaction, word for word. False: there is no memory.
bool fetch_action(UserIn<SignalAction> from, SignalAction& action) {
    if (!arch::UserWords::may_open(from.address(), sizeof(SignalAction))) {
        return false;
    }
    const arch::UserWords words(from.address(), sizeof(SignalAction));
    u32 failed = 0;
    action.handler = words.load<u64>(offsetof(SignalAction, handler), failed);
    action.flags = words.load<u64>(offsetof(SignalAction, flags), failed);
    action.restorer = words.load<u64>(offsetof(SignalAction, restorer), failed);
    action.mask.bits = words.load<u64>(offsetof(SignalAction, mask), failed);
    return failed == 0;
}

// Apart from what sets a handler and nothing else, which is what programs do most.

[[gnu::noinline]] Result<void> ask_for_action(Caller& self, i32 signal, UserOut<SignalAction> old) {
    const SignalAction before = self.task.group().handlers->get(signal);
    return old.is_null() ? Result<void>() : old.store(before);
}

[[gnu::noinline]] Result<void> replace_action(Caller& self, i32 signal, const SignalAction& action,
                                              UserOut<SignalAction> old) {
    task::ThreadGroup& group = self.task.group();
    const SignalAction before =
        action.ignores(signal) ? ignore_from_now_on(group, signal, action) : group.handlers->exchange(signal, action);
    return old.is_null() ? Result<void>() : old.store(before);
}

}  // namespace

/// kill(2)
Result<void> sys_kill(Caller& self, i32 pid, i32 signal) {
    return task::kill(self.task, pid, signal);
}

/// tkill(2)
Result<void> sys_tkill(Caller& self, i32 tid, i32 signal) {
    return send_to_thread(
        self, 0, tid,
        SignalInfo::from_process(signal, signal::kCodeTkill, self.task.process_number(), self.credentials().uid));
}

/// tgkill(2)
Result<void> sys_tgkill(Caller& self, i32 pid, i32 tid, i32 signal) {
    if (pid <= 0) {
        return fail(Errno::einval);
    }
    return send_to_thread(
        self, pid, tid,
        SignalInfo::from_process(signal, signal::kCodeTkill, self.task.process_number(), self.credentials().uid));
}

/// rt_sigqueueinfo(2)
Result<void> sys_rt_sigqueueinfo(Caller& self, i32 pid, i32 signal, UserIn<SignalInfo> information) {
    const SignalInfo info = TRY(fetch_information(self, information, signal, pid));
    if (signal < 0 || signal > signal::kSignals) {
        return fail(Errno::einval);
    }
    Ref<task::ThreadGroup> process = TRY(g_kernel.tasks->find_process(pid));
    Ref<Task> leader = TRY(g_kernel.tasks->find_task(pid));
    TRY(signal::check_may_signal(self.task, *leader, signal, false));
    if (signal == 0) {
        return {};
    }
    return signal::send_to_process(*process, info, signal::WithoutInfo::Fails);
}

/// rt_tgsigqueueinfo(2)
Result<void> sys_rt_tgsigqueueinfo(Caller& self, i32 pid, i32 tid, i32 signal, UserIn<SignalInfo> information) {
    if (pid <= 0 || tid <= 0) {
        return fail(Errno::einval);
    }
    const SignalInfo info = TRY(fetch_information(self, information, signal, pid));
    return send_to_thread(self, pid, tid, info);
}

/// pidfd_send_signal(2)
Result<void> sys_pidfd_send_signal(Caller& self, Fd pidfd, i32 signal, UserIn<std::byte> information, u32 flags) {
    if (flags != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(pidfd));
    Ref<task::Pid> pid = TRY(task::pid_of_file_or_directory(*file));
    if (!information.is_null()) {
        const SignalInfo said = TRY(UserIn<SignalInfo>(information.address().value).fetch());
        if (said.signal != signal) {
            return fail(Errno::einval);
        }
        return sys_rt_sigqueueinfo(self, pid->number(), signal, UserIn<SignalInfo>(information.address().value));
    }
    return task::kill(self.task, pid->number(), signal);
}

/// rt_sigaction(2)
Result<void> sys_rt_sigaction(Caller& self, i32 signal, UserIn<SignalAction> fresh, UserOut<SignalAction> old,
                              usize size) {
    TRY(check_set_size(size));
    if (!signal::is_valid_signal(signal)) {
        return fail(Errno::einval);
    }
    if (fresh.is_null()) {
        return ask_for_action(self, signal, old);
    }
    SignalAction action;
    if (!fetch_action(fresh, action)) {
        return fail(Errno::efault);
    }
    if (signal::kUnblockable.has(signal)) {
        return fail(Errno::einval);
    }
    action.mask = action.mask & ~signal::kUnblockable;
    // Unknown flags are dropped, so that a program can find out which there are (sigaction(2), "Dynamically
    // probing").
    action.flags &= SignalAction::kKnown;
    if (!action.has_handler() || !old.is_null()) {
        const SignalAction copy = action;  // so that the other one need not lie in memory
        return replace_action(self, signal, copy, old);
    }
    self.task.group().handlers->set(signal, action);
    return {};
}

/// rt_sigprocmask(2)
Result<void> sys_rt_sigprocmask(Caller& self, i32 how, UserIn<u64> set, UserOut<u64> old, usize size) {
    constexpr i32 kBlock = 0, kUnblock = 1, kSet = 2;
    TRY(check_set_size(size));
    const SignalSet before = self.task.blocked;
    if (!set.is_null()) {
        const SignalSet given{TRY(set.fetch())};
        switch (how) {
            case kBlock:
                signal::set_blocked(before | given);
                break;
            case kUnblock:
                signal::set_blocked(before & ~given);
                break;
            case kSet:
                signal::set_blocked(given);
                break;
            default:
                return fail(Errno::einval);
        }
    }
    if (!old.is_null()) {
        TRY(old.store(before.bits));
    }
    return {};
}

/// sigpending(2)
Result<void> sys_rt_sigpending(Caller& self, UserOut<u64> set, usize size) {
    if (size > sizeof(u64)) {
        return fail(Errno::einval);
    }
    u64 bits = 0;
    {
        SpinLockGuard guard(self.task.group().lock);
        bits = ((self.task.pending.set() | self.task.group().pending.set()) & self.task.blocked).bits;
    }
    return mm::copy_out(set.address(), &bits, size);
}

/// sigsuspend(2)
Result<void> sys_rt_sigsuspend(Caller&, UserIn<u64> mask, usize size) {
    TRY(check_set_size(size));
    signal::set_temporary_mask(SignalSet{TRY(mask.fetch())});
    sync::Parking parking;
    static_cast<void>(parking.sleep(sync::SleepKind::Interruptible, Nanoseconds::never()));
    return fail(Errno::eintr);
}

/// pause(2)
Result<void> sys_pause(Caller&) {
    sync::Parking parking;
    static_cast<void>(parking.sleep(sync::SleepKind::Interruptible, Nanoseconds::never()));
    return fail(Errno::eintr);
}

/// sigtimedwait(2)
Result<i32> sys_rt_sigtimedwait(Caller&, UserIn<u64> set, UserOut<SignalInfo> information,
                                UserIn<TimeSpecification> timeout, usize size) {
    TRY(check_set_size(size));
    const SignalSet wanted{TRY(set.fetch())};
    Nanoseconds deadline = Nanoseconds::never();
    if (!timeout.is_null()) {
        const TimeSpecification time = TRY(timeout.fetch());
        const Nanoseconds length = TRY(duration_of(time));
        deadline = length.value == 0 ? Nanoseconds{0} : time::now() + length;
    }
    const SignalInfo info = TRY(signal::wait_for_signal(wanted, deadline));
    if (!information.is_null()) {
        std::byte whole[128] = {};
        std::memcpy(whole, &info, sizeof info);
        TRY(mm::copy_out(information.address(), whole, sizeof whole));
    }
    return info.signal;
}

/// sigreturn(2)
Result<u64> sys_rt_sigreturn(Caller& self) {
    static_cast<void>(signal::return_from_handler(self.frame));
    arch::forget_syscall(self.frame);
    arch::note_restored(self.frame, arch::user_space_end());
    // The call that the handler interrupted has ended with EINTR: nothing is left of it to go on with.
    self.task.continuation.resume = nullptr;
    return arch::syscall_result(self.frame);  // one of the registers that it has put back
}

/// sigaltstack(2)
Result<void> sys_sigaltstack(Caller& self, UserIn<arch::SignalStack> fresh, UserOut<arch::SignalStack> old) {
    const u64 stack_pointer = arch::stack_pointer(self.frame).value;
    const arch::SignalStack before = signal::alternate_stack_seen(stack_pointer);
    if (!fresh.is_null()) {
        const arch::SignalStack wanted = TRY(fresh.fetch());
        TRY(signal::set_alternate_stack(wanted, stack_pointer));
    }
    if (!old.is_null()) {
        TRY(old.store(before));
    }
    return {};
}

/// restart_syscall(2)
Result<u64> sys_restart_syscall(Caller& self) {
    auto resume = std::exchange(self.task.continuation.resume, nullptr);
    if (resume == nullptr) {
        self.forbid_restart();  // for ever, if this call were made again
        return fail(Errno::eintr);
    }
    u64 data[6];
    std::memcpy(data, self.task.continuation.data, sizeof data);
    return resume(self, data);
}

}  // namespace cairn::syscall
