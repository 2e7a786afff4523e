#include "fs/epoll/epoll_item.h"

#include "fs/epoll/epoll.h"

namespace cairn::epoll {

namespace {

/// A queue of the watched file is woken: under its lock, interrupts off.
bool told(sync::Waiter& base) {
    EpollWaiter& waiter = *object_of_member<EpollWaiter, sync::Waiter, &EpollWaiter::waiter>(&base);
    const u32 events = waiter.item.events();
    // A disarmed one-shot has only modes left.
    if ((events & ~kModes & waiter.told_of) == 0) {
        return false;
    }
    const bool woke_somebody = waiter.item.epoll().item_became_ready(waiter.item);
    // Only EPOLLEXCLUSIVE lets one instance take the event from the others.
    return (events & kExclusive) != 0 && woke_somebody;
}

}  // namespace

EpollWaiter::EpollWaiter(EpollItem& item_, sync::WaitQueue& queue_, vfs::PollEvents told_of_)
    : waiter(&told, item_.epoll().unused_parking()), item(item_), queue(queue_), told_of(told_of_) {}

EpollItem::EpollItem(Epoll& epoll, vfs::File& file, i32 fd, u32 events, u64 data)
    : file_watch(epoll),
      epoll_(epoll),
      file_(file),
      fd_(fd),
      events_(events | vfs::kPollErr | vfs::kPollHup),
      data_(data) {}

EpollItem::~EpollItem() {
    leave_queues();
}

void EpollItem::set(u32 events, u64 data) {
    data_ = data;
    events_.store(events | vfs::kPollErr | vfs::kPollHup, Order::relaxed);
    // The new events come before the look that follows; pairs with the fence of whoever wakes a queue.
    full_fence();
}

Result<vfs::PollEvents> EpollItem::register_and_look() {
    const vfs::PollEvents events = file_.poll(this) & this->events();
    if (out_of_memory_) {
        return fail(Errno::enomem);
    }
    return events;
}

void EpollItem::watch(sync::WaitQueue& queue, vfs::PollEvents told_of) {
    Result<Own<EpollWaiter>> created = try_new<EpollWaiter>(*this, queue, told_of);
    if (!created.ok()) {
        out_of_memory_ = true;
        return;
    }
    EpollWaiter& waiter = *std::move(created).value().release();
    waiters_.push_back(waiter);
    if (has_mode(kExclusive)) {
        queue.join(waiter.waiter);
    } else {
        queue.join_first(waiter.waiter);
    }
}

void EpollItem::leave_queues() {
    while (EpollWaiter* waiter = waiters_.pop_front()) {
        static_cast<void>(waiter->queue.leave(waiter->waiter));
        Own<EpollWaiter>::adopt(waiter).reset();
    }
}

}  // namespace cairn::epoll
