#include "kernel/sched/thread.h"

#include "kernel/base/thread_identity.h"
#include "kernel/sched/dispatcher.h"
#include "kernel/time/clock.h"

namespace cairn {

ThreadIdentity identify_thread(const sched::Thread* thread) {
    if (thread == nullptr) {
        return {};
    }
    return {thread->name(), thread->id(), &thread->held_mutexes};
}

}  // namespace cairn

namespace cairn::sched {

Thread::Thread(std::string_view name, const ThreadOptions& options)
    : asked_{options.policy, options.nice, options.realtime_priority},
      affinity_(options.affinity),
      id_(g_kernel.scheduler->next_thread_id()) {
    set_parameters(options.policy, options.nice, options.realtime_priority);
    name_length_ = static_cast<u8>(name.size() < kNameLimit ? name.size() : kNameLimit);
    for (u32 i = 0; i < name_length_; ++i) {
        name_[i] = name[i];
    }
    cpu_.store(arch::this_cpu().index.value, Order::relaxed);
}

Thread::~Thread() {
    if (stack_.base != nullptr) {  // it was never started; else the reaper has done this
        arch::context_destroy(context_);
        free_kernel_stack(stack_);
    }
}

Result<Ref<Thread>> Thread::create(std::string_view name, void (*entry)(void*), void* argument,
                                   const ThreadOptions& options) {
    bool priority_fits = sched::is_realtime(options.policy)
                             ? options.realtime_priority >= 1 && options.realtime_priority < kRealtimePriorities
                             : options.realtime_priority == 0;
    bool affinity_fits = !(options.affinity & g_kernel.online.snapshot(Order::relaxed)).empty();
    if (options.nice < kNiceLowest || options.nice > kNiceHighest || !priority_fits || !affinity_fits) {
        return fail(Errno::einval);
    }
    Dispatcher::help_reaper();
    return Dispatcher::make_thread(name, entry, argument, options);
}

void Thread::start() {
    Dispatcher::start(*this);
}

void Thread::join() {
    ASSERT(this != &current_thread());
    ended_.wait();
}

Result<void> Thread::set_affinity(const CpuSet& affinity) {
    return Dispatcher::set_affinity(*this, affinity);
}

CpuSet Thread::affinity() {
    SpinLockGuard guard(lock_);
    return affinity_;
}

Result<void> Thread::set_policy(Policy new_policy, i32 new_nice, u32 realtime_priority) {
    return Dispatcher::set_policy(*this, new_policy, new_nice, realtime_priority);
}

Result<void> Thread::set_nice(i32 new_nice) {
    return Dispatcher::set_policy(*this, asked_.policy, new_nice, asked_.priority);
}

std::optional<Ref<FairGroup>> Thread::set_group(std::optional<Ref<FairGroup>> group) {
    return Dispatcher::set_group(*this, std::move(group));
}

bool Thread::lend_priority(u32 priority) {
    return Dispatcher::lend_priority(*this, priority);
}

Thread::RunTimes Thread::run_times() const {
    const SplitTime::Parts parts = split_.split([this] { return ticks_run(); });
    return {.user = arch::time_of_ticks(parts.user), .system = arch::time_of_ticks(parts.system)};
}

void Thread::watch_run_time(Nanoseconds at) {
    Dispatcher::watch_run_time(*this, at);
}

ThreadStatistics Thread::statistics() const {
    return {.run_time = run_time(),
            .voluntary_switches = voluntary_switches_.load(Order::relaxed),
            .involuntary_switches = involuntary_switches_.load(Order::relaxed),
            .migrations = migrations_.load(Order::relaxed)};
}

void Thread::last_reference_dropped() {
    if (arch::this_cpu().read_side == nullptr) {
        Dispatcher::destroy(free_head_);  // start-up ran out of memory before there were readers
    } else {
        sync::call_after_grace_period(free_head_, &Dispatcher::destroy);
    }
}

void free_dead_threads() {
    Dispatcher::free_own_dead();
}

void interrupt(Thread& thread) {
    Dispatcher::interrupt(thread);
}
void kill(Thread& thread) {
    Dispatcher::kill(thread);
}

bool hold_asleep(Thread& thread) {
    return Dispatcher::hold_asleep(thread);
}

void let_wake(Thread& thread) {
    Dispatcher::let_wake(thread);
}
bool wake(Thread& thread, ThreadStateMask mask) {
    return Dispatcher::wake(thread, mask);
}
void exit_current_thread() {
    Dispatcher::exit();
}
void yield() {
    Dispatcher::yield();
}

void sleep_until(Nanoseconds deadline) {
    sync::Parking parking;
    static_cast<void>(parking.sleep(sync::SleepKind::Uninterruptible, deadline));
}

void sleep_for(Nanoseconds length) {
    sleep_until(time::now() + length);
}

}  // namespace cairn::sched
