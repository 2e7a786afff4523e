/// epoll_wait(2): what every loop of events comes by.

#include "fs/epoll/epoll.h"

namespace cairn::epoll {

bool Epoll::any_ready() {
    SpinLockGuard guard(ready_lock_);
    return !ready_.empty();
}

Result<u32> Epoll::wait(EventSink& sink, u32 limit, Nanoseconds deadline) {
    for (;;) {
        const u32 delivered = TRY(deliver(sink, limit));
        if (delivered != 0 || deadline.value == 0) {
            return delivered;
        }
        sync::WakeReason reason =
            waiters_.wait_until([this] { return any_ready(); }, sync::SleepKind::Interruptible, deadline);
        if (reason == sync::WakeReason::Interrupted) {
            return fail(Errno::eintr);
        }
        if (reason == sync::WakeReason::TimedOut) {
            deadline = {};  // one last look
        }
    }
}

/// If a level-triggered item is alone on the list, and is really ready: tells of it and leaves it there, where it
/// would come back to. Items that come meanwhile are for the next call. False: nothing was done.
Result<bool> Epoll::deliver_only(EventSink& sink) {
    EpollItem* only = nullptr;
    {
        SpinLockGuard guard(ready_lock_);
        only = ready_.front();
        if (only == nullptr || only != ready_.back() || only->has_mode(kOneShot | kEdgeTriggered)) {
            return false;
        }
    }
    // The mutex keeps it on the list: who wakes its queues finds it there.
    const vfs::PollEvents events = only->look();
    if (events == 0) {
        return false;
    }
    TRY(sink.put({events, static_cast<u32>(only->data()), static_cast<u32>(only->data() >> 32)}));
    return true;
}

/// Level-triggered items go back on the list, behind what is there; not before the end, so that none comes twice.
Result<u32> Epoll::deliver(EventSink& sink, u32 limit) {
    u32 delivered = 0;
    Result<void> result;
    bool more = false;
    {
        sync::MutexGuard guard(mutex_);
        const Result<bool> only = deliver_only(sink);
        if (!only.ok()) {
            result = only.failure();
        }
        delivered = only.ok() && only.value() ? 1 : 0;
        more = delivered != 0 || !only.ok();
        ++rounds_;
        List<EpollItem, &EpollItem::ready_node> again;
        EpollItem* last = nullptr;  // that goes back
        while (!more) {
            EpollItem* item = nullptr;
            {
                SpinLockGuard ready_guard(ready_lock_);
                if (last != nullptr && !last->ready_node.linked()) {
                    again.push_back(*last);
                }
                if (delivered < limit && result.ok()) {
                    item = ready_.front();
                }
                // One that became ready once more after it was delivered waits for the next call, as all do behind it.
                if (item == nullptr || item->last_round == rounds_) {
                    ready_.splice_back(again);
                    more = !ready_.empty();
                    break;
                }
                ready_.remove(*item);
            }
            item->last_round = rounds_;
            last = nullptr;
            const vfs::PollEvents events = item->look();
            if (events == 0) {
                continue;
            }
            result = sink.put({events, static_cast<u32>(item->data()), static_cast<u32>(item->data() >> 32)});
            if (!result.ok()) {
                last = item;
                continue;
            }
            ++delivered;
            if (item->has_mode(kOneShot)) {
                item->disarm();
            } else if (!item->has_mode(kEdgeTriggered)) {
                last = item;
            }
        }
    }
    if (more) {
        waiters_.wake_one();  // whoever got a wake-up hands on what it leaves
    }
    if (!result.ok() && delivered == 0) {
        return result.failure();
    }
    return delivered;
}

}  // namespace cairn::epoll
