#pragma once
/// The buddy allocator (Knuth, TAOCP 1, 2.5) of one part of physical memory: free blocks of 2^k
/// frames, aligned to their size, in one list per k; a freed block is joined with its neighbour
/// while that is free too. Blocks never grow beyond 4 MiB, and a zone begins and ends at a
/// multiple of that, so that two zones never meet.
///
/// One lock of rank Frames; every function may be called in any context that may take it.

#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"
#include "mm/frame_map.h"

namespace cairn::mm {

class Zone {
public:
    /// The zone of the frames [first, end) of `map`, without any free frame yet.
    Zone(FrameMap& map, FrameNumber first, FrameNumber end);
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;
    ~Zone();

    bool contains(FrameNumber number) const { return first_ <= number && number < end_; }

    /// A block in state `owned_as` (Allocated or Cached); ENOMEM.
    Result<FrameNumber> allocate(u32 order, FrameState owned_as);
    /// Up to `out.size()` single frames in state Cached under one lock; returns how many.
    u32 allocate_batch(std::span<FrameNumber> out);

    /// Frees a block that is in state `owned_as` with that order; anything else is a bug of the
    /// caller's (double or bad free) and panics.
    void free(FrameNumber number, u32 order, FrameState owned_as);
    /// Frees single frames in state Cached under one lock.
    void free_batch(std::span<const FrameNumber> frames);

    /// Adds frames that were reserved until now. Whole 4 MiB blocks are not touched.
    void add_range(FrameNumber start, FrameNumber end);

    /// Frames free now.
    u64 free_frames() const { return free_frames_.load(Order::relaxed); }
    /// Adds the number of free blocks of each order to `counts`.
    void count_blocks(u64 (&counts)[kOrders]) const;

private:
    Frame& frame(FrameNumber number) const;
    u32 smallest_free_order(u32 at_least = 0) const REQUIRES(lock_);
    Frame* take_block(u32 order) REQUIRES(lock_);
    bool touch_block() REQUIRES(lock_);
    Frame* take_locked(u32 order, FrameState owned_as) REQUIRES(lock_);
    void release_locked(Frame& first, FrameNumber number, u32 order) REQUIRES(lock_);
    void push_free(Frame& first, FrameNumber number, u32 order) REQUIRES(lock_);
    void add_block(FrameNumber number) REQUIRES(lock_);

    FrameMap& map_;
    const FrameNumber first_;
    const FrameNumber end_;
    mutable SpinLock<LockRank::Frames> lock_;
    FrameList free_[kOrders] GUARDED_BY(lock_);
    u64 free_blocks_[kOrders] GUARDED_BY(lock_) = {};
    u64 untouched_blocks_ GUARDED_BY(lock_) = 0;
    u64 next_section_ GUARDED_BY(lock_);  // no section of this zone below it has untouched blocks
    Atomic<u64> free_frames_{0};          // written under the lock
};

}  // namespace cairn::mm
