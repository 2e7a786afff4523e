#pragma once
/// ThreadGroup: a process: its threads, its place in the tree of processes, and what its threads share for as long as
/// they live: pending signals, dispositions, limits, timers.
///
/// Locks: `lock` (rank ThreadGroup) protects the list of threads, everything about signals (also that of the
/// single threads), the ways in which the group may end or stop, limits, and the pointers through which
/// others look at a task's files and credentials. The tree (parent, children, process group) is under the task table's
/// lock (rank PidTable), which is outer. Entry of a thread and the flags that forbid it are under `lock` (trap A).
///
/// A process lives from clone to reaping: running, zombie (all threads have ended, the parent has not waited), gone.
/// Its memory lives as long as somebody refers to it.

#include <optional>

#include "fs/event/signal_source.h"
#include "fs/vfs/operation_context.h"
#include "kernel/base/list.h"
#include "kernel/sched/fair_group.h"
#include "kernel/signal/cpu_timer.h"
#include "kernel/signal/handlers.h"
#include "kernel/signal/pending.h"
#include "kernel/sync/completion.h"
#include "kernel/sync/wait_queue.h"
#include "kernel/task/limits.h"
#include "kernel/task/pid.h"
#include "kernel/task/process_times.h"
#include "kernel/task/user_account.h"

namespace cairn::signal {
class ProcessTimers;
}

namespace cairn::task {

class ProcessGroup;
class Task;

/// Task's place in its group's list; a base of Task, so that the list can stand in the group.
struct TaskLink {
    ListNode group_node;
};

/// A tracee's place in its tracer's list; a base of ptrace::Tracing.
struct TracingLink {
    ListNode tracer_node;
};

class ThreadGroup : public RefCounted<ThreadGroup>, public vfs::ProcessIdentity {
public:
    ThreadGroup(Ref<Pid> pid, Ref<signal::SignalHandlers> handlers, Ref<event::SignalQueue> queue,
                const ResourceLimits& limits);
    ~ThreadGroup();

    Pid& pid() const { return *pid_; }
    i32 number() const { return process; }

    SpinLock<LockRank::ThreadGroup> lock;

    // --- Threads: under `lock` ------------------------------------------------------------------------------------
    /// Those that have not ended; clone adds, exit removes. See for_each_thread (task.h).
    List<TaskLink, &TaskLink::group_node> threads;
    u32 thread_count = 0;
    /// Whose pid is the process's; stays when it has ended before the others. Null once the process is reaped.
    std::optional<Ref<Task>> leader;

    // --- Ending: under `lock` -------------------------------------------------------------------------------------
    /// exit_group or a fatal signal: all threads end with this status (as wait(2) shows it). No thread may enter.
    bool exiting = false;
    i32 exit_status = 0;
    /// The thread whose execve ends all others; no other thread may enter.
    Task* exec_task = nullptr;
    /// Woken when the last other thread has gone.
    sync::WaitQueue exec_progress;
    /// execve one at a time (E07), and none while somebody attaches to a thread (ptrace(2)): who is between its
    /// beginning and its end, or null; and who waits for that. See exec_turn.h.
    Task* exec_owner = nullptr;
    sync::WaitQueue exec_turn;
    bool has_execed = false;  // setpgid(2): EACCES for a child that has

    // --- Zombie and tree: under the task table's lock -----------------------------------------------------------
    ThreadGroup* parent = nullptr;
    Atomic<i32> parent_number{0};  // for getppid(2), which takes no lock
    void set_parent_locked(ThreadGroup* now) {
        parent = now;
        parent_number.store(now != nullptr ? now->number() : 0, Order::relaxed);
    }
    /// Which of the parent's threads made it: __WNOTHREAD and PR_SET_PDEATHSIG.
    i32 parent_thread = 0;
    ListNode sibling_node;
    List<ThreadGroup, &ThreadGroup::sibling_node> children;
    bool zombie = false;
    bool reaped = false;
    /// Threads, not the leader, that have ended while traced and whose tracers have not waited for them: the process's
    /// end is told behind theirs (ptrace(2)). With the last thread gone, `awaits_tracers`.
    u32 unseen_threads = 0;
    bool awaits_tracers = false;
    /// Whom threads of this process trace.
    List<TracingLink, &TracingLink::tracer_node> tracees;
    /// The signal at its end: SIGCHLD, 0, or what clone said.
    i32 exit_signal = signal::kSigChld;
    bool child_subreaper = false;
    bool has_child_subreaper = false;  // some ancestor is one
    std::optional<Ref<ProcessGroup>> process_group;
    /// Of a session's leader: the group that was in the foreground when the terminal hung up. Hears of it at his end.
    std::optional<Ref<Pid>> hung_up_foreground;
    // ProcessIdentity has copies of what process_group says, for readers without the lock.
    /// TIOCNOTTY by one that does not lead its session: it and its children are without the session's terminal.
    Atomic<bool> gave_up_terminal{false};
    /// With whom its threads share the processor as one; nothing: each for itself. See autogroup.h.
    std::optional<Ref<sched::FairGroup>> fair_group;
    ListNode group_node;
    ListNode table_node;  // all processes, for /proc and kill(-1)
    /// wait(2) of this process's threads: woken when a child changes its state.
    sync::WaitQueue child_events;

    // --- Signals: under `lock` ------------------------------------------------------------------------------------
    signal::PendingSignals pending;
    /// An entry that a delivered signal has left for the next one. It counts as no pending signal.
    Own<signal::QueuedSignal> spare_entry;
    /// Replaced only by unshare at exec, by the only thread.
    Ref<signal::SignalHandlers> handlers;
    /// Job control (S04).
    bool stopped = false;           // a stop is in force: threads stop at their next return to user mode
    u32 stopped_threads = 0;        // of them have stopped
    i32 stop_signal = 0;            // what stopped it, for WSTOPSIG
    bool stop_reported = false;     // a wait(WUNTRACED) has seen this stop
    bool continue_pending = false;  // a wait(WCONTINUED) has not seen it yet
    bool stop_complete = false;     // every thread has stopped
    /// What the next thread that comes by is to tell the parent: kCodeChildStopped, kCodeChildContinued, or 0.
    i32 parent_event = 0;
    sync::WaitQueue continued;  // stopped threads sleep here
    /// Readers of signalfd; may outlive the process.
    const Ref<event::SignalQueue> signal_queue;
    bool is_init = false;  // signals without a handler do not reach it

    // --- Shared by all threads, under `lock` ------------------------------------------------------------------------
    ResourceLimits limits;
    Own<signal::ProcessTimers> timers;  // alarm, setitimer, timer_create; made at first use
    /// Timers on the process's clock, whoever made them; see kernel/signal/cpu_timers.h.
    List<signal::CpuTimer, &signal::CpuTimer::node> cpu_timers;

    // --- Times: of threads that have ended, and of children that were waited for; under `lock` -----------------------
    ProcessTimes ended_threads;
    ProcessTimes waited_children;
    Nanoseconds start_time{};

    /// What execve told the program (/proc/PID/auxv); under `lock`. The kernel decides how long it can be.
    static constexpr usize kAuxiliaryBytes = 32 * 16;
    std::byte auxiliary_vector[kAuxiliaryBytes] = {};
    usize auxiliary_size = 0;

    // --- Odds and ends ----------------------------------------------------------------------------------------------
    Atomic<i32> oom_score_adjust{0};
    Atomic<u32> dumpable{1};  // PR_SET_DUMPABLE
    Atomic<u32> personality{0};
    /// Who logged in, as login(1) writes it to /proc/PID/loginuid, and which log-in that was; ~0: nobody did.
    Atomic<u32> login_user{~u32{0}}, login_session{~u32{0}};
    Atomic<u32> membarrier_registered{0};  // membarrier(2)'s MEMBARRIER_CMD_REGISTER_… that were called

private:
    const Ref<Pid> pid_;
};

/// A process group (setpgid(2)): what job control and kill(-pgid) mean. Counted by its members.
class ProcessGroup : public RefCounted<ProcessGroup> {
public:
    ProcessGroup(Ref<Pid> id, Ref<Session> session) : id_(std::move(id)), session_(std::move(session)) {}
    i32 number() const { return id_->number(); }
    Session& session() const { return *session_; }
    Pid& id() const { return *id_; }

    /// Under the task table's lock.
    List<ThreadGroup, &ThreadGroup::group_node> members;

    void last_reference_dropped();

private:
    const Ref<Pid> id_;
    const Ref<Session> session_;
};

}  // namespace cairn::task
