#pragma once
/// The fair class of one CPU: earliest eligible virtual deadline first (Stoica & Abdel-Wahab, "Earliest
/// Eligible Virtual Deadline First", 1995). A pure data structure: it knows neither CPUs nor
/// threads nor clocks; run time is what account() is told.
///
/// Each entity has a weight w and a virtual run time v, which grows by (run time · 1024 / w). The
/// weighted mean of all v is the queue's virtual time V; an entity's lag is V - v, what it is owed.
/// An entity is eligible when it is owed something (v <= V). It asks for a slice at a time, and its
/// virtual deadline is v + slice · 1024 / w, renewed when v reaches it. The pick is the eligible
/// entity with the earliest deadline. An entity that leaves takes its lag along and gets it back
/// when it returns, so that sleeping neither earns nor costs time.
///
/// The running entity stays out of the tree but counts in the mean. The tree is ordered by
/// deadline and each node knows the smallest v below it, so that pick() is O(log n).

#include "kernel/base/rb_tree.h"
#include "kernel/base/types.h"
#include "kernel/sched/policy.h"

namespace cairn::sched {

struct FairEntity {
    u32 weight = kUnitWeight;
    bool queued = false;            // counts in a FairQueue: waits in its tree or is its running one
    bool is_share = false;          // stands for the threads of a group (fair_share.h)
    i64 virtual_time = 0;           // v, in nanoseconds of a unit-weight entity
    i64 deadline = 0;               // virtual
    i64 smallest_virtual_time = 0;  // of the subtree
    i64 lag = 0;                    // V - v when it left the queue
    RbNode node;
};

class FairQueue {
public:
    /// A waiting entity joins; `fresh` ones (new threads) with half a slice, as the newcomer's
    /// share of the period under way.
    enum class Arrival : u8 { Fresh, Returning };
    void enqueue(FairEntity& entity, Arrival arrival);
    /// An entity leaves, waiting or running; its lag is kept in it.
    void dequeue(FairEntity& entity);

    /// The best waiting entity; nullptr when none waits. The running one does not take part.
    FairEntity* best_waiting() const { return pick(nullptr); }
    /// The best of the waiting ones and the running one; nullptr when the queue is empty.
    FairEntity* best() const { return pick(running_); }

    /// The best entity becomes the running one, nullptr when there is none. One that ran until now has had its turn: it
    /// comes after those with its deadline, but may be the best again.
    FairEntity* start_best();
    /// A waiting entity begins to run, and the running one waits again.
    void set_running(FairEntity& entity);
    void clear_running();
    /// Both at once: the running entity waits again, and `entity` runs instead.
    void exchange_running(FairEntity& entity);

    /// The running entity has run for `elapsed`. Renews its deadline when that is reached, and
    /// returns whether it was: time to let another have its turn.
    bool account(Nanoseconds elapsed) {
        FairEntity& entity = *running_;
        const i64 growth = virtual_length(elapsed, entity.weight);
        entity.virtual_time += growth;
        weighted_offset_ += growth * static_cast<i64>(entity.weight);
        if (weighted_offset_ >= kFarFromBase || weighted_offset_ <= -kFarFromBase) [[unlikely]] {
            rebase();
        }
        return entity.virtual_time >= entity.deadline && renew_deadline(entity);
    }
    /// The running entity gives up the rest of its slice (sched_yield(2)).
    void forgo_slice();
    /// Changes the weight of an entity, in this queue or in none; the lag in real time stays.
    void reweigh(FairEntity& entity, u32 weight);

    u32 count() const { return count_; }
    bool has_waiting() const { return !waiting_.empty(); }
    FairEntity* running() const { return running_; }
    /// Whether `entity` is owed time.
    bool eligible(const FairEntity& entity) const { return eligible(entity.virtual_time); }
    /// V, rounded down; zero base when the queue is empty.
    i64 mean_virtual_time() const;
    /// How long the running entity may go on before its deadline, in real time.
    Nanoseconds remaining_slice() const {
        const i64 left = running_->deadline - running_->virtual_time;
        if (left <= 0) {
            return {0};
        }
        const u64 length = static_cast<u64>(left);
        return {running_->weight == kUnitWeight ? length : length * running_->weight / kUnitWeight};
    }
    /// A waiting entity for another CPU to take: the one with the latest deadline first.
    FairEntity* last_waiting() const { return waiting_.last(); }
    FairEntity* previous_waiting(const FairEntity& entity) const { return waiting_.previous(entity); }
    u64 total_weight() const { return total_weight_; }

private:
    struct ByDeadline {
        static bool less(const FairEntity& a, const FairEntity& b) { return a.deadline < b.deadline; }
        static bool update(FairEntity& entity, FairEntity* left, FairEntity* right);
    };

    /// The offsets from the base are kept below this, so that what is added to them still fits.
    static constexpr i64 kFarFromBase = i64{1} << 50;

    /// `length` of real time as it counts for an entity of that weight.
    static i64 virtual_length(Nanoseconds length, u32 weight) {
        if (weight == kUnitWeight) [[likely]] {
            return static_cast<i64>(length.value);  // a division takes as long as dozens of other instructions
        }
        // Lengths are far below 2^53 ns (104 days), so the product fits.
        return static_cast<i64>(length.value * kUnitWeight / weight);
    }
    static i64 clamp_lag(i64 lag, u32 weight);
    static bool renew_deadline(FairEntity& entity);
    FairEntity* pick(FairEntity* running) const;
    FairEntity* best_in_turn() const;
    FairEntity* search() const;
    bool eligible(i64 virtual_time) const;
    void add_to_mean(const FairEntity& entity);
    void remove_from_mean(const FairEntity& entity, i64 mean);
    void rebase();

    RbTree<FairEntity, &FairEntity::node, ByDeadline> waiting_;
    FairEntity* running_ = nullptr;
    // V = base_ + weighted_offset_ / total_weight_; offsets from a base keep the products small.
    i64 base_ = 0;
    i64 weighted_offset_ = 0;  // sum of w · (v - base_)
    u64 total_weight_ = 0;
    u32 count_ = 0;
};

}  // namespace cairn::sched
