#pragma once
/// What procfs asks about processes. It knows no tasks: kernel/task implements this
/// (kernel/task/process_information.cpp) and puts it into g_kernel.processes at start-up.
///
/// Every call takes a consistent look at one process or thread, which may be gone: ESRCH. Thread context, no lock held;
/// may sleep.

#include <optional>

#include "fs/procfs/namespace.h"
#include "fs/vfs/descriptor_table.h"
#include "fs/vfs/filesystem_context.h"
#include "kernel/base/format.h"
#include "mm/address_space.h"

namespace cairn::procfs {

class Text;
struct Settings;

/// A process (thread 0) or one of its threads.
struct ProcessId {
    i32 process = 0;
    i32 thread = 0;
    constexpr bool is_thread() const { return thread != 0; }
};

/// What loginuid and sessionid say when nobody has logged in.
constexpr u32 kNobody = ~u32{0};

/// The numbers of /proc/PID/stat and status, taken together.
struct ProcessFigures {
    i32 process = 0, thread = 0;  // ids; thread is the leader's for a process
    i32 parent = 0, group = 0, session = 0, tracer = 0;
    i32 foreground_group = -1;  // of the controlling terminal
    u64 terminal = 0;           // its device number as encoded for stat, 0: none
    char state = 'R';           // R S D T Z X
    char name[16] = {};         // comm
    u32 uid = 0, euid = 0, suid = 0, fsuid = 0, gid = 0, egid = 0, sgid = 0, fsgid = 0;
    u64 inheritable = 0, permitted = 0, effective = 0, bounding = 0, ambient = 0;
    bool no_new_privileges = false;
    i32 threads = 0, priority = 20, nice = 0;
    u32 policy = 0, realtime_priority = 0;
    u64 allowed_cpus = 0;  // bit per CPU, the first 64
    i32 last_cpu = 0;
    i32 exit_signal = 17, exit_code = 0;
    Nanoseconds start_time{};  // since boot
    Nanoseconds user{}, system{}, children_user{}, children_system{};
    u64 minor_faults = 0, major_faults = 0, children_minor_faults = 0, children_major_faults = 0;
    u64 voluntary_switches = 0, involuntary_switches = 0;
    u64 pending = 0, shared_pending = 0, blocked = 0, ignored = 0, caught = 0;  // signals
    u64 queued_signals = 0, queued_signals_limit = 0;
    u64 instruction_pointer = 0, stack_pointer = 0;  // only of what is stopped or asleep
    u32 umask = 0;
    i32 oom_score_adjust = 0;
    u32 personality = 0;
    u32 login_user = 0, login_session = 0;
    u64 descriptor_slots = 0;
    u64 run_nanoseconds = 0, migrations = 0;
    u64 timer_slack = 50'000;
    u64 reads = 0, writes = 0, bytes_read = 0, bytes_written = 0;
    u64 resident_limit = ~u64{0};
};

/// One of /proc/PID/limits.
struct LimitPair {
    u64 soft, hard;
};
constexpr u32 kLimits = 16;  // in the order of getrlimit(2)'s numbers

/// /proc/PID/autogroup.
struct Autogroup {
    u64 id;
    i32 nice;
};

/// /proc/stat and /proc/loadavg.
struct SystemProcessFigures {
    u64 forks = 0;
    u32 runnable = 0;
    u32 blocked = 0;  // in uninterruptible sleep
    u32 threads = 0;
    u32 processes = 0;
    i32 last_pid = 0;
    i32 pid_max = 0;
    u64 threads_max = 0;
    u64 minor_faults = 0, major_faults = 0;  // of the processes that there are, and of those that they waited for
};

enum class AccessMode : u8 {
    Read,    // PTRACE_MODE_READ: links, maps, environ …
    Attach,  // PTRACE_MODE_ATTACH: mem
};

enum class OwnerOf : u8 {
    Process,   // whose process it is
    Contents,  // the same, but root for one that is not dumpable
};

enum class SystemConstant : u8 { Name, Release, Version };

class ProcessInformation {
public:
    /// The process with the smallest id that is at least `from`; 0: none.
    virtual i32 next_process(i32 from) = 0;
    /// The thread of a process with the smallest id that is at least `from`; 0: none (left), or no such process.
    virtual i32 next_thread(i32 process, i32 from) = 0;
    /// The process that a thread belongs to (itself for a process); 0: there is no such thread.
    virtual i32 process_of(i32 thread) = 0;
    /// Tells a process or thread from others that had or will have its number; 0: it does not exist (any more): the
    /// process has been reaped, the thread has ended.
    virtual u64 identity(ProcessId id) = 0;
    /// The caller's process and thread, for /proc/self and /proc/thread-self.
    virtual ProcessId caller() = 0;

    virtual Result<ProcessFigures> figures(ProcessId id) = 0;
    /// Supplementary groups, as many as fit; returns how many there are.
    virtual Result<usize> groups(ProcessId id, std::span<u32> to) = 0;
    virtual Result<LimitPair> limit(ProcessId id, u32 which) = 0;
    /// Whether the caller may look into it (ptrace(2), "Ptrace access mode checking"): EACCES, ESRCH.
    virtual Result<void> check_access(ProcessId id, AccessMode mode) = 0;
    /// The owner of its files in /proc.
    virtual Result<void> owner(ProcessId id, OwnerOf what, u32& uid, u32& gid) = 0;

    /// Nothing: it has given that up (a zombie, a kernel thread).
    virtual Result<std::optional<Ref<mm::AddressSpace>>> address_space(ProcessId id) = 0;
    virtual Result<std::optional<Ref<vfs::FileDescriptorTable>>> descriptors(ProcessId id) = 0;
    virtual Result<std::optional<Ref<vfs::FilesystemContext>>> directories(ProcessId id) = 0;
    /// In which it sees and sets the system's names.
    virtual Result<std::optional<Ref<NamespaceObject>>> uts_namespace(ProcessId id) = 0;
    /// What exe leads to; nothing without an executable.
    virtual Result<std::optional<vfs::Path>> executable(ProcessId id) = 0;
    /// The bytes of the auxiliary vector of its program; returns their number.
    virtual Result<usize> auxiliary_vector(ProcessId id, std::span<std::byte> to) = 0;

    /// comm: the caller must be of the same process (EPERM checked by the mode of the file).
    virtual Result<void> set_name(ProcessId id, std::string_view name) = 0;
    /// Who logged in (kNobody: forgets it), of the caller's own process. EPERM.
    virtual Result<void> set_login_user(ProcessId id, u32 user) = 0;
    /// The child of the thread with the smallest id that is at least `from`; 0: none.
    virtual i32 next_child(ProcessId id, i32 from) = 0;
    /// -1000 … 1000; EACCES for lowering it without CAP_SYS_RESOURCE, EINVAL.
    virtual Result<void> set_oom_score_adjust(ProcessId id, i32 value) = 0;
    /// oom_score: 0 … 2000.
    virtual Result<i32> oom_score(ProcessId id) = 0;

    /// The scheduling group of its session (sched(7)); nothing: it is in none.
    virtual Result<std::optional<Autogroup>> autogroup(ProcessId id) = 0;
    /// EINVAL, EPERM, EAGAIN as in sched(7).
    virtual Result<void> set_autogroup_nice(ProcessId id, i32 nice) = 0;
    virtual bool autogroup_enabled() = 0;
    virtual void set_autogroup_enabled(bool enabled) = 0;

    virtual SystemProcessFigures system() = 0;
    virtual Result<void> set_pid_max(i32 value) = 0;
    /// What uname(2) says and nobody changes.
    virtual std::string_view system_constant(SystemConstant which) = 0;
    /// Host and domain name (uname(2)); index 0 and 1. Returns the length.
    virtual usize system_name(u32 which, std::span<char, 64> to) = 0;
    virtual Result<void> set_system_name(u32 which, std::string_view name) = 0;

protected:
    ~ProcessInformation() = default;
};

/// System V IPC; kernel/ipc implements it. g_kernel.ipc_information.
enum class IpcKind : u8 { Messages, Semaphores, Segments };
enum class IpcLimit : u8 {
    MessageBytes,  // msgmax
    QueueBytes,    // msgmnb
    Queues,        // msgmni
    SetSize,       // the four of sem, in their order
    AllSemaphores,
    Operations,
    Sets,
    AllPages,      // shmall
    SegmentBytes,  // shmmax
    Segments,      // shmmni
    None,          // what has no limit
};
constexpr usize kIpcLimits = static_cast<usize>(IpcLimit::None) + 1;

class IpcInformation {
public:
    /// The lines of /proc/sysvipc, with the heading.
    virtual void list(IpcKind kind, Text& text) = 0;
    /// /proc/sys/kernel/msgmax and its like; SetSize: all of sem.
    virtual Settings settings(IpcLimit first) = 0;

protected:
    ~IpcInformation() = default;
};

}  // namespace cairn::procfs
