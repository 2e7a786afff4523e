#include "fs/vfs/async_list.h"

#include "fs/vfs/file.h"
#include "kernel/base/kernel.h"

namespace cairn::vfs {

void AsyncList::update(AsyncWatch& watch) {
    sync::MutexGuard guard(mutex_);
    const bool wanted = (watch.file.flags() & open_flags::kAsync) != 0;
    if (wanted && !watch.node.linked()) {
        watches_.push_back(watch);
    } else if (!wanted && watch.node.linked()) {
        watch.node.unlink();
    }
    any_.store(!watches_.empty(), Order::relaxed);
}

void AsyncList::remove(AsyncWatch& watch) {
    sync::MutexGuard guard(mutex_);
    if (watch.node.linked()) {
        watch.node.unlink();
        any_.store(!watches_.empty(), Order::relaxed);
    }
}

void AsyncList::notify_all(AsyncEvent event) {
    sync::MutexGuard guard(mutex_);
    for (AsyncWatch& watch : watches_) {
        const AsyncOwner owner = watch.file.async_owner();
        if (owner.target != 0 && g_kernel.job_control != nullptr) {
            g_kernel.job_control->signal_owner(owner, event);
        }
    }
}

}  // namespace cairn::vfs
