#include "kernel/sched/fair_queue.h"

#include "kernel/base/assert.h"

namespace cairn::sched {

namespace {

/// Products of a time and a sum of weights may pass 64 bits; they are compared, never divided.
__extension__ using Wide = __int128;

/// `length` of real time as it counts for an entity of that weight.
i64 virtual_length(Nanoseconds length, u32 weight) {
    if (weight == kUnitWeight) [[likely]] {
        return static_cast<i64>(length.value);  // a division takes as long as dozens of other instructions
    }
    // Lengths are far below 2^53 ns (104 days), so the product fits.
    return static_cast<i64>(length.value * kUnitWeight / weight);
}

/// Lag is what an entity may be owed or owe at most: it bounds how long a sleeper's claim, or a
/// hog's debt, can hold up the others. Two slices, as in Linux.
i64 clamp_lag(i64 lag, u32 weight) {
    i64 limit = virtual_length(kFairSlice + kFairSlice, weight);
    return lag > limit ? limit : (lag < -limit ? -limit : lag);
}

/// The offsets from the base are kept below this, so that what is added to them still fits.
constexpr i64 kFarFromBase = i64{1} << 50;

/// Rounds towards minus infinity; `divisor` is positive.
i64 floor_divide(i64 dividend, i64 divisor) {
    i64 quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

}  // namespace

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
    if (total_weight_ != 0) {
        i64 total = static_cast<i64>(total_weight_);
        lag = floor_divide(clamp_lag(entity.lag, entity.weight) * (total + static_cast<i64>(entity.weight)), total);
    }
    entity.virtual_time = mean_virtual_time() - lag;
    i64 request = virtual_length(kFairSlice, entity.weight);
    entity.deadline = entity.virtual_time + (arrival == Arrival::Fresh ? request / 2 : request);
    entity.queued = true;
    ++count_;
    add_to_mean(entity);
    waiting_.insert(entity);
}

void FairQueue::dequeue(FairEntity& entity) {
    ASSERT(entity.queued);
    entity.lag = clamp_lag(mean_virtual_time() - entity.virtual_time, entity.weight);
    if (running_ == &entity) {
        running_ = nullptr;
    } else {
        waiting_.remove(entity);
    }
    remove_from_mean(entity);
    entity.queued = false;
    --count_;
}

FairEntity* FairQueue::pick(FairEntity* running) const {
    FairEntity* best = waiting_.first();
    if (best != nullptr && !eligible(best->virtual_time)) {
        // The earliest deadline of an eligible entity: left whenever the left subtree has one.
        best = nullptr;
        FairEntity* at = waiting_.root();
        while (at != nullptr) {
            FairEntity* left = waiting_.left(*at);
            if (left != nullptr && eligible(left->smallest_virtual_time)) {
                at = left;
            } else if (eligible(at->virtual_time)) {
                best = at;
                break;
            } else {
                at = waiting_.right(*at);
            }
        }
    }
    if (running == nullptr || (best != nullptr && !eligible(running->virtual_time))) {
        return best;
    }
    return best == nullptr || running->deadline <= best->deadline ? running : best;
}

void FairQueue::set_running(FairEntity& entity) {
    ASSERT(running_ == nullptr);
    waiting_.remove(entity);
    running_ = &entity;
}

void FairQueue::clear_running() {
    FairEntity* entity = running_;
    running_ = nullptr;
    waiting_.insert(*entity);
}

bool FairQueue::account(Nanoseconds elapsed) {
    FairEntity& entity = *running_;
    i64 growth = virtual_length(elapsed, entity.weight);
    entity.virtual_time += growth;
    weighted_offset_ += growth * static_cast<i64>(entity.weight);
    if (weighted_offset_ >= kFarFromBase || weighted_offset_ <= -kFarFromBase) {
        rebase();
    }
    if (entity.virtual_time < entity.deadline) {
        return false;
    }
    entity.deadline = entity.virtual_time + virtual_length(kFairSlice, entity.weight);
    return true;
}

void FairQueue::forgo_slice() {
    running_->deadline += virtual_length(kFairSlice, running_->weight);
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

Nanoseconds FairQueue::remaining_slice() const {
    i64 left = running_->deadline - running_->virtual_time;
    return {left <= 0 ? 0 : static_cast<u64>(left) * running_->weight / kUnitWeight};
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

void FairQueue::remove_from_mean(const FairEntity& entity) {
    // Virtual time goes on from where it was when the last entity leaves.
    i64 mean = mean_virtual_time();
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
