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
    /// Returns what was there.
    SignalAction exchange(i32 signal, const SignalAction& action) {
        SpinLockGuard guard(lock_);
        return std::exchange(actions_[signal - 1], action);
    }
    /// For delivery: the action, which SA_RESETHAND turns to default at the same moment.
    SignalAction take_for_delivery(i32 signal);
    /// E12: handlers become default; what is ignored stays so. CLONE_CLEAR_SIGHAND does the same.
    void reset_handlers();

private:
    SpinLock<LockRank::SignalHandlers> lock_;
    SignalAction actions_[kSignals] GUARDED_BY(lock_);
};

}  // namespace cairn::signal
