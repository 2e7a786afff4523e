/// The cache of names: a hash table with a lock for each chain. See dentry.h.

#include <algorithm>
#include <bit>
#include <span>

#include "fs/vfs/dentry.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/bytes.h"
#include "mm/frame_allocator.h"

namespace cairn::vfs {

namespace {

constexpr usize kSweepBatch = 16;
/// How much an insertion beyond the limit tries to take out.
constexpr usize kShrinkStep = 32;

}  // namespace

Result<DentryCache> DentryCache::create() {
    // Half an entry for each frame: names may take some three percent of memory, without their inodes.
    u64 frames = g_kernel.frames->statistics().total / kPageSize;
    u64 limit = std::max<u64>(frames / 2, 256);
    // The table is one block, which the allocator has up to a size; with more memory the chains get longer.
    constexpr u64 kMostChains = std::bit_floor(mm::kBlockFrames * kPageSize / sizeof(Chain));
    usize chains = std::bit_floor(std::clamp<u64>(limit / 2, 64, kMostChains));
    void* memory = heap_allocate(chains * sizeof(Chain), alignof(Chain));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    auto* first = static_cast<Chain*>(memory);
    std::uninitialized_value_construct_n(first, chains);
    return DentryCache(first, chains, limit);
}

DentryCache::DentryCache(DentryCache&& other) noexcept
    : chains_(std::exchange(other.chains_, nullptr)), chain_count_(other.chain_count_), limit_(other.limit_) {}

DentryCache::~DentryCache() {
    if (chains_ != nullptr) {
        ASSERT(size() == 0);
        std::destroy_n(chains_, chain_count_);
        heap_free(chains_, chain_count_ * sizeof(Chain), alignof(Chain));
    }
}

DentryCache::Chain& DentryCache::chain_of(const Dentry& parent, u32 hash) const {
    u64 address = std::bit_cast<uptr>(&parent);
    u64 mixed = (address >> 5) * 0x9e37'79b9'7f4a'7c15 + hash;
    return chains_[(mixed ^ (mixed >> 32)) & (chain_count_ - 1)];
}

/// A reader may stand on an entry that is being moved.
bool DentryCache::matches(const Dentry& entry, const Dentry& parent, u32 hash, std::string_view name) {
    const DentryName* own = entry.name_.load(Order::acquire);
    return entry.parent_.load(Order::acquire) == &parent && own != nullptr && own->hash == hash &&
           same_text(own->text(), name) && entry.name_.load(Order::relaxed) == own;
}

Dentry* DentryCache::find_under_guard(const Dentry& parent, u32 hash, std::string_view name) {
    Dentry* entry = chain_of(parent, hash).first.load(Order::acquire);
    while (entry != nullptr && !matches(*entry, parent, hash, name)) {
        entry = entry->next_.load(Order::acquire);
    }
    return entry;
}

std::optional<Ref<Dentry>> DentryCache::find(const Dentry& parent, std::string_view name) {
    u32 hash = hash_of(name);
    sync::ReadGuard guard;
    Dentry* entry = find_under_guard(parent, hash, name);
    if (entry == nullptr || !entry->try_acquire_reference()) {
        return std::nullopt;
    }
    note_use(*entry);
    return Ref<Dentry>::adopt(*entry);
}

Result<Ref<Dentry>> DentryCache::lookup(OperationContext& context, Dentry& parent, std::string_view name) {
    if (std::optional<Ref<Dentry>> found = find(parent, name)) {
        return std::move(*found);
    }
    sync::SharedGuard guard(parent.inode().directory_lock);
    return lookup_locked(context, parent, name);
}

Result<Ref<Dentry>> DentryCache::lookup_locked(OperationContext& context, Dentry& parent, std::string_view name) {
    if (std::optional<Ref<Dentry>> found = find(parent, name)) {
        return std::move(*found);
    }
    if (parent.is_deleted()) {
        return fail(Errno::enoent);
    }
    Result<Ref<Inode>> inode = parent.inode().find_child(context, name);
    if (!inode.ok() && inode.error() != Errno::enoent) {
        return inode.failure();
    }
    return insert_found(parent, name, inode.ok() ? &*inode.value() : nullptr);
}

Result<std::optional<Ref<Dentry>>> DentryCache::find_present_locked(OperationContext& context, Dentry& parent,
                                                                    std::string_view name) {
    if (std::optional<Ref<Dentry>> found = find(parent, name)) {
        return (*found)->is_negative() ? std::nullopt : std::move(found);
    }
    if (parent.is_deleted()) {
        return fail(Errno::enoent);
    }
    Result<Ref<Inode>> inode = parent.inode().find_child(context, name);
    if (!inode.ok()) {
        return inode.error() == Errno::enoent ? Result<std::optional<Ref<Dentry>>>(std::nullopt) : inode.failure();
    }
    return std::optional(TRY(insert_found(parent, name, &*inode.value())));
}

/// What the directory said of the name becomes an entry. Null: there is no such name.
Result<Ref<Dentry>> DentryCache::insert_found(Dentry& parent, std::string_view name, Inode* inode) {
    Ref<Dentry> entry = TRY(Dentry::create(parent, name, inode));
    // A directory whose names come and go may also have fixed ones, which other things are mounted on: a file there
    // that would keep names itself is such.
    const bool fixed = inode != nullptr && inode->names_are_stable();
    if (!parent.inode().names_are_stable() && !fixed) {
        return entry;
    }
    return insert_or_find(std::move(entry));
}

/// Two that looked the name up at once both come here; the second gets the entry of the first.
Ref<Dentry> DentryCache::insert_or_find(Ref<Dentry> entry) {
    Dentry& parent = *entry->parent_.load(Order::relaxed);
    const DentryName& name = entry->name();
    Chain& chain = chain_of(parent, name.hash);
    {
        SpinLockGuard guard(chain.lock);
        for (Dentry* at = chain.first.load(Order::relaxed); at != nullptr; at = at->next_.load(Order::relaxed)) {
            if (matches(*at, parent, name.hash, name.text()) && at->try_acquire_reference()) {
                // `entry` is dropped after the lock, being a parameter.
                return Ref<Dentry>::adopt(*at);
            }
        }
        link(chain, *entry);
    }
    if (size() > limit_) {
        shrink(kShrinkStep);
    }
    return entry;
}

/// Under the chain's lock. The cache's reference begins.
void DentryCache::link(Chain& chain, Dentry& entry) {
    entry.acquire_reference();
    entry.cached_.store(true, Order::relaxed);
    entry.next_.store(chain.first.load(Order::relaxed), Order::relaxed);
    chain.first.store(&entry, Order::release);
    count_.fetch_add(1, Order::relaxed);
}

/// Under the chain's lock. The entry's own link stays as it is, for readers that stand on it.
bool DentryCache::unlink(Chain& chain, Dentry& entry) {
    Atomic<Dentry*>* link = &chain.first;
    for (Dentry* at = link->load(Order::relaxed); at != nullptr; at = link->load(Order::relaxed)) {
        if (at == &entry) {
            link->store(entry.next_.load(Order::relaxed), Order::release);
            entry.cached_.store(false, Order::relaxed);
            return true;
        }
        link = &at->next_;
    }
    return false;
}

/// Takes an entry out of its chain; the caller owes the cache's reference when this returns true. Holder of the
/// directory's lock, so that the entry's place stands still.
bool DentryCache::remove(Dentry& entry) {
    Dentry* parent = entry.parent_.load(Order::relaxed);
    if (parent == nullptr) {
        return false;
    }
    Chain& chain = chain_of(*parent, entry.name().hash);
    SpinLockGuard guard(chain.lock);
    if (!entry.cached_.load(Order::relaxed) || !unlink(chain, entry)) {
        return false;
    }
    count_.fetch_sub(1, Order::relaxed);
    return true;
}

/// Under the chain's lock: takes an entry of that place out. The caller owes the cache's reference to what this
/// returns.
Dentry* DentryCache::take_out_namesake(Chain& chain, const Dentry& parent, const DentryName& name) {
    for (Dentry* at = chain.first.load(Order::relaxed); at != nullptr; at = at->next_.load(Order::relaxed)) {
        // One that is being evicted (no reference left) is taken out by who evicts it.
        if (matches(*at, parent, name.hash, name.text()) && at->reference_count() != 0) {
            unlink(chain, *at);
            count_.fetch_sub(1, Order::relaxed);
            return at;
        }
    }
    return nullptr;
}

void DentryCache::replace(Dentry& entry) {
    Dentry& parent = *entry.parent_.load(Order::relaxed);
    if (!parent.inode().names_are_stable()) {
        return;
    }
    const DentryName& name = entry.name();
    Chain& chain = chain_of(parent, name.hash);
    Dentry* old = nullptr;
    {
        SpinLockGuard guard(chain.lock);
        old = take_out_namesake(chain, parent, name);
        link(chain, entry);
    }
    if (old != nullptr) {
        old->release_reference();
    }
    if (size() > limit_) {
        shrink(kShrinkStep);
    }
}

void DentryCache::forget_deleted(Dentry& entry) {
    entry.deleted_.store(true, Order::release);
    if (remove(entry)) {
        entry.release_reference();
    }
}

/// Under the tree lock. The caller frees the old name and drops the old parent's reference.
void DentryCache::set_place(Dentry& entry, Dentry& parent, DentryName* name) {
    bool cached = entry.cached_.load(Order::relaxed);
    if (cached) {
        Chain& chain = chain_of(*entry.parent_.load(Order::relaxed), entry.name().hash);
        SpinLockGuard guard(chain.lock);
        cached = unlink(chain, entry);
    }
    entry.name_.store(nullptr, Order::relaxed);
    entry.parent_.store(&parent, Order::release);
    entry.name_.store(name, Order::release);
    if (cached) {
        count_.fetch_sub(1, Order::relaxed);
        Chain& chain = chain_of(parent, name->hash);
        SpinLockGuard guard(chain.lock);
        link(chain, entry);  // takes a reference: the old one of the cache is dropped by the caller
    }
}

void DentryCache::move(Dentry& entry, Dentry& new_parent, DentryName* new_name, Dentry* replaced) {
    if (replaced != nullptr) {
        forget_deleted(*replaced);
    } else {
        Chain& chain = chain_of(new_parent, new_name->hash);
        Dentry* negative = nullptr;
        {
            SpinLockGuard guard(chain.lock);
            negative = take_out_namesake(chain, new_parent, *new_name);
        }
        if (negative != nullptr) {
            negative->release_reference();
        }
    }
    DentryName* old_name = entry.name_.load(Order::relaxed);
    Dentry* old_parent = entry.parent_.load(Order::relaxed);
    bool was_cached = entry.cached_.load(Order::relaxed);
    if (&new_parent != old_parent) {
        new_parent.acquire_reference();
    }
    with_tree([&] { set_place(entry, new_parent, new_name); });
    if (was_cached) {
        entry.release_reference();
    }
    entry.drop_name(old_name);
    if (&new_parent != old_parent) {
        old_parent->release_reference();
    }
}

[[gnu::cold]] void DentryCache::exchange(Dentry& entry, DentryName* entry_name, Dentry& other, DentryName* other_name) {
    DentryName* old_names[2] = {entry.name_.load(Order::relaxed), other.name_.load(Order::relaxed)};
    Dentry* entry_parent = entry.parent_.load(Order::relaxed);
    Dentry* other_parent = other.parent_.load(Order::relaxed);
    bool entry_cached = entry.cached_.load(Order::relaxed);
    bool other_cached = other.cached_.load(Order::relaxed);
    // Each parent loses one child and gains one: the references only change hands.
    with_tree([&] {
        set_place(entry, *other_parent, entry_name);
        set_place(other, *entry_parent, other_name);
    });
    if (entry_cached) {
        entry.release_reference();
    }
    if (other_cached) {
        other.release_reference();
    }
    entry.drop_name(old_names[0]);
    other.drop_name(old_names[1]);
}

/// Takes out up to `count` entries of one chain that only the cache refers to.
DentryCache::Swept DentryCache::sweep(Chain& chain, usize count, const Superblock* superblock, bool second_chance) {
    Dentry* dying[kSweepBatch];
    usize found = 0;
    bool spared = false;
    {
        SpinLockGuard guard(chain.lock);
        Dentry* next = nullptr;
        for (Dentry* at = chain.first.load(Order::relaxed); at != nullptr && found < std::min(count, kSweepBatch);
             at = next) {
            next = at->next_.load(Order::relaxed);
            if (superblock != nullptr && &at->superblock() != superblock) {
                continue;
            }
            if (second_chance && at->used_.load(Order::relaxed)) {
                at->used_.store(false, Order::relaxed);
                spared = true;
                continue;
            }
            if (at->release_if_last()) {
                unlink(chain, *at);
                dying[found++] = at;
            }
        }
    }
    count_.fetch_sub(found, Order::relaxed);
    for (usize i = 0; i < found; ++i) {
        drop_swept(*dying[i], superblock == nullptr);
    }
    return {found, spared};
}

/// Until now the entry kept its parent. Whoever has just taken a filesystem's last mount away may have passed the
/// parent over for that reason: it is looked at again.
void DentryCache::drop_swept(Dentry& entry, bool by_chance) {
    if (!by_chance) {
        entry.last_reference_dropped();
        return;
    }
    const Ref<Superblock> superblock(entry.superblock());
    entry.last_reference_dropped();
    if (superblock->is_unmounted()) {
        evict(*superblock);
    }
}

usize DentryCache::shrink(usize count) {
    constexpr usize kStride = 16;  // chains that one caller takes at a time
    usize freed = 0;
    bool again = true;
    // Twice around at most: the first round may only take second chances away.
    for (u32 round = 0; round < 2 && again && freed < count; ++round) {
        again = false;
        for (usize done = 0; done < chain_count_ && freed < count; done += kStride) {
            const usize first = hand_.fetch_add(kStride, Order::relaxed) & (chain_count_ - 1);
            for (Chain& chain : std::span(chains_ + first, kStride)) {
                if (chain.first.load(Order::relaxed) != nullptr) {
                    const Swept swept = sweep(chain, count, nullptr, true);
                    freed += swept.freed;
                    again = again || swept.spared;
                }
            }
        }
    }
    return freed;
}

[[gnu::cold]] void DentryCache::evict(const Superblock& superblock) {
    // A directory can go only after what is in it.
    usize freed = 1;
    while (freed != 0) {
        freed = 0;
        for (usize i = 0; i < chain_count_; ++i) {
            while (usize now = sweep(chains_[i], kSweepBatch, &superblock, false).freed) {
                freed += now;
            }
        }
    }
}

}  // namespace cairn::vfs
