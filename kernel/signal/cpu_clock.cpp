#include "kernel/signal/cpu_clock.h"

#include "kernel/sync/completion.h"

namespace cairn::signal {

using task::Task;
using task::ThreadGroup;

namespace {

constexpr i32 id_in(i32 clock) {
    return clock < 0 ? ~(clock >> 3) : 0;
}

constexpr bool is_of_thread(i32 clock) {
    return clock < 0 ? (clock & CpuClock::kThreadBit) != 0 : clock == CpuClock::kOfThread;
}

}  // namespace

bool CpuClock::is_own_thread(Task& self, i32 clock) {
    const i32 id = id_in(clock);
    return is_of_thread(clock) && (id == 0 || id == self.number());
}

Result<CpuClock> CpuClock::find(Task& self, i32 clock, Use use) {
    const i32 kind = clock < 0 ? clock & kKindMask : kScheduled;
    const i32 id = id_in(clock);
    const CpuTimer::Counts counts = kind == kUserTime ? CpuTimer::Counts::UserTime : CpuTimer::Counts::All;
    if (kind > kScheduled) {
        return fail(Errno::einval);
    }
    if (is_of_thread(clock)) {
        Result<Ref<Task>> thread = id == 0 ? Result<Ref<Task>>(Ref<Task>(self)) : g_kernel.tasks->find_task(id);
        if (!thread.ok() || &thread.value()->group() != &self.group()) {
            return fail(Errno::einval);
        }
        return CpuClock{Ref<ThreadGroup>(self.group()), std::move(thread).value(), counts};
    }
    if (id == 0 || (use == Use::Reading && id == self.number())) {
        return CpuClock{Ref<ThreadGroup>(self.group()), std::nullopt, counts};
    }
    Result<Ref<ThreadGroup>> process = g_kernel.tasks->find_process(id);
    if (!process.ok()) {
        return fail(Errno::einval);
    }
    return CpuClock{std::move(process).value(), std::nullopt, counts};
}

Nanoseconds CpuClock::now() const {
    if (thread && counts == CpuTimer::Counts::All) {
        return (*thread)->thread().run_time();
    }
    SpinLockGuard guard(process->lock);
    const task::CpuTimes times = thread ? (*thread)->cpu_times() : cpu_times_locked(*process);
    return counts == CpuTimer::Counts::UserTime ? times.user : times.total();
}

bool CpuClock::is_gone() const {
    SpinLockGuard guard(g_kernel.tasks->lock);
    return process->reaped || (thread && (*thread)->exited);
}

Nanoseconds sleep_on(const CpuClock& clock, Nanoseconds& when, bool absolute) {
    sync::Completion over;
    CpuTimer timer(*clock.process, clock.thread ? &**clock.thread : nullptr, clock.counts);
    timer.sleeper = &over;
    if (when.value == 0) {
        return {};
    }
    const CpuTimer::Change change = timer.set({{}, when}, absolute);
    when = change.deadline;
    if (change.due) {
        return {};
    }
    static_cast<void>(over.wait(sync::SleepKind::Interruptible));
    return timer.set({}, false).before.value;
}

}  // namespace cairn::signal
