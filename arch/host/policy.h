#pragma once
/// Who runs next: the strategies by which simulated CPUs take turns. Each is a pure function of
/// its random stream and of the questions asked, so that a seed replays. A sweep over seeds uses
/// all of them, because each finds bugs that the others rarely reach:
///
///   Random             switches often, at random: bugs that need many switches
///   PriorityChange     PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte: "A Randomized Scheduler
///                      with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): the CPU of
///                      highest priority runs, and at d random steps the running one becomes the
///                      lowest: bugs that need a long delay at one exact place
///   BoundedPreemption  at most four switches that nothing forced: bugs with few preemptions
///   Scripted           preempts exactly where told, otherwise round robin: systematic search
///   Cooperative        never switches unless the CPU cannot go on: bringing the machine up

#include <span>

#include "arch/host/random.h"
#include "kernel/base/cpu_set.h"

namespace cairn::arch::host {

enum class PolicyKind : u8 { Random, PriorityChange, BoundedPreemption, Scripted, Cooperative };

/// A switch that the systematic search asks for: at `step` (counted from the scenario's start)
/// the `choice`-th of the other runnable CPUs goes on.
struct ScriptedPreemption {
    u64 step;
    u32 choice;
};

/// A question to the policy. `runnable` is in order of CPU number and never empty.
struct Choice {
    std::span<const u32> runnable;
    u32 current;
    u64 step;
};

/// One object serves a whole run; it allocates nothing and is reset by begin().
class SchedulingPolicy {
public:
    /// The steps that one CPU may run on end while others could: beyond, it counts as spinning.
    static constexpr u64 kLongestSlice = 4096;

    void begin(PolicyKind kind, Random random, u64 step, u32 cpu_count, std::span<const ScriptedPreemption> script);

    PolicyKind kind() const { return kind_; }
    /// The step at which preempt() is to be asked next.
    u64 next_preemption() const { return next_preemption_; }
    /// At next_preemption(): who goes on; may be the current CPU, which is among the runnable ones.
    u32 preempt(const Choice& choice);
    /// The current CPU halts, or spins while others are runnable: who goes on. `choice.runnable`
    /// does not contain the current CPU.
    enum class Reason : u8 { Halts, Spins };
    u32 replace(const Choice& choice, Reason reason);
    /// An interrupt made `woken` runnable: whether it goes on at once.
    bool preempts_at_once(u32 woken, u32 current) const;

private:
    u32 highest_priority(const Choice& choice) const;
    u32 following(const Choice& choice) const;
    void plan(u64 step);

    PolicyKind kind_ = PolicyKind::Cooperative;
    Random random_;
    u64 next_preemption_ = ~u64{0};
    u64 start_ = 0;

    u64 longest_gap_ = 0;  // Random: the gap between switches is uniform in [1, longest_gap_]

    static constexpr u32 kMaxPoints = 4;
    u32 point_count_ = 0;  // PriorityChange, BoundedPreemption: in rising order
    u32 point_next_ = 0;
    u64 points_[kMaxPoints] = {};
    u64 slice_end_ = ~u64{0};  // the end of the running CPU's longest slice
    u64 slice_length_ = kLongestSlice;
    i64 priority_[kMaxCpus] = {};  // PriorityChange
    i64 lowest_priority_ = 0;

    std::span<const ScriptedPreemption> script_;
};

}  // namespace cairn::arch::host
