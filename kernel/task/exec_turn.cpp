#include "kernel/task/exec_turn.h"

namespace cairn::task {

Result<void> begin_exec_turn(Task& self, ThreadGroup& group) {
    const sync::WakeReason reason = group.exec_turn.wait_until(
        [&] {
            SpinLockGuard guard(group.lock);
            if (group.exec_owner != nullptr) {
                return false;
            }
            group.exec_owner = &self;
            return true;
        },
        sync::SleepKind::Interruptible);
    if (reason != sync::WakeReason::Condition) {
        self.set_restart(RestartKind::Always);
        return fail(Errno::eintr);
    }
    return {};
}

void end_exec_turn(ThreadGroup& group) {
    {
        SpinLockGuard guard(group.lock);
        group.exec_owner = nullptr;
    }
    group.exec_turn.wake_one();
}

}  // namespace cairn::task
