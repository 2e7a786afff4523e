#pragma once
/// What one CPU could run: the real-time classes above the fair one, and the entity that runs. A
/// pure data structure (no CPU, no clock, no lock), so that unit tests drive it with made-up time;
/// RunQueue adds the machine.
///
/// The fair class has two levels: in the CPU's queue stand the shares of groups and the entities that are in none, in a
/// share's queue the entities of its group. The one that runs is the running one of both queues. A share stays the
/// running one of the CPU's queue while its group chooses whom to run next, so that a switch within a group changes
/// the upper tree only if another group's turn has come.

#include <algorithm>

#include "kernel/sched/fair_share.h"
#include "kernel/sched/realtime_queue.h"

namespace cairn::sched {

/// What can be scheduled; a Thread is one.
struct Schedulable {
    Policy policy = Policy::Fair;
    i32 nice = 0;
    FairEntity fair;
    RealtimeEntity realtime;
    /// Its group's part of the CPU whose queue it is in; null: it is in no group, and competes with the groups itself.
    /// Whoever puts it into the queue says so before.
    FairShare* share = nullptr;

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

    /// The best entity becomes the running one; nullptr when there is none. One that ran until now waits again, and
    /// may be the best itself.
    Schedulable* start_best();
    /// The running entity waits again.
    void stop_running();
    Schedulable* running() const { return running_; }
    /// New parameters for an entity of this queue, waiting or running; a running one stays that.
    void change_parameters(Schedulable& entity, Policy policy, i32 nice, u32 realtime_priority);
    /// Another group's part of this CPU, or none, for an entity of this queue; a running one stays that.
    void change_share(Schedulable& entity, FairShare* share);
    /// Another weight for a group's part of this CPU.
    void reweigh(FairShare& share, u32 weight) { fair_.reweigh(share.entity, weight); }

    /// The running entity has run for `elapsed`; returns whether another should have its turn.
    bool account(Nanoseconds elapsed) {
        if (running_ == nullptr) {
            return false;
        }
        if (running_->is_realtime() || (fair_turn_.value | realtime_used_.value) != 0) [[unlikely]] {
            return account_all(elapsed);
        }
        FairShare* share = running_->share;
        if (share != nullptr && share_competes()) [[unlikely]] {
            return account_fair(elapsed);
        }
        FairQueue& queue = share == nullptr ? fair_ : share->queue;
        return queue.account(elapsed) && queue.has_waiting();
    }
    /// The running entity is willing to wait for its turn again.
    void yield_running();
    /// Whether `woken`, which just came, is to replace the running one now.
    bool should_preempt(const Schedulable& woken) const;

    /// How long the running entity may go on undisturbed; never() when nobody competes with it.
    Nanoseconds remaining_slice() const {
        if (running_ == nullptr || running_->is_realtime() || fair_turn_ != Nanoseconds{}) [[unlikely]] {
            return remaining_beside_realtime();
        }
        return remaining_fair_slice();
    }
    /// Entities that wait or run.
    u32 count() const { return waiting_count() + (running_ != nullptr ? 1 : 0); }
    u32 waiting_count() const { return realtime_.count() + fair_waiting_; }

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
    [[gnu::noinline]] bool start_urgent();
    [[gnu::noinline]] FairEntity& best_beside(FairEntity& share);
    [[gnu::noinline]] bool account_all(Nanoseconds elapsed);
    bool account_slice(Schedulable& running, Nanoseconds elapsed);
    [[gnu::noinline]] bool account_fair(Nanoseconds elapsed);
    /// Whether the time that a share runs is written down: one that is alone is the mean of the queue, however long it
    /// runs.
    bool share_competes() const { return fair_.count() > 1; }
    void release_share();
    [[gnu::noinline]] Nanoseconds remaining_beside_realtime() const;
    /// Until the running fair entity's slice ends, or its group's, if others wait for that.
    Nanoseconds remaining_fair_slice() const {
        const Nanoseconds upper = fair_.has_waiting() ? fair_.remaining_slice() : Nanoseconds::never();
        const FairShare* share = running_->share;
        return share != nullptr && share->queue.has_waiting() ? std::min(upper, share->queue.remaining_slice()) : upper;
    }
    bool fair_waits() const { return fair_waiting_ != 0; }
    FairQueue& queue_of(Schedulable& entity) { return entity.share == nullptr ? fair_ : entity.share->queue; }
    /// What stands for the entity in the CPU's queue.
    static FairEntity& upper(Schedulable& entity) {
        return entity.share == nullptr ? entity.fair : entity.share->entity;
    }
    template <typename Visit>
    static bool find_waiting(const FairQueue& queue, Visit visit);

    RealtimeQueue realtime_;
    FairQueue fair_;
    u32 fair_waiting_ = 0;       // entities of the fair class that wait, on both levels; shares do not count
    Nanoseconds realtime_used_;  // by real-time entities while fair ones waited, less what those had a right to
    Nanoseconds fair_turn_;      // what is left of the fair ones' turn, during which they come first
    Schedulable* running_ = nullptr;
    bool turn_over_ = false;  // the running entity has used up its slice, or yielded
};

template <typename Visit>
bool ReadyQueue::find_waiting(const FairQueue& queue, Visit visit) {
    for (FairEntity* entity = queue.last_waiting(); entity != nullptr; entity = queue.previous_waiting(*entity)) {
        if (visit(*entity)) {
            return true;
        }
    }
    return false;
}

template <typename Visit>
void ReadyQueue::find_movable(Visit visit) const {
    bool found = false;
    realtime_.find([&](RealtimeEntity& entity) { return found = visit(of(entity)); });
    const auto visit_one = [&](FairEntity& entity) { return visit(of(entity)); };
    const auto visit_all = [&](FairEntity& entity) {
        return entity.is_share ? find_waiting(FairShare::of(entity).queue, visit_one) : visit_one(entity);
    };
    if (!found && !find_waiting(fair_, visit_all) && fair_.running() != nullptr && fair_.running()->is_share) {
        find_waiting(FairShare::of(*fair_.running()).queue, visit_one);
    }
}

}  // namespace cairn::sched
