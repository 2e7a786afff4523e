#pragma once
/// Turn: one reader (or writer) of a terminal at a time, for as long as its call takes, sleeps included; so that a line
/// goes to one reader and the output of two writers does not mix. Unlike a mutex, waiting for it can be interrupted,
/// and it does not count as a lock of a rank, since whoever has the turn sleeps in the ordinary way.

#include "kernel/base/result.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::fs::terminal {

class Turn {
public:
    /// Holds the turn for a scope.
    class [[nodiscard]] Holder {
    public:
        Holder(Holder&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
        Holder& operator=(Holder&&) = delete;
        ~Holder() {
            if (turn_ != nullptr) {
                turn_->taken_.store(false, Order::release);
                turn_->waiting_.wake_one();
            }
        }

    private:
        friend class Turn;
        explicit Holder(Turn& turn) : turn_(&turn) {}
        Turn* turn_;
    };

    /// EAGAIN if it is taken and the caller does not want to wait, EINTR.
    Result<Holder> take(bool non_blocking) {
        auto try_take = [this] { return !taken_.exchange(true, Order::acquire); };
        if (non_blocking) {
            if (!try_take()) {
                return fail(Errno::eagain);
            }
        } else if (waiting_.wait_until(try_take, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
        return Holder(*this);
    }
    bool taken() const { return taken_.load(Order::relaxed); }

private:
    Atomic<bool> taken_{false};
    sync::WaitQueue waiting_;
};

}  // namespace cairn::fs::terminal
