#pragma once
/// What the kernel knows about one 4 KiB frame of physical memory, and the words in which frames
/// are asked for and accounted. The metadata of frames that exist is kept by FrameMap.

#include "kernel/base/address.h"
#include "kernel/base/atomic.h"
#include "kernel/base/list.h"
#include "kernel/base/types.h"

namespace cairn::mm {

/// Blocks have 2^order frames; the largest is 4 MiB.
constexpr u32 kMaxOrder = 10;
constexpr u32 kOrders = kMaxOrder + 1;
constexpr u64 kBlockFrames = u64{1} << kMaxOrder;
/// That a block of more frames than this is missing says little about how much memory is free: who asks for one does
/// without, and nobody is ended to make room (Linux: PAGE_ALLOC_COSTLY_ORDER).
constexpr u32 kMaxOrderWorthRoom = 3;

/// The smallest order whose blocks hold `bytes` bytes.
constexpr u32 order_for(u64 bytes) {
    u32 order = 0;
    while ((kPageSize << order) < bytes) {
        ++order;
    }
    return order;
}

enum class FrameState : u8 {
    None,       // reserved, or not the first frame of its block; what cleared metadata says
    Free,       // first frame of a block in a zone's free lists
    Cached,     // a single free frame in a CPU's cache
    Allocated,  // first frame of a block that somebody owns
};

/// State and order of a block, in its first frame, as one byte: a zone looks at a neighbour's
/// while the neighbour's owner may be changing it, so it is one atomic.
struct FrameBlock {
    FrameState state = FrameState::None;
    u8 order = 0;

    constexpr u8 encode() const { return static_cast<u8>(static_cast<u8>(state) | (order << 4)); }
    static constexpr FrameBlock decode(u8 byte) {
        return {static_cast<FrameState>(byte & 0xf), static_cast<u8>(byte >> 4)};
    }
    constexpr bool operator==(const FrameBlock&) const = default;
};

/// What an allocated frame is used for, as far as programs see it. An object's frame that the object has given up
/// (truncation) stays what it was, with kDetached added.
enum class FrameUse : u8 {
    None,          // the kernel's own, or not in use
    Anonymous,     // a process's private memory
    File,          // of a memory object: a file with a store behind it, a device, the vDSO
    SharedMemory,  // of a memory object: tmpfs, shared anonymous memory
    DetachedFile = 0x80 | File,
    DetachedSharedMemory = 0x80 | SharedMemory,
};
constexpr bool is_detached(FrameUse use) {
    return (static_cast<u8>(use) & 0x80) != 0;
}
constexpr FrameUse detached(FrameUse use) {
    return static_cast<FrameUse>(static_cast<u8>(use) | 0x80);
}

/// 32 bytes for every frame: 0.8 % of memory. Cleared memory is a valid Frame in state None, and
/// no destructor ever runs.
///
/// The allocator owns `block` always, and the rest while the block is free. While it is allocated
/// the rest belongs to the block's owner: an address space counts mappings in `references`, a
/// slab points from every frame to itself with `owner`. Anybody may add to `references` for a moment, unless it is
/// zero: see PageCache.
struct Frame {
    Atomic<u32> references;  // 1 after allocation
    Atomic<u8> block;        // FrameBlock
    Atomic<FrameUse> use;
    u16 owner_data = 0;
    ListNode node;
    union {
        void* owner = nullptr;
        u64 number;  // of a free block, and of a frame that waits for a TLB flush
    };

    FrameBlock load_block() const { return FrameBlock::decode(block.load(Order::relaxed)); }
    void store_block(FrameBlock value) { block.store(value.encode(), Order::relaxed); }
};
static_assert(sizeof(Frame) == 32);
using FrameList = List<Frame, &Frame::node>;

enum class FrameFlags : u8 {
    None = 0,
    Zeroed = 1,     // every byte is zero
    Below4G = 2,    // for devices that address 32 bits
    WorthRoom = 4,  // also if it is larger than kMaxOrderWorthRoom
};
constexpr FrameFlags operator|(FrameFlags a, FrameFlags b) {
    return static_cast<FrameFlags>(static_cast<u8>(a) | static_cast<u8>(b));
}
constexpr bool has_flag(FrameFlags flags, FrameFlags wanted) {
    return (static_cast<u8>(flags) & static_cast<u8>(wanted)) != 0;
}

/// Where every byte of memory is. `total` is the sum of the eight figures that follow it;
/// exact while nobody allocates, otherwise a snapshot within a few frames.
struct FrameStatistics {
    u64 total = 0;
    u64 free = 0;          // in the buddy lists
    u64 cached = 0;        // in the CPUs' caches, as good as free
    u64 allocated = 0;     // handed out
    u64 kernel_image = 0;  // the image and its boot page tables
    u64 metadata = 0;      // Frame arrays and the tables that find them
    u64 early = 0;         // handed out for good before the allocator existed
    u64 boot = 0;          // boot loader's information, modules, ACPI tables; reclaimable
    u64 firmware = 0;      // the first MiB, never handed out

    u64 reclaimed = 0;              // of the above, what reclaim_boot_memory has made free so far
    u64 free_blocks[kOrders] = {};  // blocks in the lists by order; a block not yet touched counts
};

}  // namespace cairn::mm
