#include "mm/address_space.h"

#include <algorithm>

#include "kernel/base/kernel.h"

namespace cairn::mm {

/// Frames on their way into a mapping: those not mapped in the end are dropped. Linked through
/// their metadata, which nobody else uses yet, so any number fits.
class AddressSpace::FrameBatch {
public:
    explicit FrameBatch(FrameAllocator& frames) : frames_(frames) {}
    ~FrameBatch() {
        while (!list_.empty()) {
            frames_.drop_reference(take());
        }
    }
    Result<void> add_zeroed(u64 count) {
        for (u64 i = 0; i < count; ++i) {
            FrameNumber number = TRY(frames_.allocate(0, FrameFlags::Zeroed));
            Frame& frame = frames_.frame(number);
            frame.number = number.value;
            list_.push_back(frame);
        }
        return {};
    }
    FrameNumber take() {
        Frame* frame = list_.pop_front();
        ASSERT(frame != nullptr);
        const FrameNumber number{frame->number};
        frame->owner = nullptr;
        return number;
    }

private:
    FrameAllocator& frames_;
    FrameList list_;
};

Result<Ref<AddressSpace>> AddressSpace::create() {
    FrameAllocator& frames = *g_kernel.frames;
    FrameNumber root = TRY(frames.allocate(0, FrameFlags::Zeroed));
    Result<Ref<AddressSpace>> space = try_new_ref<AddressSpace>(frames, *g_kernel.tlb, root.address());
    if (!space.ok()) {
        frames.free(root, 0);
    }
    return space;
}

AddressSpace::AddressSpace(FrameAllocator& frames, TlbDirectory& directory, PhysicalAddress root)
    : frames_(frames), directory_(directory), tables_(frames), table_(tables_, root) {
    tlb_.id = directory.new_context_id();
    tlb_.root = root;
    copy_kernel_half(g_kernel.kernel_space->root());
}

/// The kernel's root entries never change once it runs (KernelSpace), so a copy stays right.
void AddressSpace::copy_kernel_half(PhysicalAddress kernel_root) {
    constexpr u32 kEntries = Table::Cursor::kEntries;
    for (u32 i = kEntries / 2; i < kEntries; ++i) {
        tables_.store(table_.root(), i, tables_.load(kernel_root, i));
    }
}

/// Nobody has it loaded, so nothing is sent; a tag that a CPU still keeps for it is never used
/// again, because the id is not.
AddressSpace::~AddressSpace() {
    ASSERT(tlb_.active.snapshot(Order::acquire).empty());
    {
        sync::MutexGuard guard(mutex_);
        unmap_all({0}, arch::user_space_end());
    }
    ASSERT(resident_bytes() == 0);
    tables_.free_table(table_.root());
}

void AddressSpace::activate() {
    directory_.activate(tlb_);
}

void AddressSpace::deactivate() {
    g_kernel.tlb->activate_kernel();
}

/// As mmap(2) and munmap(2) have it: whole pages, not empty, below the end of user space.
Result<void> AddressSpace::check_range(VirtualAddress start, u64 size) {
    const u64 end = arch::user_space_end().value;
    if (size == 0 || !is_aligned(start.value | size, kPageSize) || start.value >= end || size > end - start.value) {
        return fail(Errno::einval);
    }
    return {};
}

Result<void> AddressSpace::map_anonymous(VirtualAddress start, u64 size, Protection protection) {
    TRY(check_range(start, size));
    FrameBatch batch(frames_);
    TRY(batch.add_zeroed(size / kPageSize));
    sync::MutexGuard guard(mutex_);
    return map_scattered(start, size, protection, [&] { return batch.take(); });
}

Result<void> AddressSpace::map_frames(VirtualAddress start, std::span<const FrameNumber> frames,
                                      Protection protection) {
    TRY(check_range(start, frames.size() * kPageSize));
    auto next = frames.begin();
    sync::MutexGuard guard(mutex_);
    return map_scattered(start, frames.size() * kPageSize, protection, [&] { return *next++; });
}

/// First all that can fail, a GiB at a time; the mutex keeps the range as it was found. Then
/// everything is mapped. No flush: the CPU does not remember that there was no translation (SDM
/// vol. 3A, 4.10.2.3).
template <typename NextFrame>
Result<void> AddressSpace::map_scattered(VirtualAddress start, u64 size, Protection protection, NextFrame next_frame) {
    const VirtualAddress end = start + size;
    Table::Prepared prepared(tables_);
    for (VirtualAddress at = start; at < end;) {
        const VirtualAddress stop{std::min(end.value, align_down(at.value, kGiB) + kGiB)};
        SpinLockGuard guard(table_lock_);
        TRY(table_.prepare(prepared, at, stop - at, {}, 0));
        at = stop;
    }
    for (VirtualAddress at = start; at < end;) {
        const VirtualAddress stop{std::min(end.value, at.value + kBudget * kPageSize)};
        SpinLockGuard guard(table_lock_);
        for (; at < stop; at = at + kPageSize) {
            table_.map(prepared, at, kPageSize, next_frame().address(), protection, 0);
        }
    }
    resident_.fetch_add(size, Order::relaxed);
    return {};
}

Result<void> AddressSpace::unmap(VirtualAddress start, u64 size) {
    TRY(check_range(start, size));
    sync::MutexGuard guard(mutex_);
    TRY(split_at(start, start + size));
    unmap_all(start, start + size);
    return {};
}

/// Makes both ends page boundaries.
Result<void> AddressSpace::split_at(VirtualAddress start, VirtualAddress end) {
    SpinLockGuard guard(table_lock_);
    TRY(table_.split(start));
    if (end < arch::user_space_end()) {
        TRY(table_.split(end));
    }
    return {};
}

/// One flush for as many frames as it can keep, so that a large range takes few interrupts.
void AddressSpace::unmap_all(VirtualAddress start, VirtualAddress end) {
    while (start < end) {
        TlbFlush flush(frames_);
        u64 removed = 0;
        while (start < end && flush.has_room()) {
            SpinLockGuard guard(table_lock_);
            start = table_.unmap(start, end, flush, kBudget, EmptyTables::Free, [&](PhysicalAddress page, u32 level) {
                flush.retire_frame(FrameNumber::containing(page));
                removed += Table::Cursor::size_of(level);
            });
        }
        resident_.fetch_sub(removed, Order::relaxed);
        flush.settle(tables_, directory_.flush(tlb_, flush));
    }
}

Result<void> AddressSpace::protect(VirtualAddress start, u64 size, Protection protection) {
    TRY(check_range(start, size));
    const VirtualAddress end = start + size;
    sync::MutexGuard guard(mutex_);
    TRY(split_at(start, end));
    TlbFlush flush(frames_);
    while (start < end) {
        SpinLockGuard table_guard(table_lock_);
        start = table_.protect(start, end, protection, flush, kBudget);
    }
    flush.settle(tables_, directory_.flush(tlb_, flush));
    return {};
}

std::optional<AddressSpace::Table::Translation> AddressSpace::translate(VirtualAddress address) {
    SpinLockGuard guard(table_lock_);
    return table_.translate(address);
}

void switch_address_space(AddressSpace* from, AddressSpace* to) {
    if (to != nullptr) {
        to->activate();
    } else if (from != nullptr) {
        AddressSpace::deactivate();
    }
}

}  // namespace cairn::mm
