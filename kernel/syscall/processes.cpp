#include "kernel/syscall/processes.h"

#include "exec/transaction.h"
#include "kernel/ptrace/access.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/syscall/argument_list.h"
#include "kernel/task/clone.h"
#include "kernel/task/exit.h"
#include "kernel/task/job_control.h"
#include "kernel/task/pidfd.h"
#include "kernel/task/wait.h"

namespace cairn::syscall {

using task::CloneRequest;
using task::Task;

/// fork(2)
Result<i32> sys_fork(Caller& self) {
    CloneRequest request;
    request.exit_signal = signal::kSigChld;
    return task::clone(self.task, self.frame, request);
}

/// vfork(2)
Result<i32> sys_vfork(Caller& self) {
    CloneRequest request;
    request.flags = task::clone_flags::kVfork | task::clone_flags::kMemory;
    request.exit_signal = signal::kSigChld;
    return task::clone(self.task, self.frame, request);
}

/// clone(2)
Result<i32> sys_clone(Caller& self, u64 flags, u64 stack, UserOut<i32> parent_tid, UserOut<i32> child_tid, u64 tls) {
    constexpr u64 kSignalMask = 0xff;
    CloneRequest request;
    // The old call has 32 bits of flags, and one place for two results.
    request.flags = flags & 0xffff'ff00;
    request.exit_signal = static_cast<i32>(flags & kSignalMask);
    if ((flags & task::clone_flags::kPidFd) != 0 && (flags & task::clone_flags::kParentSetTid) != 0) {
        return fail(Errno::einval);
    }
    if (request.exit_signal > signal::kSignals) {
        return fail(Errno::einval);
    }
    request.stack = stack;
    request.tls = tls;
    request.parent_tid = parent_tid.address().value;
    request.pidfd = parent_tid.address().value;
    request.child_tid = child_tid.address().value;
    return task::clone(self.task, self.frame, request);
}

namespace {

/// A structure that may be longer or shorter than the kernel's (clone3(2), "Versioning"): what is missing is zero, what
/// is beyond must be.
Result<CloneArguments> fetch_clone_arguments(UserIn<CloneArguments> from, usize size) {
    constexpr usize kFirstVersion = 64;
    if (size > kPageSize) {
        return fail(Errno::e2big);
    }
    if (size < kFirstVersion) {
        return fail(Errno::einval);
    }
    CloneArguments arguments{};
    TRY(mm::copy_in(&arguments, from.address(), size < sizeof arguments ? size : sizeof arguments));
    for (usize i = sizeof arguments; i < size; ++i) {
        const u8 extra = TRY(UserIn<u8>(from.address().value + i).fetch());
        if (extra != 0) {
            return fail(Errno::e2big);
        }
    }
    return arguments;
}

}  // namespace

/// clone3(2)
Result<i32> sys_clone3(Caller& self, UserIn<CloneArguments> from, usize size) {
    const CloneArguments arguments = TRY(fetch_clone_arguments(from, size));
    constexpr u64 kDetached = task::clone_flags::kDetached;
    constexpr u64 kThreadOrParent = task::clone_flags::kThread | task::clone_flags::kParent;
    const bool bad_stack = (arguments.stack == 0) != (arguments.stack_size == 0);
    if ((arguments.flags & (kDetached | 0xff)) != 0 || (arguments.flags >> 34) != 0 || bad_stack ||
        arguments.exit_signal > static_cast<u64>(signal::kSignals) ||
        ((arguments.flags & kThreadOrParent) != 0 && arguments.exit_signal != 0) || arguments.set_tid_size > 32 ||
        (arguments.set_tid == 0) != (arguments.set_tid_size == 0)) {
        return fail(Errno::einval);
    }
    if ((arguments.flags & task::clone_flags::kIntoCgroup) != 0) {
        constexpr u64 kLargestDescriptor = 0x7fff'ffff;
        // There are no control groups, so that no descriptor is of one.
        return fail(arguments.cgroup > kLargestDescriptor ? Errno::einval : Errno::ebadf);
    }
    i32 wanted[32];
    if (arguments.set_tid_size != 0) {
        TRY(UserIn<i32>(arguments.set_tid).fetch(std::span(wanted, arguments.set_tid_size)));
    }
    CloneRequest request;
    request.flags = arguments.flags;
    request.exit_signal = static_cast<i32>(arguments.exit_signal);
    request.stack = arguments.stack == 0 ? 0 : arguments.stack + arguments.stack_size;
    request.tls = arguments.tls;
    request.parent_tid = arguments.parent_tid;
    request.child_tid = arguments.child_tid;
    request.pidfd = arguments.pidfd;
    request.set_tid = {wanted, arguments.set_tid_size};
    return task::clone(self.task, self.frame, request);
}

/// unshare(2)
Result<void> sys_unshare(Caller& self, u64 flags) {
    return task::unshare(self.task, flags);
}

namespace {

Result<void> execute(Caller& self, exec::ExecuteRequest& request) {
    const i32 old_number = self.task.number();
    const u64 call = arch::syscall_number(self.frame);
    self.frame = TRY(exec::execute(self.task, request));
    arch::remember_syscall(self.frame, call);
    if (self.task.is_traced()) {
        ptrace::report_exec(self.task, old_number);
    }
    return {};
}

}  // namespace

/// execve(2)
Result<void> sys_execve(Caller& self, UserCString path, UserIn<u64> arguments, UserIn<u64> environment) {
    PathName name;
    TRY(name.fetch(path));
    UserWords argument_words(arguments);
    UserWords environment_words(environment);
    exec::ExecuteRequest request{
        .path = name.text(), .walk = {}, .arguments = argument_words, .environment = environment_words};
    return execute(self, request);
}

/// execveat(2)
Result<void> sys_execveat(Caller& self, Fd directory, UserCString path, UserIn<u64> arguments, UserIn<u64> environment,
                          i32 flags) {
    constexpr i32 kNoFollow = 0x100, kEmptyPath = 0x1000;
    if ((flags & ~(kNoFollow | kEmptyPath)) != 0) {
        return fail(Errno::einval);
    }
    const bool empty_allowed = (flags & kEmptyPath) != 0;
    PathName name;
    TRY(name.fetch(path, empty_allowed ? PathName::Empty::Allowed : PathName::Empty::Refused));
    // An absolute path needs no directory, and does not look at a bad one.
    const bool absolute = !name.text().empty() && name.text().front() == '/';
    StartDirectory start =
        TRY(StartDirectory::find(self, absolute ? Fd{StartDirectory::kWorkingDirectory} : directory));
    UserWords argument_words(arguments);
    UserWords environment_words(environment);
    bool closes = false;
    if (directory.value >= 0) {
        Result<bool> flag = self.descriptors().close_on_exec(directory);
        closes = flag.ok() && flag.value();
    }
    exec::ExecuteRequest request{
        .path = name.text(),
        .walk = {.start = start.path(), .follow_last_link = (flags & kNoFollow) == 0, .allow_empty = empty_allowed},
        .directory = directory.value,
        .descriptor_closes = closes,
        .arguments = argument_words,
        .environment = environment_words};
    return execute(self, request);
}

/// exit(2)
Result<void> sys_exit(Caller&, i32 code) {
    task::exit_thread((code & 0xff) << 8);
}

/// exit_group(2)
Result<void> sys_exit_group(Caller&, i32 code) {
    task::exit_process((code & 0xff) << 8);
}

namespace {

ResourceUsage usage_of(const task::ProcessTimes& times) {
    ResourceUsage usage{};
    usage.user_seconds = static_cast<i64>(times.user.value / 1'000'000'000);
    usage.user_microseconds = static_cast<i64>(times.user.value / 1000 % 1'000'000);
    usage.system_seconds = static_cast<i64>(times.system.value / 1'000'000'000);
    usage.system_microseconds = static_cast<i64>(times.system.value / 1000 % 1'000'000);
    usage.peak_resident_kib = static_cast<i64>(times.peak_resident_pages * (kPageSize / kKiB));
    usage.minor_faults = static_cast<i64>(times.minor_faults);
    usage.major_faults = static_cast<i64>(times.major_faults);
    usage.voluntary_switches = static_cast<i64>(times.voluntary_switches);
    usage.involuntary_switches = static_cast<i64>(times.involuntary_switches);
    return usage;
}

constexpr i32 kNoHang = 1, kUntraced = 2, kStopped = 2, kExited = 4, kContinued = 8, kNoWait = 0x01000000;
constexpr i32 kNoThread = 0x20000000, kAll = 0x40000000, kClone = static_cast<i32>(0x80000000);

task::WaitRequest common_options(i32 options) {
    task::WaitRequest request;
    request.no_hang = (options & kNoHang) != 0;
    request.stopped = (options & kStopped) != 0;
    request.continued = (options & kContinued) != 0;
    request.own_children_only = (options & kNoThread) != 0;
    request.all_children = (options & kAll) != 0;
    request.clone_children = (options & kClone) != 0;
    return request;
}

}  // namespace

/// wait4(2)
Result<i32> sys_wait4(Caller& self, i32 pid, UserOut<i32> status, i32 options, UserOut<ResourceUsage> usage) {
    if ((options & ~(kNoHang | kUntraced | kContinued | kNoThread | kAll | kClone)) != 0) {
        return fail(Errno::einval);
    }
    if (pid == -2147483647 - 1) {
        return fail(Errno::esrch);
    }
    task::WaitRequest request = common_options(options);
    if (pid < -1 || pid == 0) {
        request.which = task::WaitRequest::Which::Group;
        request.id = pid == 0 ? self.task.group().group_number.load(Order::relaxed) : -pid;
    } else if (pid > 0) {
        request.which = task::WaitRequest::Which::Process;
        request.id = pid;
    }
    const task::WaitResult result = TRY(task::wait_for_child(self.task, request));
    if (result.pid != 0 && !status.is_null()) {
        TRY(status.store(result.status));
    }
    if (result.pid != 0 && !usage.is_null()) {
        TRY(usage.store(usage_of(result.times)));
    }
    return result.pid;
}

/// waitid(2)
Result<void> sys_waitid(Caller& self, i32 which, i32 id, UserOut<WaitInformation> information, i32 options,
                        UserOut<ResourceUsage> usage) {
    constexpr i32 kEverybody = 0, kProcess = 1, kGroup = 2, kPidFd = 3;
    constexpr i32 kKnown = kNoHang | kNoWait | kExited | kStopped | kContinued | kNoThread | kAll | kClone;
    if ((options & ~kKnown) != 0 || (options & (kExited | kStopped | kContinued)) == 0) {
        return fail(Errno::einval);
    }
    task::WaitRequest request = common_options(options);
    request.exited = (options & kExited) != 0;
    request.no_reap = (options & kNoWait) != 0;
    std::optional<Ref<task::Pid>> pid;
    switch (which) {
        case kEverybody:
            break;
        case kProcess:
        case kGroup:
            if (id < 0 || (which == kProcess && id == 0)) {
                return fail(Errno::einval);
            }
            request.which = which == kProcess ? task::WaitRequest::Which::Process : task::WaitRequest::Which::Group;
            request.id = id == 0 ? self.task.group().group_number.load(Order::relaxed) : id;
            break;
        case kPidFd: {
            if (id < 0) {
                return fail(Errno::einval);
            }
            Ref<vfs::File> file = TRY(self.file({id}));
            pid = TRY(task::pid_of_file(*file));
            request.which = task::WaitRequest::Which::Process;
            request.id = (*pid)->number();
            request.no_hang = request.no_hang || file->non_blocking();
            break;
        }
        default:
            return fail(Errno::einval);
    }
    const task::WaitResult result = TRY(task::wait_for_child(self.task, request));
    if (which == kPidFd && result.pid == 0 && (options & kNoHang) == 0) {
        return fail(Errno::eagain);  // a non-blocking pidfd
    }
    if (!usage.is_null() && result.pid != 0) {
        TRY(usage.store(usage_of(result.times)));
    }
    if (!information.is_null()) {
        WaitInformation out{};
        if (result.pid != 0) {
            out.signal = signal::kSigChld;
            out.code = result.code;
            out.pid = result.pid;
            out.uid = result.uid;
            out.status = result.child_status;
        }
        // Only the fields, as Linux: what else the structure holds stays.
        TRY(mm::copy_out(information.address(), &out, 28));
    }
    return {};
}

/// getpid(2)
Result<i32> sys_getpid(Caller& self) {
    return self.task.process_number();
}

/// gettid(2)
Result<i32> sys_gettid(Caller& self) {
    return self.task.number();
}

/// getppid(2)
Result<i32> sys_getppid(Caller& self) {
    return self.task.group().parent_number.load(Order::relaxed);
}

/// getpgrp(2)
Result<i32> sys_getpgrp(Caller& self) {
    return task::process_group_of(self.task, 0);
}

/// getpgid(2)
Result<i32> sys_getpgid(Caller& self, i32 pid) {
    return task::process_group_of(self.task, pid);
}

/// setpgid(2)
Result<void> sys_setpgid(Caller& self, i32 pid, i32 group) {
    return task::set_process_group(self.task, pid, group);
}

/// getsid(2)
Result<i32> sys_getsid(Caller& self, i32 pid) {
    return task::session_of(self.task, pid);
}

/// setsid(2)
Result<i32> sys_setsid(Caller& self) {
    return task::create_session(self.task);
}

/// set_tid_address(2)
Result<i32> sys_set_tid_address(Caller& self, UserOut<i32> address) {
    self.task.clear_child_tid = address.address().value;
    return self.task.number();
}

/// set_robust_list(2)
Result<void> sys_set_robust_list(Caller& self, UserIn<u64> head, usize size) {
    constexpr usize kHeadSize = 24;
    if (size != kHeadSize) {
        return fail(Errno::einval);
    }
    self.task.robust_list = head.address().value;
    return {};
}

/// get_robust_list(2)
Result<void> sys_get_robust_list(Caller& self, i32 tid, UserOut<u64> head, UserOut<u64> size) {
    u64 list = self.task.robust_list;
    if (tid != 0 && tid != self.task.number()) {
        Ref<Task> other = TRY(g_kernel.tasks->find_task(tid));
        list = other->robust_list;
    }
    TRY(size.store(24));
    return head.store(list);
}

namespace {

/// All threads of the process, those that have ended included.
task::ProcessTimes times_of_process(task::ThreadGroup& group) {
    SpinLockGuard guard(group.lock);
    task::ProcessTimes total = group.ended_threads;
    task::for_each_thread(group, [&](Task& task) { total.add(task.times()); });
    return total;
}

}  // namespace

/// getrusage(2)
Result<void> sys_getrusage(Caller& self, i32 who, UserOut<ResourceUsage> usage) {
    constexpr i32 kSelf = 0, kChildren = -1, kThread = 1;
    task::ProcessTimes times;
    const u64 peak = self.task.address_space().statistics().peak_resident;
    switch (who) {
        case kSelf:
            times = times_of_process(self.task.group());
            times.peak_resident_pages = peak;
            break;
        case kChildren: {
            SpinLockGuard guard(self.task.group().lock);
            times = self.task.group().waited_children;
            break;
        }
        case kThread:
            times = self.task.times();
            times.peak_resident_pages = peak;
            break;
        default:
            return fail(Errno::einval);
    }
    return usage.store(usage_of(times));
}

/// times(2)
Result<i64> sys_times(Caller& self, UserOut<ClockTicks> times) {
    constexpr u64 kTick = 10'000'000;  // 1/100 s
    if (!times.is_null()) {
        const task::ProcessTimes own = times_of_process(self.task.group());
        task::ProcessTimes children;
        {
            SpinLockGuard guard(self.task.group().lock);
            children = self.task.group().waited_children;
        }
        TRY(times.store({static_cast<i64>(own.user.value / kTick), static_cast<i64>(own.system.value / kTick),
                         static_cast<i64>(children.user.value / kTick),
                         static_cast<i64>(children.system.value / kTick)}));
    }
    return static_cast<i64>(arch::monotonic_now().value / kTick);
}

/// personality(2)
Result<u64> sys_personality(Caller& self, u32 persona) {
    const u32 old = self.task.group().personality.load(Order::relaxed);
    if (persona != 0xffff'ffff) {
        self.task.group().personality.store(persona, Order::relaxed);
    }
    return u64{old};
}

/// pidfd_open(2)
Result<Fd> sys_pidfd_open(Caller& self, i32 pid, u32 flags) {
    if ((flags & ~vfs::open_flags::kNonBlock) != 0 || pid <= 0) {
        return fail(Errno::einval);
    }
    Ref<task::Pid> found = TRY(g_kernel.tasks->find_pid(pid));
    {
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (found->process == nullptr) {
            return fail(found->task == nullptr ? Errno::esrch : Errno::einval);
        }
    }
    task::PreparedPidFd prepared = TRY(task::prepare_pidfd(self.task, *found, flags));
    const Fd fd = prepared.fd();
    std::move(prepared).install();
    return fd;
}

/// pidfd_getfd(2): as ptrace(2) allows it.
Result<Fd> sys_pidfd_getfd(Caller& self, Fd pidfd, Fd fd, u32 flags) {
    if (flags != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(self.file(pidfd));
    Ref<task::Pid> pid = TRY(task::pid_of_file(*file));
    Ref<Task> target = TRY(g_kernel.tasks->find_task(pid->number()));
    TRY(ptrace::check_access(self.task, *target, ptrace::WhichIds::Real));
    std::optional<Ref<vfs::FileDescriptorTable>> table = target->descriptors_of_other();
    if (!table) {
        return fail(Errno::esrch);
    }
    Ref<vfs::File> wanted = TRY((*table)->find(fd));
    return self.install(std::move(wanted), true);
}

}  // namespace cairn::syscall
