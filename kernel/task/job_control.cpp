#include "kernel/task/job_control.h"

#include "kernel/base/own.h"
#include "kernel/signal/send.h"
#include "kernel/task/autogroup.h"

namespace cairn::task {

bool is_orphaned_locked(ProcessGroup& group, const ThreadGroup* ignored) {
    for (ThreadGroup& member : group.members) {
        if (&member == ignored || member.zombie || member.parent == nullptr || member.parent->is_init) {
            continue;
        }
        const std::optional<Ref<ProcessGroup>>& of_parent = member.parent->process_group;
        if (of_parent && &**of_parent != &group && &(*of_parent)->session() == &group.session()) {
            return false;
        }
    }
    return true;
}

bool is_orphaned_locked(ThreadGroup& process, const ThreadGroup* ignored) {
    return !process.process_group || is_orphaned_locked(**process.process_group, ignored);
}

bool has_stopped_member_locked(ProcessGroup& group) {
    for (ThreadGroup& member : group.members) {
        SpinLockGuard guard(member.lock);
        if (member.stopped) {
            return true;
        }
    }
    return false;
}

std::optional<Ref<ProcessGroup>> move_to_group_locked(ThreadGroup& process, ProcessGroup* group) {
    std::optional<Ref<ProcessGroup>> left = std::move(process.process_group);
    process.process_group.reset();
    if (left) {
        (*left)->members.remove(process);
    }
    if (group != nullptr) {
        group->members.push_back(process);
        process.process_group = Ref<ProcessGroup>(*group);
        process.group_number.store(group->number(), Order::relaxed);
        process.session_number.store(group->session().number(), Order::relaxed);
    }
    return left;
}

void* controlling_terminal_locked(const ThreadGroup& process) {
    const bool has_one = process.process_group && !process.gave_up_terminal.load(Order::relaxed);
    return has_one ? (*process.process_group)->session().terminal : nullptr;
}

Result<i32> create_session(Task& caller) {
    ThreadGroup& process = caller.group();
    Ref<Session> session = TRY(try_new_ref<Session>(Ref<Pid>(process.pid())));
    Ref<ProcessGroup> group = TRY(try_new_ref<ProcessGroup>(Ref<Pid>(process.pid()), session));
    // Without memory for one of its own the session stays in its maker's group; that is no reason to fail.
    std::optional<Ref<sched::FairGroup>> share;
    if (Result<Ref<sched::FairGroup>> fresh = sched::FairGroup::create(); fresh.ok()) {
        share = std::move(fresh).value();
    }
    std::optional<Ref<ProcessGroup>> left;
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (process.pid().process_group != nullptr || process.pid().session != nullptr) {
            return fail(Errno::eperm);  // some group still has this number
        }
        session->leader = &process;
        process.pid().session = &*session;
        process.pid().process_group = &*group;
        process.session_leader.store(true, Order::relaxed);
        process.gave_up_terminal.store(false, Order::relaxed);
        left = move_to_group_locked(process, &*group);
        if (share) {
            enter_autogroup_locked(process, share);
        }
    }
    return process.number();
}

namespace {

Ref<Session> own_session(ThreadGroup& self) {
    SpinLockGuard guard(g_kernel.tasks->lock);
    return Ref<Session>((*self.process_group)->session());
}

}  // namespace

Result<void> set_process_group(Task& caller, i32 pid, i32 group_number) {
    if (pid < 0 || group_number < 0) {
        return fail(Errno::einval);
    }
    ThreadGroup& self = caller.group();
    pid = pid == 0 ? self.number() : pid;
    group_number = group_number == 0 ? pid : group_number;
    Ref<ThreadGroup> process = TRY(g_kernel.tasks->find_process(pid));
    // Made in case that the group does not exist yet.
    Ref<Session> session = own_session(self);
    Ref<ProcessGroup> fresh = TRY(try_new_ref<ProcessGroup>(Ref<Pid>(process->pid()), session));
    std::optional<Ref<ProcessGroup>> left;
    std::optional<Ref<ProcessGroup>> kept;
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (process->reaped || (&*process != &self && process->parent != &self)) {
            return fail(Errno::esrch);
        }
        if (process->session_leader.load(Order::relaxed)) {
            return fail(Errno::eperm);
        }
        if (!process->process_group || &(*process->process_group)->session() != &*session) {
            return fail(Errno::eperm);
        }
        if (&*process != &self && process->has_execed) {
            return fail(Errno::eacces);
        }
        ProcessGroup* target = nullptr;
        if (group_number == pid) {
            target = process->pid().process_group;
            if (target == nullptr || !target->try_acquire_reference()) {
                process->pid().process_group = &*fresh;
                target = &*fresh;
            } else {
                kept = Ref<ProcessGroup>::adopt(*target);
            }
        } else {
            Pid* named = g_kernel.tasks->find_locked(group_number);
            target = named == nullptr ? nullptr : named->process_group;
            if (target == nullptr || !target->try_acquire_reference()) {
                return fail(Errno::eperm);
            }
            kept = Ref<ProcessGroup>::adopt(*target);
            if (&target->session() != &*session) {
                return fail(Errno::eperm);
            }
        }
        if (&**process->process_group != target) {
            left = move_to_group_locked(*process, target);
        }
    }
    return {};
}

Result<i32> process_group_of(Task& caller, i32 pid) {
    if (pid == 0) {
        return caller.group().group_number.load(Order::relaxed);
    }
    Ref<Task> task = TRY(g_kernel.tasks->find_task(pid));
    return task->group().group_number.load(Order::relaxed);
}

Result<i32> session_of(Task& caller, i32 pid) {
    if (pid == 0) {
        return caller.group().session_number.load(Order::relaxed);
    }
    Ref<Task> task = TRY(g_kernel.tasks->find_task(pid));
    return task->group().session_number.load(Order::relaxed);
}

void signal_group_locked(ProcessGroup& group, i32 signal) {
    for (ThreadGroup& member : group.members) {
        static_cast<void>(signal::send_to_process(member, signal::SignalInfo::from_kernel(signal)));
    }
}

namespace {

/// One receiver of kill(2). The table's lock is held, which keeps the leader in place.
Result<void> kill_one_locked(Task& caller, ThreadGroup& target, i32 signal) {
    if (!target.leader) {
        return fail(Errno::esrch);
    }
    const bool same_session =
        caller.group().session_number.load(Order::relaxed) == target.session_number.load(Order::relaxed);
    TRY(signal::check_may_signal(caller, **target.leader, signal, same_session));
    if (signal == 0) {
        return {};
    }
    const auto info =
        signal::SignalInfo::from_process(signal, signal::kCodeUser, caller.group().number(), caller.credentials().uid);
    return signal::send_to_process(target, info);
}

/// Success if any receiver could be signalled (kill(2)).
struct KillResult {
    bool any = false;
    bool sent = false;
    Errno error = Errno::esrch;
    void add(Result<void> result) {
        any = true;
        if (result.ok()) {
            sent = true;
        } else {
            error = result.error();
        }
    }
    Result<void> total() const {
        if (sent) {
            return {};
        }
        return fail(error);
    }
};

Result<void> kill_group_locked(Task& caller, ProcessGroup& group, i32 signal) {
    KillResult result;
    for (ThreadGroup& member : group.members) {
        result.add(kill_one_locked(caller, member, signal));
    }
    return result.total();
}

}  // namespace

namespace {

/// A thread's number means its process, too. Null: there is none. The table's lock is held.
ThreadGroup* find_meant_process_locked(TaskTable& table, i32 pid) REQUIRES(table.lock) {
    const Pid* named = table.find_locked(pid);
    if (named == nullptr) {
        return nullptr;
    }
    return named->process != nullptr || named->task == nullptr ? named->process : &named->task->group();
}

}  // namespace

Result<void> kill(Task& caller, i32 pid, i32 signal) {
    if (signal < 0 || signal > signal::kSignals) {
        return fail(Errno::einval);
    }
    TaskTable& table = *g_kernel.tasks;
    OutermostSpinLockGuard guard(table.lock);
    if (pid > 0) {
        ThreadGroup* target = find_meant_process_locked(table, pid);
        return target != nullptr ? kill_one_locked(caller, *target, signal) : fail(Errno::esrch);
    }
    if (pid == -1) {
        KillResult result;
        for (ThreadGroup& process : table.processes) {
            if (!process.is_init && &process != &caller.group()) {
                result.add(kill_one_locked(caller, process, signal));
            }
        }
        return result.total();
    }
    ProcessGroup* group = nullptr;
    if (pid == 0) {
        group = caller.group().process_group ? &**caller.group().process_group : nullptr;
    } else if (pid != -2147483647 - 1) {
        Pid* named = table.find_locked(-pid);
        group = named == nullptr ? nullptr : named->process_group;
    }
    if (group == nullptr) {
        return fail(Errno::esrch);
    }
    return kill_group_locked(caller, *group, signal);
}

namespace {

/// SIGIO says nothing; a signal that was asked for tells the descriptor and the events (sigaction(2), si_band).
signal::SignalInfo describe(const vfs::AsyncOwner& owner, vfs::AsyncEvent event) {
    if (owner.signal == 0) {
        return signal::SignalInfo::from_kernel(signal::kSigIo);
    }
    constexpr u64 kIn = 0x041, kOut = 0x304, kHangUp = 0x018;  // poll(2)
    const u64 band = event == vfs::AsyncEvent::Readable ? kIn : (event == vfs::AsyncEvent::Writable ? kOut : kHangUp);
    return {owner.signal, 0, static_cast<i32>(event), 0, {band, static_cast<u32>(owner.descriptor)}};
}

/// As if the user who set the owner sent the signal.
void signal_as(const vfs::AsyncOwner& owner, ThreadGroup& process, const signal::SignalInfo& info) {
    Result<Ref<Task>> task = g_kernel.tasks->find_task(process.number());
    if (!task.ok()) {
        return;
    }
    Ref<vfs::Credentials> of_target = task.value()->credentials_of_other();
    const bool permitted = owner.euid == 0 || owner.euid == of_target->suid || owner.euid == of_target->uid ||
                           owner.uid == of_target->suid || owner.uid == of_target->uid;
    if (permitted) {
        static_cast<void>(signal::send_to_process(process, info));
    }
}

/// The table's lock is held.
void hang_up_group_locked(Pid& group) {
    if (group.process_group != nullptr) {
        signal_group_locked(*group.process_group, signal::kSigHup);
        signal_group_locked(*group.process_group, signal::kSigCont);
    }
}

class KernelJobControl final : public vfs::JobControl {
public:
    void signal_group(i32 process_group, i32 signal) override {
        TaskTable& table = *g_kernel.tasks;
        SpinLockGuard guard(table.lock);
        Pid* pid = table.find_locked(process_group);
        if (pid != nullptr && pid->process_group != nullptr) {
            signal_group_locked(*pid->process_group, signal);
        }
    }
    bool signal_process(i32 process, i32 signal) override {
        Result<Ref<ThreadGroup>> target = g_kernel.tasks->find_process(process);
        if (target.ok() && signal != 0) {
            static_cast<void>(signal::send_to_process(*target.value(), signal::SignalInfo::from_kernel(signal)));
        }
        return target.ok();
    }
    void signal_owner(const vfs::AsyncOwner& owner, vfs::AsyncEvent event) override {
        const signal::SignalInfo info = describe(owner, event);
        TaskTable& table = *g_kernel.tasks;
        if (owner.target > 0) {
            Result<Ref<ThreadGroup>> process = table.find_process(owner.target);
            if (process.ok()) {
                signal_as(owner, *process.value(), info);
            }
            return;
        }
        for (i32 pid = 1;;) {
            std::optional<Ref<ThreadGroup>> process = table.next_process(pid);
            if (!process) {
                return;
            }
            if ((*process)->group_number.load(Order::relaxed) == -owner.target) {
                signal_as(owner, **process, info);
            }
            pid = (*process)->number() + 1;
        }
    }
    void hang_up_session(i32 session, i32 foreground_group, Foreground when) override {
        TaskTable& table = *g_kernel.tasks;
        std::optional<Ref<Pid>> forgotten;  // dropped outside the lock
        SpinLockGuard guard(table.lock);
        Pid* pid = table.find_locked(session);
        if (pid != nullptr && pid->session != nullptr && pid->session->leader != nullptr) {
            ThreadGroup& leader = *pid->session->leader;
            static_cast<void>(signal::send_to_process(leader, signal::SignalInfo::from_kernel(signal::kSigHup)));
            static_cast<void>(signal::send_to_process(leader, signal::SignalInfo::from_kernel(signal::kSigCont)));
        }
        Pid* group = table.find_locked(foreground_group);
        if (group != nullptr && when == Foreground::Now) {
            hang_up_group_locked(*group);
        } else if (group != nullptr && pid != nullptr && pid->session != nullptr && pid->session->leader != nullptr) {
            forgotten = std::exchange(pid->session->leader->hung_up_foreground, Ref<Pid>(*group));
        }
    }
    bool caller_blocks_or_ignores(i32 signal) override {
        Task& self = current_task();
        return self.blocked.has(signal) || self.group().handlers->get(signal).handler == signal::SignalAction::kIgnore;
    }
    bool is_orphaned(i32 process_group) override {
        TaskTable& table = *g_kernel.tasks;
        SpinLockGuard guard(table.lock);
        Pid* pid = table.find_locked(process_group);
        return pid == nullptr || pid->process_group == nullptr || is_orphaned_locked(*pid->process_group, nullptr);
    }
    Result<void> check_group(i32 process_group, i32 session) override {
        TaskTable& table = *g_kernel.tasks;
        SpinLockGuard guard(table.lock);
        Pid* pid = table.find_locked(process_group);
        ProcessGroup* group = pid == nullptr ? nullptr : pid->process_group;
        group = group == nullptr || group->members.empty() ? nullptr : group;
        // A number that names nothing is only still held, as that of a process that was just reaped.
        if (pid == nullptr ||
            (group == nullptr && pid->task == nullptr && pid->process == nullptr && pid->session == nullptr)) {
            return fail(Errno::esrch);
        }
        // As Linux: the number of a process that leads no group is good for its session, too.
        if (group == nullptr && pid->process != nullptr && pid->process->process_group) {
            group = &**pid->process->process_group;
        }
        const bool belongs = group != nullptr && group->session().number() == session;
        return belongs ? Result<void>() : fail(Errno::eperm);
    }
    void* controlling_terminal() override {
        SpinLockGuard guard(g_kernel.tasks->lock);
        ThreadGroup& self = current_task().group();
        return controlling_terminal_locked(self);
    }
    void set_controlling_terminal(void* terminal) override {
        SpinLockGuard guard(g_kernel.tasks->lock);
        ThreadGroup& self = current_task().group();
        if (!self.session_leader.load(Order::relaxed)) {
            ASSERT(terminal == nullptr);  // only leaders take one
            self.gave_up_terminal.store(true, Order::relaxed);
        } else if (self.process_group) {
            (*self.process_group)->session().terminal = terminal;
        }
    }
    void clear_controlling_terminal(i32 session) override {
        TaskTable& table = *g_kernel.tasks;
        SpinLockGuard guard(table.lock);
        Pid* pid = table.find_locked(session);
        if (pid != nullptr && pid->session != nullptr) {
            pid->session->terminal = nullptr;
        }
    }
};

}  // namespace

void hang_up_left_behind(ThreadGroup& leader) {
    std::optional<Ref<Pid>> group;  // dropped outside the lock
    SpinLockGuard guard(g_kernel.tasks->lock);
    group = std::exchange(leader.hung_up_foreground, std::nullopt);
    if (group) {
        hang_up_group_locked(**group);
    }
}

void install_job_control() {
    static constinit KernelJobControl job_control;
    g_kernel.job_control = &job_control;
}

}  // namespace cairn::task
