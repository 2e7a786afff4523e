#pragma once
/// PageCache: the pages of a file in memory. tmpfs is a page cache with nothing behind it; a filesystem on a disk
/// implements PageStore to fill pages and write them back.
///
/// Locks: `mutex_` (rank PageCache) protects the tree of pages; it is not held while a page is filled or while user
/// memory is copied. The size is changed only by the holder of the inode's lock (rank InodeData).

#include "kernel/base/atomic.h"
#include "mm/io_buffer.h"
#include "mm/memory_object.h"

namespace cairn::mm {

/// What stands behind a page cache.
class PageStore {
public:
    /// Fills the page, which is zero. EIO, ENOMEM. May sleep.
    virtual Result<void> read_page(u64 index, FrameNumber frame) = 0;
    /// Writes it back. May sleep.
    virtual Result<void> write_page(u64 index, FrameNumber frame) = 0;
    /// A page is about to be added where there was none (quotas, tmpfs's size limit): ENOSPC. And the counterpart.
    virtual Result<void> reserve_page() { return {}; }
    virtual void release_page() {}

protected:
    ~PageStore() = default;
};

class PageCache : public MemoryObject {
public:
    /// `store` null: pages begin as zeros and are never written back (tmpfs). The store outlives the cache's use.
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
    /// fallocate(2): makes the pages exist (growing the size unless keep_size); punches a hole.
    enum class KeepSize : u8 { No, Yes };
    Result<void> allocate(u64 offset, u64 length, KeepSize keep);
    Result<void> punch_hole(u64 offset, u64 length);
    /// lseek(2) SEEK_DATA and SEEK_HOLE: ENXIO beyond the end.
    Result<u64> seek_data(u64 offset);
    Result<u64> seek_hole(u64 offset);
    /// Boot only: takes over a frame (one reference) as page `index`, which does not exist yet. ENOMEM.
    Result<void> adopt_page(u64 index, FrameNumber frame);

    u64 resident_pages() const { return pages_.load(Order::relaxed); }

    Result<FrameNumber> acquire_page(u64 index, PageAccess access) override;
};

}  // namespace cairn::mm
