/// Start-up of the filesystem layer, and filesystems as a whole (Superblock). See vfs.h and mount.h.

#include "fs/vfs/vfs.h"

#include "kernel/sched/scheduler.h"

namespace cairn::vfs {

Result<void> Vfs::initialize() {
    ASSERT(g_kernel.vfs == nullptr);
    DentryCache cache = TRY(DentryCache::create());
    Own<Vfs> vfs = TRY(try_new<Vfs>(std::move(cache)));
    g_kernel.vfs = vfs.release();
    return {};
}

void Vfs::destroy() {
    the_vfs().mounts.detach_all();
    the_vfs().memory_files.reset();
    the_vfs().message_queues.reset();
    the_vfs().device_files.reset();
    // Entries and what they hold go after grace periods.
    while (the_vfs().has_superblocks()) {
        sync::wait_for_readers();
        sched::sleep_for(Nanoseconds::from_milliseconds(1));
    }
    Own<Vfs> dying = Own<Vfs>::adopt(std::exchange(g_kernel.vfs, nullptr));
}

void Vfs::add_superblock(Superblock& superblock) {
    SpinLockGuard guard(superblocks_lock_);
    superblocks_.push_back(superblock);
}

void Vfs::remove_superblock(Superblock& superblock) {
    SpinLockGuard guard(superblocks_lock_);
    superblocks_.remove(superblock);
}

bool Vfs::has_superblocks() {
    SpinLockGuard guard(superblocks_lock_);
    return !superblocks_.empty();
}

void Vfs::synchronize_all() {
    std::optional<Ref<Superblock>> current;
    for (;;) {
        std::optional<Ref<Superblock>> next;
        {
            SpinLockGuard guard(superblocks_lock_);
            Superblock* at = current ? superblocks_.next(**current) : superblocks_.front();
            while (at != nullptr && !at->try_acquire_reference()) {
                at = superblocks_.next(*at);
            }
            if (at != nullptr) {
                next = Ref<Superblock>::adopt(*at);
            }
        }
        if (!next) {
            return;
        }
        // sync(2) tells nobody of errors.
        static_cast<void>((*next)->synchronize());
        current = std::move(next);
    }
}

void synchronize_all() {
    the_vfs().synchronize_all();
}

Superblock::Superblock() {
    // Tests of single kinds of files have filesystems without a Vfs.
    if (g_kernel.vfs != nullptr) {
        device_ = the_vfs().allocate_anonymous_device();
        the_vfs().add_superblock(*this);
    }
}

Superblock::~Superblock() {
    DEBUG_ASSERT(root_dentry_.load(Order::relaxed) == nullptr);
}

void Superblock::last_reference_dropped() {
    if (list_node.linked()) {
        the_vfs().remove_superblock(*this);
    }
    destroy();
}

Result<Ref<Dentry>> Superblock::root_dentry() {
    if (Dentry* present = root_dentry_.load(Order::acquire)) {
        return Ref<Dentry>(*present);
    }
    Ref<Dentry> made = TRY(Dentry::create_root(*this, root()));
    Dentry* expected = nullptr;
    made->acquire_reference();
    if (root_dentry_.compare_exchange(expected, &*made, Order::acq_rel, Order::acquire)) {
        return made;
    }
    made->release_reference();
    return Ref<Dentry>(*expected);
}

void Superblock::mount_ends() {
    if (mounts_.fetch_sub(1, Order::acq_rel) != 1) {
        return;
    }
    the_vfs().dentries.evict(*this);
    if (Dentry* root = root_dentry_.exchange(nullptr, Order::acq_rel)) {
        root->release_reference();
    }
    unmounted();
}

}  // namespace cairn::vfs
