#pragma once
/// What one CPU could run: the real-time classes above the fair one, and the entity that runs. A
/// pure data structure (no CPU, no clock, no lock), so that unit tests drive it with made-up time;
/// RunQueue adds the machine.

#include "kernel/sched/fair_queue.h"
#include "kernel/sched/realtime_queue.h"

namespace cairn::sched {

/// What can be scheduled; a Thread is one.
struct Schedulable {
    Policy policy = Policy::Fair;
    i32 nice = 0;
    FairEntity fair;
    RealtimeEntity realtime;

    bool is_realtime() const { return sched::is_realtime(policy); }
    /// Sets the parameters, and what the classes derive from them. In no queue.
    void set_parameters(Policy new_policy, i32 new_nice, u32 realtime_priority);
};

class ReadyQueue {
public:
    enum class Arrival : u8 { Fresh, Woken, Moved };
    void enqueue(Schedulable& entity, Arrival arrival);
    /// Takes out an entity that waits or runs.
    void dequeue(Schedulable& entity);

    /// Takes the best waiting entity and makes it the running one; nullptr when there is none.
    /// There is no running entity.
    Schedulable* start_best();
    /// The running entity waits again.
    void stop_running();
    Schedulable* running() const { return running_; }
    /// New parameters for an entity of this queue, waiting or running; a running one stays that.
    void change_parameters(Schedulable& entity, Policy policy, i32 nice, u32 realtime_priority);

    /// The running entity has run for `elapsed`; returns whether another should have its turn.
    bool account(Nanoseconds elapsed);
    /// The running entity is willing to wait for its turn again.
    void yield_running();
    /// Whether `woken`, which just came, is to replace the running one now.
    bool should_preempt(const Schedulable& woken) const;

    /// How long the running entity may go on undisturbed; never() when nobody competes with it.
    Nanoseconds remaining_slice() const;
    /// Entities that wait or run.
    u32 count() const { return waiting_count() + (running_ != nullptr ? 1 : 0); }
    u32 waiting_count() const;

    /// Calls `visit(Schedulable&)` for waiting entities that another CPU might take, the ones that
    /// profit most first, until it returns true.
    template <typename Visit>
    void find_movable(Visit visit) const;

    static Schedulable& of(FairEntity& entity) {
        return *object_of_member<Schedulable, FairEntity, &Schedulable::fair>(&entity);
    }
    static Schedulable& of(RealtimeEntity& entity) {
        return *object_of_member<Schedulable, RealtimeEntity, &Schedulable::realtime>(&entity);
    }

    /// Real-time entities that never sleep leave this much of each second to the fair ones, if such wait: so does Linux
    /// (sched(7), sched_rt_runtime_us), and root can still end them.
    static constexpr Nanoseconds kRealtimeSpan = Nanoseconds::from_milliseconds(950);
    static constexpr Nanoseconds kFairSpan = Nanoseconds::from_milliseconds(50);

private:
    void start(Schedulable& entity);
    bool account_slice(Schedulable& running, Nanoseconds elapsed);
    bool fair_waits() const { return fair_.has_waiting(); }

    RealtimeQueue realtime_;
    FairQueue fair_;
    Nanoseconds realtime_used_;  // by real-time entities while fair ones waited, less what those had a right to
    Nanoseconds fair_turn_;      // what is left of the fair ones' turn, during which they come first
    Schedulable* running_ = nullptr;
    bool turn_over_ = false;  // the running entity has used up its slice, or yielded
};

template <typename Visit>
void ReadyQueue::find_movable(Visit visit) const {
    bool found = false;
    realtime_.find([&](RealtimeEntity& entity) { return found = visit(of(entity)); });
    for (FairEntity* entity = fair_.last_waiting(); !found && entity != nullptr;
         entity = fair_.previous_waiting(*entity)) {
        found = visit(of(*entity));
    }
}

}  // namespace cairn::sched
