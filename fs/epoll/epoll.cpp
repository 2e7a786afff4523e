#include "fs/epoll/epoll.h"

#include "fs/epoll/epoll_nesting.h"
#include "fs/vfs/mount.h"
#include "kernel/base/format.h"

namespace cairn::epoll {

// --- What is watched -----------------------------------------------------------------------------------------------

EpollItem* Epoll::find(const vfs::File& file, i32 fd) {
    EpollItem* item = items_.partition_point(
        [&](const EpollItem& other) { return &other.file() != &file ? &other.file() < &file : other.fd() < fd; });
    return item != nullptr && &item->file() == &file && item->fd() == fd ? item : nullptr;
}

EpollItem* Epoll::first_of(const vfs::File& file) {
    EpollItem* item = items_.partition_point([&](const EpollItem& other) { return &other.file() < &file; });
    return item != nullptr && &item->file() == &file ? item : nullptr;
}

Result<const void*> Epoll::watched_file(i32 fd, u64 number) {
    sync::MutexGuard guard(mutex_);
    for (const EpollItem* item = items_.first(); item != nullptr; item = items_.next(*item)) {
        if (item->fd() == fd && number-- == 0) {
            return static_cast<const void*>(&item->file());
        }
    }
    return fail(Errno::enoent);
}

Result<void> Epoll::add(vfs::File& file, i32 fd, u32 events, u64 data) {
    NestingGuard nesting(find_epoll(file) != nullptr);
    TRY(check_nesting(*this, file));
    Own<EpollItem> created = TRY(try_new<EpollItem>(*this, file, fd, events, data));
    sync::MutexGuard guard(mutex_);
    if (find(file, fd) != nullptr) {
        return fail(Errno::eexist);
    }
    Result<vfs::PollEvents> present = created->register_and_look();
    if (!present.ok()) {
        created->leave_queues();
        {
            // A queue that was woken meanwhile may have put it on the list.
            SpinLockGuard ready_guard(ready_lock_);
            if (created->ready_node.linked()) {
                created->ready_node.unlink();
            }
        }
        return present.failure();
    }
    EpollItem& item = *created.release();
    items_.insert(item);
    file.watches.add(item.file_watch);
    add_to_nesting(item);
    if (present.value() != 0) {
        make_ready(item);
    }
    return {};
}

Result<void> Epoll::modify(vfs::File& file, i32 fd, u32 events, u64 data) {
    sync::MutexGuard guard(mutex_);
    EpollItem* item = find(file, fd);
    if (item == nullptr) {
        return fail(Errno::enoent);
    }
    if (item->has_mode(kExclusive)) {
        return fail(Errno::einval);
    }
    item->set(events, data);
    if (item->look() != 0) {
        make_ready(*item);
    }
    return {};
}

Result<void> Epoll::remove(vfs::File& file, i32 fd) {
    NestingGuard nesting(find_epoll(file) != nullptr);
    sync::MutexGuard guard(mutex_);
    EpollItem* item = find(file, fd);
    if (item == nullptr) {
        return fail(Errno::enoent);
    }
    discard(*item);
    return {};
}

/// Lets go of the item's file, which may be destroyed as soon as its watch is removed.
void Epoll::discard(EpollItem& item) {
    item.leave_queues();
    {
        SpinLockGuard guard(ready_lock_);
        if (item.ready_node.linked()) {
            item.ready_node.unlink();
        }
    }
    remove_from_nesting(item);
    items_.remove(item);
    item.file().watches.remove(item.file_watch);
    Own<EpollItem>::adopt(&item).reset();
}

void Epoll::file_closes(vfs::File& file) {
    NestingGuard nesting(find_epoll(file) != nullptr);
    sync::MutexGuard guard(mutex_);
    while (EpollItem* item = first_of(file)) {
        discard(*item);
    }
}

void Epoll::close() {
    NestingGuard nesting(nests.load(Order::relaxed));
    sync::MutexGuard guard(mutex_);
    while (EpollItem* item = items_.first()) {
        discard(*item);
    }
}

// --- The ready list ------------------------------------------------------------------------------------------------

/// False: it was on it already.
bool Epoll::add_to_ready_list(EpollItem& item) {
    SpinLockGuard guard(ready_lock_);
    if (item.ready_node.linked()) {
        return false;
    }
    ready_.push_back(item);
    return true;
}

bool Epoll::item_became_ready(EpollItem& item) {
    static_cast<void>(add_to_ready_list(item));
    const u32 woken = waiters_.wake_nested(1);
    pollers_.wake_nested(1);
    return woken != 0;
}

void Epoll::make_ready(EpollItem& item) {
    if (add_to_ready_list(item)) {
        waiters_.wake_one();
        pollers_.wake_one();
    }
}

EpollItem* Epoll::take_ready() {
    SpinLockGuard guard(ready_lock_);
    return ready_.pop_front();
}

/// An inner instance is asked by an outer one, whose mutex is of the same rank and held.
bool Epoll::poll(vfs::PollRegistrar* registrar) NO_THREAD_SAFETY_ANALYSIS {
    if (registrar != nullptr) {
        registrar->watch(pollers_, vfs::kPollIn | vfs::kPollReadNormal);
    }
    bool ready = false;
    mutex_.lock(RankUse::SecondOfPair);
    while (EpollItem* item = take_ready()) {
        if (item->look() != 0) {
            SpinLockGuard guard(ready_lock_);
            if (!item->ready_node.linked()) {
                ready_.push_front(*item);
            }
            ready = true;
            break;
        }
    }
    mutex_.unlock();
    return ready;
}

void Epoll::describe(TextBuffer& text) {
    sync::MutexGuard guard(mutex_);
    for (EpollItem* item = items_.first(); item != nullptr; item = items_.next(*item)) {
        vfs::Inode& inode = item->file().inode();
        const vfs::DeviceNumber device = inode.superblock().device();
        // As the kernel has it: major << 20 | minor.
        format_to(text, "tfd: {:8} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}\n", item->fd(), item->events(),
                  item->data(), item->file().position(), inode.number(), u64{device.major} << 20 | device.minor);
    }
}

}  // namespace cairn::epoll
