#pragma once
/// TaskTable: all pids and all processes. g_kernel.tasks.
///
/// Its lock (rank PidTable) protects the pids' pointers, the tree of processes (parents, children), process groups
/// and sessions. References that it hands out are dropped outside the lock.

#include <optional>

#include "kernel/base/kernel.h"
#include "kernel/sync/mutex.h"
#include "kernel/task/thread_group.h"

namespace cairn::task {

class TaskTable {
public:
    /// Makes g_kernel.tasks. Boot CPU, once, after the heap. ENOMEM.
    static Result<void> initialize();

    static constexpr i32 kPidLimit = 4 * 1024 * 1024;  // PID_MAX_LIMIT
    /// kernel.pid_max: numbers stay below it.
    Atomic<i32> pid_max{32768};
    /// kernel.threads-max, also the first process's RLIMIT_NPROC; set from the size of memory.
    Atomic<u64> threads_max{0};
    Atomic<u64> thread_count{0};

    /// A free number, going round. EAGAIN when all are taken, ENOMEM.
    Result<Ref<Pid>> allocate_pid();
    /// clone3's set_tid: EEXIST, EINVAL.
    Result<Ref<Pid>> allocate_pid(i32 number);
    /// The last number that was given out (/proc/loadavg).
    i32 last_pid() const { return last_.load(Order::relaxed); }

    SpinLock<LockRank::PidTable> lock;

    /// Null if the number is free. Under `lock`; the caller must not keep it beyond without a reference.
    Pid* find_locked(i32 number) REQUIRES(lock);
    /// ESRCH. Each takes a reference.
    Result<Ref<Pid>> find_pid(i32 number);
    Result<Ref<Task>> find_task(i32 tid);
    /// The process with this pid, zombies included.
    Result<Ref<ThreadGroup>> find_process(i32 pid);
    /// The process with the smallest pid that is at least `from`; for walks through all.
    std::optional<Ref<ThreadGroup>> next_process(i32 from);

    /// Every process, in order of birth, zombies included; under `lock`.
    List<ThreadGroup, &ThreadGroup::table_node> processes GUARDED_BY(lock);
    /// Process 1: takes orphans. Set by start-up.
    ThreadGroup* init = nullptr;
    Atomic<u64> forks{0};          // /proc/stat
    u32 initial_syscall_work = 0;  // of every task: trace=syscalls, set by start-up

    UserAccountTable accounts;
    /// One thread at a time chooses processes to end when memory is short (kernel/out_of_memory.h); what it counts with
    /// is that thread's: `victim_rounds` and each CombinedUse.
    Atomic<bool> somebody_chooses_victim{false};
    u64 victim_rounds = 0;
    u32 victim_delays = 0;  // in a row
    /// Tasks that are giving up their memory at their end, and how many have.
    Atomic<u32> leaving_memory{0};
    Atomic<u64> left_memory{0};
    /// Threads of a crowd that wait until some has, and how many.
    sync::WaitQueue memory_left;
    Atomic<u32> memory_waiters{0};
    Nanoseconds victim_chosen_at{};   // this and the next: by whoever is choosing
    Nanoseconds restrain_again_at{};  // a crowd
    /// When many were ended last, and which part of all memory in use that was.
    Nanoseconds many_ended_at;
    u64 many_ended_part = 0;

private:
    friend class Pid;
    struct ByNumber {
        static bool less(const Pid& a, const Pid& b) { return a.number() < b.number(); }
    };
    RbTree<Pid, &Pid::tree_node, ByNumber> pids_ GUARDED_BY(lock);
    Atomic<i32> last_{0};
};

}  // namespace cairn::task
