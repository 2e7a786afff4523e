#include "kernel/task/process_information.h"

#include <algorithm>

#include "fs/procfs/provider.h"
#include "fs/terminal/terminal.h"
#include "kernel/ptrace/access.h"
#include "kernel/ptrace/tracing.h"
#include "kernel/task/autogroup.h"
#include "kernel/task/file_mapping.h"
#include "kernel/task/job_control.h"
#include "kernel/task/system_names.h"
#include "kernel/task/task.h"
#include "mm/frame_allocator.h"

namespace cairn::task {

using procfs::ProcessFigures;
using procfs::ProcessId;

namespace {

/// The thread that speaks for `id`: the named one, or the process's leader (also when that has ended).
Result<Ref<Task>> task_of(ProcessId id) {
    Ref<Task> task = TRY(g_kernel.tasks->find_task(id.is_thread() ? id.thread : id.process));
    if (task->process_number() != id.process) {
        return fail(Errno::esrch);
    }
    return task;
}

char state_of(Task& task, bool whole_process) {
    ThreadGroup& group = task.group();
    if (whole_process && group.zombie) {
        return 'Z';
    }
    SpinLockGuard guard(group.lock);
    if (task.exited) {
        const bool seen = !whole_process && !(task.is_traced() && task.tracing->exited);
        return seen ? 'X' : 'Z';
    }
    if (task.is_traced() && task.tracing->stopped) {
        return 't';
    }
    if (task.stop_counted && group.stopped && !task.is_traced()) {
        return 'T';
    }
    switch (task.thread().state()) {
        case sched::ThreadState::Running:
        case sched::ThreadState::New:
            return 'R';
        case sched::ThreadState::Interruptible:
            return 'S';
        case sched::ThreadState::Uninterruptible:
        case sched::ThreadState::Killable:
            return 'D';
        case sched::ThreadState::Dead:
            return 'X';
    }
    return 'R';
}

u32 policy_number(sched::Policy policy) {
    switch (policy) {
        case sched::Policy::Fair:
            return 0;
        case sched::Policy::Fifo:
            return 1;
        case sched::Policy::RoundRobin:
            return 2;
        case sched::Policy::Batch:
            return 3;
        case sched::Policy::Idle:
            return 5;
    }
    return 0;
}

void add_identity(ProcessFigures& figures, Task& task) {
    const Ref<vfs::Credentials> who = task.credentials_of_other();
    figures.uid = who->uid;
    figures.euid = who->euid;
    figures.suid = who->suid;
    figures.fsuid = who->fsuid;
    figures.gid = who->gid;
    figures.egid = who->egid;
    figures.sgid = who->sgid;
    figures.fsgid = who->fsgid;
    figures.inheritable = who->inheritable.bits;
    figures.permitted = who->permitted.bits;
    figures.effective = who->effective.bits;
    figures.bounding = who->bounding.bits;
    figures.ambient = who->ambient.bits;
    figures.no_new_privileges = task.no_new_privileges;
}

void add_scheduling(ProcessFigures& figures, Task& task) {
    sched::Thread& thread = task.thread();
    figures.nice = thread.nice;
    figures.policy = policy_number(thread.asked().policy);
    figures.realtime_priority = thread.asked().priority;
    figures.priority = thread.is_realtime() ? -1 - static_cast<i32>(thread.realtime.priority) : 20 + thread.nice;
    const CpuSet affinity = thread.affinity() & g_kernel.online.snapshot(Order::relaxed);
    affinity.for_each([&](CpuIndex cpu) { figures.allowed_cpus |= cpu.value < 64 ? u64{1} << cpu.value : 0; });
    const sched::ThreadStatistics statistics = thread.statistics();
    figures.run_nanoseconds = statistics.run_time.value;
    figures.migrations = statistics.migrations;
    figures.timer_slack = task.timer_slack;
    figures.last_cpu = static_cast<i32>(thread.cpu().value);
}

/// Pending signals, dispositions and times; under the group's lock.
void add_shared(ProcessFigures& figures, Task& task, bool whole_process) {
    ThreadGroup& group = task.group();
    SpinLockGuard guard(group.lock);
    figures.threads = std::max(static_cast<i32>(group.thread_count), 1);  // as Linux says of a zombie
    figures.exit_code = group.exit_status;
    figures.pending = task.pending.set().bits;
    figures.shared_pending = group.pending.set().bits;
    figures.blocked = task.blocked.bits;
    for (i32 signal = 1; signal <= signal::kSignals; ++signal) {
        const signal::SignalAction action = group.handlers->get(signal);
        const u64 bit = signal::SignalSet::of(signal).bits;
        figures.ignored |= action.handler == signal::SignalAction::kIgnore ? bit : 0;
        figures.caught |= action.has_handler() ? bit : 0;
    }
    figures.queued_signals = task.account().pending_signals.load(Order::relaxed);
    figures.queued_signals_limit = group.limits[Resource::PendingSignals].soft;
    figures.resident_limit = group.limits[Resource::ResidentSet].soft;
    ProcessTimes times;
    if (whole_process) {
        times = group.ended_threads;
        for_each_thread(group, [&](Task& thread) { times.add(thread.times()); });
    } else {
        times = task.times();
    }
    figures.user = times.user;
    figures.system = times.system;
    figures.minor_faults = times.minor_faults;
    figures.major_faults = times.major_faults;
    figures.reads = times.reads;
    figures.writes = times.writes;
    figures.bytes_read = times.bytes_read;
    figures.bytes_written = times.bytes_written;
    figures.voluntary_switches = times.voluntary_switches;
    figures.involuntary_switches = times.involuntary_switches;
    figures.children_user = group.waited_children.user;
    figures.children_system = group.waited_children.system;
    figures.children_minor_faults = group.waited_children.minor_faults;
    figures.children_major_faults = group.waited_children.major_faults;
    figures.start_time = whole_process ? group.start_time : task.start_time;
}

/// Parent, tracer, group, session and terminal; under the table's lock.
void add_relations(ProcessFigures& figures, Task& task) {
    ThreadGroup& group = task.group();
    SpinLockGuard guard(g_kernel.tasks->lock);
    figures.tracer = task.is_traced() ? task.tracing->tracer->number() : 0;
    figures.parent = group.parent == nullptr ? 0 : group.parent->number();
    figures.exit_signal = group.exit_signal;
    figures.group = group.group_number.load(Order::relaxed);
    figures.session = group.session_number.load(Order::relaxed);
    if (group.process_group) {
        // The terminal is kept by its session for as long as it stands there.
        const auto* terminal = static_cast<fs::terminal::Terminal*>(controlling_terminal_locked(group));
        if (terminal != nullptr) {
            figures.terminal = terminal->number().encode();
            figures.foreground_group = terminal->foreground_group();
        }
    }
}

class Information final : public procfs::ProcessInformation {
public:
    i32 next_process(i32 from) override {
        std::optional<Ref<ThreadGroup>> process = g_kernel.tasks->next_process(from);
        return process ? (*process)->number() : 0;
    }

    i32 next_thread(i32 number, i32 from) override {
        Result<Ref<ThreadGroup>> process = g_kernel.tasks->find_process(number);
        if (!process.ok()) {
            return 0;
        }
        i32 best = 0;
        ThreadGroup& group = *process.value();
        SpinLockGuard table(g_kernel.tasks->lock);
        SpinLockGuard guard(group.lock);
        for_each_thread(group, [&](Task& task) {
            const i32 id = task.number();
            best = id >= from && (best == 0 || id < best) ? id : best;
        });
        // A leader that has ended before the others is still there.
        if (group.leader && (*group.leader)->number() >= from && (best == 0 || (*group.leader)->number() < best)) {
            best = (*group.leader)->number();
        }
        return best;
    }

    i32 process_of(i32 thread) override {
        Result<Ref<Task>> task = g_kernel.tasks->find_task(thread);
        return task.ok() ? task.value()->process_number() : 0;
    }

    u64 identity(ProcessId id) override {
        if (!id.is_thread()) {
            Result<Ref<ThreadGroup>> process = g_kernel.tasks->find_process(id.process);
            return process.ok() ? process.value()->start_time.value + 1 : 0;
        }
        Result<Ref<Task>> task = task_of(id);
        return task.ok() ? task.value()->start_time.value + 1 : 0;
    }

    ProcessId caller() override { return {current_task().process_number(), current_task().number()}; }

    Result<ProcessFigures> figures(ProcessId id) override {
        Ref<Task> task = TRY(task_of(id));
        ProcessFigures figures;
        figures.process = task->process_number();
        figures.thread = task->number();
        const bool whole = !id.is_thread();
        figures.state = state_of(*task, whole);
        const Task::Name name = task->name();
        std::copy_n(name.text, sizeof figures.name, figures.name);
        add_identity(figures, *task);
        add_scheduling(figures, *task);
        add_shared(figures, *task, whole);
        add_relations(figures, *task);
        if (std::optional<Ref<vfs::FilesystemContext>> directories = task->filesystem_of_other()) {
            figures.umask = (*directories)->umask();
        }
        figures.oom_score_adjust = task->group().oom_score_adjust.load(Order::relaxed);
        figures.personality = task->group().personality.load(Order::relaxed);
        figures.login_user = task->group().login_user.load(Order::relaxed);
        figures.login_session = task->group().login_session.load(Order::relaxed);
        constexpr u64 kLeastSlots = 64;
        figures.descriptor_slots = kLeastSlots;
        return figures;
    }

    Result<usize> groups(ProcessId id, std::span<u32> to) override {
        Ref<Task> task = TRY(task_of(id));
        const Ref<vfs::Credentials> who = task->credentials_of_other();
        const std::span<const u32> all = who->groups->groups();
        std::copy_n(all.data(), std::min(all.size(), to.size()), to.data());
        return all.size();
    }

    Result<procfs::LimitPair> limit(ProcessId id, u32 which) override {
        Ref<Task> task = TRY(task_of(id));
        SpinLockGuard guard(task->group().lock);
        const ResourceLimit& limit = task->group().limits.limits[which];
        return procfs::LimitPair{limit.soft, limit.hard};
    }

    Result<void> check_access(ProcessId id, procfs::AccessMode mode) override {
        Ref<Task> task = TRY(task_of(id));
        const bool read = mode == procfs::AccessMode::Read;
        const auto which = read ? ptrace::WhichIds::Filesystem : ptrace::WhichIds::Real;
        return ptrace::check_access(current_task(), *task, which).ok() ? Result<void>() : fail(Errno::eacces);
    }

    Result<void> owner(ProcessId id, procfs::OwnerOf what, u32& uid, u32& gid) override {
        Ref<Task> task = TRY(task_of(id));
        const Ref<vfs::Credentials> who = task->credentials_of_other();
        const bool own = what == procfs::OwnerOf::Process || task->group().dumpable.load(Order::acquire) == 1;
        uid = own ? who->euid : 0;
        gid = own ? who->egid : 0;
        return {};
    }

    Result<std::optional<Ref<mm::AddressSpace>>> address_space(ProcessId id) override {
        Ref<Task> task = TRY(living_task_of(id));
        return task->address_space_of_other();
    }
    Result<std::optional<Ref<vfs::FileDescriptorTable>>> descriptors(ProcessId id) override {
        Ref<Task> task = TRY(living_task_of(id));
        return task->descriptors_of_other();
    }
    Result<std::optional<Ref<procfs::NamespaceObject>>> uts_namespace(ProcessId id) override {
        Ref<Task> task = TRY(living_task_of(id));
        std::optional<Ref<UtsNamespace>> names = task->names_of_other();
        std::optional<Ref<procfs::NamespaceObject>> object;
        if (names) {
            object.emplace(Ref<procfs::NamespaceObject>(**names));
        }
        return object;
    }
    Result<std::optional<Ref<vfs::FilesystemContext>>> directories(ProcessId id) override {
        Ref<Task> task = TRY(living_task_of(id));
        return task->filesystem_of_other();
    }

    Result<std::optional<vfs::Path>> executable(ProcessId id) override {
        std::optional<Ref<mm::AddressSpace>> space = TRY(address_space(id));
        if (!space) {
            return std::optional<vfs::Path>();
        }
        std::optional<Ref<mm::MappedFile>> file = (*space)->executable();
        if (!file) {
            return std::optional<vfs::Path>();
        }
        // Only execve puts it there, and what it puts there is a FileMapping.
        const vfs::Path* path = static_cast<FileMapping&>(**file).file().path();
        return path == nullptr ? std::optional<vfs::Path>() : std::optional<vfs::Path>(*path);
    }

    Result<usize> auxiliary_vector(ProcessId id, std::span<std::byte> to) override {
        Ref<Task> task = TRY(living_task_of(id));
        SpinLockGuard guard(task->group().lock);
        const usize size = std::min<usize>(to.size(), task->group().auxiliary_size);
        std::copy_n(task->group().auxiliary_vector, size, to.data());
        return size;
    }

    Result<void> set_name(ProcessId id, std::string_view name) override {
        Ref<Task> task = TRY(task_of(id));
        task->set_name(name);
        return {};
    }

    Result<void> set_login_user(ProcessId id, u32 user) override {
        ThreadGroup& group = current_task().group();
        if (id.process != group.number()) {
            return fail(Errno::eperm);
        }
        // The first one is free; who changes it must be allowed to.
        if (group.login_user.load(Order::relaxed) != procfs::kNobody &&
            !current_task().credentials().has(vfs::Capability::AuditControl)) {
            return fail(Errno::eperm);
        }
        const u32 session =
            user == procfs::kNobody ? procfs::kNobody : login_sessions_.fetch_add(1, Order::relaxed) + 1;
        group.login_session.store(session, Order::relaxed);
        group.login_user.store(user, Order::relaxed);
        return {};
    }

    i32 next_child(ProcessId id, i32 from) override {
        Result<Ref<Task>> task = task_of(id);
        i32 best = 0;
        if (task.ok()) {
            SpinLockGuard guard(g_kernel.tasks->lock);
            for (ThreadGroup& child : task.value()->group().children) {
                const i32 number = child.number();
                if (child.parent_thread == id.thread && number >= from && (best == 0 || number < best)) {
                    best = number;
                }
            }
        }
        return best;
    }

    Result<void> set_oom_score_adjust(ProcessId id, i32 value) override {
        constexpr i32 kMost = 1000;
        if (value < -kMost || value > kMost) {
            return fail(Errno::einval);
        }
        Ref<Task> task = TRY(task_of(id));
        const i32 before = task->group().oom_score_adjust.load(Order::relaxed);
        if (value < before && !current_task().credentials().has(vfs::Capability::SysResource)) {
            return fail(Errno::eacces);
        }
        task->group().oom_score_adjust.store(value, Order::relaxed);
        return {};
    }

    Result<i32> oom_score(ProcessId id) override {
        Ref<Task> task = TRY(task_of(id));
        const i64 adjust = task->group().oom_score_adjust.load(Order::relaxed);
        i64 pages = 0;
        if (std::optional<Ref<mm::AddressSpace>> space = task->address_space_of_other()) {
            const mm::SpaceStatistics use = (*space)->statistics();
            pages = static_cast<i64>(use.resident() + use.page_tables);
        }
        const i64 total = static_cast<i64>(g_kernel.frames->statistics().total / kPageSize);
        const i64 score = pages * 1000 / std::max<i64>(total, 1) + 666 + adjust * 666 / 1000;
        return static_cast<i32>(std::clamp<i64>(score, 0, 2000));
    }

    Result<std::optional<procfs::Autogroup>> autogroup(ProcessId id) override {
        Ref<Task> task = TRY(task_of(id));
        const std::optional<AutogroupFigures> figures = autogroup_of(task->group());
        return figures ? std::optional(procfs::Autogroup{figures->id, figures->nice}) : std::nullopt;
    }
    Result<void> set_autogroup_nice(ProcessId id, i32 nice) override {
        Ref<Task> task = TRY(task_of(id));
        return task::set_autogroup_nice(current_task(), task->group(), nice);
    }
    bool autogroup_enabled() override { return task::autogroup_enabled(); }
    void set_autogroup_enabled(bool enabled) override { task::set_autogroup_enabled(enabled); }

    procfs::SystemProcessFigures system() override {
        TaskTable& table = *g_kernel.tasks;
        procfs::SystemProcessFigures figures;
        figures.forks = table.forks.load(Order::relaxed);
        figures.threads = static_cast<u32>(table.thread_count.load(Order::relaxed));
        figures.last_pid = table.last_pid();
        figures.pid_max = table.pid_max.load(Order::relaxed);
        figures.threads_max = table.threads_max.load(Order::relaxed);
        SpinLockGuard guard(table.lock);
        for (ThreadGroup& group : table.processes) {
            SpinLockGuard group_guard(group.lock);
            ++figures.processes;
            for_each_thread(group, [&](Task& task) {
                const sched::ThreadState state = task.thread().state();
                figures.runnable += state == sched::ThreadState::Running ? 1 : 0;
                const bool blocked =
                    state == sched::ThreadState::Uninterruptible || state == sched::ThreadState::Killable;
                figures.blocked += blocked ? 1 : 0;
                figures.minor_faults += task.minor_faults.load(Order::relaxed);
                figures.major_faults += task.major_faults.load(Order::relaxed);
            });
            figures.minor_faults += group.waited_children.minor_faults + group.ended_threads.minor_faults;
            figures.major_faults += group.waited_children.major_faults + group.ended_threads.major_faults;
        }
        return figures;
    }

    Result<void> set_pid_max(i32 value) override {
        constexpr i32 kLeast = 301;
        if (value < kLeast || value > TaskTable::kPidLimit) {
            return fail(Errno::einval);
        }
        g_kernel.tasks->pid_max.store(value, Order::relaxed);
        return {};
    }

    std::string_view system_constant(procfs::SystemConstant which) override {
        switch (which) {
            case procfs::SystemConstant::Name:
                return kSystemName;
            case procfs::SystemConstant::Release:
                return kRelease;
            case procfs::SystemConstant::Version:
                break;
        }
        return kVersion;
    }

    usize system_name(u32 which, std::span<char, 64> to) override {
        return current_task().names().get(which == 0 ? SystemText::HostName : SystemText::DomainName, to);
    }
    Result<void> set_system_name(u32 which, std::string_view name) override {
        return current_task().names().set(which == 0 ? SystemText::HostName : SystemText::DomainName, name);
    }

private:
    Atomic<u32> login_sessions_{0};

    /// A process whose leader has ended is looked at through another of its threads.
    static Result<Ref<Task>> living_task_of(ProcessId id) {
        Ref<Task> task = TRY(task_of(id));
        if (id.is_thread()) {
            return task;
        }
        ThreadGroup& group = task->group();
        SpinLockGuard guard(group.lock);
        if (task->exited) {
            if (TaskLink* other = group.threads.front()) {
                return Ref<Task>(static_cast<Task&>(*other));
            }
        }
        return Ref<Task>(*task);
    }
};

}  // namespace

void install_process_information() {
    static constinit Information information;
    g_kernel.processes = &information;
}

}  // namespace cairn::task
