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
        fair_.enqueue(entity.fair,
                      arrival == Arrival::Fresh ? FairQueue::Arrival::Fresh : FairQueue::Arrival::Returning);
    }
}

void ReadyQueue::dequeue(Schedulable& entity) {
    bool runs = running_ == &entity;
    if (runs) {
        running_ = nullptr;
    }
    if (!entity.is_realtime()) {
        fair_.dequeue(entity.fair);
    } else if (!runs) {
        realtime_.dequeue(entity.realtime);
    }
}

Schedulable* ReadyQueue::start_best() {
    ASSERT(running_ == nullptr);
    RealtimeEntity* urgent = realtime_.best();
    FairEntity* fair = urgent == nullptr || fair_turn_ != Nanoseconds{} ? fair_.best_waiting() : nullptr;
    if (fair != nullptr) {
        start(of(*fair));
    } else if (urgent != nullptr) {
        fair_turn_ = {};
        start(of(*urgent));
    }
    return running_;
}

void ReadyQueue::start(Schedulable& entity) {
    if (entity.is_realtime()) {
        realtime_.dequeue(entity.realtime);
    } else {
        fair_.set_running(entity.fair);
    }
    running_ = &entity;
    turn_over_ = false;
}

void ReadyQueue::stop_running() {
    Schedulable& entity = *running_;
    running_ = nullptr;
    if (!entity.is_realtime()) {
        fair_.clear_running();
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

bool ReadyQueue::account(Nanoseconds elapsed) {
    if (running_ == nullptr) {
        return false;
    }
    if (!running_->is_realtime()) {
        const bool turn_ended = fair_turn_ != Nanoseconds{} && elapsed >= fair_turn_;
        fair_turn_ = elapsed < fair_turn_ ? fair_turn_ - elapsed : Nanoseconds{};
        realtime_used_ = realtime_used_ - Nanoseconds{elapsed.value * (kRealtimeSpan.value / kFairSpan.value)};
        return (fair_.account(elapsed) && fair_waits()) || (turn_ended && !realtime_.empty());
    }
    if (!fair_waits()) {
        realtime_used_ = {};
    } else if (realtime_used_ = realtime_used_ + elapsed; realtime_used_ >= kRealtimeSpan) {
        realtime_used_ = {};
        fair_turn_ = kFairSpan;
    }
    return account_slice(*running_, elapsed) || fair_turn_ != Nanoseconds{};
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
        fair_.forgo_slice();
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
    if (running_->policy == Policy::Idle) {
        return true;
    }
    return woken.policy != Policy::Batch && fair_.best() == &woken.fair;
}

Nanoseconds ReadyQueue::remaining_slice() const {
    if (running_ == nullptr) {
        return Nanoseconds::never();
    }
    if (!running_->is_realtime()) {
        const Nanoseconds slice = fair_waits() ? fair_.remaining_slice() : Nanoseconds::never();
        return fair_turn_ != Nanoseconds{} && !realtime_.empty() ? std::min(slice, fair_turn_) : slice;
    }
    const Nanoseconds until_fair = fair_waits() ? kRealtimeSpan - realtime_used_ : Nanoseconds::never();
    const RealtimeEntity* next = realtime_.best();
    bool competes =
        running_->policy == Policy::RoundRobin && next != nullptr && next->priority == running_->realtime.priority;
    return competes ? std::min(running_->realtime.slice_left, until_fair) : until_fair;
}

u32 ReadyQueue::waiting_count() const {
    return realtime_.count() + fair_.count() - (fair_.running() != nullptr ? 1 : 0);
}

}  // namespace cairn::sched
