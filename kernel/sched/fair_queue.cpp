#include "kernel/sched/fair_queue.h"

#include <algorithm>

#include "kernel/base/assert.h"

namespace cairn::sched {

namespace {

/// Products of a time and a sum of weights may pass 64 bits; they are compared, never divided.
__extension__ using Wide = __int128;

/// Rounds towards minus infinity; `divisor` is a sum of weights.
i64 floor_divide(i64 dividend, i64 divisor) {
    static_assert(kUnitWeight == 1 << 10);
    if (divisor == kUnitWeight) [[likely]] {
        return dividend >> 10;  // as for virtual_length()
    }
    i64 quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

}  // namespace

/// Lag is what an entity may be owed or owe at most: it bounds how long a sleeper's claim, or a
/// hog's debt, can hold up the others. Two slices, as in Linux.
i64 FairQueue::clamp_lag(i64 lag, u32 weight) {
    i64 limit = virtual_length(kFairSlice + kFairSlice, weight);
    return lag > limit ? limit : (lag < -limit ? -limit : lag);
}

bool FairQueue::ByDeadline::update(FairEntity& entity, FairEntity* left, FairEntity* right) {
    i64 smallest = entity.virtual_time;
    if (left != nullptr && left->smallest_virtual_time < smallest) {
        smallest = left->smallest_virtual_time;
    }
    if (right != nullptr && right->smallest_virtual_time < smallest) {
        smallest = right->smallest_virtual_time;
    }
    bool changed = entity.smallest_virtual_time != smallest;
    entity.smallest_virtual_time = smallest;
    return changed;
}

void FairQueue::enqueue(FairEntity& entity, Arrival arrival) {
    ASSERT(!entity.queued);
    // Once it has joined, the mean has moved towards it: a lag l at joining leaves l·W/(W+w).
    // Asking for more by the inverse factor restores what it had when it left.
    i64 lag = 0;
    if (total_weight_ != 0 && entity.lag != 0) {
        i64 total = static_cast<i64>(total_weight_);
        lag = floor_divide(clamp_lag(entity.lag, entity.weight) * (total + static_cast<i64>(entity.weight)), total);
    }
    entity.virtual_time = mean_virtual_time() - lag;
    i64 request = virtual_length(kFairSlice, entity.weight);
    entity.deadline = entity.virtual_time + (arrival == Arrival::Fresh ? request / 2 : request);
    entity.queued = true;
    ++count_;
    add_to_mean(entity);
    waiting_.insert_quickly(entity);
}

void FairQueue::dequeue(FairEntity& entity) {
    ASSERT(entity.queued);
    const i64 mean = count_ == 1 ? entity.virtual_time : mean_virtual_time();
    entity.lag = clamp_lag(mean - entity.virtual_time, entity.weight);
    if (running_ == &entity) {
        running_ = nullptr;
    } else {
        waiting_.remove_quickly(entity);
    }
    remove_from_mean(entity, mean);
    entity.queued = false;
    --count_;
}

FairEntity* FairQueue::pick(FairEntity* running) const {
    if (count_ == 1) {
        return running != nullptr ? running : waiting_.root();  // alone it is the mean
    }
    FairEntity* best = nullptr;
    if (count_ == 2 && running != nullptr) {
        // The mean of two lies between them, so that the later one is not eligible.
        best = waiting_.root();
        if (best->virtual_time != running->virtual_time) {
            return best->virtual_time < running->virtual_time ? best : running;
        }
    } else {
        best = search();
        if (running == nullptr || (best != nullptr && !eligible(running->virtual_time))) {
            return best;
        }
    }
    return best == nullptr || running->deadline <= best->deadline ? running : best;
}

/// The best one if the running entity, which there is, waited behind all with its deadline.
FairEntity* FairQueue::best_in_turn() const {
    if (count_ == 1) {
        return running_;
    }
    FairEntity* best = nullptr;
    if (count_ == 2) {
        best = waiting_.root();
        if (best->virtual_time != running_->virtual_time) {
            return best->virtual_time < running_->virtual_time ? best : running_;  // as in pick()
        }
    } else {
        best = search();
        if (best != nullptr && !eligible(running_->virtual_time)) {
            return best;
        }
    }
    return best == nullptr || running_->deadline < best->deadline ? running_ : best;
}

FairEntity* FairQueue::start_best() {
    FairEntity* best = nullptr;
    if (running_ == nullptr) {
        best = best_waiting();
        if (best != nullptr) {
            set_running(*best);
        }
    } else {
        best = best_in_turn();
        if (best != running_) {
            exchange_running(*best);
        }
    }
    return best;
}

/// The waiting entity with the earliest deadline of the eligible ones.
FairEntity* FairQueue::search() const {
    FairEntity* first = waiting_.first();
    if (first == nullptr || eligible(first->virtual_time)) {
        return first;
    }
    // Left whenever the left subtree has an eligible one.
    FairEntity* at = waiting_.root();
    while (at != nullptr) {
        FairEntity* left = waiting_.left(*at);
        if (left != nullptr && eligible(left->smallest_virtual_time)) {
            at = left;
        } else if (eligible(at->virtual_time)) {
            return at;
        } else {
            at = waiting_.right(*at);
        }
    }
    return nullptr;
}

void FairQueue::set_running(FairEntity& entity) {
    ASSERT(running_ == nullptr);
    waiting_.remove_quickly(entity);
    running_ = &entity;
}

void FairQueue::clear_running() {
    FairEntity* entity = running_;
    running_ = nullptr;
    waiting_.insert_quickly(*entity);
}

void FairQueue::exchange_running(FairEntity& entity) {
    waiting_.remove_quickly(entity);
    waiting_.insert_quickly(*running_);
    running_ = &entity;
}

/// It has reached its deadline: it asks for another slice.
bool FairQueue::renew_deadline(FairEntity& entity) {
    entity.deadline = entity.virtual_time + virtual_length(kFairSlice, entity.weight);
    return true;
}

/// It comes after those who do not, but not any later for doing it again: who yields a million times with nobody there
/// would go on for hours afterwards before anybody else has a turn.
void FairQueue::forgo_slice() {
    const i64 slice = virtual_length(kFairSlice, running_->weight);
    running_->deadline = std::min(running_->deadline, running_->virtual_time + slice) + slice;
}

void FairQueue::reweigh(FairEntity& entity, u32 weight) {
    if (!entity.queued) {
        entity.lag = entity.lag * static_cast<i64>(entity.weight) / static_cast<i64>(weight);
        entity.weight = weight;
        return;
    }
    bool was_running = running_ == &entity;
    dequeue(entity);
    reweigh(entity, weight);
    enqueue(entity, Arrival::Returning);
    if (was_running) {
        set_running(entity);
    }
}

i64 FairQueue::mean_virtual_time() const {
    return total_weight_ == 0 ? base_ : base_ + floor_divide(weighted_offset_, static_cast<i64>(total_weight_));
}

bool FairQueue::eligible(i64 virtual_time) const {
    return Wide{weighted_offset_} >= Wide{virtual_time - base_} * Wide{total_weight_};
}

void FairQueue::add_to_mean(const FairEntity& entity) {
    weighted_offset_ += (entity.virtual_time - base_) * static_cast<i64>(entity.weight);
    total_weight_ += entity.weight;
}

/// `mean` is that with the entity: virtual time goes on from there when the last one leaves.
void FairQueue::remove_from_mean(const FairEntity& entity, i64 mean) {
    weighted_offset_ -= (entity.virtual_time - base_) * static_cast<i64>(entity.weight);
    total_weight_ -= entity.weight;
    if (total_weight_ == 0) {
        base_ = mean;
        weighted_offset_ = 0;
    }
}

void FairQueue::rebase() {
    i64 shift = floor_divide(weighted_offset_, static_cast<i64>(total_weight_));
    base_ += shift;
    weighted_offset_ -= shift * static_cast<i64>(total_weight_);
}

}  // namespace cairn::sched
