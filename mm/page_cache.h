#pragma once
/// PageCache: the pages of a file in memory. tmpfs is a page cache with nothing behind it; a filesystem on a disk
/// implements PageStore to fill pages and write them back.
///
/// Locks: `mutex_` (rank PageCache) protects changes of the tree of pages; it is not held while a page is filled or
/// while user memory is copied. Pages that are there are found without it: the finder takes a reference of the frame
/// (FrameAllocator::try_add_reference) and looks again whether the tree still names that frame. The tree owns one
/// reference of each frame. The size is changed only by the holder of the inode's lock (rank InodeData).

#include "kernel/base/atomic.h"
#include "kernel/sync/wait_queue.h"
#include "mm/index_tree.h"
#include "mm/io_buffer.h"
#include "mm/memory_object.h"
#include "mm/system_memory.h"

namespace cairn::mm {

/// What stands behind a page cache.
class PageStore {
public:
    /// Fills the page, which is zero. EIO, ENOMEM. May sleep.
    virtual Result<void> read_page([[maybe_unused]] u64 index, [[maybe_unused]] FrameNumber frame) {
        return fail(Errno::eio);
    }
    /// Writes it back. May sleep.
    virtual Result<void> write_page([[maybe_unused]] u64 index, [[maybe_unused]] FrameNumber frame) {
        return fail(Errno::eio);
    }
    /// A page is about to be added where there was none (quotas, tmpfs's size limit): ENOSPC. And the counterpart.
    virtual Result<void> reserve_page() { return {}; }
    virtual void release_page() {}
    /// Whether pages can be read again once written. When not (tmpfs), only the two functions above are called.
    virtual bool is_persistent() const { return true; }

protected:
    ~PageStore() = default;
};

class PageCache : public MemoryObject, private Reclaimable {
public:
    /// `store` null: pages begin as zeros and are never written back (tmpfs). The store outlives the cache.
    static Result<Ref<PageCache>> create(PageStore* store, u64 size = 0);

    u64 size() const { return size_.load(Order::acquire); }

    /// Bytes from `offset` up to the size, at most sink.remaining(); holes read as zeros without allocating. EFAULT,
    /// EIO.
    Result<usize> read(u64 offset, IoSink& sink);
    /// Writes at `offset`, growing the size as bytes arrive. Returns what was written when an error came after
    /// some bytes. Caller holds the inode's lock. ENOSPC, ENOMEM, EFAULT.
    Result<usize> write(u64 offset, IoSource& source);
    /// ftruncate: beyond the new size pages go (also from mappings), the tail of the last page becomes zero.
    Result<void> resize(u64 new_size);
    /// fallocate(2): makes the pages exist (growing the size unless keep_size); punches a hole. ENOSPC, ENOMEM with
    /// nothing changed; EOPNOTSUPP.
    enum class KeepSize : u8 { No, Yes };
    Result<void> allocate(u64 offset, u64 length, KeepSize keep);
    Result<void> punch_hole(u64 offset, u64 length);
    /// lseek(2) SEEK_DATA and SEEK_HOLE: ENXIO beyond the end.
    Result<u64> seek_data(u64 offset);
    Result<u64> seek_hole(u64 offset);
    /// Boot only: takes over a frame (one reference) as page `index`, which does not exist yet. The size is set with
    /// resize(). ENOMEM.
    Result<void> adopt_page(u64 index, FrameNumber frame);

    /// The page, with a reference, if it is there and filled; frame 0 otherwise.
    FrameNumber find_page(u64 index);
    /// The same for the pages from `first` on; returns how many of them are within the size.
    u32 find_pages(u64 first, std::span<FrameNumber> frames);
    u64 resident_pages() const { return pages_.load(Order::relaxed); }

    // MemoryObject.
    Result<FrameNumber> acquire_page(u64 index, PageAccess access) override;
    u32 map_present_pages(u64 first, EntryWindow& window) override;
    bool tracks_writes() const override { return persistent_; }
    bool is_shared_memory() const override { return !persistent_; }
    bool is_resident(u64 index) override;
    Result<void> write_back(u64 first, u64 end) override;
    Result<void> remove_pages(u64 first, u64 end) override;

protected:
    /// For create(); and for objects that a cache is a part of, whose class derives from this. Such a cache's store is
    /// not persistent.
    PageCache(PageStore* store, u64 size);
    ~PageCache();

private:
    Result<usize> read_pages(u64 offset, IoSink& sink);
    // A word of the tree: a frame's address and these.
    static constexpr u64 kDirty = 2;
    static constexpr u64 kFilling = 4;     // being read from the store; others wait
    static constexpr u64 kReferenced = 8;  // used since reclaim last looked
    static constexpr u64 kFlags = kPageSize - 1;
    static FrameNumber frame_of(u64 word) { return FrameNumber::containing({word & ~kFlags}); }
    static u64 word_for(FrameNumber frame, u64 flags) { return frame.address().value | flags; }
    /// Of a place that held `word` before the page got a reference: whether it still has that page, and not one that is
    /// read into the same frame once more.
    static bool is_unchanged(const Atomic<u64>& place, u64 word) {
        return ((place.load(Order::acquire) ^ word) & (~kFlags | kFilling)) == 0;
    }
    static u64 page_count(u64 size) { return size / kPageSize + (size % kPageSize != 0 ? 1 : 0); }
    static std::byte* memory_of(FrameNumber frame);

    /// Whether a page may lie beyond the end.
    enum class Bound : u8 { Size, None };

    u64 reclaim_pages(u64 pages) override;
    bool try_keep() override { return try_acquire_reference(); }
    void let_go() override { release_reference(); }

    Result<void> reserve() { return store_ == nullptr ? Result<void>{} : store_->reserve_page(); }
    void release_reservation();
    FrameUse use() const { return persistent_ ? FrameUse::File : FrameUse::SharedMemory; }
    void count(i64 pages);

    template <typename Wants, typename Found>
    u32 acquire_present_pages(u64 first, u64 count, Wants wants, Found found);
    Result<FrameNumber> ensure_page(u64 index, PageAccess access, Bound bound);
    Result<FrameNumber> take_present(u64 index, PageAccess access, Bound bound);
    Result<void> add_page(u64 index, FrameNumber frame, u64 flags, Bound bound);
    Result<void> fill(u64 index, FrameNumber frame, PageAccess access);
    void wait_until_filled(u64 index);
    Result<usize> write_in_page(u64 offset, usize size, IoSource& source);
    Result<usize> write_new_page(u64 index, usize in_page, usize size, IoSource& source);
    Result<void> zero_range(u64 start, u64 end);
    void remove_range(u64 first, u64 end, PrivateCopies copies);
    u64 absent_pages(u64 first, u64 end);
    void set_size(u64 size);

    PageStore* const store_;
    const bool persistent_;
    Atomic<u64> size_;
    Atomic<u64> pages_{0};
    sync::Mutex<LockRank::PageCache> mutex_;
    IndexTree tree_;                   // changed under mutex_
    u64 hand_ GUARDED_BY(mutex_) = 0;  // where reclaim goes on
    sync::WaitQueue filled_;
};

}  // namespace cairn::mm
