#include "kernel/task/exit.h"

#include "kernel/base/panic.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/process_timers.h"
#include "kernel/signal/send.h"
#include "kernel/signal/stop.h"
#include "kernel/task/futex.h"
#include "kernel/task/job_control.h"
#include "kernel/task/terminal_hook.h"

namespace cairn::task {

namespace {

/// Zombies whose parent does not care are reaped at once; their remains are collected here while the lock is held.
class Remains {
public:
    static constexpr u32 kBatch = 8;
    bool full() const { return count_ == kBatch; }
    void add(ReapedProcess&& process) { processes_[count_++] = std::move(process); }

private:
    ReapedProcess processes_[kBatch];
    u32 count_ = 0;
};

/// X04: who takes the children of a process that has ended: the nearest living ancestor that is a subreaper, else init.
ThreadGroup& find_reaper(ThreadGroup& dying) {
    if (dying.has_child_subreaper) {
        for (ThreadGroup* ancestor = dying.parent; ancestor != nullptr; ancestor = ancestor->parent) {
            if (ancestor->child_subreaper && !ancestor->zombie && ancestor->thread_count != 0) {
                return *ancestor;
            }
        }
    }
    return *g_kernel.tasks->init;
}

/// A stopped group that becomes orphaned by this end is told, since nobody could continue it any more.
void hang_up_if_orphaned(ThreadGroup& member, ThreadGroup& dying) {
    if (!member.process_group) {
        return;
    }
    ProcessGroup& group = **member.process_group;
    if (is_orphaned_locked(group, &dying) && has_stopped_member_locked(group)) {
        signal_group_locked(group, signal::kSigHup);
        signal_group_locked(group, signal::kSigCont);
    }
}

/// Gives one child to its new parent. The table's lock is held.
void reparent(ThreadGroup& child, ThreadGroup& dying, ThreadGroup& reaper, Remains& remains) {
    dying.children.remove(child);
    reaper.children.push_back(child);
    child.set_parent_locked(&reaper);
    child.parent_thread = reaper.number();
    child.exit_signal = signal::kSigChld;
    if (child.zombie && !(*child.leader)->is_traced()) {
        ReapedProcess reaped = tell_parent_of_end_locked(child);
        if (reaped.process) {
            remains.add(std::move(reaped));
            return;
        }
    }
    const bool same_session = child.session_number.load(Order::relaxed) == dying.session_number.load(Order::relaxed);
    const bool other_group = child.group_number.load(Order::relaxed) != dying.group_number.load(Order::relaxed);
    if (same_session && other_group) {
        hang_up_if_orphaned(child, dying);
    }
}

/// The process has no thread any more: its children go to others, and it waits for its parent, or goes at once. False:
/// there is more to do, after `remains` has been emptied.
bool become_zombie_locked(ThreadGroup& process, Remains& remains) {
    ThreadGroup& reaper = find_reaper(process);
    while (ThreadGroup* child = process.children.front()) {
        if (remains.full()) {
            return false;
        }
        reparent(*child, process, reaper, remains);
    }
    if (remains.full()) {
        return false;
    }
    // Only a parent outside the group could have continued it.
    if (process.parent != nullptr &&
        process.parent->session_number.load(Order::relaxed) == process.session_number.load(Order::relaxed) &&
        process.parent->group_number.load(Order::relaxed) != process.group_number.load(Order::relaxed)) {
        hang_up_if_orphaned(process, process);
    }
    if (process.session_leader.load(Order::relaxed) && process.pid().session != nullptr) {
        process.pid().session->leader = nullptr;
    }
    if (process.unseen_threads != 0) {
        process.awaits_tracers = true;
    } else {
        remains.add(announce_end_locked(process));
    }
    return true;
}

/// PR_SET_PDEATHSIG and __WNOTHREAD: the children that this very thread made. The table's lock is held.
void leave_children_of_thread(Task& self) {
    ThreadGroup& group = self.group();
    for (ThreadGroup& child : group.children) {
        if (child.parent_thread != self.number()) {
            continue;
        }
        child.parent_thread = group.number();
        i32 wanted = 0;
        {
            SpinLockGuard guard(child.lock);
            for_each_thread(
                child, [&](Task& task) { wanted = task.parent_death_signal != 0 ? task.parent_death_signal : wanted; });
        }
        if (wanted != 0) {
            static_cast<void>(signal::send_to_process(
                child, signal::SignalInfo::from_process(wanted, signal::kCodeUser, group.number(), 0)));
        }
    }
}

/// A process whose threads all called exit(2) has the status of the last one (Linux since 5.16).
void leave_group_locked(Task& self, i32 status, bool& last, bool& tell_stopped) {
    ThreadGroup& group = self.group();
    group.threads.remove(self);
    --group.thread_count;
    self.exited = true;
    self.exit_status = status;
    group.ended_threads.add(self.times());
    last = group.thread_count == 0;
    signal::pass_on_locked(group, ~self.blocked);
    if (last && !group.exiting) {
        group.exit_status = status;
    }
    tell_stopped = signal::finish_stop_without_locked(self);
    if (group.exec_task != nullptr) {
        group.exec_progress.wake_all();
    }
}

void release_files(Task& self) {
    std::optional<Ref<vfs::FileDescriptorTable>> files;
    {
        vfs::OperationContext context = self.context();
        vfs::FileDescriptorTable& table = self.descriptors();
        if (table.users.fetch_sub(1, Order::acq_rel) == 1) {
            table.close_all(context);
        }
    }
    files = self.exchange_descriptors(std::nullopt);
    static_cast<void>(self.exchange_filesystem(std::nullopt));
}

[[noreturn]] void end_thread(i32 status) {
    Task& self = current_task();
    ThreadGroup& group = self.group();
    if (self.is_traced()) {
        ptrace::report_event(self, ptrace::event::kExit, static_cast<u64>(status));
    }
    self.exiting.store(true, Order::relaxed);
    if (self.has_address_space()) {
        leave_memory(self);
        end_pi_ownership(self);
        const u64 resident = self.address_space().statistics().peak_resident;
        SpinLockGuard guard(group.lock);
        if (resident > group.ended_threads.peak_resident_pages) {
            group.ended_threads.peak_resident_pages = resident;
        }
    }
    g_kernel.tasks->leaving_memory.fetch_add(1, Order::acq_rel);
    static_cast<void>(self.exchange_address_space(std::nullopt));
    g_kernel.tasks->left_memory.fetch_add(1, Order::acq_rel);
    g_kernel.tasks->leaving_memory.fetch_sub(1, Order::acq_rel);
    if (g_kernel.tasks->memory_waiters.load(Order::relaxed) != 0) {
        g_kernel.tasks->memory_left.wake_one();
    }
    ipc::leave_undo_list(self);
    release_files(self);
    release_vfork_parent(self);

    bool last = false;
    bool tell_stopped = false;
    for (;;) {
        ptrace::Released released;
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (ptrace::detach_one_locked(self, released)) {
            continue;  // whom this thread traced goes on without it
        }
        leave_children_of_thread(self);
        {
            SpinLockGuard group_guard(group.lock);
            leave_group_locked(self, status, last, tell_stopped);
        }
        const bool id_stays = ptrace::report_end_locked(self, status);
        if (&**group.leader != &self && !id_stays) {
            self.pid().task = nullptr;
            self.pid().ended.wake_all();
        }
        if (tell_stopped) {
            signal::notify_parent_locked(group, signal::kCodeChildStopped);
        }
        break;
    }
    if (last && group.is_init) {
        panic("init has ended (wait status {:#x}): there is nobody left to look after the system", group.exit_status);
    }
    if (last) {
        leave_terminal(group);
        group.timers.reset();
    }
    while (last) {
        Remains batch;
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (become_zombie_locked(group, batch)) {
            break;
        }
    }
    sched::Thread& thread = self.thread();
    thread.set_task(nullptr);
    self.release_reference();  // the running thread's
    sched::exit_current_thread();
}

}  // namespace

ReapedProcess tell_parent_of_end_locked(ThreadGroup& process) {
    const signal::ParentWish wish = signal::notify_parent_of_end_locked(process);
    if (wish == signal::ParentWish::ReapAtOnce && !(*process.leader)->is_traced()) {
        return reap_locked(process);
    }
    return {};
}

ReapedProcess announce_end_locked(ThreadGroup& process) {
    process.zombie = true;
    process.pid().ended.wake_all();
    Task& leader = **process.leader;
    if (leader.is_traced() && ptrace::is_reparented(leader)) {
        signal::notify_tracer_of_end_locked(leader, process.exit_status);
        return {};
    }
    return tell_parent_of_end_locked(process);
}

ReapedProcess reap_locked(ThreadGroup& zombie) {
    ReapedProcess reaped;
    TaskTable& table = *g_kernel.tasks;
    table.lock.assert_held();
    zombie.reaped = true;
    reaped.process = Ref<ThreadGroup>(zombie);
    if (zombie.parent != nullptr) {
        zombie.parent->children.remove(zombie);
        zombie.set_parent_locked(nullptr);
    }
    table.processes.remove(zombie);
    zombie.pid().process = nullptr;
    zombie.pid().reaped = true;
    if (zombie.leader) {
        if (zombie.pid().task == &**zombie.leader) {
            zombie.pid().task = nullptr;
        }
        if ((*zombie.leader)->is_traced()) {
            SpinLockGuard guard(zombie.lock);
            reaped.tracee = ptrace::unlink_locked(*(*zombie.leader)->tracing);
        }
        reaped.leader = std::move(zombie.leader);
        zombie.leader.reset();
    }
    reaped.process_group = move_to_group_locked(zombie, nullptr);
    return reaped;
}

void release_vfork_parent(Task& self) {
    sync::Completion* waiter = nullptr;
    {
        SpinLockGuard guard(self.group().lock);
        waiter = std::exchange(self.vfork_wait, nullptr);
    }
    if (waiter != nullptr) {
        waiter->complete();
    }
}

void leave_memory(Task& self) {
    release_robust_futexes(self);
    const u64 word = std::exchange(self.clear_child_tid, 0);
    // Nobody else is there to look at it if this is the memory's only user (and a fault now would be in vain).
    if (word != 0 && self.address_space().reference_count() > 1) {
        const u32 zero = 0;
        if (arch::copy_to_user({word}, &zero, sizeof zero) == 0) {
            wake_futex_word(self, word);
        }
    }
    self.rseq_area = 0;
    self.robust_list = 0;
}

void exit_thread(i32 status) {
    Task& self = current_task();
    ThreadGroup& group = self.group();
    {
        SpinLockGuard guard(group.lock);
        if (group.exiting) {
            status = group.exit_status;
        }
    }
    end_thread(status);
}

void exit_process(i32 status) {
    Task& self = current_task();
    ThreadGroup& group = self.group();
    {
        SpinLockGuard guard(group.lock);
        if (group.exiting) {
            status = group.exit_status;
        } else if (!self.must_exit) {
            signal::begin_group_exit_locked(group, status);
        }
    }
    end_thread(status);
}

void exit_thread_at_request() {
    Task& self = current_task();
    i32 status = 0;
    {
        SpinLockGuard guard(self.group().lock);
        status = self.group().exiting ? self.group().exit_status : 0;  // an execve ends it, as if it had called exit(2)
    }
    end_thread(status);
}

}  // namespace cairn::task
