#pragma once
/// SignalHandlers: the dispositions of a process, or of several that share them (CLONE_SIGHAND without CLONE_THREAD).

#include "kernel/base/ref.h"
#include "kernel/signal/signal.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::signal {

class SignalHandlers : public RefCounted<SignalHandlers> {
public:
    /// All default. ENOMEM.
    static Result<Ref<SignalHandlers>> create() { return try_new_ref<SignalHandlers>(); }
    Result<Ref<SignalHandlers>> copy();
    /// Becomes what the other one is at this moment. Cannot fail.
    void assign(SignalHandlers& other);

    SignalAction get(i32 signal) {
        SpinLockGuard guard(lock_);
        return actions_[signal - 1];
    }
    /// By a system call: no lock is held.
    void set(i32 signal, const SignalAction& action) {
        OutermostSpinLockGuard guard(lock_);
        actions_[signal - 1] = action;
    }
    /// Returns what was there.
    SignalAction exchange(i32 signal, const SignalAction& action) {
        SpinLockGuard guard(lock_);
        return std::exchange(actions_[signal - 1], action);
    }
    /// The handler alone, for those who hold a thread group's lock.
    u64 handler_inner(i32 signal) {
        InnerSpinLockGuard guard(lock_);
        return actions_[signal - 1].handler;
    }
    /// For delivery: the action, which SA_RESETHAND turns to default at the same moment. Within a thread group's lock.
    SignalAction take_for_delivery_inner(i32 signal) {
        InnerSpinLockGuard guard(lock_);
        SignalAction& action = actions_[signal - 1];
        const SignalAction taken = action;
        if ((taken.flags & SignalAction::kResetHandler) != 0 && taken.has_handler()) [[unlikely]] {
            action.handler = SignalAction::kDefault;
        }
        return taken;
    }
    /// E12: handlers become default; what is ignored stays so. CLONE_CLEAR_SIGHAND does the same.
    void reset_handlers();

private:
    SpinLock<LockRank::SignalHandlers> lock_;
    SignalAction actions_[kSignals] GUARDED_BY(lock_);
};

}  // namespace cairn::signal
