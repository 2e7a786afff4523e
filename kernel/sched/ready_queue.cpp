#include "kernel/sched/ready_queue.h"

#include <algorithm>

#include "kernel/base/assert.h"

namespace cairn::sched {

void Schedulable::set_parameters(Policy new_policy, i32 new_nice, u32 realtime_priority) {
    policy = new_policy;
    nice = new_nice;
    realtime.priority = realtime_priority;
    u32 weight = new_policy == Policy::Idle ? kIdlePolicyWeight : weight_of_nice(new_nice);
    // What it is owed in real time stays the same.
    fair.lag = fair.lag * static_cast<i64>(fair.weight) / static_cast<i64>(weight);
    fair.weight = weight;
}

void ReadyQueue::enqueue(Schedulable& entity, Arrival arrival) {
    if (entity.is_realtime()) {
        realtime_.enqueue(entity.realtime, RealtimeQueue::Position::Back);
    } else {
        ++fair_waiting_;
        queue_of(entity).enqueue(entity.fair,
                                 arrival == Arrival::Fresh ? FairQueue::Arrival::Fresh : FairQueue::Arrival::Returning);
        if (entity.share != nullptr && !entity.share->entity.queued) {
            fair_.enqueue(entity.share->entity, FairQueue::Arrival::Returning);
        }
    }
}

void ReadyQueue::dequeue(Schedulable& entity) {
    bool runs = running_ == &entity;
    if (runs) {
        running_ = nullptr;
    }
    if (!entity.is_realtime()) {
        fair_waiting_ -= runs ? 0 : 1;
        queue_of(entity).dequeue(entity.fair);
        if (entity.share != nullptr && entity.share->queue.count() == 0) {
            fair_.dequeue(entity.share->entity);
        }
    } else if (!runs) {
        realtime_.dequeue(entity.realtime);
    }
}

Schedulable* ReadyQueue::start_best() {
    if (!realtime_.empty() || (running_ != nullptr && running_->is_realtime())) [[unlikely]] {
        if (start_urgent()) {
            return running_;
        }
    }
    FairEntity* best = fair_.running();  // running_, its share, or the share of one that has left
    if (best == nullptr || !best->is_share) {
        best = fair_.start_best();
    } else if (fair_.has_waiting()) [[unlikely]] {
        best = &best_beside(*best);
    }
    if (best == nullptr) {
        return nullptr;
    }
    if (best->is_share) {
        best = FairShare::of(*best).queue.start_best();
    }
    fair_waiting_ -= running_ == nullptr ? 1 : 0;
    running_ = &of(*best);
    turn_over_ = false;
    return running_;
}

/// Real-time entities wait, or one of them runs. False: it is the fair ones' turn.
bool ReadyQueue::start_urgent() {
    if (running_ != nullptr && running_->is_realtime()) {
        stop_running();
    }
    if (realtime_.empty() || (fair_turn_ != Nanoseconds{} && (fair_waits() || running_ != nullptr))) {
        return false;
    }
    if (running_ != nullptr) {
        stop_running();
    }
    fair_turn_ = {};
    start(of(*realtime_.best()));
    return true;
}

/// The best one of the CPU's queue, the running one of which is the share of a group and competes with others.
FairEntity& ReadyQueue::best_beside(FairEntity& share) {
    FairEntity& best = *fair_.best();
    if (&best != &share) {
        if (running_ != nullptr) {
            FairShare::of(share).queue.clear_running();
        }
        fair_.exchange_running(best);
    }
    return best;
}

void ReadyQueue::start(Schedulable& entity) {
    if (entity.is_realtime()) {
        realtime_.dequeue(entity.realtime);
        release_share();
    } else {
        --fair_waiting_;
        if (FairEntity& top = upper(entity); fair_.running() != &top) {
            release_share();
            fair_.set_running(top);
        }
        if (entity.share != nullptr) {
            entity.share->queue.set_running(entity.fair);
        }
    }
    running_ = &entity;
    turn_over_ = false;
}

void ReadyQueue::stop_running() {
    Schedulable& entity = *running_;
    running_ = nullptr;
    if (!entity.is_realtime()) {
        ++fair_waiting_;
        queue_of(entity).clear_running();
    } else {
        // Who was only preempted stays first of its priority (sched(7), SCHED_FIFO).
        realtime_.enqueue(entity.realtime, turn_over_ ? RealtimeQueue::Position::Back : RealtimeQueue::Position::Front);
    }
}

void ReadyQueue::change_parameters(Schedulable& entity, Policy policy, i32 nice, u32 realtime_priority) {
    bool runs = running_ == &entity;
    dequeue(entity);
    entity.set_parameters(policy, nice, realtime_priority);
    enqueue(entity, Arrival::Moved);
    if (runs) {
        start(entity);
    }
}

void ReadyQueue::change_share(Schedulable& entity, FairShare* share) {
    if (entity.is_realtime()) {
        entity.share = share;  // where it goes when it becomes a fair one
        return;
    }
    bool runs = running_ == &entity;
    dequeue(entity);
    entity.share = share;
    enqueue(entity, Arrival::Moved);
    if (runs) {
        start(entity);
    }
}

/// account() where real-time entities matter or groups compete.
bool ReadyQueue::account_all(Nanoseconds elapsed) {
    if (!running_->is_realtime()) {
        const bool turn_ended = fair_turn_ != Nanoseconds{} && elapsed >= fair_turn_;
        fair_turn_ = elapsed < fair_turn_ ? fair_turn_ - elapsed : Nanoseconds{};
        realtime_used_ = realtime_used_ - Nanoseconds{elapsed.value * (kRealtimeSpan.value / kFairSpan.value)};
        return account_fair(elapsed) || (turn_ended && !realtime_.empty());
    }
    if (!fair_waits()) {
        realtime_used_ = {};
    } else if (realtime_used_ = realtime_used_ + elapsed; realtime_used_ >= kRealtimeSpan) {
        realtime_used_ = {};
        fair_turn_ = kFairSpan;
    }
    return account_slice(*running_, elapsed) || fair_turn_ != Nanoseconds{};
}

/// Whether the running fair entity's slice is over while others wait, or its group's while other groups do.
bool ReadyQueue::account_fair(Nanoseconds elapsed) {
    FairShare* share = running_->share;
    if (share == nullptr) {
        return fair_.account(elapsed) && fair_.has_waiting();
    }
    const bool over = share->queue.account(elapsed) && share->queue.has_waiting();
    return (share_competes() && fair_.account(elapsed)) || over;
}

/// Whether the running real-time entity has to let another of its priority go first.
bool ReadyQueue::account_slice(Schedulable& running, Nanoseconds elapsed) {
    RealtimeEntity& entity = running.realtime;
    if (running.policy == Policy::Fifo) {
        return false;
    }
    if (elapsed < entity.slice_left) {
        entity.slice_left = entity.slice_left - elapsed;
        return false;
    }
    entity.slice_left = kRoundRobinSlice;
    const RealtimeEntity* next = realtime_.best();
    turn_over_ = next != nullptr && next->priority >= entity.priority;
    return turn_over_;
}

void ReadyQueue::yield_running() {
    if (running_ == nullptr) {
        return;
    }
    turn_over_ = true;
    if (!running_->is_realtime()) {
        queue_of(*running_).forgo_slice();  // for the others of its group, as on Linux
    }
}

bool ReadyQueue::should_preempt(const Schedulable& woken) const {
    if (running_ == nullptr) {
        return true;
    }
    if (woken.is_realtime()) {
        return running_->is_realtime() ? woken.realtime.priority > running_->realtime.priority
                                       : fair_turn_ == Nanoseconds{};
    }
    if (running_->is_realtime() || woken.policy == Policy::Idle) {
        return false;
    }
    if (running_->share != woken.share) {
        const FairEntity& top = woken.share == nullptr ? woken.fair : woken.share->entity;
        return woken.policy != Policy::Batch && fair_.best() == &top;
    }
    if (running_->policy == Policy::Idle) {
        return true;
    }
    const FairQueue& queue = woken.share == nullptr ? fair_ : woken.share->queue;
    return woken.policy != Policy::Batch && queue.best() == &woken.fair;
}

/// remaining_slice() where real-time entities matter, or nothing runs.
Nanoseconds ReadyQueue::remaining_beside_realtime() const {
    if (running_ == nullptr) {
        return Nanoseconds::never();
    }
    if (!running_->is_realtime()) {
        const Nanoseconds slice = remaining_fair_slice();
        return !realtime_.empty() ? std::min(slice, fair_turn_) : slice;
    }
    const Nanoseconds until_fair = fair_waits() ? kRealtimeSpan - realtime_used_ : Nanoseconds::never();
    const RealtimeEntity* next = realtime_.best();
    bool competes =
        running_->policy == Policy::RoundRobin && next != nullptr && next->priority == running_->realtime.priority;
    return competes ? std::min(running_->realtime.slice_left, until_fair) : until_fair;
}

/// The share whose turn it was waits again, if there is one.
void ReadyQueue::release_share() {
    if (fair_.running() != nullptr) {
        fair_.clear_running();
    }
}

}  // namespace cairn::sched
