#include "kernel/signal/handlers.h"

namespace cairn::signal {

Result<Ref<SignalHandlers>> SignalHandlers::copy() {
    Ref<SignalHandlers> other = TRY(create());
    other->assign(*this);
    return other;
}

void SignalHandlers::assign(SignalHandlers& other) {
    SpinLockPairGuard guard(lock_, other.lock_);
    for (i32 i = 0; i < kSignals; ++i) {
        actions_[i] = other.actions_[i];
    }
}

void SignalHandlers::reset_handlers() {
    SpinLockGuard guard(lock_);
    for (SignalAction& action : actions_) {
        const u64 handler = action.has_handler() ? SignalAction::kDefault : action.handler;
        action = SignalAction{};
        action.handler = handler;
    }
}

}  // namespace cairn::signal
