#pragma once
/// Telling watchers what happens to files (inotify(7)): an inode has a list of watches, and the VFS reports each
/// event to the inode's own and to its directory's, with the name there.
///
/// `lock_` (rank InodeWatches, a spinlock) protects an inode's list. Events are passed on under it, so that a watcher
/// may only queue them. Nobody watches anything most of the time: one counter says so.

#include <optional>
#include <string_view>

#include "kernel/base/list.h"
#include "kernel/base/ref.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::vfs {

class File;
class Inode;
class Path;

/// inotify(7)'s bits.
namespace notify_events {
constexpr u32 kAccess = 1, kModify = 2, kAttributes = 4, kCloseWrite = 8, kCloseNoWrite = 0x10, kOpen = 0x20;
constexpr u32 kMovedFrom = 0x40, kMovedTo = 0x80, kCreate = 0x100, kDelete = 0x200, kDeleteSelf = 0x400;
constexpr u32 kMoveSelf = 0x800, kAll = 0xfff, kDirectory = 0x40000000;
}  // namespace notify_events

/// Whose watches they are; counted, because an inode that goes away must be able to reach it.
class InodeWatcher : public RefCounted<InodeWatcher> {
public:
    /// The last name of the inode is gone, and with it the watch of that number. No spinlock held.
    virtual void inode_deleted(i32 number) = 0;
    void last_reference_dropped() { destroy(); }

protected:
    ~InodeWatcher() = default;
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;
};

/// One watch on one inode; belongs to its watcher, which removes it before it dies.
class InodeWatch {
public:
    InodeWatch(InodeWatcher& watcher, i32 number) : watcher_(watcher), number_(number) {}
    /// Under the inode's lock: queues the event if it is of interest.
    virtual void happened(u32 event, u32 cookie, std::string_view name) = 0;
    InodeWatcher& watcher() const { return *watcher_; }
    i32 number() const { return number_; }

    ListNode node;

protected:
    ~InodeWatch() = default;

private:
    const Ref<InodeWatcher> watcher_;
    const i32 number_;
};

class InodeWatches {
public:
    void add(InodeWatch& watch);
    /// Afterwards no event comes any more.
    void remove(InodeWatch& watch);
    void report(u32 event, u32 cookie, std::string_view name);
    /// The inode's last name is gone: lets each watcher know and forgets it.
    void report_deletion();
    /// The watch of `watcher`, or null; under the watcher's own lock, which keeps it.
    InodeWatch* find(const InodeWatcher& watcher);

private:
    SpinLock<LockRank::InodeWatches> lock_;
    List<InodeWatch, &InodeWatch::node> list_ GUARDED_BY(lock_);
    Atomic<bool> any_{false};
};

/// Something happened to the file at `path`.
void notify(const Path& path, u32 event);
/// To an open file; nothing for one without a path.
void notify(File& file, u32 event);
/// A name in a directory came, went or moved; `subject` is what it leads to.
void notify_name(Inode& directory, u32 event, std::string_view name, Inode& subject, u32 cookie = 0);
/// To an inode, whatever its names.
void notify_inode(Inode& inode, u32 event);
/// A name of the inode was removed: its attributes changed, and if it was the last it is gone.
void notify_name_removed(Inode& inode);
/// For the two halves of a rename.
u32 next_notify_cookie();

}  // namespace cairn::vfs
