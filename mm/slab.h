#pragma once
/// A slab: one block of frames cut into objects of one size. Its header stands at the end of the
/// block, so that the objects begin at the block's own alignment; a bitmap says which objects the
/// slab layer has given out. Every frame's metadata points to the header (Frame::owner), which is
/// how an object finds its cache when it is freed.
///
/// Everything here is protected by the lock of the cache, `live` excepted.

#include "kernel/base/atomic.h"
#include "kernel/base/list.h"
#include "mm/frame.h"

namespace cairn::mm {

class SlabCache;

struct Slab {
    ListNode node;  // in the cache's list of partial or of empty slabs; full ones are in none
    SlabCache* cache;
    u8* objects;        // start of the block
    u32 in_use;         // objects that the slab layer has given out
    u32 words;          // of the bitmap
    u64* taken;         // bit per object: given out; the bits beyond the last object are set
    Atomic<u64>* live;  // checked builds: bit per object: a caller owns it; null otherwise
};
using SlabList = List<Slab, &Slab::node>;

/// How objects of one size are laid out; computed once for each cache.
struct SlabLayout {
    u32 object_size;  // with padding
    u32 order;        // of the block
    u32 objects;      // in one slab
    u32 words;        // of each bitmap

    static constexpr u32 kBitmaps = CAIRN_CHECKS ? 2 : 1;

    constexpr usize block_size() const { return kPageSize << order; }
    constexpr usize header_size() const { return sizeof(Slab) + usize{words} * sizeof(u64) * kBitmaps; }
    constexpr usize header_offset() const { return block_size() - header_size(); }

    /// The smallest block that wastes at most one eighth; `size` is at most SlabCache::kMaxObject,
    /// `alignment` a power of two that is at most that too.
    static constexpr SlabLayout choose(usize size, usize alignment) {
        usize padded = align_up(size < sizeof(u64) ? sizeof(u64) : size, alignment);
        SlabLayout layout{};
        for (u32 order = 0; order <= 3; ++order) {
            layout = fit(static_cast<u32>(padded), order);
            if (layout.objects * padded * 8 >= layout.block_size() * 7) {
                break;
            }
        }
        return layout;
    }

private:
    static constexpr SlabLayout fit(u32 object_size, u32 order) {
        const usize block = kPageSize << order;
        u32 objects = static_cast<u32>((block - sizeof(Slab)) / object_size);
        SlabLayout layout{};
        do {
            layout = {object_size, order, objects, (objects + 63) / 64};
            --objects;
        } while (layout.objects * usize{object_size} > layout.header_offset());
        return layout;
    }
};

}  // namespace cairn::mm
