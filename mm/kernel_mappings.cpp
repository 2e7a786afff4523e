/// What is mapped into the kernel's space while it runs: device registers and stacks.
///
/// A range is unmapped under the table's lock, then flushed everywhere, and only then its
/// addresses and frames are free again. Tables that become empty are kept for the next mapping.
#include <algorithm>

#include "kernel/base/kernel.h"
#include "kernel/base/own.h"
#include "mm/kernel_space.h"

namespace cairn::mm {

namespace {

/// Entries handled under one holding of the table's lock.
constexpr u32 kBudget = 512;

void* pointer_to(VirtualAddress address) {
    // SAFETY: only for addresses in the mapping area that are mapped when the pointer is used.
    return reinterpret_cast<void*>(address.value);
}
VirtualAddress address_of(const void* pointer) {
    return {reinterpret_cast<uptr>(pointer)};
}

constexpr u64 kStackSize = KernelSpace::kStackFrames * kPageSize;
constexpr u64 kGuardSize = kPageSize;

}  // namespace

/// Everything mapped must be gone, cached stacks excepted.
KernelSpace::~KernelSpace() {
    if (g_kernel.tlb != nullptr && frames_ != nullptr) {
        trim_stacks(0);
    }
    SpinLockGuard guard(area_lock_);
    ASSERT(area_.bytes_in_use() == 0);
}

Result<KernelSpace::Mapping*> KernelSpace::create_mapping(u64 size) {
    Own<Mapping> mapping = TRY(try_new<Mapping>());
    SpinLockGuard guard(area_lock_);
    TRY(area_.allocate(*mapping, size));
    return mapping.release();
}

void KernelSpace::destroy_mapping(Mapping& mapping) {
    {
        SpinLockGuard guard(area_lock_);
        area_.free(mapping);
    }
    Own<Mapping>::adopt(&mapping).reset();
}

/// In pieces, so that the lock is not held for long: a framebuffer has thousands of pages. On
/// failure what was mapped stays for the caller to unmap.
Result<void> KernelSpace::map_pages(VirtualAddress start, u64 size, PhysicalAddress physical, Protection protection) {
    KernelPageTable table(tables_, root_);
    for (u64 done = 0; done < size;) {
        const u64 piece = std::min(size - done, kBudget * kPageSize);
        SpinLockGuard guard(table_lock_);
        TRY(table.map(start + done, piece, physical + done, protection, 0));
        done += piece;
    }
    return {};
}

/// Removes the translations of all of the mapping; frames of `retire` Yes go into the flush.
void KernelSpace::unmap(Mapping& mapping, TlbFlush& flush OPEN_OBLIGATION, Frames frames) {
    KernelPageTable table(tables_, root_);
    VirtualAddress at = mapping.start;
    while (at < mapping.end()) {
        SpinLockGuard guard(table_lock_);
        at = table.unmap(at, mapping.end(), flush, kBudget, EmptyTables::Keep, [&](PhysicalAddress page, u32) {
            if (frames == Frames::Owned) {
                flush.retire_frame(FrameNumber::containing(page));
            }
        });
    }
}

void KernelSpace::unmap_and_destroy(Mapping& mapping, Frames frames) {
    TlbFlush flush(*frames_);
    unmap(mapping, flush, frames);
    ASSERT(g_kernel.tlb != nullptr);
    flush.settle(tables_, g_kernel.tlb->flush_kernel(flush));
    destroy_mapping(mapping);
}

Result<void*> KernelSpace::map_device(PhysicalRange range, Protection protection) {
    ASSERT(range.size() != 0);
    if (!mappings_work_) {
        return arch::direct_map(range.start);
    }
    const PhysicalAddress first{align_down(range.start.value, kPageSize)};
    const u64 size = align_up(range.end.value, kPageSize) - first.value;
    Mapping* mapping = TRY(create_mapping(size));
    Result<void> mapped = map_pages(mapping->start, size, first, protection);
    if (!mapped.ok()) {
        unmap_and_destroy(*mapping, Frames::Foreign);
        return mapped.failure();
    }
    return pointer_to(mapping->start + (range.start - first));
}

void KernelSpace::unmap_device(void* registers) {
    if (!mappings_work_) {
        return;
    }
    Mapping* mapping = nullptr;
    {
        SpinLockGuard guard(area_lock_);
        mapping = static_cast<Mapping*>(area_.find({align_down(address_of(registers).value, kPageSize)}));
    }
    ASSERT(mapping != nullptr);
    unmap_and_destroy(*mapping, Frames::Foreign);
}

Result<sched::KernelStack> KernelSpace::allocate_stack() {
    if (!mappings_work_) {
        FrameNumber block = TRY(frames_->allocate(kDirectStackOrder, FrameFlags::WorthRoom));  // for single frames
        used_stack_bytes_.fetch_add(kPageSize << kDirectStackOrder, Order::relaxed);
        return sched::KernelStack{arch::direct_map(block.address()), kPageSize << kDirectStackOrder};
    }
    Mapping* mapping = pop_cached_stack(0);
    if (mapping == nullptr) {
        mapping = TRY(create_stack());
    }
    used_stack_bytes_.fetch_add(kStackSize, Order::relaxed);
    return sched::KernelStack{pointer_to(mapping->start + kGuardSize), kStackSize};
}

void KernelSpace::free_stack(sched::KernelStack stack) {
    used_stack_bytes_.fetch_sub(stack.size, Order::relaxed);
    if (!mappings_work_) {
        frames_->free(FrameNumber::containing(arch::physical_address(stack.base)), kDirectStackOrder);
        return;
    }
    bool too_many = false;
    {
        SpinLockGuard guard(area_lock_);
        const VirtualAddress start{address_of(stack.base).value - kGuardSize};
        Mapping* mapping = static_cast<Mapping*>(area_.find(start));
        ASSERT(mapping != nullptr && mapping->size == kStackSize + kGuardSize);
        mapping->next_cached = stacks_;
        stacks_ = mapping;
        too_many = ++stack_count_ > kMaxCachedStacks;
    }
    if (too_many) {
        trim_stacks(kMaxCachedStacks / 2);
    }
}

Result<KernelSpace::Mapping*> KernelSpace::create_stack() {
    Mapping* mapping = TRY(create_mapping(kStackSize + kGuardSize));
    for (u64 offset = kGuardSize; offset < mapping->size; offset += kPageSize) {
        Result<FrameNumber> frame = frames_->allocate(0);
        Result<void> mapped = frame.ok()
                                  ? map_pages(mapping->start + offset, kPageSize, frame.value().address(), kKernelData)
                                  : Result<void>(frame.failure());
        if (!mapped.ok()) {
            if (frame.ok()) {
                frames_->free(frame.value(), 0);
            }
            unmap_and_destroy(*mapping, Frames::Owned);
            return mapped.failure();
        }
    }
    return mapping;
}

u64 KernelSpace::trim_stacks(u32 keep) {
    u64 freed = 0;
    while (Mapping* mapping = pop_cached_stack(keep)) {
        // As many as one flush takes: each interrupts all CPUs.
        TlbFlush flush(*frames_);
        Mapping* unmapped = nullptr;
        do {
            unmap(*mapping, flush, Frames::Owned);
            mapping->next_cached = std::exchange(unmapped, mapping);
            freed += kStackFrames;
            mapping = flush.has_room(kStackFrames) ? pop_cached_stack(keep) : nullptr;
        } while (mapping != nullptr);
        ASSERT(g_kernel.tlb != nullptr);
        flush.settle(tables_, g_kernel.tlb->flush_kernel(flush));
        while (unmapped != nullptr) {
            destroy_mapping(*std::exchange(unmapped, unmapped->next_cached));
        }
    }
    return freed;
}

/// A cached stack if there are more than `keep`, else null.
KernelSpace::Mapping* KernelSpace::pop_cached_stack(u32 keep) {
    SpinLockGuard guard(area_lock_);
    if (stack_count_ <= keep) {
        return nullptr;
    }
    --stack_count_;
    return std::exchange(stacks_, stacks_->next_cached);
}

u64 KernelSpace::mapped_bytes() {
    SpinLockGuard guard(area_lock_);
    return area_.bytes_in_use();
}

u32 KernelSpace::cached_stacks() {
    SpinLockGuard guard(area_lock_);
    return stack_count_;
}

}  // namespace cairn::mm
