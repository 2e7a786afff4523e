#pragma once
/// Signals instead of waiting: who set O_ASYNC on an open file and is to get SIGIO (fcntl(2), F_SETOWN, F_SETSIG) when
/// something happens to what the file stands for.
///
/// A pipe or a socket has an AsyncList for each kind of thing that happens; an open file is in it with an AsyncWatch
/// while its flag is set. `mutex_` (rank AsyncFiles) protects the list and is held while signals are sent. Thread
/// context, no lock of the same or an inner rank held.

#include "fs/vfs/operation_context.h"
#include "kernel/base/list.h"
#include "kernel/sync/mutex.h"

namespace cairn::vfs {

class File;

struct AsyncWatch {
    explicit AsyncWatch(File& file_) : file(file_) {}
    ListNode node;
    File& file;
};

class AsyncList {
public:
    /// The file's O_ASYNC has changed, or it closes: enters or leaves the list as the flag says.
    void update(AsyncWatch& watch);
    void remove(AsyncWatch& watch);
    void notify(AsyncEvent event) {
        if (any_.load(Order::relaxed)) {
            notify_all(event);
        }
    }

private:
    void notify_all(AsyncEvent event);

    sync::Mutex<LockRank::AsyncFiles> mutex_;
    List<AsyncWatch, &AsyncWatch::node> watches_ GUARDED_BY(mutex_);
    Atomic<bool> any_{false};
};

}  // namespace cairn::vfs
