#include "kernel/out_of_memory.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kernel/base/rate_limit.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/send.h"
#include "kernel/time/clock.h"
#include "mm/frame_allocator.h"
#include "mm/kernel_space.h"

namespace cairn {

namespace {

using task::CombinedUse;
using task::ThreadGroup;

constexpr i32 kNever = -1000;  // oom_score_adj that exempts a process
/// A process that uses less than this part of what all use is not why memory is short.
constexpr u64 kPartOfOne = 8;
/// Of what all use, this part is to come back when it is the fault of many; twice as much each time that memory runs
/// out again so soon, since then they are made faster than they end.
constexpr u64 kPartOfMany = 16;
constexpr Nanoseconds kSoon = Nanoseconds::from_seconds(2);
/// What comes back with a thread that has ended and only waits to be freed: its stack and what describes it.
constexpr u64 kPagesOfDead = mm::KernelSpace::kStackFrames + 1;
/// So often in a row the choice is put off because memory is just coming back.
constexpr u32 kDelays = 5;
constexpr Nanoseconds kPatience = Nanoseconds::from_milliseconds(10);
/// Of a crowd, so many look again in that time; the others wait for longer, or until memory has come back.
constexpr u32 kLookAgain = 16;
/// For so long the crowd leaves a reserve to others, and is told so again meanwhile if memory is still short.
constexpr Nanoseconds kRestraint = Nanoseconds::from_seconds(5);
constexpr Nanoseconds kRestrainAgain = Nanoseconds::from_seconds(1);

/// A process that may be ended, as it was a moment ago.
struct Candidate {
    Ref<ThreadGroup> process;
    Ref<task::Session> session;
    Ref<task::UserAccount> user;
    i32 adjust;
    u64 victim_round;  // of its memory
    u64 own;           // pages that come back when it ends
    i64 badness;       // pages in use, plus a share of all memory for each point of oom_score_adj (proc(5))
};

/// Its threads run before those of programs from now on: memory comes back when they have run.
void hurry(ThreadGroup& process) {
    SpinLockGuard guard(process.lock);
    task::for_each_thread(process, [](task::Task& task) {
        must(task.thread().set_policy(sched::kHousekeeping.policy, 0, sched::kHousekeeping.realtime_priority),
             "a policy that there is");
    });
}

void restrain(ThreadGroup& process, Nanoseconds until) {
    SpinLockGuard guard(process.lock);
    task::for_each_thread(process, [until](task::Task& task) { task.thread().restrain_until(until); });
}

/// Nothing for one that has no memory, or may not be ended.
std::optional<Candidate> examine(Ref<ThreadGroup> process, u64 total_pages) {
    const i32 adjust = process->oom_score_adjust.load(Order::relaxed);
    if (process->is_init || adjust == kNever) {
        return std::nullopt;
    }
    std::optional<Ref<task::Session>> session;
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (process->process_group) {
            session = Ref<task::Session>((*process->process_group)->session());
        }
    }
    std::optional<Ref<task::UserAccount>> user;
    std::optional<mm::SpaceStatistics> memory;
    u64 victim_round = 0;
    {
        SpinLockGuard guard(process->lock);
        task::for_each_thread(*process, [&](task::Task& thread) {
            if (!memory) {  // the first thread may have ended alone
                user = Ref<task::UserAccount>(thread.account());
                memory = thread.memory_of_other_locked();
                if (memory) {
                    victim_round = thread.space_of_other_locked()->victim_round.load(Order::relaxed);
                }
            }
        });
    }
    if (!session || !memory) {
        return std::nullopt;
    }
    const mm::SpaceStatistics& use = *memory;
    const i64 share = i64{adjust} * static_cast<i64>(total_pages) / 1000;
    return Candidate{std::move(process),
                     std::move(*session),
                     std::move(*user),
                     adjust,
                     victim_round,
                     use.resident_anonymous + use.page_tables,
                     static_cast<i64>(use.resident() + use.page_tables) + share};
}

template <typename Visit>
void for_each_candidate(Visit visit) {
    const u64 total_pages = g_kernel.frames->statistics().total / kPageSize;
    i32 from = 1;
    while (std::optional<Ref<ThreadGroup>> process = g_kernel.tasks->next_process(from)) {
        from = (*process)->number() + 1;
        if (std::optional<Candidate> candidate = examine(std::move(*process), total_pages)) {
            visit(*candidate);
        }
    }
}

void add(CombinedUse& use, u64 round, u64 pages) {
    use.pages = (use.round == round ? use.pages : 0) + pages;
    use.round = round;
}

/// One look at all processes.
class Choice {
public:
    explicit Choice(u64 round)
        : round_(round),
          left_before_(g_kernel.tasks->left_memory.load(Order::acquire)),
          ending_(g_kernel.scheduler->all_dead() * kPagesOfDead) {
        for_each_candidate([this](Candidate& candidate) { count(candidate); });
    }
    /// Ends whom it should be, unless enough memory is on its way. False: there is nobody.
    bool end() {
        const bool enough = (ending_ != 0 && ending_ >= all_ / kPartOfMany) || memory_comes_back();
        if (!largest_) {
            return enough;
        }
        // Who has asked to be the first is the first.
        const bool one = largest_->adjust > 0 || largest_->own * kPartOfOne >= all_;
        if (!one) {
            find_crowd();
        }
        if (enough) {
            return true;
        }
        if (one || !end_some_of_many()) {
            log_end(1, *largest_, largest_->own);
            end(*largest_->process);
        }
        end_sharers();
        return true;
    }

private:
    void count(Candidate& candidate) {
        bool ends = false;
        {
            SpinLockGuard guard(candidate.process->lock);
            ends = candidate.process->exiting && candidate.process->thread_count != 0;
        }
        all_ += candidate.own;
        if (ends) {
            ending_ += candidate.own;
            hurry(*candidate.process);
            return;
        }
        if (candidate.adjust >= 0) {
            add(candidate.user->memory, round_, candidate.own);
            add(candidate.session->memory, round_, candidate.own);
        }
        if (!largest_ || candidate.badness > largest_->badness) {
            largest_ = std::move(candidate);
        }
    }

    /// What the processes use together to which this one is counted: an ordinary user's, or those of root's session.
    u64 crowd_of(const Candidate& candidate) const {
        const CombinedUse& use = candidate.user->uid() != 0 ? candidate.user->memory : candidate.session->memory;
        return use.round == round_ ? use.pages : 0;
    }

    /// Of the crowd that uses most, those in the session that uses most. They are restrained, unless that was just
    /// done: whoever they make since is, too.
    void find_crowd() {
        for_each_candidate([&](Candidate& candidate) {
            const u64 crowd = crowd_of(candidate);
            const u64 most = crowd_ ? crowd_of(*crowd_) : 0;
            if (crowd > most ||
                (crowd == most && crowd_ && candidate.session->memory.pages > crowd_->session->memory.pages)) {
                crowd_ = std::move(candidate);
            }
        });
        task::TaskTable& tasks = *g_kernel.tasks;
        const Nanoseconds now = time::now();
        if (crowd_ && now >= tasks.restrain_again_at) {
            tasks.restrain_again_at = now + kRestrainAgain;
            g_kernel.frames->expect_restrained(now + kRestraint);
            for_each_in_crowd([&](Candidate& candidate) { restrain(*candidate.process, now + kRestraint); });
        }
    }

    template <typename Visit>
    void for_each_in_crowd(Visit visit) {
        for_each_candidate([&](Candidate& candidate) {
            if (candidate.adjust >= 0 && &*candidate.session == &*crowd_->session &&
                &*candidate.user == &*crowd_->user) {
                visit(candidate);
            }
        });
    }

    /// As many of the crowd as it takes, its leader not among them.
    bool end_some_of_many() {
        if (!crowd_) {
            return false;
        }
        const u64 part = next_part();
        u64 ended = 0;
        u64 pages = 0;
        for_each_in_crowd([&](Candidate& candidate) {
            if (pages < all_ / part && !candidate.process->session_leader.load(Order::relaxed)) {
                pages += candidate.own;
                ++ended;
                end(*candidate.process);
            }
        });
        if (ended != 0) {
            log_end(ended, *crowd_, pages);
        }
        return ended != 0;
    }

    static u64 next_part() {
        task::TaskTable& tasks = *g_kernel.tasks;
        const Nanoseconds now = time::now();
        const bool soon = tasks.many_ended_part != 0 && now < tasks.many_ended_at + kSoon;
        tasks.many_ended_part = soon ? std::max<u64>(tasks.many_ended_part / 2, 1) : kPartOfMany;
        tasks.many_ended_at = now;
        return tasks.many_ended_part;
    }

    void end(ThreadGroup& process) {
        {
            SpinLockGuard guard(process.lock);
            task::for_each_thread(process, [&](task::Task& thread) {
                thread.thread().restrain_until({});
                if (mm::AddressSpace* space = thread.space_of_other_locked(); space != nullptr) {
                    space->victim_round.store(round_, Order::relaxed);
                }
            });
        }
        signal::kill_process(process);
        hurry(process);
    }

    /// Memory comes back when all that use it have ended (vfork, CLONE_VM). Those that were chosen themselves get a
    /// second signal, which does nothing.
    void end_sharers() {
        for_each_candidate([&](Candidate& candidate) {
            if (candidate.victim_round == round_) {
                end(*candidate.process);
            }
        });
    }

    static void log_end(u64 count, const Candidate& one, u64 pages) {
        static constinit RateLimit limit(10, Nanoseconds::from_seconds(10));
        if (!limit.allow(time::now())) {
            return;
        }
        const u64 kibibytes = pages * (kPageSize / kKiB);
        const u32 hidden = limit.take_suppressed();
        if (count == 1) {
            log_warning("oom", "out of memory: ending process {}, of user {}, which uses {} KiB{}",
                        one.process->number(), one.user->uid(), kibibytes, hidden != 0 ? " (and others)" : "");
        } else {
            log_warning("oom", "out of memory: ending {} processes of user {} in session {}, which use {} KiB{}", count,
                        one.user->uid(), one.session->number(), kibibytes, hidden != 0 ? " (and others)" : "");
        }
    }

    /// Whether a process was giving up its memory while we looked, so that it was not seen with it any more. There may
    /// always be one, and its memory little: then not for ever.
    bool memory_comes_back() {
        task::TaskTable& tasks = *g_kernel.tasks;
        const bool comes =
            tasks.leaving_memory.load(Order::acquire) != 0 || tasks.left_memory.load(Order::acquire) != left_before_;
        tasks.victim_delays = comes && tasks.victim_delays < kDelays ? tasks.victim_delays + 1 : 0;
        return tasks.victim_delays != 0;
    }

    const u64 round_;
    const u64 left_before_;
    u64 all_ = 0;
    u64 ending_;
    std::optional<Candidate> largest_;
    std::optional<Candidate> crowd_;  // one of it
};

enum class When : u8 { Now, NotTooOften };

/// Whether a process was found to end; nothing: somebody else is choosing one just now, or has just done so. Not by a
/// lock: whoever gets no memory may hold any.
std::optional<bool> choose_and_end(When when) {
    task::TaskTable& tasks = *g_kernel.tasks;
    if (tasks.somebody_chooses_victim.exchange(true, Order::acquire)) {
        return std::nullopt;
    }
    std::optional<bool> found;
    const Nanoseconds now = time::now();
    if (when == When::Now || tasks.victim_chosen_at == Nanoseconds{} || now - tasks.victim_chosen_at >= kPatience) {
        found = Choice(++tasks.victim_rounds).end();
        tasks.victim_chosen_at = time::now();
    }
    tasks.somebody_chooses_victim.store(false, Order::release);
    return found;
}

/// Until memory may have come back. Thousands that look every moment would leave no time for whoever gives it back.
void wait_for_memory(const sched::Thread& self, ShortOf whom) {
    // A copy may be made under a lock that others wait for.
    if (whom == ShortOf::Copy || !self.restrained()) {
        sched::sleep_for(kPatience);
        return;
    }
    task::TaskTable& tasks = *g_kernel.tasks;
    const u64 before = tasks.left_memory.load(Order::acquire);
    const u64 turns = 1 + tasks.memory_waiters.fetch_add(1, Order::relaxed) / kLookAgain;
    static_cast<void>(tasks.memory_left.wait_until([&] { return tasks.left_memory.load(Order::acquire) != before; },
                                                   sync::SleepKind::Killable,
                                                   time::now() + Nanoseconds{turns * kPatience.value}));
    tasks.memory_waiters.fetch_sub(1, Order::relaxed);
}

}  // namespace

bool end_largest_process() {
    return choose_and_end(When::Now).value_or(false);
}

bool relieve_memory_shortage(task::Task& self, ShortOf whom) {
    constexpr u32 kCopyPatience = 500;
    if (self.thread().kill_pending()) {
        return false;  // it ends, which helps
    }
    if (whom == ShortOf::Copy && ++self.shortages > kCopyPatience) {
        return false;
    }
    // One chooses, and the others wait for what comes of it.
    if (!choose_and_end(When::NotTooOften).value_or(true)) {
        return false;
    }
    if (!self.thread().kill_pending()) {
        // The memory comes back when others have run; this thread has nothing better to do.
        wait_for_memory(self.thread(), whom);
    }
    return true;
}

}  // namespace cairn
