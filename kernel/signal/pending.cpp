#include "kernel/signal/pending.h"

#include <bit>

namespace cairn::signal {

QueuedSignalList::~QueuedSignalList() {
    while (QueuedSignal* signal = list_.pop_front()) {
        signal->account->pending_signals.fetch_sub(1, Order::relaxed);
        Own<QueuedSignal>::adopt(signal).reset();
    }
}

void PendingSignals::add(i32 signal, QueuedSignal* queued) {
    set_.add(signal);
    if (queued != nullptr) {
        queue_.push_back(*queued);
    }
}

bool PendingSignals::take(SignalSet allowed, SignalInfo& info, QueuedSignalList& freed, PosixTimer** timer) {
    SignalSet candidates = set_ & allowed;
    if (candidates.empty()) {
        return false;
    }
    if (!(candidates & kSynchronous).empty()) {
        candidates = candidates & kSynchronous;
    }
    const i32 signal = std::countr_zero(candidates.bits) + 1;
    QueuedSignal* found = nullptr;
    bool more = false;
    for (QueuedSignal& queued : queue_) {
        if (queued.info.signal != signal) {
            continue;
        }
        if (found != nullptr) {
            more = true;
            break;
        }
        found = &queued;
    }
    if (!more) {
        set_.remove(signal);
    }
    if (timer != nullptr) {
        *timer = nullptr;
    }
    if (found == nullptr) {
        // It was sent when there was no room for its siginfo.
        info = SignalInfo::from_process(signal, kCodeUser, 0, 0);
        return true;
    }
    info = found->info;
    queue_.remove(*found);
    if (found->timer == nullptr) {
        freed.add(*found);
    } else if (timer != nullptr) {
        *timer = found->timer;
    }
    return true;
}

bool PendingSignals::peek(u64 index, SignalInfo& info) const {
    for (const QueuedSignal* queued = queue_.front(); queued != nullptr; queued = queue_.next(*queued)) {
        if (index-- == 0) {
            info = queued->info;
            return true;
        }
    }
    return false;
}

void PendingSignals::discard(SignalSet which, QueuedSignalList& freed) {
    set_ = set_ & ~which;
    for (QueuedSignal* queued = queue_.front(); queued != nullptr;) {
        QueuedSignal* next = queue_.next(*queued);
        if (which.has(queued->info.signal)) {
            queue_.remove(*queued);
            if (queued->timer == nullptr) {
                freed.add(*queued);
            }
        }
        queued = next;
    }
}

void PendingSignals::discard_timer(QueuedSignal& queued) {
    if (!queued.node.linked()) {
        return;
    }
    const i32 signal = queued.info.signal;
    queue_.remove(queued);
    for (QueuedSignal& other : queue_) {
        if (other.info.signal == signal) {
            return;
        }
    }
    set_.remove(signal);
}

}  // namespace cairn::signal
