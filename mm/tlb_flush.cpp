#include "mm/tlb_flush.h"

#include <algorithm>
#include <new>
#include <utility>

#include "arch/arch.h"

namespace cairn::mm {

TlbFlush::TlbFlush(FrameAllocator& frames) : frames_(frames) {}

void TlbFlush::note(VirtualAddress start, u64 size, [[maybe_unused]] u32 level) {
    start_ = std::min(start_, start);
    end_ = std::max(end_, start + size);
    page_size_ = std::min(page_size_, size);
}

void TlbFlush::note_pages(VirtualAddress start, u64 count) {
    start_ = std::min(start_, start);
    end_ = std::max(end_, start + count * kPageSize);
    page_size_ = kPageSize;
}

PhysicalAddress TlbFlush::retire_table(PhysicalAddress table) {
    return std::exchange(tables_, table);
}

bool TlbFlush::has_room(u32 frames) {
    const u64 in_page = gathered_ != nullptr ? Gathered::kCapacity - gathered_->count : 0;
    // The frames inside are the first to be used, so what is left of them counts together with a page's.
    if (kInline - inline_count_ + in_page >= frames) {
        return true;
    }
    if (gathered_count_ == kMaxGathered) {
        return false;
    }
    Result<FrameNumber> page = frames_.allocate(0);
    if (!page.ok()) {
        return false;
    }
    Gathered* fresh = new (arch::direct_map(page.value().address())) Gathered;
    fresh->next = gathered_;
    fresh->count = 0;
    gathered_ = fresh;
    ++gathered_count_;
    return true;
}

void TlbFlush::retire_frame(FrameNumber number) {
    if (inline_count_ < kInline) {
        inline_[inline_count_++] = number;
        return;
    }
    ASSERT(gathered_ != nullptr && gathered_->count < Gathered::kCapacity);
    gathered_->frames[gathered_->count++] = number;
}

void TlbFlush::drop_frames() {
    for (FrameNumber number : std::span(inline_, inline_count_)) {
        frames_.drop_reference(number);
    }
    inline_count_ = 0;
    while (Gathered* page = gathered_) {
        for (FrameNumber number : std::span(page->frames, page->count)) {
            frames_.drop_reference(number);
        }
        gathered_ = page->next;
        frames_.free(FrameNumber::containing(arch::physical_address(page)), 0);
    }
}

}  // namespace cairn::mm
