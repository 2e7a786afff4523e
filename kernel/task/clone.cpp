#include "kernel/task/clone.h"

#include <algorithm>

#include "kernel/base/own.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/send.h"
#include "kernel/task/autogroup.h"
#include "kernel/task/exit.h"
#include "kernel/task/job_control.h"
#include "kernel/task/pidfd.h"

namespace cairn::task {

using namespace clone_flags;

namespace {

/// What Linux's copy_process refuses, in its order.
Result<void> check_flags(const Task& parent, const CloneRequest& request) {
    const u64 flags = request.flags;
    const bool contradictory =
        ((flags & kThread) != 0 && (flags & kHandlers) == 0) || ((flags & kHandlers) != 0 && (flags & kMemory) == 0) ||
        ((flags & kHandlers) != 0 && (flags & kClearHandlers) != 0) || ((flags & kNamespaces & ~kNewUts) != 0) ||
        ((flags & kIntoCgroup) != 0) || ((flags & kParent) != 0 && parent.group().is_init) ||
        ((flags & kPidFd) != 0 && (flags & (kDetached | kThread)) != 0) ||
        !(request.exit_signal >= 0 && request.exit_signal <= signal::kSignals);
    if (contradictory) {
        return fail(Errno::einval);
    }
    return {};
}

/// RLIMIT_NPROC and kernel.threads-max (F06).
Result<void> check_limits(Task& parent) {
    const vfs::Credentials& who = parent.credentials();
    const u64 limit = parent.group().limits[Resource::Processes].soft;
    const bool privileged = who.uid == 0 || who.has(vfs::Capability::SysResource) || who.has(vfs::Capability::SysAdmin);
    if (!privileged && parent.account().threads.load(Order::relaxed) >= limit) {
        return fail(Errno::eagain);
    }
    if (g_kernel.tasks->thread_count.load(Order::relaxed) >= g_kernel.tasks->threads_max.load(Order::relaxed)) {
        return fail(Errno::eagain);
    }
    return {};
}

Result<Ref<vfs::FileDescriptorTable>> child_files(Task& parent, u64 flags) {
    if ((flags & kFiles) != 0) {
        parent.descriptors().users.fetch_add(1, Order::relaxed);
        return Ref<vfs::FileDescriptorTable>(parent.descriptors());
    }
    return parent.descriptors().copy();
}

/// Gives back what a child that never came to be had of its parent's files: a copy is closed, a shared table is left.
class FilesGuard {
public:
    FilesGuard(Task& parent, Ref<vfs::FileDescriptorTable> files) : parent_(parent), files_(std::move(files)) {}
    ~FilesGuard() {
        if (!committed_ && files_->users.fetch_sub(1, Order::acq_rel) == 1) {
            vfs::OperationContext context = parent_.context();
            context.lock_owner = &*files_;
            files_->close_all(context);
        }
    }
    FilesGuard(const FilesGuard&) = delete;
    FilesGuard& operator=(const FilesGuard&) = delete;
    vfs::FileDescriptorTable& operator*() const { return *files_; }
    void commit() { committed_ = true; }

private:
    Task& parent_;
    Ref<vfs::FileDescriptorTable> files_;
    bool committed_ = false;
};

Result<Ref<vfs::FilesystemContext>> child_directories(Task& parent, u64 flags) {
    if ((flags & kFilesystem) != 0) {
        return Ref<vfs::FilesystemContext>(parent.filesystem());
    }
    return parent.filesystem().copy();
}

/// uts_namespaces(7). EPERM, ENOMEM.
Result<Ref<UtsNamespace>> names_for(Task& parent, u64 flags) {
    if ((flags & kNewUts) == 0) {
        return Ref<UtsNamespace>(parent.names());
    }
    if (!parent.credentials().has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    return parent.names().copy();
}

Result<Ref<signal::SignalHandlers>> child_handlers(Task& parent, u64 flags) {
    if ((flags & kHandlers) != 0) {
        return parent.group().handlers;
    }
    Ref<signal::SignalHandlers> copy = TRY(parent.group().handlers->copy());
    if ((flags & kClearHandlers) != 0) {
        copy->reset_handlers();
    }
    return copy;
}

/// A process of its own for the child; not yet in the tree.
Result<Ref<ThreadGroup>> child_group(Task& parent, Pid& pid, const CloneRequest& request) {
    ThreadGroup& group = parent.group();
    if ((request.flags & kThread) != 0) {
        return Ref<ThreadGroup>(group);
    }
    Ref<signal::SignalHandlers> handlers = TRY(child_handlers(parent, request.flags));
    ResourceLimits limits;
    std::byte vector[ThreadGroup::kAuxiliaryBytes];
    usize vector_size = 0;
    {
        SpinLockGuard guard(group.lock);
        limits = group.limits;
        vector_size = group.auxiliary_size;
        std::copy_n(group.auxiliary_vector, vector_size, vector);
    }
    Ref<event::SignalQueue> queue = TRY(try_new_ref<event::SignalQueue>());
    Ref<ThreadGroup> fresh =
        TRY(try_new_ref<ThreadGroup>(Ref<Pid>(pid), std::move(handlers), std::move(queue), limits));
    std::copy_n(vector, vector_size, fresh->auxiliary_vector);
    fresh->auxiliary_size = vector_size;
    fresh->exit_signal = request.exit_signal;
    fresh->login_user.store(group.login_user.load(Order::relaxed), Order::relaxed);
    fresh->gave_up_terminal.store(group.gave_up_terminal.load(Order::relaxed), Order::relaxed);
    fresh->login_session.store(group.login_session.load(Order::relaxed), Order::relaxed);
    fresh->oom_score_adjust.store(group.oom_score_adjust.load(Order::relaxed), Order::relaxed);
    fresh->dumpable.store(group.dumpable.load(Order::relaxed), Order::relaxed);
    fresh->personality.store(group.personality.load(Order::relaxed), Order::relaxed);
    return fresh;
}

/// A new user thread's first steps in the kernel.
void first_steps(void* argument) {
    Task& self = *static_cast<Task*>(argument);
    if (self.set_child_tid != 0) {
        const u32 tid = static_cast<u32>(self.number());
        static_cast<void>(arch::copy_to_user({self.set_child_tid}, &tid, sizeof tid));
    }
    arch::enter_user_mode(self.first_frame);
}

sched::ThreadOptions thread_options(Task& parent) {
    sched::Thread& thread = parent.thread();
    sched::SchedulingParameters asked = thread.asked();
    if (parent.resets_on_fork.load(Order::relaxed)) {
        const bool realtime = sched::is_realtime(asked.policy);
        asked = {.policy = realtime ? sched::Policy::Fair : asked.policy,
                 .nice = realtime ? 0 : std::max(asked.nice, 0),
                 .priority = 0};
    }
    return {.policy = asked.policy,
            .nice = asked.nice,
            .realtime_priority = asked.priority,
            .affinity = thread.affinity(),
            .vector_state = sched::VectorState::Own};
}

Result<void> give_thread(Task& child, Task& parent, const arch::TrapFrame& frame, const CloneRequest& request) {
    Ref<sched::Thread> thread =
        TRY(sched::Thread::create(parent.name().view(), &first_steps, &child, thread_options(parent)));
    TRY(arch::context_copy_user_state(thread->context(), parent.thread().context()));
    if ((request.flags & kSetTls) != 0) {
        TRY(arch::set_fs_base(thread->context(), request.tls));
    }
    thread->restrain_until(parent.thread().restrained_until());
    thread->set_task(&child);
    child.set_thread(std::move(thread));
    child.first_frame = frame;
    arch::set_syscall_result(child.first_frame, 0);
    arch::forget_syscall(child.first_frame);
    if (request.stack != 0) {
        arch::set_stack_pointer(child.first_frame, {request.stack});
    }
    return {};
}

/// F03: what the child does and does not inherit, beyond what is shared.
void inherit(Task& child, Task& parent, const CloneRequest& request) {
    const u64 flags = request.flags;
    child.set_name(parent.name().view());
    child.blocked = parent.blocked;
    // A handler's stack belongs to one thread: kept by fork, and by vfork, whose child runs on the parent's.
    if ((flags & kMemory) == 0 || (flags & kVfork) != 0) {
        child.alternate_stack = parent.alternate_stack;
    }
    child.no_new_privileges = parent.no_new_privileges;
    child.timer_slack = child.first_timer_slack = parent.timer_slack;
    child.io_priority.store(parent.io_priority.load(Order::relaxed), Order::relaxed);
    if ((flags & kMemory) == 0) {
        child.rseq_area = parent.rseq_area;
        child.rseq_size = parent.rseq_size;
        child.rseq_signature = parent.rseq_signature;
    }
    child.set_child_tid = (flags & kChildSetTid) != 0 ? request.child_tid : 0;
    child.clear_child_tid = (flags & kChildClearTid) != 0 ? request.child_tid : 0;
}

/// Puts the child where the world can see it. The decision whether it may enter the group is made under the same lock
/// under which a group's end or execve sets its flags (trap A). EINTR: the parent is about to be killed. EAGAIN: an
/// execve has seen with whom the directories are shared, and nobody else may join (E15, trap N).
Result<void> publish(Task& child, Task& parent, u64 flags) {
    ThreadGroup& group = parent.group();
    ThreadGroup& own = child.group();
    SpinLockGuard guard(g_kernel.tasks->lock);
    {
        SpinLockGuard group_guard(group.lock);
        if (group.exiting || parent.must_exit || group.exec_task != nullptr || parent.thread().kill_pending()) {
            return fail(Errno::eintr);
        }
        if ((flags & kFilesystem) != 0) {
            const bool execs = group.exec_owner != nullptr && &group.exec_owner->group() == &group;
            if (execs && (flags & kThread) == 0) {
                return fail(Errno::eagain);
            }
            parent.filesystem().users.fetch_add(1, Order::relaxed);
        }
        if ((flags & kThread) != 0) {
            group.threads.push_back(child);
            ++group.thread_count;
            if (signal::has_cpu_deadline_locked(group)) {
                signal::watch_cpu_time_locked(group);
            }
            if (group.stopped) {
                sched::interrupt(child.thread());
            }
        }
    }
    child.pid().task = &child;
    child.acquire_reference();  // the running thread's
    inherit_autogroup_locked(child, group);
    if ((flags & kThread) != 0) {
        ptrace::inherit_locked(parent, child);
        return {};
    }
    own.threads.push_back(child);
    own.thread_count = 1;
    own.leader = Ref<Task>(child);
    if (signal::has_cpu_deadline_locked(own)) {
        SpinLockGuard own_guard(own.lock);
        signal::watch_cpu_time_locked(own);
    }
    child.pid().process = &own;
    ThreadGroup* mother = (flags & kParent) != 0 ? group.parent : &group;
    own.set_parent_locked(mother);
    own.parent_thread = (flags & kParent) != 0 ? group.parent_thread : parent.number();
    if ((flags & kParent) != 0) {
        own.exit_signal = group.exit_signal;
    }
    own.has_child_subreaper = mother->child_subreaper || mother->has_child_subreaper;
    mother->children.push_back(own);
    g_kernel.tasks->processes.push_back(own);
    static_cast<void>(move_to_group_locked(own, &**group.process_group));
    g_kernel.tasks->forks.fetch_add(1, Order::relaxed);
    ptrace::inherit_locked(parent, child);
    return {};
}

/// F04: sleeps until the child has let go of the memory; killable, never interruptible, since both use one stack.
/// False: killed.
bool wait_for_vfork_child(Task& child, sync::Completion& done) {
    if (done.wait(sync::SleepKind::Killable) == sync::WakeReason::Condition) {
        return true;
    }
    bool detached = false;
    {
        SpinLockGuard guard(child.group().lock);
        detached = child.vfork_wait == &done;
        child.vfork_wait = nullptr;
    }
    if (!detached) {
        static_cast<void>(done.wait());  // the child is just about to complete it
    }
    return false;
}

Result<Ref<Pid>> pid_for(Task& parent, const CloneRequest& request) {
    if (request.set_tid.empty()) {
        return g_kernel.tasks->allocate_pid();
    }
    if (request.set_tid.size() > 1) {
        return fail(Errno::einval);  // one for each nested namespace; there is one
    }
    if (!parent.credentials().has(vfs::Capability::SysAdmin) &&
        !parent.credentials().has(vfs::Capability::CheckpointRestore)) {
        return fail(Errno::eperm);
    }
    return g_kernel.tasks->allocate_pid(request.set_tid[0]);
}

}  // namespace

Result<i32> clone(Task& parent, const arch::TrapFrame& frame, const CloneRequest& request) {
    TRY(check_flags(parent, request));
    TRY(check_limits(parent));
    const u64 flags = request.flags;
    Ref<Pid> pid = TRY(pid_for(parent, request));
    Ref<ThreadGroup> group = TRY(child_group(parent, *pid, request));
    FilesGuard files(parent, TRY(child_files(parent, flags)));
    Ref<vfs::FilesystemContext> directories = TRY(child_directories(parent, flags));
    Ref<Task> child =
        TRY(try_new_ref<Task>(pid, group, Ref<vfs::Credentials>(const_cast<vfs::Credentials&>(parent.credentials())),
                              Ref<vfs::FileDescriptorTable>(*files), directories, Ref<UserAccount>(parent.account())));
    child->exchange_names(TRY(names_for(parent, flags)));
    inherit(*child, parent, request);
    TRY(give_thread(*child, parent, frame, request));
    if ((flags & kMemory) != 0) {
        child->set_address_space(Ref<mm::AddressSpace>(parent.address_space()));
    } else {
        child->set_address_space(TRY(parent.address_space().fork()));
    }
    if ((flags & kSysVSem) != 0) {
        Ref<ipc::UndoList> shared = TRY(ipc::share_undo_list(parent));
        child->undo_list.emplace(std::move(shared));
    }
    std::optional<PreparedPidFd> pidfd;
    if ((flags & kPidFd) != 0) {
        pidfd.emplace(TRY(prepare_pidfd(parent, *pid, 0)));
        const u32 number = static_cast<u32>(pidfd->fd().value);
        if (arch::copy_to_user({request.pidfd}, &number, sizeof number) != 0) {
            return fail(Errno::efault);
        }
    }
    const i32 event = TRY(ptrace::prepare_clone(parent, *child, flags, request.exit_signal));
    sync::Completion vfork_done;
    if ((flags & kVfork) != 0) {
        child->vfork_wait = &vfork_done;
    }
    TRY(publish(*child, parent, flags));
    // From here on nothing fails.
    files.commit();
    if (pidfd) {
        std::move(*pidfd).install();
    }
    const i32 number = pid->number();
    if ((flags & kParentSetTid) != 0) {
        static_cast<void>(arch::copy_to_user({request.parent_tid}, &number, sizeof number));
    }
    child->thread().start();
    if (event != 0) {
        ptrace::report_event(parent, event, static_cast<u64>(number));
    }
    if ((flags & kVfork) != 0 && wait_for_vfork_child(*child, vfork_done) && parent.is_traced()) {
        ptrace::report_event(parent, ptrace::event::kVforkDone, static_cast<u64>(number));
    }
    return number;
}

namespace {

void (*first_body)() = nullptr;

}  // namespace

Result<Ref<Task>> create_first_task(vfs::Path root, void (*body)()) {
    TaskTable& table = *g_kernel.tasks;
    Ref<Pid> pid = TRY(table.allocate_pid());
    Ref<signal::SignalHandlers> handlers = TRY(signal::SignalHandlers::create());
    const u64 threads = table.threads_max.load(Order::relaxed) / 2;
    Ref<event::SignalQueue> queue = TRY(try_new_ref<event::SignalQueue>());
    Ref<ThreadGroup> process =
        TRY(try_new_ref<ThreadGroup>(pid, std::move(handlers), std::move(queue), ResourceLimits::initial(threads)));
    Ref<vfs::Credentials> credentials = TRY(vfs::Credentials::create_for_init());
    Ref<vfs::FileDescriptorTable> files = TRY(vfs::FileDescriptorTable::create());
    Ref<vfs::FilesystemContext> directories = TRY(try_new_ref<vfs::FilesystemContext>(root, root, u16{022}));
    Ref<UserAccount> account = TRY(UserAccount::find_or_create(0));
    Ref<Task> task = TRY(try_new_ref<Task>(pid, process, std::move(credentials), std::move(files),
                                           std::move(directories), std::move(account)));
    task->exchange_names(TRY(UtsNamespace::create()));
    task->set_name("init");
    first_body = body;
    Ref<sched::Thread> thread = TRY(
        sched::Thread::create("init", [](void*) { first_body(); }, nullptr, {.vector_state = sched::VectorState::Own}));
    thread->set_task(&*task);
    task->set_thread(std::move(thread));
    Ref<Session> session = TRY(try_new_ref<Session>(pid));
    Ref<ProcessGroup> jobs = TRY(try_new_ref<ProcessGroup>(pid, session));
    SpinLockGuard guard(table.lock);
    pid->task = &*task;
    pid->process = &*process;
    pid->session = &*session;
    pid->process_group = &*jobs;
    session->leader = &*process;
    process->session_leader.store(true, Order::relaxed);
    process->is_init = true;
    process->threads.push_back(*task);
    process->thread_count = 1;
    process->leader = task;
    table.processes.push_back(*process);
    table.init = &*process;
    static_cast<void>(move_to_group_locked(*process, &*jobs));
    task->acquire_reference();
    return task;
}

Result<void> unshare(Task& self, u64 flags) {
    constexpr u64 kPossible = kThread | kFilesystem | kFiles | kMemory | kHandlers | kSysVSem | kNewUts;
    if ((flags & ~kPossible) != 0) {
        return fail(Errno::einval);
    }
    if ((flags & (kThread | kHandlers | kMemory)) != 0) {
        bool alone = false;
        {
            SpinLockGuard guard(self.group().lock);
            alone = self.group().thread_count == 1;
        }
        if (!alone || ((flags & kMemory) != 0 && self.address_space().reference_count() > 1) ||
            ((flags & kHandlers) != 0 && self.group().handlers->reference_count() > 1)) {
            return fail(Errno::einval);
        }
    }
    Ref<UtsNamespace> names = TRY(names_for(self, flags));
    std::optional<Ref<vfs::FileDescriptorTable>> files;
    if ((flags & kFiles) != 0 && self.descriptors().users.load(Order::relaxed) > 1) {
        files = TRY(self.descriptors().copy());
    }
    if ((flags & kFilesystem) != 0 && self.filesystem().users.load(Order::relaxed) > 1) {
        Ref<vfs::FilesystemContext> copy = TRY(self.filesystem().copy());
        static_cast<void>(self.exchange_filesystem(std::move(copy)));
    }
    self.exchange_names(std::move(names));
    if ((flags & kSysVSem) != 0) {
        ipc::leave_undo_list(self);
    }
    if (files) {
        std::optional<Ref<vfs::FileDescriptorTable>> old = self.exchange_descriptors(std::move(files));
        vfs::OperationContext context = self.context();
        context.lock_owner = &**old;
        if ((*old)->users.fetch_sub(1, Order::acq_rel) == 1) {
            (*old)->close_all(context);
        }
    }
    return {};
}

}  // namespace cairn::task
