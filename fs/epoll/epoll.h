#pragma once
/// Epoll: an epoll(7) instance. A watched file whose queues are woken puts its item on the ready list; a wait looks at
/// what is on the list and at nothing else.
///
/// Locks: `mutex_` (rank Epoll) protects the items and is held while events are delivered (user memory may fault) and
/// while watched files are asked for their events. `ready_lock_` (rank EpollReady) protects the ready list and is taken
/// under the lock of whatever queue is woken. Where one instance watches another, the outer one's mutex is held
/// when the inner one's is taken; there are no cycles (epoll_nesting.h).
///
/// No event is lost: an item is taken off the list before its file is asked, and who wakes a queue puts it back on; or
/// it stays on the list, and is taken off only as above.

#include "fs/epoll/epoll_item.h"
#include "kernel/sync/mutex.h"

namespace cairn::epoll {

/// struct epoll_event as on x86-64, where it is packed.
struct EpollEvent {
    u32 events;
    u32 data_low;
    u32 data_high;
    constexpr u64 data() const { return u64{data_low} | u64{data_high} << 32; }
};
static_assert(sizeof(EpollEvent) == 12);

/// Where a wait's events go.
class EventSink {
public:
    /// EFAULT.
    virtual Result<void> put(const EpollEvent& event) = 0;

protected:
    ~EventSink() = default;
};

class Epoll final : public vfs::FileWatcher {
public:
    static Result<Ref<Epoll>> create() { return try_new_ref<Epoll>(); }

    /// epoll_ctl(2). The caller holds the file. EEXIST, ENOENT, EINVAL, ELOOP, ENOMEM.
    Result<void> add(vfs::File& file, i32 fd, u32 events, u64 data);
    Result<void> modify(vfs::File& file, i32 fd, u32 events, u64 data);
    Result<void> remove(vfs::File& file, i32 fd);

    /// epoll_wait(2): up to `limit` events; 0 at the deadline. EINTR, EFAULT.
    Result<u32> wait(EventSink& sink, u32 limit, Nanoseconds deadline);

    /// Whether anything is really ready.
    bool poll(vfs::PollRegistrar* registrar);
    /// kcmp(2): tells the files apart that are watched under a descriptor's number, one after the other. ENOENT.
    Result<const void*> watched_file(i32 fd, u64 number);
    /// For /proc/PID/fdinfo.
    void describe(TextBuffer& text);
    /// The instance's file is gone: lets go of every file.
    void close();

    void file_closes(vfs::File& file) override;

    /// From a waiter's callback. Returns whether a waiting thread was woken.
    bool item_became_ready(EpollItem& item);
    /// A waiter must name a Parking; an item's callback does not use it.
    sync::Parking& unused_parking() { return unused_parking_; }

    Epoll() = default;
    ~Epoll() = default;

    /// Of the graph of instances that watch instances (epoll_nesting.h), under EventFiles::epoll_nesting.
    List<EpollItem, &EpollItem::inner_node> inner;  // this one's items whose files are instances
    List<EpollItem, &EpollItem::outer_node> outer;  // other instances' items whose file is this one
    u64 visited = 0;                                // the walk that came by last,
    u32 depth = 0;                                  // and what it found
    Atomic<bool> nests{false};                      // `inner` was ever used

private:
    void destroy() override { destroy_counted(this); }
    EpollItem* find(const vfs::File& file, i32 fd) REQUIRES(mutex_);
    EpollItem* first_of(const vfs::File& file) REQUIRES(mutex_);
    void discard(EpollItem& item) REQUIRES(mutex_);
    Result<u32> deliver(EventSink& sink, u32 limit);
    Result<bool> deliver_only(EventSink& sink) REQUIRES(mutex_);
    void make_ready(EpollItem& item) REQUIRES(mutex_);
    bool add_to_ready_list(EpollItem& item);
    EpollItem* take_ready();
    bool any_ready();

    sync::Parking unused_parking_;
    sync::Mutex<LockRank::Epoll> mutex_;
    RbTree<EpollItem, &EpollItem::node, EpollItemOrder> items_ GUARDED_BY(mutex_);
    u64 rounds_ GUARDED_BY(mutex_) = 0;  // of delivering
    SpinLock<LockRank::EpollReady> ready_lock_;
    List<EpollItem, &EpollItem::ready_node> ready_ GUARDED_BY(ready_lock_);
    sync::WaitQueue waiters_;
    sync::WaitQueue pollers_;
};

}  // namespace cairn::epoll
