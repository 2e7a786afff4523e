#pragma once
/// Task: a thread of a program: the user's half of a sched::Thread. Everything that clone(2) may share or copy
/// hangs from here.
///
/// Who protects what: "own" fields are touched by the thread itself only (or before it starts); signal fields by the
/// group's lock; the references to files, directories, credentials and memory are changed by the thread itself under
/// the group's lock, so that it reads them without and others read them with it.

#include <optional>

#include "fs/vfs/credentials.h"
#include "fs/vfs/descriptor_table.h"
#include "fs/vfs/filesystem_context.h"
#include "kernel/sched/thread.h"
#include "kernel/task/priority_lending.h"
#include "kernel/task/system_names.h"
#include "kernel/task/task_table.h"
#include "mm/address_space.h"

namespace cairn::syscall {
class Caller;
}
namespace cairn::ipc {
class UndoList;
}

namespace cairn::ptrace {
class Tracing;
}

namespace cairn::task {

/// What a system call that was interrupted wants to become of it (kernel/syscall/caller.h, Restart).
enum class RestartKind : u8 { None, HandlerDecides, WithoutHandler, Continuation, Always, Never };

/// While it is not decided, the result's register says so, with Linux's numbers (ERESTARTSYS …), which tracers know. A
/// program never sees them: Task::restart leads its thread through handle_pending().
u64 restart_code(RestartKind kind);
/// What a result stands for.
RestartKind restart_kind_of(u64 result);
/// What the frame's result stands for; None also for a frame that is no system call's.
inline RestartKind restart_kind(const arch::TrapFrame& frame) {
    constexpr u64 kLowest = static_cast<u64>(-516), kHighest = static_cast<u64>(-512);
    const u64 result = arch::syscall_result(frame);
    if (result < kLowest || result > kHighest || !arch::in_syscall(frame)) [[likely]] {
        return RestartKind::None;
    }
    return restart_kind_of(result);
}

class Task : public RefCounted<Task>, public TaskLink {
public:
    static constexpr usize kNameSize = 16;  // comm, with its NUL

    Task(Ref<Pid> pid, Ref<ThreadGroup> group, Ref<vfs::Credentials> credentials,
         Ref<vfs::FileDescriptorTable> descriptors, Ref<vfs::FilesystemContext> filesystem, Ref<UserAccount> account);
    ~Task();

    i32 number() const { return pid_->number(); }
    Pid& pid() const { return *pid_; }
    ThreadGroup& group() const { return *group_; }
    i32 process_number() const { return group_->number(); }
    sched::Thread& thread() const { return **thread_; }
    bool is_leader() const { return pid_->process == &*group_; }
    void set_thread(Ref<sched::Thread> thread) { thread_ = std::move(thread); }

    // --- Shared or copied by clone -----------------------------------------------------------------------------------
    const vfs::Credentials& credentials() const { return *credentials_; }  // by the thread itself
    vfs::FileDescriptorTable& descriptors() const { return **descriptors_; }
    vfs::FilesystemContext& filesystem() const { return **filesystem_; }
    mm::AddressSpace& address_space() const { return **address_space_; }
    bool has_address_space() const { return address_space_.has_value(); }
    UserAccount& account() const { return *account_; }
    UtsNamespace& names() const { return **names_; }
    /// By anybody: a reference taken under the group's lock; null when the task has given it up.
    Ref<vfs::Credentials> credentials_of_other();
    std::optional<Ref<vfs::FileDescriptorTable>> descriptors_of_other();
    std::optional<Ref<vfs::FilesystemContext>> filesystem_of_other();
    std::optional<Ref<mm::AddressSpace>> address_space_of_other();
    /// Its group's lock is held. Nothing: it has left its memory.
    std::optional<mm::SpaceStatistics> memory_of_other_locked();
    /// The same; valid as long as the lock is held. Null: it has left its memory.
    mm::AddressSpace* space_of_other_locked();
    std::optional<Ref<UtsNamespace>> names_of_other();

    /// By anybody: what decides whether one may look into this thread's process, and what one looks into. Of one
    /// moment, since execve changes it all at once (trap M).
    struct Outside {
        Ref<vfs::Credentials> credentials;
        std::optional<Ref<mm::AddressSpace>> address_space;
        bool dumpable;
    };
    Outside seen_from_outside();

    /// By anybody: tells apart what kcmp(2) compares; null for what the task has given up.
    enum class Part : u8 { Memory, Files, Directories, Handlers, Undo };
    const void* identity_of(Part part);

    /// By the thread itself. What was there is returned, to be dropped outside all locks.
    Ref<vfs::Credentials> exchange_credentials(Ref<vfs::Credentials> fresh);
    std::optional<Ref<vfs::FileDescriptorTable>> exchange_descriptors(
        std::optional<Ref<vfs::FileDescriptorTable>> fresh);
    std::optional<Ref<UtsNamespace>> exchange_names(std::optional<Ref<UtsNamespace>> fresh);
    /// Counts the user that the old one loses.
    std::optional<Ref<vfs::FilesystemContext>> exchange_filesystem(std::optional<Ref<vfs::FilesystemContext>> fresh);
    /// Also loads it on this CPU (or the kernel's).
    std::optional<Ref<mm::AddressSpace>> exchange_address_space(std::optional<Ref<mm::AddressSpace>> fresh);
    /// execve: memory and rights change in one moment. What was there is left in the arguments, to be dropped outside
    /// all locks.
    void become(std::optional<Ref<mm::AddressSpace>>& space, Ref<vfs::Credentials>& credentials, u32 dumpable);
    /// The group's lock is held: a process outside the group has the directories of this thread as well (E15).
    bool shares_directories_outside_locked();
    /// Before the thread starts.
    void set_address_space(Ref<mm::AddressSpace> space);
    Ref<UserAccount> exchange_account(Ref<UserAccount> fresh);
    /// The end of the thread was waited for: what it still holds no longer counts against its user's limits, however
    /// long the object lives. Thread context, no spinlock held.
    void leave_account();
    /// E09: under the table's lock.
    void swap_pid(Task& other) { std::swap(pid_, other.pid_); }
    /// fork and exec read it with the group's lock: the context for calls into the filesystems.
    vfs::OperationContext context();

    /// comm; by anybody.
    struct Name {
        char text[kNameSize];
        std::string_view view() const;
    };
    Name name() const;
    void set_name(std::string_view name);

    // --- Ending --------------------------------------------------------------------------------------------------
    /// Under the group's lock: this thread is to end, alone (exec of a sibling), at its next return to user mode.
    bool must_exit = false;
    bool exited = false;
    i32 exit_status = 0;
    Atomic<bool> exiting{false};  // has begun to end: no signal is for it any more

    // --- SEM_UNDO: made at its first use, and shared with the threads of a process; as the references above ----------
    std::optional<Ref<ipc::UndoList>> undo_list;

    // --- vfork (F04) ------------------------------------------------------------------------------------------------
    /// What the parent waits for, on its stack; null when nobody waits (any more). Under the group's lock.
    sync::Completion* vfork_wait = nullptr;
    /// What a new thread does first: see clone.cpp.
    u64 set_child_tid = 0;
    arch::TrapFrame first_frame{};

    // --- ptrace(2): see kernel/ptrace/tracing.h for who may change it --------------------------------------------
    /// Some thread traces this one.
    bool is_traced() const { return traced_.load(Order::relaxed); }
    void set_traced(bool traced) { traced_.store(traced, Order::relaxed); }
    Own<ptrace::Tracing> tracing;  // made when first needed, then kept
    /// What system calls of this thread do besides (ptrace::work): zero for nearly all.
    Atomic<u32> syscall_work{0};

    // --- Own -----------------------------------------------------------------------------------------------------
    u64 clear_child_tid = 0;  // set_tid_address(2)
    u64 robust_list = 0;      // set_robust_list(2)
    i32 parent_death_signal = 0;
    bool no_new_privileges = false;
    u64 timer_slack = 50'000;
    u64 first_timer_slack = 50'000;  // what it was born with: PR_SET_TIMERSLACK of 0
    /// SCHED_RESET_ON_FORK: its children are ordinary.
    Atomic<bool> resets_on_fork{false};
    /// setuid(2) went past RLIMIT_NPROC: execve(2) fails as long as that is so.
    bool exceeds_process_limit = false;
    Atomic<u16> io_priority{0};  // ioprio_set(2)
    u64 rseq_area = 0;
    u32 rseq_size = 0;
    u32 rseq_signature = 0;
    u32 rseq_cpu = ~u32{0};  // what the area says; a new task's copy says nothing yet
    /// Under the lock of priority_lending.cpp.
    LockDebts lock_debts;
    /// How an interrupted call goes on: set with the result EINTR, used up at the return to user mode.
    RestartKind restart = RestartKind::None;
    void set_restart(RestartKind kind) {
        restart = kind;
        thread().want_attention();
    }
    struct Continuation {
        Result<u64> (*resume)(syscall::Caller& self, const u64 (&data)[6]) = nullptr;
        u64 data[6] = {};
    } continuation;
    /// Address, error code and number of the last fault, for signal frames.
    u64 fault_address = 0, fault_error = 0, fault_number = 0;

    // --- Signals: under the group's lock; the mask is read by the thread itself without
    // ----------------------------------
    signal::SignalSet blocked;
    /// What was blocked before sigtimedwait unblocked what it waits for; empty otherwise.
    signal::SignalSet really_blocked;
    /// A stop signal was taken and its stop not yet begun; SIGCONT clears it.
    bool stop_dequeued = false;
    /// sigsuspend, ppoll …: the mask to go back to once a handler runs or the call ends.
    signal::SignalSet saved_mask;
    bool restore_saved_mask = false;
    signal::PendingSignals pending;
    arch::SignalStack alternate_stack{0, 2 /* SS_DISABLE */, 0, 0};  // own
    bool stop_counted = false;                                       // among group.stopped_threads

    // --- Accounting ----------------------------------------------------------------------------------------------
    Atomic<u64> minor_faults{0}, major_faults{0};
    u32 shortages = 0;       // copies in a row that found no memory; by the thread itself
    u32 shortages_seen = 0;  // Thread::memory_shortages() when a call last failed for one; by the thread itself
    Atomic<u64> reads{0}, writes{0}, bytes_read{0}, bytes_written{0};
    /// A call that reads, or writes, has transferred so much. By the thread itself.
    void count_transfer(bool reading, u64 bytes) {
        const auto add = [](Atomic<u64>& count, u64 more) {
            count.store(count.load(Order::relaxed) + more, Order::relaxed);
        };
        add(reading ? reads : writes, 1);
        add(reading ? bytes_read : bytes_written, bytes);
    }
    Nanoseconds start_time{};
    CpuTimes cpu_times() const;
    ProcessTimes times() const;
    /// Timers on this thread's clock; under the group's lock.
    List<signal::CpuTimer, &signal::CpuTimer::node> cpu_timers;

private:
    void swap_address_space_locked(std::optional<Ref<mm::AddressSpace>>& fresh);

    Ref<Pid> pid_;
    Atomic<bool> traced_{false};
    const Ref<ThreadGroup> group_;
    std::optional<Ref<sched::Thread>> thread_;
    Ref<vfs::Credentials> credentials_;
    std::optional<Ref<vfs::FileDescriptorTable>> descriptors_;
    std::optional<Ref<vfs::FilesystemContext>> filesystem_;
    std::optional<Ref<UtsNamespace>> names_;  // none before clone gives it
    std::optional<Ref<mm::AddressSpace>> address_space_;
    Ref<UserAccount> account_;
    Atomic<bool> counted_{true};  // in the account
    Atomic<u64> name_[kNameSize / 8];
};

/// The calling user thread. Not in kernel threads.
inline Task& current_task() {
    return *arch::current_thread()->task();
}
/// Null in kernel threads.
inline Task* find_current_task() {
    return arch::current_thread() == nullptr ? nullptr : arch::current_thread()->task();
}

/// Visits each thread that has not ended; the group's lock is held.
template <typename Visit>
void for_each_thread(ThreadGroup& group, Visit visit) {
    for (TaskLink& link : group.threads) {
        visit(static_cast<Task&>(link));
    }
}

}  // namespace cairn::task
