#pragma once
/// AddressSpace: what a process sees of memory. A page table whose upper half is the kernel's, the
/// frames that its lower half maps, and the CPUs that have it loaded.
///
/// Locks: `mutex_` (rank AddressSpace) makes one change of the mappings at a time and may be held
/// for long; `table_lock_` (rank PageTable) protects the entries and is held for a piece of at
/// most kBudget of them. A frame that is mapped is kept by one reference of the mapping, which is
/// dropped only after the flush.

#include <optional>
#include <span>

#include "kernel/base/ref.h"
#include "kernel/sync/mutex.h"
#include "mm/kernel_space.h"
#include "mm/page_table.h"
#include "mm/tlb.h"

namespace cairn::mm {

class AddressSpace : public RefCounted<AddressSpace> {
public:
    using Table = PageTable<arch::PageTableFormat, TableFrames>;

    /// An empty address space. ENOMEM.
    static Result<Ref<AddressSpace>> create();

    /// Loads it on this CPU; the caller keeps a reference as long as it is loaded. Any context.
    void activate();
    /// Loads the kernel's page table instead of whatever is loaded on this CPU.
    static void deactivate();

    /// Maps zeroed memory at [start, start + size), page-aligned and in user space. EINVAL for a bad
    /// range, EEXIST if something is mapped there, ENOMEM; on failure nothing has changed. Thread
    /// context, may sleep; so do the others.
    Result<void> map_anonymous(VirtualAddress start, u64 size, Protection protection);
    /// Maps the given frames. Takes over one reference of each on success. Errors as above.
    Result<void> map_frames(VirtualAddress start, std::span<const FrameNumber> frames, Protection protection);
    /// Removes what is mapped in the range and drops the frames. EINVAL for a bad range, ENOMEM if
    /// a large page has to be cut and cannot be.
    Result<void> unmap(VirtualAddress start, u64 size);
    /// Changes what is permitted. Errors as unmap().
    Result<void> protect(VirtualAddress start, u64 size, Protection protection);

    std::optional<Table::Translation> translate(VirtualAddress address);

    TlbContext& tlb_context() { return tlb_; }
    /// Bytes of frames that are mapped.
    u64 resident_bytes() const { return resident_.load(Order::relaxed); }

    /// For create() and Ref only.
    AddressSpace(FrameAllocator& frames, TlbDirectory& directory, PhysicalAddress root);
    ~AddressSpace();

private:
    class FrameBatch;

    static Result<void> check_range(VirtualAddress start, u64 size);
    template <typename NextFrame>
    Result<void> map_scattered(VirtualAddress start, u64 size, Protection protection, NextFrame next_frame)
        REQUIRES(mutex_);
    void unmap_all(VirtualAddress start, VirtualAddress end) REQUIRES(mutex_);
    Result<void> split_at(VirtualAddress start, VirtualAddress end) REQUIRES(mutex_);
    void copy_kernel_half(PhysicalAddress kernel_root);

    /// Entries handled under one holding of table_lock_: some ten microseconds.
    static constexpr u32 kBudget = 512;

    FrameAllocator& frames_;
    TlbDirectory& directory_;
    sync::Mutex<LockRank::AddressSpace> mutex_;
    SpinLock<LockRank::PageTable> table_lock_;
    TableFrames tables_;
    Table table_;  // its entries under table_lock_
    TlbContext tlb_;
    Atomic<u64> resident_{0};
};

/// What the scheduler calls when a CPU goes from a thread of `from` to one of `to` (null: a kernel
/// thread, which gets the kernel's own page table). sched::AddressSpaceSwitch.
void switch_address_space(AddressSpace* from, AddressSpace* to);

}  // namespace cairn::mm
