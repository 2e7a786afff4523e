#include "fs/vfs/notify.h"

#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

using namespace notify_events;

namespace {

u32 with_type(u32 event, Inode& inode) {
    return inode.is_directory() ? event | kDirectory : event;
}

}  // namespace

void InodeWatches::add(InodeWatch& watch) {
    the_vfs().watch_count.fetch_add(1, Order::relaxed);
    SpinLockGuard guard(lock_);
    list_.push_back(watch);
    any_.store(true, Order::relaxed);
}

void InodeWatches::remove(InodeWatch& watch) {
    SpinLockGuard guard(lock_);
    if (watch.node.linked()) {
        watch.node.unlink();
        any_.store(!list_.empty(), Order::relaxed);
        the_vfs().watch_count.fetch_sub(1, Order::relaxed);
    }
}

void InodeWatches::report(u32 event, u32 cookie, std::string_view name) {
    if (!any_.load(Order::relaxed)) {
        return;
    }
    SpinLockGuard guard(lock_);
    for (InodeWatch& watch : list_) {
        watch.happened(event, cookie, name);
    }
}

void InodeWatches::report_deletion() {
    for (;;) {
        std::optional<Ref<InodeWatcher>> watcher;
        i32 number = 0;
        {
            SpinLockGuard guard(lock_);
            InodeWatch* watch = list_.pop_front();
            if (watch == nullptr) {
                any_.store(false, Order::relaxed);
                return;
            }
            the_vfs().watch_count.fetch_sub(1, Order::relaxed);
            watch->happened(kDeleteSelf, 0, {});
            watcher.emplace(watch->watcher());
            number = watch->number();
        }
        (*watcher)->inode_deleted(number);
    }
}

InodeWatch* InodeWatches::find(const InodeWatcher& watcher) {
    SpinLockGuard guard(lock_);
    for (InodeWatch& watch : list_) {
        if (&watch.watcher() == &watcher) {
            return &watch;
        }
    }
    return nullptr;
}

void notify(const Path& path, u32 event) {
    if (nobody_watches()) {
        return;
    }
    Dentry& dentry = path.dentry();
    Inode& inode = path.inode();
    const u32 typed = with_type(event, inode);
    // Names and parents stand still while the directory is told; its watches only queue.
    the_vfs().dentries.with_tree([&] {
        Dentry* parent = dentry.parent_under_guard();
        if (parent != nullptr && !dentry.is_deleted()) {
            parent->inode().watches.report(typed, 0, dentry.name().text());
        }
    });
    inode.watches.report(typed, 0, {});
}

void notify(File& file, u32 event) {
    if (file.path() != nullptr && !file.is_path_only()) {
        notify(*file.path(), event);
    }
}

void notify_name(Inode& directory, u32 event, std::string_view name, Inode& subject, u32 cookie) {
    if (!nobody_watches()) {
        directory.watches.report(with_type(event, subject), cookie, name);
    }
}

void notify_inode(Inode& inode, u32 event) {
    if (!nobody_watches()) {
        inode.watches.report(with_type(event, inode), 0, {});
    }
}

void notify_name_removed(Inode& inode) {
    if (nobody_watches()) {
        return;
    }
    if (!inode.is_directory()) {
        notify_inode(inode, kAttributes);
    }
    if (inode.link_count() == 0 || inode.is_directory()) {
        inode.watches.report_deletion();
    }
}

u32 next_notify_cookie() {
    return the_vfs().notify_cookies.fetch_add(1, Order::relaxed) + 1;
}

}  // namespace cairn::vfs
