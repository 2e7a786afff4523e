#include "kernel/signal/pending.h"

#include <bit>

namespace cairn::signal {

void QueuedSignalList::free_all() {
    while (QueuedSignal* signal = first_) {
        first_ = signal->next_freed;
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

bool PendingSignals::take_one_of(SignalSet candidates, SignalInfo& info, QueuedSignal*& entry) {
    if (!(candidates & kSynchronous).empty()) {
        candidates = candidates & kSynchronous;
    }
    const i32 signal = std::countr_zero(candidates.bits) + 1;
    const auto next_of_it = [&](QueuedSignal* from) {
        while (from != nullptr && from->info.signal != signal) {
            from = queue_.next(*from);
        }
        return from;
    };
    entry = next_of_it(queue_.front());
    if (entry == nullptr) {
        // It was sent when there was no room for its siginfo.
        set_.remove(signal);
        info = SignalInfo::from_process(signal, kCodeUser, 0, 0);
        return true;
    }
    if (next_of_it(queue_.next(*entry)) == nullptr) {
        set_.remove(signal);
    }
    info = entry->info;
    queue_.remove(*entry);
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
