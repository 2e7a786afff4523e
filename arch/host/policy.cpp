#include "arch/host/policy.h"

#include <algorithm>

namespace cairn::arch::host {

void SchedulingPolicy::begin(PolicyKind kind, Random random, u64 step, u32 cpu_count,
                             std::span<const ScriptedPreemption> script) {
    kind_ = kind;
    random_ = random;
    start_ = step;
    script_ = script;
    point_count_ = point_next_ = 0;
    slice_end_ = ~u64{0};
    slice_length_ = kLongestSlice;
    if (kind == PolicyKind::Random) {
        longest_gap_ = u64{2} << random_.below(9);
    }
    if (kind == PolicyKind::PriorityChange || kind == PolicyKind::BoundedPreemption) {
        // Nobody knows how long the run will be; all orders of magnitude are equally likely.
        u64 horizon = u64{16} << random_.below(10);
        point_count_ = 1 + static_cast<u32>(random_.below(kMaxPoints));
        for (u32 i = 0; i < point_count_; ++i) {
            points_[i] = step + 1 + random_.below(horizon);
        }
        std::sort(points_, points_ + point_count_);
    }
    if (kind == PolicyKind::PriorityChange) {
        for (u32 i = 0; i < cpu_count; ++i) {
            priority_[i] = 1 + i;
            std::swap(priority_[i], priority_[random_.below(i + 1)]);
        }
        lowest_priority_ = 0;
    }
    plan(step);
}

void SchedulingPolicy::plan(u64 step) {
    switch (kind_) {
        case PolicyKind::Random:
            next_preemption_ = step + 1 + random_.below(longest_gap_);
            return;
        case PolicyKind::PriorityChange:
        case PolicyKind::BoundedPreemption:
            slice_end_ = step + slice_length_;
            next_preemption_ = point_next_ < point_count_ ? std::min(points_[point_next_], slice_end_) : slice_end_;
            return;
        case PolicyKind::Scripted:
            slice_end_ = step + kLongestSlice;
            next_preemption_ =
                point_next_ < script_.size() ? std::min(start_ + script_[point_next_].step, slice_end_) : slice_end_;
            return;
        case PolicyKind::Cooperative:
            next_preemption_ = ~u64{0};
            return;
    }
}

u32 SchedulingPolicy::preempt(const Choice& choice) {
    u32 next = choice.current;
    bool slice_is_over = choice.step >= slice_end_;
    if (slice_is_over && kind_ != PolicyKind::Scripted) {
        // Not all of one length: a loop that takes a lock again and again may be in step with them, and have it each
        // time that the one who wants it looks.
        slice_length_ = kLongestSlice - random_.below(kLongestSlice / 4);
    }
    switch (kind_) {
        case PolicyKind::Random:
            next = choice.runnable[random_.below(choice.runnable.size())];
            break;
        case PolicyKind::PriorityChange:
            while (point_next_ < point_count_ && points_[point_next_] <= choice.step) {
                ++point_next_;
            }
            priority_[choice.current] = --lowest_priority_;
            next = highest_priority(choice);
            break;
        case PolicyKind::BoundedPreemption:
            while (point_next_ < point_count_ && points_[point_next_] <= choice.step) {
                ++point_next_;
            }
            next = choice.runnable[random_.below(choice.runnable.size())];
            break;
        case PolicyKind::Scripted:
            if (point_next_ < script_.size() && start_ + script_[point_next_].step <= choice.step) {
                for (u32 skip = script_[point_next_++].choice + 1; skip > 0; --skip) {
                    next = following({choice.runnable, next, choice.step});
                    if (next == choice.current) {
                        next = following({choice.runnable, next, choice.step});
                    }
                }
            } else if (slice_is_over) {
                next = following(choice);
            }
            break;
        case PolicyKind::Cooperative:
            break;
    }
    plan(choice.step);
    return next;
}

u32 SchedulingPolicy::replace(const Choice& choice, Reason reason) {
    u32 next = choice.runnable[0];
    switch (kind_) {
        case PolicyKind::Random:
        case PolicyKind::BoundedPreemption:
            next = choice.runnable[random_.below(choice.runnable.size())];
            break;
        case PolicyKind::PriorityChange:
            if (reason == Reason::Spins) {  // it waits for one of the others
                priority_[choice.current] = --lowest_priority_;
            }
            next = highest_priority(choice);
            break;
        case PolicyKind::Scripted:
        case PolicyKind::Cooperative:
            next = following(choice);
            break;
    }
    plan(choice.step);
    return next;
}

bool SchedulingPolicy::preempts_at_once(u32 woken, u32 current) const {
    return kind_ == PolicyKind::PriorityChange && priority_[woken] > priority_[current];
}

u32 SchedulingPolicy::highest_priority(const Choice& choice) const {
    return *std::max_element(choice.runnable.begin(), choice.runnable.end(),
                             [this](u32 a, u32 b) { return priority_[a] < priority_[b]; });
}

/// The next runnable CPU in order of number, after the last one comes the first.
u32 SchedulingPolicy::following(const Choice& choice) const {
    for (u32 cpu : choice.runnable) {
        if (cpu > choice.current) {
            return cpu;
        }
    }
    return choice.runnable[0];
}

}  // namespace cairn::arch::host
