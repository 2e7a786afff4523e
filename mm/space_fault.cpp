/// AddressSpace: page faults. A fault holds lock_ shared, so that threads of a process fault in parallel; whoever finds
/// under table_lock_ that the entry is not what it was when the fault looked tries again.
#include <algorithm>
#include <cstring>

#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "mm/address_space.h"
#include "mm/entry_window.h"
#include "mm/system_memory.h"

namespace cairn::mm {

namespace {

/// Pages of an object mapped with one fault, if they are in memory already (Linux's fault_around_bytes).
constexpr u32 kFaultAround = 16;

void copy_page(FrameNumber to, FrameNumber from) {
    std::memcpy(arch::direct_map(to.address()), arch::direct_map(from.address()), kPageSize);
}

FaultResult failure_of(Errno error) {
    return error == Errno::enomem ? FaultResult::OutOfMemory : FaultResult::BusAdrerr;
}

}  // namespace

FaultResult resolve_user_fault(AddressSpace* space, const arch::TrapDetails& details) {
    if (space == nullptr || details.fault_address >= arch::user_space_end() || !sleep_allowed()) {
        return FaultResult::SegvMaperr;
    }
    FaultAccess access = FaultAccess::Read;
    if (arch::fault_is_execute(details)) {
        if (!details.from_user) {
            return FaultResult::SegvAccerr;  // the kernel never runs a program's code
        }
        access = FaultAccess::Execute;
    } else if (arch::fault_is_write(details)) {
        access = FaultAccess::Write;
    }
    return space->handle_fault(details.fault_address, access);
}

FaultResult AddressSpace::handle_fault(VirtualAddress address, FaultAccess access) {
    const VirtualAddress page{align_down(address.value, kPageSize)};
    for (;;) {
        {
            sync::SharedGuard guard(lock_);
            Mapping* mapping = mappings_.at_or_after(page);
            if (mapping == nullptr) {
                return FaultResult::SegvMaperr;
            }
            if (mapping->start <= page) {
                // Whatever may be written or run can be read on this machine.
                const u32 granted = mapping->properties.access;
                const bool permitted = access == FaultAccess::Read    ? granted != 0
                                       : access == FaultAccess::Write ? (granted & kAccessWrite) != 0
                                                                      : (granted & kAccessExecute) != 0;
                if (!permitted) {
                    return FaultResult::SegvAccerr;
                }
                return resolve(*mapping, page, access == FaultAccess::Write ? PageNeed::Write : PageNeed::Read);
            }
            if (!mapping->has(MappingFlag::GrowsDown)) {
                return FaultResult::SegvMaperr;
            }
        }
        if (!grow_stack(page).ok()) {
            return FaultResult::SegvMaperr;
        }
    }
}

/// Lets the stack above `page` reach down to it, if its limit and the guard gap permit.
Result<void> AddressSpace::grow_stack(VirtualAddress page) {
    sync::ExclusiveGuard guard(lock_);
    Mapping* stack = mappings_.at_or_after(page);
    if (stack == nullptr || (stack->start > page && !stack->has(MappingFlag::GrowsDown))) {
        return fail(Errno::efault);
    }
    if (stack->start <= page) {
        return {};  // another thread was faster
    }
    if (stack->end - page > stack_limit_.load(Order::relaxed) || page.value < 0x10000) {
        return fail(Errno::enomem);
    }
    const Mapping* below = mappings_.previous(*stack);
    const bool needs_gap = below != nullptr && below->properties.access != 0 && !below->has(MappingFlag::GrowsDown);
    if (needs_gap && page - below->end < Mapping::kStackGuard) {
        return fail(Errno::enomem);
    }
    const u64 added = (stack->start - page) / kPageSize;
    set_bounds(*stack, page, stack->end);
    account(*stack, static_cast<i64>(added));
    return {};
}

FaultResult AddressSpace::populate(VirtualAddress start, u64 size, FaultAccess access) {
    const VirtualAddress end = start + size;
    for (VirtualAddress page = start; page < end; page = page + kPageSize) {
        const FaultResult result = handle_fault(page, access);
        if (result != FaultResult::Resolved) {
            return result;
        }
        if (sched::current_thread().kill_pending()) {
            return FaultResult::OutOfMemory;  // nobody will use the rest
        }
    }
    return FaultResult::Resolved;
}

FaultResult AddressSpace::resolve(Mapping& mapping, VirtualAddress page, PageNeed need) {
    Result<PhysicalAddress> leaf = table_.ensure_leaf(page, table_lock_);
    if (!leaf.ok()) {
        return FaultResult::OutOfMemory;
    }
    const Slot slot{leaf.value(), UserTable::index_of(page)};
    for (;;) {
        const PageEntry entry = table_.load(slot.leaf, slot.index);
        std::optional<FaultResult> result;
        if (entry.empty()) {
            result = mapping.object ? fault_object(mapping, page, slot, need) : fault_anonymous(mapping, slot, need);
        } else if (need == PageNeed::Read || (need == PageNeed::Write && entry.writable())) {
            return FaultResult::Resolved;
        } else if (mapping.is_shared()) {
            result = make_writable(mapping, page, slot);
        } else {
            result = copy_on_write(mapping, page, slot, entry);
        }
        if (result) {
            return *result;
        }
    }
}

std::optional<FaultResult> AddressSpace::fault_anonymous(const Mapping& mapping, Slot slot, PageNeed need) {
    const u32 access = mapping.properties.access;
    if (need == PageNeed::Read) {
        const FrameNumber zeros = g_kernel.memory->zero_frame();
        SpinLockGuard guard(table_lock_);
        if (table_.load(slot.leaf, slot.index).empty()) {
            table_.store(slot.leaf, slot.index,
                         PageEntry::make_without_reference(zeros, access, false, Caching::WriteBack));
        }
        return FaultResult::Resolved;
    }
    Result<FrameNumber> frame = g_kernel.memory->allocate_anonymous(FrameFlags::Zeroed);
    if (!frame.ok()) {
        return FaultResult::OutOfMemory;
    }
    {
        SpinLockGuard guard(table_lock_);
        if (table_.load(slot.leaf, slot.index).empty()) [[likely]] {
            table_.store(slot.leaf, slot.index, PageEntry::make(frame.value(), access, mapping.permits(kAccessWrite)));
            add_resident(ResidentAnonymous, 1);
            return FaultResult::Resolved;
        }
    }
    frames_.drop_reference(frame.value());
    return std::nullopt;
}

std::optional<FaultResult> AddressSpace::fault_object(Mapping& mapping, VirtualAddress page, Slot slot, PageNeed need) {
    MemoryObject& object = mapping.object->get();
    const bool write = need != PageNeed::Read;
    if (!object.has_frames()) {
        return fault_device(mapping, page, slot);
    }
    if (!mapping.is_shared() && write) {
        return fault_copy(mapping, page, slot);
    }
    if (need == PageNeed::OwnPage) {
        return FaultResult::SegvAccerr;
    }
    const bool tracked = object.tracks_writes();
    const bool writable = mapping.is_shared() && mapping.permits(kAccessWrite) && (write || !tracked);
    if (!(write && tracked) && !mapping.has(MappingFlag::RandomRead) && mapping.properties.access != 0) {
        if (std::optional<FaultResult> result = fault_around(mapping, page, slot, writable)) {
            return result;
        }
    }
    return fault_page(mapping, page, slot, write ? PageAccess::Write : PageAccess::Read, writable);
}

/// Maps what is in memory of the object's page and those around it; no answer if the page itself is not, or another
/// thread was faster.
std::optional<FaultResult> AddressSpace::fault_around(const Mapping& mapping, VirtualAddress page, Slot slot,
                                                      bool writable) {
    MemoryObject& object = mapping.object->get();
    const VirtualAddress window{align_down(page.value, kFaultAround * kPageSize)};
    const VirtualAddress start = std::max(window, mapping.start);
    const VirtualAddress end = std::min(window + kFaultAround * kPageSize, mapping.end);
    const u32 first = slot.index - static_cast<u32>((page - start) / kPageSize);
    const PageEntry pattern = PageEntry::make({}, mapping.properties.access, writable, object.caching());
    EntryWindow entries(slot.leaf, first, static_cast<u32>((end - start) / kPageSize), pattern.not_accessed());
    SpinLockGuard guard(table_lock_);
    if (!table_.load(slot.leaf, slot.index).empty()) {
        return std::nullopt;
    }
    const u32 mapped = object.map_present_pages(mapping.page_index(start), entries);
    if (mapped != 0) {
        add_resident(object.is_shared_memory() ? ResidentShared : ResidentFile, mapped);
    }
    const PageEntry entry = table_.load(slot.leaf, slot.index);
    if (entry.empty()) {
        return std::nullopt;
    }
    table_.store(slot.leaf, slot.index, entry.accessed_now());
    return FaultResult::Resolved;
}

/// Maps the object's page, for which the object may have to wait.
std::optional<FaultResult> AddressSpace::fault_page(const Mapping& mapping, VirtualAddress page, Slot slot,
                                                    PageAccess access, bool writable) {
    MemoryObject& object = mapping.object->get();
    Result<FrameNumber> frame = object.acquire_page(mapping.page_index(page), access);
    if (!frame.ok()) {
        return failure_of(frame.error());
    }
    {
        SpinLockGuard guard(table_lock_);
        if (table_.load(slot.leaf, slot.index).empty() &&
            !is_detached(frames_.frame(frame.value()).use.load(Order::relaxed))) {
            const PageEntry entry =
                PageEntry::make(frame.value(), mapping.properties.access, writable, object.caching());
            table_.store(slot.leaf, slot.index, entry);
            add_resident(kind_of(entry), 1);
            return FaultResult::Resolved;
        }
    }
    frames_.drop_reference(frame.value());
    return std::nullopt;
}

/// The first write to a page of a private mapping of an object.
std::optional<FaultResult> AddressSpace::fault_copy(Mapping& mapping, VirtualAddress page, Slot slot) {
    Result<FrameNumber> source = mapping.object->get().acquire_page(mapping.page_index(page), PageAccess::Read);
    if (!source.ok()) {
        return failure_of(source.error());
    }
    Result<FrameNumber> copy = g_kernel.memory->allocate_anonymous(FrameFlags::None);
    if (!copy.ok()) {
        frames_.drop_reference(source.value());
        return FaultResult::OutOfMemory;
    }
    copy_page(copy.value(), source.value());
    if (!mapping.has_own_pages.load(Order::relaxed)) {
        mapping.has_own_pages.store(true, Order::relaxed);
    }
    bool used = false;
    {
        SpinLockGuard guard(table_lock_);
        if (table_.load(slot.leaf, slot.index).empty() &&
            !is_detached(frames_.frame(source.value()).use.load(Order::relaxed))) {
            table_.store(slot.leaf, slot.index,
                         PageEntry::make(copy.value(), mapping.properties.access, mapping.permits(kAccessWrite)));
            add_resident(ResidentAnonymous, 1);
            used = true;
        }
    }
    frames_.drop_reference(source.value());
    if (!used) {
        frames_.drop_reference(copy.value());
        return std::nullopt;
    }
    return FaultResult::Resolved;
}

/// Memory that is not RAM: no reference, no metadata.
std::optional<FaultResult> AddressSpace::fault_device(const Mapping& mapping, VirtualAddress page, Slot slot) {
    MemoryObject& object = mapping.object->get();
    Result<FrameNumber> frame = object.acquire_page(mapping.page_index(page), PageAccess::Write);
    if (!frame.ok()) {
        return failure_of(frame.error());
    }
    const bool writable = mapping.is_shared() && mapping.permits(kAccessWrite);
    SpinLockGuard guard(table_lock_);
    if (table_.load(slot.leaf, slot.index).empty()) {
        table_.store(
            slot.leaf, slot.index,
            PageEntry::make_without_reference(frame.value(), mapping.properties.access, writable, object.caching()));
    }
    return FaultResult::Resolved;
}

/// The first write to a page of a shared mapping that was mapped for reading.
std::optional<FaultResult> AddressSpace::make_writable(const Mapping& mapping, VirtualAddress page, Slot slot) {
    if (!mapping.permits(kAccessWrite) || !mapping.object->get().has_frames()) {
        return FaultResult::SegvAccerr;
    }
    Result<FrameNumber> frame = mapping.object->get().acquire_page(mapping.page_index(page), PageAccess::Write);
    if (!frame.ok()) {
        return failure_of(frame.error());
    }
    bool done = false;
    bool stale = false;
    {
        SpinLockGuard guard(table_lock_);
        const PageEntry entry = table_.load(slot.leaf, slot.index);
        const bool same = !entry.empty() && entry.frame() == frame.value();
        const bool gone = is_detached(frames_.frame(frame.value()).use.load(Order::relaxed));
        if (same && !gone) {
            table_.store(slot.leaf, slot.index, entry.with_access(mapping.properties.access, true));
            done = true;
        }
        stale = !entry.empty() && !done;
    }
    frames_.drop_reference(frame.value());
    if (stale) {
        // The object has another page there by now, and truncation is on its way to this entry.
        zap(page, page + kPageSize, ZapWhat::ObjectPages);
    }
    return done ? std::optional(FaultResult::Resolved) : std::nullopt;
}

/// A write to a page of a private mapping that may be others' too.
std::optional<FaultResult> AddressSpace::copy_on_write(Mapping& mapping, VirtualAddress page, Slot slot,
                                                       PageEntry entry) {
    const bool zeros = !entry.owns_reference();
    const FrameNumber source = entry.frame();
    if (zeros && mapping.object) {
        return FaultResult::SegvAccerr;  // device memory
    }
    if (!zeros) {
        bool gone = false;
        {
            SpinLockGuard guard(table_lock_);
            if (!(table_.load(slot.leaf, slot.index) == entry)) {
                return std::nullopt;
            }
            Frame& frame = frames_.frame(source);
            const FrameUse use = frame.use.load(Order::relaxed);
            gone = is_detached(use);
            if (use == FrameUse::Anonymous && frame.references.load(Order::acquire) == 1) {
                const bool writable = mapping.permits(kAccessWrite);
                table_.store(slot.leaf, slot.index, entry.with_access(mapping.properties.access, writable));
                return FaultResult::Resolved;
            }
            if (!gone) {
                frames_.add_reference(source);  // while it is copied
            }
        }
        if (gone) {
            zap(page, page + kPageSize, ZapWhat::ObjectPages);
            return std::nullopt;
        }
    }
    Result<FrameNumber> copy = g_kernel.memory->allocate_anonymous(zeros ? FrameFlags::Zeroed : FrameFlags::None);
    if (copy.ok()) {
        if (!zeros) {
            copy_page(copy.value(), source);
        }
        if (mapping.object && !mapping.has_own_pages.load(Order::relaxed)) {
            mapping.has_own_pages.store(true, Order::relaxed);
        }
        replace_by_copy(mapping, page, slot, entry, copy.value());
    }
    if (!zeros) {
        frames_.drop_reference(source);
    }
    // Whether it was this copy or another's that came in, the entry tells.
    return copy.ok() ? std::nullopt : std::optional(FaultResult::OutOfMemory);
}

/// The old frame's reference goes after all CPUs have forgotten it: others may still be reading the old page.
void AddressSpace::replace_by_copy(const Mapping& mapping, VirtualAddress page, Slot slot, PageEntry entry,
                                   FrameNumber copy) {
    TlbFlush flush(frames_);
    bool used = false;
    {
        SpinLockGuard guard(table_lock_);
        const bool gone = entry.owns_reference() && is_detached(frames_.frame(entry.frame()).use.load(Order::relaxed));
        if (table_.load(slot.leaf, slot.index) == entry && !gone && flush.has_room()) {
            table_.store(slot.leaf, slot.index,
                         PageEntry::make(copy, mapping.properties.access, mapping.permits(kAccessWrite)));
            flush.note(page, kPageSize, 0);
            if (entry.owns_reference()) {
                add_resident(kind_of(entry), -1);
                flush.retire_frame(entry.frame());
            }
            add_resident(ResidentAnonymous, 1);
            used = true;
        }
    }
    flush.settle(tables_, directory_.flush(tlb_, flush));
    if (!used) {
        frames_.drop_reference(copy);
    }
}

}  // namespace cairn::mm
