#include "kernel/ptrace/tracer.h"

#include "kernel/base/own.h"
#include "kernel/ptrace/access.h"
#include "kernel/signal/send.h"
#include "kernel/task/exec_turn.h"

namespace cairn::ptrace {

namespace {

/// The group's execve and we do not come in each other's way: credentials are computed and used under this turn (E15).
class Turn {
public:
    Turn(Task& self, ThreadGroup& group) : self_(self), group_(group) {}
    ~Turn() {
        if (taken_) {
            task::end_exec_turn(group_);
        }
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Result<void> take() {
        TRY(task::begin_exec_turn(self_, group_));
        taken_ = true;
        return {};
    }

private:
    Task& self_;
    ThreadGroup& group_;
    bool taken_ = false;
};

/// Makes the link unless somebody was faster. True: the target's group stands still, and it has yet to become a stop
/// that requests work in.
Result<bool> link(Task& self, Task& target, Own<Tracing>& fresh, Attach how, u32 options) {
    SpinLockGuard table(g_kernel.tasks->lock);
    ThreadGroup& group = target.group();
    bool transition = false;
    {
        SpinLockGuard guard(group.lock);
        if (target.is_traced() || target.exited) {
            return fail(Errno::eperm);
        }
        if (!target.tracing) {
            target.tracing = std::move(fresh);
        }
        Tracing& tracing = *target.tracing;
        tracing.seized = how == Attach::Seize;
        tracing.options = options;
        tracing.privileged = self.credentials().has(vfs::Capability::SysPtrace);
        link_locked(tracing, self);
        transition = group.stopped && target.stop_counted;
        if (transition) {
            tracing.group_signal = group.stop_signal;
            tracing.stop_pending = true;
            group.continued.wake_all();
        }
    }
    if (how == Attach::Plain) {
        static_cast<void>(signal::send_to_thread(target, SignalInfo::from_kernel(signal::kSigStop)));
    }
    return transition;
}

void wait_for_transition(Task& self, Task& target) {
    static_cast<void>(self.group().child_events.wait_until(
        [&] {
            SpinLockGuard guard(target.group().lock);
            return !target.is_traced() || target.tracing->stopped || !target.tracing->stop_pending ||
                   !target.group().stopped || target.group().exiting || target.must_exit;
        },
        sync::SleepKind::Killable));
}

}  // namespace

Result<void> trace_me(Task& self) {
    Own<Tracing> fresh = TRY(try_new<Tracing>(self));
    ThreadGroup& group = self.group();
    SpinLockGuard table(g_kernel.tasks->lock);
    ThreadGroup* parent = group.parent;
    if (self.is_traced()) {
        return fail(Errno::eperm);
    }
    if (parent == nullptr || !parent->leader) {
        return {};
    }
    task::Pid* pid = g_kernel.tasks->find_locked(group.parent_thread);
    Task* tracer =
        pid != nullptr && pid->task != nullptr && &pid->task->group() == parent ? pid->task : &**parent->leader;
    {
        SpinLockGuard guard(parent->lock);
        if (tracer->exiting.load(Order::relaxed)) {
            return {};  // to nobody's knowledge, as Linux
        }
        const vfs::Credentials& theirs = tracer->credentials();
        if ((self.credentials().permitted.bits & ~theirs.permitted.bits) != 0 &&
            !theirs.has(vfs::Capability::SysPtrace)) {
            return fail(Errno::eperm);
        }
    }
    SpinLockGuard guard(group.lock);
    if (!self.tracing) {
        self.tracing = std::move(fresh);
    }
    self.tracing->privileged = self.credentials().has(vfs::Capability::SysPtrace);
    link_locked(*self.tracing, *tracer);
    return {};
}

Result<void> attach(Task& self, Task& target, Attach how, u64 options) {
    if ((options & ~u64{option::kMask}) != 0) {
        return fail(Errno::eio);
    }
    if (&self.group() == &target.group()) {
        return fail(Errno::eperm);
    }
    Own<Tracing> fresh = TRY(try_new<Tracing>(target));
    bool transition = false;
    {
        Turn turn(self, target.group());
        TRY(turn.take());
        TRY(check_access(self, target, WhichIds::Real));
        transition = TRY(link(self, target, fresh, how, static_cast<u32>(options)));
    }
    if (transition) {
        wait_for_transition(self, target);
    }
    return {};
}

namespace {

/// A thread's execve has given it the leader's id, and the tracer has not seen it: what it asks of this id is meant for
/// the leader, which is gone. So the event is not lost (trap L).
bool is_mistaken(const Tracing& tracing) {
    return tracing.code >> 8 == event::kExec && tracing.message != static_cast<u64>(tracing.tracee.number());
}

}  // namespace

StoppedTracee::StoppedTracee(Task& tracer, Task& tracee) NO_THREAD_SAFETY_ANALYSIS : tracee_(tracee) {
    ThreadGroup& group = tracee.group();
    for (u32 attempt = 0;; ++attempt) {
        interrupts_ = group.lock.lock();
        const Tracing* tracing = tracee.tracing.get();
        if (!tracee.is_traced() || tracing->tracer != &tracer || !tracing->stopped || tracing->listening ||
            is_mistaken(*tracing)) {
            group.lock.unlock(interrupts_);
            return;
        }
        if (sched::hold_asleep(tracee.thread())) {
            held_ = true;
            return;
        }
        group.lock.unlock(interrupts_);
        // It has told us of its stop and is on its way to sleep.
        constexpr u32 kPatience = 8;
        if (attempt < kPatience) {
            sched::yield();
        } else {
            sched::sleep_for(Nanoseconds::from_microseconds(100));
        }
    }
}

StoppedTracee::~StoppedTracee() NO_THREAD_SAFETY_ANALYSIS {
    if (!held_) {
        return;
    }
    sched::let_wake(tracee_.thread());
    if (resumes_) {
        resume_locked(*tracee_.tracing, signal_);
    }
    tracee_.group().lock.unlock(interrupts_);
}

void StoppedTracee::resume(i32 signal) {
    resumes_ = true;
    signal_ = signal;
}

}  // namespace cairn::ptrace
