#include "kernel/ptrace/tracer.h"
#include "kernel/syscall/processes.h"

namespace cairn::syscall {

/// ptrace(2)
Result<u64> sys_ptrace(Caller& self, u64 request, i32 pid, u64 address, u64 data) {
    constexpr u64 kTraceMe = 0, kAttach = 16, kSeize = 0x4206;
    if (request == kTraceMe) {
        TRY(ptrace::trace_me(self.task));
        return u64{0};
    }
    Ref<task::Task> tracee = TRY(g_kernel.tasks->find_task(pid));
    u64 result = 0;
    if (request == kAttach) {
        TRY(ptrace::attach(self.task, *tracee, ptrace::Attach::Plain, 0));
    } else if (request == kSeize) {
        if (address != 0) {
            return fail(Errno::eio);
        }
        TRY(ptrace::attach(self.task, *tracee, ptrace::Attach::Seize, data));
    } else {
        TRY(ptrace::request(self.task, *tracee, request, address, data, result));
    }
    return result;
}

}  // namespace cairn::syscall
