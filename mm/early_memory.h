#pragma once
/// Physical memory before the frame allocator exists: which parts of the memory map are usable,
/// what already occupies some of them, and a way to take frames for good.
///
/// One sorted table divides all usable memory into pieces by purpose, so that every byte is
/// accounted from the start; FrameAllocator takes over what is still free, and
/// reclaim_boot_memory() later what the boot loader had left. Allocation goes from the top down,
/// which keeps memory below 4 GiB for devices.
///
/// Used by the boot CPU only; no lock.

#include <span>

#include "kernel/base/address.h"
#include "kernel/base/result.h"

namespace cairn::mm {

enum class MemoryPurpose : u8 { Free, KernelImage, Metadata, Early, Boot, Firmware };

class EarlyMemory {
public:
    struct Piece {
        PhysicalRange range;
        MemoryPurpose purpose;
    };

    /// Firmware describes a few dozen regions at most; a map that is more fragmented than this
    /// loses memory (counted, and warned about in the log), never correctness.
    static constexpr u32 kMaxPieces = 512;

    constexpr EarlyMemory() = default;
    EarlyMemory(const EarlyMemory&) = delete;
    EarlyMemory& operator=(const EarlyMemory&) = delete;

    /// Adds memory, rounded inward to whole frames. It must not overlap what was added before
    /// (the memory map is sorted and disjoint); an overlapping part is ignored. `purpose` is Free,
    /// or Boot for memory that becomes usable once the boot loader's and ACPI's data in it are
    /// no longer needed.
    void add(PhysicalRange range, MemoryPurpose purpose);

    /// Takes `range`, rounded outward to whole frames, out of the free memory and, for a purpose other than Boot, out
    /// of the boot loader's: UEFI's map calls so what the loader put our image into. Other parts keep their purpose.
    void reserve(PhysicalRange range, MemoryPurpose purpose);

    /// Addresses from here on are not handed out; raised once the direct map covers everything.
    void set_limit(PhysicalAddress limit) { bytes_above_limit_ = ~limit.value; }

    /// `size` bytes (rounded up to frames), aligned to `alignment` (a power of two), uncleared,
    /// from the highest free memory below the limit. ENOMEM.
    Result<PhysicalAddress> allocate(u64 size, u64 alignment, MemoryPurpose purpose);

    /// All pieces, by address.
    std::span<const Piece> pieces() const { return {pieces_, count_}; }
    /// The first piece that ends after `address`; nullptr if there is none. For loops that
    /// allocate as they go, which would upset an iteration over pieces().
    const Piece* find_piece_after(PhysicalAddress address) const;
    /// Sum of the pieces with that purpose.
    u64 bytes(MemoryPurpose purpose) const;
    /// First address beyond all memory.
    PhysicalAddress end() const { return count_ == 0 ? PhysicalAddress{} : pieces_[count_ - 1].range.end; }

    /// Changes the purpose of what is marked `from` within `range` (whole frames); for the accounting of a take-over.
    void relabel(PhysicalRange range, MemoryPurpose from, MemoryPurpose to);

private:
    void assign(u32 index, PhysicalRange range, MemoryPurpose purpose);
    bool insert(u32 index, const Piece& piece);
    void merge_neighbours();

    Piece pieces_[kMaxPieces] = {};
    u32 count_ = 0;
    bool warned_ = false;
    /// Counted from the top, so that an object that is all zero, which takes no room in the image, has no limit.
    u64 bytes_above_limit_ = 0;
};

}  // namespace cairn::mm
