#include "mm/early_memory.h"

#include <algorithm>

#include "arch/arch.h"
#include "kernel/base/log.h"

namespace cairn::mm {

namespace {

PhysicalRange intersection(const PhysicalRange& a, const PhysicalRange& b) {
    return {std::max(a.start, b.start), std::min(a.end, b.end)};
}

/// Whole frames that contain `range`; saturates at the top of the address space.
PhysicalRange round_outward(const PhysicalRange& range) {
    u64 end = align_up(range.end.value, kPageSize);
    if (end < range.end.value) {
        end = align_down(~u64{0}, kPageSize);
    }
    return {{align_down(range.start.value, kPageSize)}, {end}};
}

/// Whole frames inside `range`; empty when there is none.
PhysicalRange round_inward(const PhysicalRange& range) {
    u64 start = align_up(range.start.value, kPageSize);
    u64 end = align_down(range.end.value, kPageSize);
    bool wrapped = start < range.start.value;
    return wrapped || start >= end ? PhysicalRange{} : PhysicalRange{{start}, {end}};
}

}  // namespace

void EarlyMemory::add(PhysicalRange range, MemoryPurpose purpose) {
    range = round_inward(range);
    while (range.size() != 0) {
        const Piece* next = find_piece_after(range.start);
        if (next != nullptr && next->range.start <= range.start) {
            range.start = next->range.end;  // already known
            continue;
        }
        PhysicalAddress end = next == nullptr ? range.end : std::min(range.end, next->range.start);
        u32 index = next == nullptr ? count_ : static_cast<u32>(next - pieces_);
        if (!insert(index, {{range.start, end}, purpose})) {
            return;
        }
        range.start = end;
    }
    merge_neighbours();
}

void EarlyMemory::reserve(PhysicalRange range, MemoryPurpose purpose) {
    const PhysicalRange frames = round_outward(range);
    relabel(frames, MemoryPurpose::Free, purpose);
    if (purpose != MemoryPurpose::Boot) {
        relabel(frames, MemoryPurpose::Boot, purpose);
    }
}

Result<PhysicalAddress> EarlyMemory::allocate(u64 size, u64 alignment, MemoryPurpose purpose) {
    size = align_up(size, kPageSize);
    alignment = std::max<u64>(alignment, kPageSize);
    for (u32 i = count_; i-- > 0;) {
        const PhysicalRange range = intersection(pieces_[i].range, {{}, PhysicalAddress{~bytes_above_limit_}});
        if (pieces_[i].purpose != MemoryPurpose::Free || range.size() < size) {
            continue;
        }
        PhysicalAddress start{align_down(range.end.value - size, alignment)};
        if (start < range.start) {
            continue;
        }
        assign(i, {start, start + size}, purpose);
        merge_neighbours();
        if (purpose != MemoryPurpose::Metadata) {  // which is announced as it comes into use
            arch::memory_unpoison(arch::direct_map(start), size);
        }
        return start;
    }
    return fail(Errno::enomem);
}

const EarlyMemory::Piece* EarlyMemory::find_piece_after(PhysicalAddress address) const {
    for (const Piece& piece : pieces()) {
        if (piece.range.end > address) {
            return &piece;
        }
    }
    return nullptr;
}

u64 EarlyMemory::bytes(MemoryPurpose purpose) const {
    u64 sum = 0;
    for (const Piece& piece : pieces()) {
        sum += piece.purpose == purpose ? piece.range.size() : 0;
    }
    return sum;
}

void EarlyMemory::relabel(PhysicalRange range, MemoryPurpose from, MemoryPurpose to) {
    // Downwards, because assign() adds pieces only at and after the index.
    for (u32 i = count_; i-- > 0;) {
        PhysicalRange common = intersection(pieces_[i].range, range);
        if (pieces_[i].purpose == from && common.size() != 0) {
            assign(i, common, to);
        }
    }
    merge_neighbours();
}

/// Gives `range`, which lies in piece `index`, a purpose. When the table has no room for what
/// remains on either side, the whole piece gets it: memory is lost, but none is used twice.
void EarlyMemory::assign(u32 index, PhysicalRange range, MemoryPurpose purpose) {
    const Piece old = pieces_[index];
    const bool before = old.range.start < range.start;
    const bool after = range.end < old.range.end;
    if (count_ + u32{before} + u32{after} > kMaxPieces) {
        if (!warned_) {
            warned_ = true;
            log_warning("mm", "memory map too fragmented: {} KiB and perhaps more are lost",
                        (old.range.size() - range.size()) / kKiB);
        }
        pieces_[index].purpose = purpose;
        return;
    }
    pieces_[index] = {range, purpose};
    if (after) {
        insert(index + 1, {{range.end, old.range.end}, old.purpose});
    }
    if (before) {
        insert(index, {{old.range.start, range.start}, old.purpose});
    }
}

bool EarlyMemory::insert(u32 index, const Piece& piece) {
    if (count_ == kMaxPieces) {
        log_warning("mm", "memory map too fragmented: {} KiB at {:#x} ignored", piece.range.size() / kKiB,
                    piece.range.start.value);
        return false;
    }
    std::move_backward(pieces_ + index, pieces_ + count_, pieces_ + count_ + 1);
    pieces_[index] = piece;
    ++count_;
    return true;
}

void EarlyMemory::merge_neighbours() {
    u32 kept = 0;
    for (u32 i = 1; i < count_; ++i) {
        if (pieces_[kept].purpose == pieces_[i].purpose && pieces_[kept].range.end == pieces_[i].range.start) {
            pieces_[kept].range.end = pieces_[i].range.end;
        } else {
            pieces_[++kept] = pieces_[i];
        }
    }
    count_ = count_ == 0 ? 0 : kept + 1;
}

}  // namespace cairn::mm
