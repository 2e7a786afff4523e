/// PageCache: its pages: how they are found, made, filled and taken away.
#include "mm/page_cache.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/kernel.h"
#include "mm/entry_window.h"

namespace cairn::mm {

namespace {

/// A cache that is an object of its own.
class SeparatePageCache final : public PageCache {
public:
    SeparatePageCache(PageStore* store, u64 size) : PageCache(store, size) {}

private:
    void destroy() override { destroy_counted(this); }
};

}  // namespace

Result<Ref<PageCache>> PageCache::create(PageStore* store, u64 size) {
    Ref<SeparatePageCache> made = TRY(try_new_ref<SeparatePageCache>(store, size));
    Ref<PageCache> cache = Ref<PageCache>::adopt(made.release());
    if (cache->persistent_) {
        g_kernel.memory->add(*cache);
    }
    return cache;
}

PageCache::PageCache(PageStore* store, u64 size)
    : store_(store), persistent_(store != nullptr && store->is_persistent()), size_(size) {}

/// Nobody has a reference of the cache any more, so nobody maps it or looks for its pages.
PageCache::~PageCache() {
    if (persistent_) {
        g_kernel.memory->remove(*this);
    }
    for (std::optional<u64> index = tree_.next_present(0); index; index = tree_.next_present(*index + 1)) {
        const FrameNumber frame = frame_of(tree_.erase(*index));
        g_kernel.frames->frame(frame).use.store(detached(use()), Order::relaxed);
        g_kernel.frames->drop_reference(frame);
        release_reservation();
        count(-1);
    }
}

std::byte* PageCache::memory_of(FrameNumber frame) {
    return static_cast<std::byte*>(arch::direct_map(frame.address()));
}

void PageCache::release_reservation() {
    if (store_ != nullptr) {
        store_->release_page();
    }
}

void PageCache::count(i64 pages) {
    pages_.fetch_add(static_cast<u64>(pages), Order::relaxed);
    (persistent_ ? g_kernel.memory->file_cache : g_kernel.memory->shared_cache).add(pages);
}

/// The page with a reference, if it is there and filled; frame 0 otherwise. No lock; see the head of the header.
FrameNumber PageCache::find_page(u64 index) {
    FrameAllocator& frames = *g_kernel.frames;
    sync::ReadGuard guard;
    for (;;) {
        const Atomic<u64>* place = tree_.find_slot(index);
        const u64 word = place == nullptr ? 0 : place->load(Order::acquire);
        if (IndexTree::has_moved(word)) [[unlikely]] {
            continue;
        }
        if (word == 0 || (word & kFilling) != 0) {
            return {};
        }
        const FrameNumber frame = frame_of(word);
        if (!FrameAllocator::try_add_reference(frames.frame(frame))) {
            if (frame_of(place->load(Order::acquire)) == frame) {
                return {};  // frozen by reclaim: whoever wants it goes through the mutex
            }
            continue;
        }
        if (is_unchanged(*place, word)) {
            if (persistent_ && (word & kReferenced) == 0) {
                static_cast<void>(tree_.exchange(index, word, word | kReferenced));
            }
            return frame;
        }
        frames.drop_reference(frame);
    }
}

/// Calls `found(i, page)` with a reference for each page `first` + i of the first `count` that is there, and does not
/// change just now, if `wants(i)`. Returns how many of them are within the size.
template <typename Wants, typename Found>
u32 PageCache::acquire_present_pages(u64 first, u64 count, Wants wants, Found found) {
    const u64 end = page_count(size());
    if (first >= end) {
        return 0;
    }
    const u32 within = static_cast<u32>(std::min(count, end - first));
    NearFrames near = g_kernel.frames->near_frames();
    sync::ReadGuard guard;
    for (u32 done = 0; done < within;) {
        const std::span<const Atomic<u64>> places = tree_.find_slots(first + done);
        if (places.empty()) {
            ++done;
            continue;
        }
        const u32 stop = static_cast<u32>(std::min<u64>(within, done + places.size()));
        for (const Atomic<u64>* place = places.data(); done < stop; ++done, ++place) {
            const u64 word = place->load(Order::acquire);
            if (IndexTree::has_moved(word)) [[unlikely]] {
                break;  // looked up again
            }
            if (word == 0 || (word & kFilling) != 0 || !wants(done)) {
                continue;
            }
            const PhysicalAddress page{word & ~kFlags};
            if (!FrameAllocator::try_add_reference(near.of_allocated(page))) {
                continue;
            }
            if (!is_unchanged(*place, word)) [[unlikely]] {
                g_kernel.frames->drop_reference(FrameNumber::containing(page));
                break;  // likewise: the place may have moved, not the page
            }
            if (persistent_ && (word & kReferenced) == 0) {
                static_cast<void>(tree_.exchange(first + done, word, word | kReferenced));
            }
            found(done, page);
        }
    }
    return within;
}

u32 PageCache::find_pages(u64 first, std::span<FrameNumber> frames) {
    std::ranges::fill(frames, FrameNumber{});
    return acquire_present_pages(
        first, frames.size(), [](u32) { return true; },
        [&](u32 i, PhysicalAddress page) { frames[i] = FrameNumber::containing(page); });
}

u32 PageCache::map_present_pages(u64 first, EntryWindow& window) {
    u32 mapped = 0;
    acquire_present_pages(
        first, window.size(), [&](u32 i) { return window.is_empty(i); },
        [&](u32 i, PhysicalAddress page) {
            window.put(i, page);
            ++mapped;
        });
    return mapped;
}

bool PageCache::is_resident(u64 index) {
    sync::ReadGuard guard;
    const u64 word = tree_.find(index);
    return word != 0 && (word & kFilling) == 0;
}

Result<FrameNumber> PageCache::acquire_page(u64 index, PageAccess access) {
    if (index >= page_count(size())) {
        return fail(Errno::enxio);
    }
    return ensure_page(index, access, Bound::Size);
}

Result<FrameNumber> PageCache::ensure_page(u64 index, PageAccess access, Bound bound) {
    for (;;) {
        if (!persistent_ || access == PageAccess::Read) {
            const FrameNumber found = find_page(index);
            if (found.value != 0) [[likely]] {
                return found;
            }
        }
        FrameNumber present = TRY(take_present(index, access, bound));
        if (present.value != 0) {
            return present;
        }
        FrameNumber fresh = TRY(g_kernel.memory->allocate_frame(FrameFlags::Zeroed));
        // For us; the tree takes over the first reference.
        g_kernel.frames->add_reference(fresh);
        const u64 dirty = persistent_ && access == PageAccess::Write ? kDirty : 0;
        Result<void> added = add_page(index, fresh, persistent_ ? kFilling | kReferenced : dirty, bound);
        if (!added.ok()) {
            g_kernel.frames->drop_reference(fresh);
            g_kernel.frames->drop_reference(fresh);
            if (added.error() == Errno::eexist) {
                continue;
            }
            return added.failure();
        }
        if (persistent_) {
            TRY(fill(index, fresh, access));
        }
        return fresh;
    }
}

/// The page with a reference if it is there, after it was filled; frame 0 if not. Marks it dirty for Write.
Result<FrameNumber> PageCache::take_present(u64 index, PageAccess access, Bound bound) {
    for (;;) {
        {
            sync::MutexGuard guard(mutex_);
            if (bound == Bound::Size && index >= page_count(size())) {
                return fail(Errno::enxio);
            }
            const u64 word = tree_.find(index);
            if (word == 0) {
                return FrameNumber{};
            }
            if ((word & kFilling) == 0) {
                if (persistent_) {
                    tree_.replace(index, word | kReferenced | (access == PageAccess::Write ? kDirty : 0));
                }
                g_kernel.frames->add_reference(frame_of(word));
                return frame_of(word);
            }
        }
        wait_until_filled(index);
    }
}

/// Puts a frame into the tree, which takes over a reference on success. EEXIST, ENXIO (bound), ENOSPC, ENOMEM.
Result<void> PageCache::add_page(u64 index, FrameNumber frame, u64 flags, Bound bound) {
    TRY(reserve());
    g_kernel.frames->frame(frame).use.store(use(), Order::relaxed);
    Result<void> result;
    {
        sync::MutexGuard guard(mutex_);
        if (bound == Bound::Size && index >= page_count(size())) {
            result = fail(Errno::enxio);
        } else if (tree_.find(index) != 0) {
            result = fail(Errno::eexist);
        } else {
            result = tree_.insert(index, word_for(frame, flags));
        }
    }
    if (!result.ok()) {
        g_kernel.frames->frame(frame).use.store(FrameUse::None, Order::relaxed);
        release_reservation();
        return result;
    }
    count(1);
    return {};
}

/// Reads a page that add_page() has entered as kFilling. Drops the caller's reference when that fails.
Result<void> PageCache::fill(u64 index, FrameNumber frame, PageAccess access) {
    Result<void> result = store_->read_page(index, frame);
    {
        sync::MutexGuard guard(mutex_);
        if (result.ok()) {
            tree_.replace(index, word_for(frame, kReferenced | (access == PageAccess::Write ? kDirty : 0)));
        } else {
            tree_.erase(index);
            g_kernel.frames->frame(frame).use.store(detached(use()), Order::relaxed);
        }
    }
    filled_.wake_all();
    if (!result.ok()) {
        count(-1);
        release_reservation();
        g_kernel.frames->drop_reference(frame);
        g_kernel.frames->drop_reference(frame);
    }
    return result;
}

void PageCache::wait_until_filled(u64 index) {
    filled_.wait_until([&] {
        sync::ReadGuard guard;
        return (tree_.find(index) & kFilling) == 0;
    });
}

/// Takes all pages of [first, end) out, then out of the mappings, and drops them.
void PageCache::remove_range(u64 first, u64 end, PrivateCopies copies) {
    constexpr u32 kBatch = 256;
    FrameAllocator& frames = *g_kernel.frames;
    FrameList removed;
    i64 removed_count = 0;
    u64 next = first;  // `end`: nothing is left
    while (next < end) {
        bool filling = false;
        {
            sync::MutexGuard guard(mutex_);
            for (u32 budget = kBatch; budget != 0; --budget, ++next) {
                next = std::min(tree_.next_present(next).value_or(end), end);
                if (next == end) {
                    break;
                }
                filling = (tree_.find(next) & kFilling) != 0;
                if (filling) {
                    break;
                }
                const FrameNumber number = frame_of(tree_.erase(next));
                Frame& frame = frames.frame(number);
                frame.use.store(detached(use()), Order::release);
                frame.number = number.value;
                removed.push_back(frame);
                ++removed_count;
            }
        }
        if (filling) {
            wait_until_filled(next);
        }
    }
    unmap_pages(first, end, copies);
    count(-removed_count);
    while (Frame* frame = removed.pop_front()) {
        const FrameNumber number{frame->number};
        frame->owner = nullptr;
        frames.drop_reference(number);
        release_reservation();
    }
}

u64 PageCache::absent_pages(u64 first, u64 end) {
    sync::MutexGuard guard(mutex_);
    u64 absent = end - first;
    for (std::optional<u64> at = tree_.next_present(first); at && *at < end; at = tree_.next_present(*at + 1)) {
        --absent;
    }
    return absent;
}

Result<void> PageCache::adopt_page(u64 index, FrameNumber frame) {
    return add_page(index, frame, persistent_ ? kDirty : 0, Bound::None);
}

/// The dirty mark goes first, then write access through mappings, so that a store that comes while the page is being
/// written makes it dirty again.
Result<void> PageCache::write_back(u64 first, u64 end) {
    if (!persistent_) {
        return {};
    }
    std::optional<u64> at = first;
    for (;;) {
        FrameNumber frame;
        {
            sync::MutexGuard guard(mutex_);
            const u64 stop = std::min(end, page_count(size()));
            for (at = tree_.next_present(*at); at && *at < stop; at = tree_.next_present(*at + 1)) {
                const u64 word = tree_.find(*at);
                if ((word & (kDirty | kFilling)) == kDirty) {
                    tree_.replace(*at, word & ~kDirty);
                    frame = frame_of(word);
                    g_kernel.frames->add_reference(frame);
                    break;
                }
            }
        }
        if (frame.value == 0) {
            return {};
        }
        unmap_pages(*at, *at + 1, PrivateCopies::Keep);
        Result<void> written = store_->write_page(*at, frame);
        if (!written.ok()) {
            sync::MutexGuard guard(mutex_);
            const u64 word = tree_.find(*at);
            if (word != 0 && frame_of(word) == frame) {
                tree_.replace(*at, word | kDirty);
            }
        }
        g_kernel.frames->drop_reference(frame);
        if (!written.ok()) {
            return written;
        }
        *at += 1;
    }
}

/// The clock: what was used since the last round stays for one more. Only clean pages that nobody maps or copies.
u64 PageCache::reclaim_pages(u64 pages) {
    if (!mutex_.try_lock()) {
        return 0;
    }
    FrameAllocator& frames = *g_kernel.frames;
    u64 freed = 0;
    u64 looks = 2 * (pages_.load(Order::relaxed) + 1);  // twice around
    while (freed < pages && looks-- != 0) {
        std::optional<u64> at = tree_.next_present(hand_);
        if (!at) {
            if (hand_ == 0) {
                break;
            }
            hand_ = 0;
            continue;
        }
        hand_ = *at + 1;
        const u64 word = tree_.find(*at);
        const FrameNumber frame = frame_of(word);
        if ((word & kReferenced) != 0) {
            tree_.replace(*at, word & ~kReferenced);
        } else if ((word & (kDirty | kFilling)) == 0 && frames.try_freeze(frame)) {
            tree_.erase(*at);
            frames.frame(frame).use.store(detached(use()), Order::relaxed);
            frames.unfreeze(frame);
            frames.drop_reference(frame);
            count(-1);
            ++freed;
        }
    }
    mutex_.unlock();
    for (u64 i = 0; i < freed; ++i) {
        release_reservation();
    }
    return freed;
}

}  // namespace cairn::mm
