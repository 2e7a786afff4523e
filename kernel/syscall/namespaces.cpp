/// setns(2). Of UTS namespaces there may be many; of every other kind there is one, in which everybody is.

#include "fs/procfs/namespace.h"
#include "kernel/ptrace/access.h"
#include "kernel/syscall/processes.h"
#include "kernel/task/clone.h"
#include "kernel/task/pidfd.h"

namespace cairn::syscall {

namespace {

using procfs::Namespace;

constexpr u32 flag_of(Namespace kind) {
    using namespace task::clone_flags;
    switch (kind) {
        case Namespace::Time:
            return kNewTime;
        case Namespace::ControlGroup:
            return kNewCgroup;
        case Namespace::Pid:
            return kNewPid;
        case Namespace::User:
            return kNewUser;
        case Namespace::Uts:
            return kNewUts;
        case Namespace::Ipc:
            return kNewIpc;
        case Namespace::Network:
            return kNewNet;
        case Namespace::Mount:
            break;
    }
    return kNewNamespace;
}

/// Of a pidfd: the process's names, if those and nothing else are asked for.
Result<Ref<task::UtsNamespace>> names_of_process(Caller& self, task::Pid& pid, u32 kinds) {
    if (kinds != task::clone_flags::kNewUts) {
        return fail(Errno::einval);
    }
    Ref<task::Task> target = TRY(g_kernel.tasks->find_task(pid.number()));
    TRY(ptrace::check_access(self.task, *target, ptrace::WhichIds::Real));
    std::optional<Ref<task::UtsNamespace>> names = target->names_of_other();
    return names ? Result<Ref<task::UtsNamespace>>(std::move(*names)) : fail(Errno::esrch);
}

}  // namespace

/// setns(2)
Result<void> sys_setns(Caller& self, Fd fd, u32 kind) {
    Ref<vfs::File> file = TRY(self.descriptors().find(fd));
    if (Result<Ref<task::Pid>> pid = task::pid_of_file(*file); pid.ok()) {
        Ref<task::UtsNamespace> names = TRY(names_of_process(self, *pid.value(), kind));
        if (!self.credentials().has(vfs::Capability::SysAdmin)) {
            return fail(Errno::eperm);
        }
        self.task.exchange_names(std::move(names));
        return {};
    }
    procfs::OpenNamespace target = TRY(procfs::namespace_of_file(*file));
    if (kind != 0 && kind != flag_of(target.kind)) {
        return fail(Errno::einval);
    }
    // Nobody enters the user namespace that he is in; whoever does so with mounts or times changes more than that.
    if (target.kind == Namespace::User || target.kind == Namespace::Mount || target.kind == Namespace::Time) {
        return fail(Errno::einval);
    }
    if (!self.credentials().has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    if (target.kind == Namespace::Uts) {
        // SAFETY: only UTS namespaces are objects of that kind.
        self.task.exchange_names(Ref<task::UtsNamespace>(static_cast<task::UtsNamespace&>(**target.object)));
    }
    return {};
}

}  // namespace cairn::syscall
