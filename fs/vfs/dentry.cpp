/// Entries themselves: making, counting, freeing. See dentry.h; the cache is in dentry_cache.cpp.

#include "fs/vfs/dentry.h"

#include <cstring>
#include <new>

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

DentryName::DentryName(std::string_view text) : hash(DentryCache::hash_of(text)), size(static_cast<u32>(text.size())) {
    if (!text.empty()) {
        std::memcpy(static_cast<void*>(this + 1), text.data(), text.size());
    }
}

Result<DentryName*> DentryName::create(std::string_view text) {
    void* memory = heap_allocate(sizeof(DentryName) + text.size(), alignof(DentryName));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    return std::construct_at(static_cast<DentryName*>(memory), text);
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

Dentry::Dentry(Superblock& superblock, Dentry* parent, std::string_view name, Inode* inode)
    : name_(&first_name_),
      parent_(parent),
      superblock_(&superblock),
      inode_(inode),
      type_(inode == nullptr ? FileType::Anonymous : inode->type()),
      first_name_(name) {
    superblock.acquire_reference();
    if (parent != nullptr) {
        parent->acquire_reference();
    }
    if (inode != nullptr) {
        inode->acquire_reference();
    }
}

Dentry::~Dentry() {
    DentryName* name = name_.load(Order::relaxed);
    if (name != &first_name_) {
        DentryName::free(name);
    }
}

Result<Ref<Dentry>> Dentry::make(Superblock& superblock, Dentry* parent, std::string_view name, Inode* inode) {
    void* memory = heap_allocate(sizeof(Dentry) + name.size(), alignof(Dentry));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    return Ref<Dentry>::adopt(*std::construct_at(static_cast<Dentry*>(memory), superblock, parent, name, inode));
}

Result<Ref<Dentry>> Dentry::create_root(Superblock& superblock, Ref<Inode> inode) {
    return make(superblock, nullptr, "/", &*inode);
}

Result<Ref<Dentry>> Dentry::create(Dentry& parent, std::string_view text, Inode* inode) {
    return make(parent.superblock(), &parent, text, inode);
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
        sync::call_after_grace_period(dying->first_name_.head, &free_after_grace);
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
    auto* name = object_of_member<DentryName, sync::ReadSideHead, &DentryName::head>(&head);
    Dentry* entry = object_of_member<Dentry, DentryName, &Dentry::first_name_>(name);
    if (entry->inode_ != nullptr) {
        entry->inode_->release_reference();
    }
    Superblock* superblock = entry->superblock_;
    const usize size = sizeof(Dentry) + entry->first_name_.size;
    std::destroy_at(entry);
    heap_free(entry, size, alignof(Dentry));
    superblock->release_reference();
}

}  // namespace cairn::vfs
