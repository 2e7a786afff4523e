/// Entries themselves: making, counting, freeing. See dentry.h; the cache is in dentry_cache.cpp.

#include "fs/vfs/dentry.h"

#include <cstring>
#include <new>

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

Result<DentryName*> DentryName::create(std::string_view text) {
    void* memory = heap_allocate(sizeof(DentryName) + text.size(), alignof(DentryName));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    auto* name = std::construct_at(static_cast<DentryName*>(memory));
    name->hash = DentryCache::hash_of(text);
    name->size = static_cast<u32>(text.size());
    if (!text.empty()) {
        std::memcpy(static_cast<void*>(name + 1), text.data(), text.size());
    }
    return name;
}

void DentryName::free(DentryName* name) {
    if (name != nullptr) {
        usize size = sizeof(DentryName) + name->size;
        std::destroy_at(name);
        heap_free(name, size, alignof(DentryName));
    }
}

void DentryName::free_later(DentryName* name) {
    sync::call_after_grace_period(name->head, [](sync::ReadSideHead& head) {
        free(object_of_member<DentryName, sync::ReadSideHead, &DentryName::head>(&head));
    });
}

Dentry::Dentry(Superblock& superblock, Dentry* parent, DentryName* name, Inode* inode)
    : name_(name),
      parent_(parent),
      superblock_(&superblock),
      inode_(inode),
      type_(inode == nullptr ? FileType::Anonymous : inode->type()) {
    superblock.acquire_reference();
    if (parent != nullptr) {
        parent->acquire_reference();
    }
    if (inode != nullptr) {
        inode->acquire_reference();
    }
}

Dentry::~Dentry() {
    DentryName::free(name_.load(Order::relaxed));
}

Result<Ref<Dentry>> Dentry::create_root(Superblock& superblock, Ref<Inode> inode) {
    DentryName* name = TRY(DentryName::create("/"));
    Result<Ref<Dentry>> entry = try_new_ref<Dentry>(superblock, nullptr, name, &*inode);
    if (!entry.ok()) {
        DentryName::free(name);
    }
    return entry;
}

Result<Ref<Dentry>> Dentry::create(Dentry& parent, std::string_view text, Inode* inode) {
    DentryName* name = TRY(DentryName::create(text));
    Result<Ref<Dentry>> entry = try_new_ref<Dentry>(parent.superblock(), &parent, name, inode);
    if (!entry.ok()) {
        DentryName::free(name);
    }
    return entry;
}

Ref<Dentry> Dentry::parent() {
    for (;;) {
        sync::ReadGuard guard;
        Dentry* parent = parent_.load(Order::acquire);
        if (parent == nullptr) {
            return Ref<Dentry>(*this);
        }
        if (parent->try_acquire_reference()) {
            return Ref<Dentry>::adopt(*parent);
        }
        // It was moved to another directory, and the old one died: the next look finds the new one.
    }
}

bool Dentry::is_below(const Dentry& ancestor) {
    return the_vfs().dentries.with_tree([&] {
        for (Dentry* at = this; at != nullptr; at = at->parent_.load(Order::relaxed)) {
            if (at == &ancestor) {
                return true;
            }
        }
        return false;
    });
}

void Dentry::last_reference_dropped() {
    // A loop rather than recursion: a chain of deleted directories may be of any length.
    Dentry* dying = this;
    while (dying != nullptr) {
        DEBUG_ASSERT(!dying->cached_.load(Order::relaxed));
        // Lookups without a reference look only into directories and links; the memory of other files goes at once.
        if (dying->inode_ != nullptr && !dying->is_directory() && !dying->is_link()) {
            std::exchange(dying->inode_, nullptr)->release_reference();
        }
        Dentry* parent = dying->parent_.load(Order::relaxed);
        sync::call_after_grace_period(dying->head_, &free_after_grace);
        dying = nullptr;
        if (parent != nullptr) {
            if (parent->release_if_last()) {
                dying = parent;
            } else {
                parent->release_reference();
            }
        }
    }
}

void Dentry::free_after_grace(sync::ReadSideHead& head) {
    Dentry* entry = object_of_member<Dentry, sync::ReadSideHead, &Dentry::head_>(&head);
    if (entry->inode_ != nullptr) {
        entry->inode_->release_reference();
    }
    Superblock* superblock = entry->superblock_;
    destroy_counted(entry);
    superblock->release_reference();
}

}  // namespace cairn::vfs
