#pragma once
/// Signals that were sent and not yet delivered: of one thread, or of a whole process.

#include <utility>

#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/signal/signal.h"
#include "kernel/task/user_account.h"

namespace cairn::signal {

class PosixTimer;

/// A signal with its siginfo. Counted against RLIMIT_SIGPENDING of the receiver's user.
struct QueuedSignal {
    ListNode node;
    SignalInfo info;
    Ref<task::UserAccount> account;
    PosixTimer* timer = nullptr;         // whose expiry it tells; preallocated with it
    QueuedSignal* next_freed = nullptr;  // QueuedSignalList

    explicit QueuedSignal(Ref<task::UserAccount> account_) : account(std::move(account_)) {}
};

/// What removing a signal hands to the caller, to be freed when no lock is held.
class QueuedSignalList {
public:
    QueuedSignalList() = default;
    QueuedSignalList(const QueuedSignalList&) = delete;
    QueuedSignalList& operator=(const QueuedSignalList&) = delete;
    ~QueuedSignalList() {
        if (first_ != nullptr) [[unlikely]] {
            free_all();
        }
    }
    void add(QueuedSignal& signal) { signal.next_freed = std::exchange(first_, &signal); }

private:
    void free_all();
    QueuedSignal* first_ = nullptr;
};

/// Under the thread group's lock.
class PendingSignals {
public:
    SignalSet set() const { return set_; }
    bool has(i32 signal) const { return set_.has(signal); }

    /// Adds a signal. `queued` may be null: the signal is pending without siginfo (a standard signal for
    /// which there was no memory or room).
    void add(i32 signal, QueuedSignal* queued);
    /// Takes the next signal out of those in `allowed`: synchronous ones first, then the lowest number; queued
    /// instances of one number in order. False: none. `entry`: what it was queued with, the caller's from here on
    /// unless it is a timer's; null if it was pending without siginfo.
    bool take(SignalSet allowed, SignalInfo& info, QueuedSignal*& entry) {
        const SignalSet candidates = set_ & allowed;
        return !candidates.empty() && take_one_of(candidates, info, entry);
    }
    /// The siginfo at place `index` of the queue, if there are so many.
    bool peek(u64 index, SignalInfo& info) const;
    /// Drops all instances of the signals in `which`.
    void discard(SignalSet which, QueuedSignalList& freed);
    /// Takes a timer's entry out when its timer goes.
    void discard_timer(QueuedSignal& queued);

private:
    bool take_one_of(SignalSet candidates, SignalInfo& info, QueuedSignal*& entry);
    SignalSet set_;
    List<QueuedSignal, &QueuedSignal::node> queue_;
};

}  // namespace cairn::signal
