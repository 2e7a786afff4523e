#include "kernel/sched/ready_queue.h"

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
    if (RealtimeEntity* urgent = realtime_.best()) {
        start(of(*urgent));
    } else if (FairEntity* fair = fair_.best_waiting()) {
        start(of(*fair));
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
        return fair_.account(elapsed) && fair_.has_waiting();
    }
    RealtimeEntity& entity = running_->realtime;
    if (running_->policy == Policy::Fifo) {
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
        return !running_->is_realtime() || woken.realtime.priority > running_->realtime.priority;
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
        return fair_.has_waiting() ? fair_.remaining_slice() : Nanoseconds::never();
    }
    const RealtimeEntity* next = realtime_.best();
    bool competes =
        running_->policy == Policy::RoundRobin && next != nullptr && next->priority == running_->realtime.priority;
    return competes ? running_->realtime.slice_left : Nanoseconds::never();
}

u32 ReadyQueue::waiting_count() const {
    return realtime_.count() + fair_.count() - (fair_.running() != nullptr ? 1 : 0);
}

}  // namespace cairn::sched
