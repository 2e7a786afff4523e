#pragma once
/// FileWatches: who is to be told when an open file closes, although it holds no reference to it: epoll(7) watches a
/// file for as long as somebody else has it open.
///
/// `lock_` (rank FileWatches) protects the list. A closing file asks each watcher, outside the lock, to let go of it;
/// it is not destroyed before all have. A watch is removed under the watcher's own lock or by the watcher alone, so
/// that whoever finds a watch in the list may still reach its watcher.

#include <optional>

#include "kernel/base/list.h"
#include "kernel/base/ref.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::vfs {

class File;

class FileWatcher : public RefCounted<FileWatcher> {
public:
    /// The last descriptor and the last use of the file are gone: removes every watch on it. Thread context; may sleep.
    virtual void file_closes(File& file) = 0;
    void last_reference_dropped() { destroy(); }

protected:
    ~FileWatcher() = default;
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;
};

/// One watch of one file; counts as a reference to its watcher.
struct FileWatch {
    explicit FileWatch(FileWatcher& owner) : watcher(owner) {}
    ListNode node;
    Ref<FileWatcher> watcher;
};

class FileWatches {
public:
    /// The caller has a reference to the file.
    void add(FileWatch& watch) {
        SpinLockGuard guard(lock_);
        list_.push_back(watch);
        any_.store(true, Order::relaxed);
    }
    void remove(FileWatch& watch) {
        SpinLockGuard guard(lock_);
        watch.node.unlink();
    }
    /// From File::last_reference_dropped(), before anything else: returns when nobody watches `file` any more.
    void let_go(File& file) {
        if (!any_.load(Order::relaxed)) {
            return;  // whoever added one had a reference, whose release came before this
        }
        while (std::optional<Ref<FileWatcher>> watcher = first_watcher()) {
            (*watcher)->file_closes(file);
        }
    }

private:
    std::optional<Ref<FileWatcher>> first_watcher() {
        SpinLockGuard guard(lock_);
        FileWatch* first = list_.front();
        if (first == nullptr) {
            return std::nullopt;
        }
        return first->watcher;
    }

    SpinLock<LockRank::FileWatches> lock_;
    List<FileWatch, &FileWatch::node> list_ GUARDED_BY(lock_);
    Atomic<bool> any_{false};  // there was one once
};

}  // namespace cairn::vfs
