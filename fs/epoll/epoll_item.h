#pragma once
/// EpollItem: one descriptor that an epoll instance watches. It holds no reference to the file; the file asks the
/// instance to let go of it when it closes (FileWatch). What is not atomic is protected by the instance's mutex,
/// except the nodes, which say so.

#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/base/rb_tree.h"

namespace cairn::epoll {

class Epoll;
class EpollItem;

/// epoll_ctl(2)'s bits beyond poll(2)'s.
constexpr u32 kExclusive = 1u << 28;
constexpr u32 kWakeUp = 1u << 29;
constexpr u32 kOneShot = 1u << 30;
constexpr u32 kEdgeTriggered = 1u << 31;
/// What is no event but says how events are told.
constexpr u32 kModes = kExclusive | kWakeUp | kOneShot | kEdgeTriggered;

/// An item's place in one queue of its file.
struct EpollWaiter {
    EpollWaiter(EpollItem& item_, sync::WaitQueue& queue_, vfs::PollEvents told_of_);
    sync::Waiter waiter;
    ListNode node;
    EpollItem& item;
    sync::WaitQueue& queue;
    const vfs::PollEvents told_of;
};

class EpollItem final : public vfs::PollRegistrar {
public:
    EpollItem(Epoll& epoll, vfs::File& file, i32 fd, u32 events, u64 data);
    ~EpollItem();

    Epoll& epoll() const { return epoll_; }
    vfs::File& file() const { return file_; }
    i32 fd() const { return fd_; }
    u64 data() const { return data_; }
    u32 events() const { return events_.load(Order::relaxed); }
    bool has_mode(u32 mode) const { return (events() & mode) != 0; }
    /// Errors and hang-ups are always asked for.
    void set(u32 events, u64 data);
    /// After the event of a one-shot watch: no further ones until set().
    void disarm() { events_.store(events() & kModes, Order::relaxed); }

    /// The file's present events that are asked for.
    vfs::PollEvents look() { return file_.poll(nullptr) & events(); }
    /// Joins the file's queues, then looks. ENOMEM.
    Result<vfs::PollEvents> register_and_look();
    void leave_queues();

    using PollRegistrar::watch;
    void watch(sync::WaitQueue& queue, vfs::PollEvents told_of) override;

    u64 last_round = 0;  // of delivering that came to the item
    RbNode node;
    ListNode ready_node;  // under the instance's ready lock
    ListNode inner_node;  // when the file is an epoll too: under EventFiles::epoll_nesting
    ListNode outer_node;  // likewise
    vfs::FileWatch file_watch;

private:
    Epoll& epoll_;
    vfs::File& file_;
    const i32 fd_;
    Atomic<u32> events_;  // read when a queue is woken
    u64 data_;
    bool out_of_memory_ = false;
    List<EpollWaiter, &EpollWaiter::node> waiters_;
};

/// The order of an instance's items: by file, then by descriptor.
struct EpollItemOrder {
    static bool less(const EpollItem& a, const EpollItem& b) {
        return &a.file() != &b.file() ? &a.file() < &b.file() : a.fd() < b.fd();
    }
};

}  // namespace cairn::epoll
