/// AddressSpace: how the entries of pages change: zap, protection, fork.
#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"
#include "mm/system_memory.h"

namespace cairn::mm {

AddressSpace::ResidentKind AddressSpace::kind_of(PageEntry entry) const {
    switch (frames_.frame(entry.frame()).use.load(Order::relaxed)) {
        case FrameUse::File:
        case FrameUse::DetachedFile:
            return ResidentFile;
        case FrameUse::SharedMemory:
        case FrameUse::DetachedSharedMemory:
            return ResidentShared;
        default:
            return ResidentAnonymous;
    }
}

void AddressSpace::add_resident(ResidentKind kind, i64 pages) {
    if (pages < 0) {
        const u64 now = resident_bytes() / kPageSize;
        if (now > peak_resident_.load(Order::relaxed)) {
            peak_resident_.store(now, Order::relaxed);
        }
    }
    Atomic<u64>& count = resident_[kind];
    count.store(count.load(Order::relaxed) + static_cast<u64>(pages), Order::relaxed);
}

/// One flush for as many frames as it can keep, so that a large range takes few interrupts.
void AddressSpace::zap(VirtualAddress start, VirtualAddress end, ZapWhat what) {
    while (start < end) {
        TlbFlush flush(frames_);
        start = zap_some(start, end, what, flush);
        flush.settle(tables_, directory_.flush(tlb_, flush));
    }
}

/// Returns where it stopped because the flush is full.
VirtualAddress AddressSpace::zap_some(VirtualAddress start, VirtualAddress end, ZapWhat what, TlbFlush& flush) {
    VirtualAddress stopped = end;
    table_.for_each_leaf(start, end, [&](PhysicalAddress leaf, u32 first, u32 last, VirtualAddress at) {
        i64 removed[kResidentKinds] = {};
        SpinLockGuard guard(table_lock_);
        for (u32 i = first; (i = table_.next_used(leaf, i, last)) < last; ++i) {
            const PageEntry entry = table_.load(leaf, i);
            const bool counted = entry.owns_reference();
            const ResidentKind kind = counted ? kind_of(entry) : ResidentAnonymous;
            if (what == ZapWhat::ObjectPages && kind == ResidentAnonymous && counted) {
                continue;
            }
            if (!flush.has_room()) {
                stopped = at + (i - first) * kPageSize;
                break;
            }
            table_.store(leaf, i, {});
            flush.note(at + (i - first) * kPageSize, kPageSize, 0);
            if (counted) {
                flush.retire_frame(entry.frame());
                ++removed[kind];
            }
        }
        for (u32 kind = 0; kind < kResidentKinds; ++kind) {
            if (removed[kind] != 0) {
                add_resident(static_cast<ResidentKind>(kind), -removed[kind]);
            }
        }
        return stopped == end;
    });
    return stopped;
}

void AddressSpace::unmap_object_pages(VirtualAddress start, VirtualAddress end, MemoryObject::PrivateCopies copies) {
    zap(start, end, copies == MemoryObject::PrivateCopies::Zap ? ZapWhat::Everything : ZapWhat::ObjectPages);
}

/// At the end, when no CPU uses the space: no flush, no locks.
void AddressSpace::drop_frames(VirtualAddress start, VirtualAddress end) {
    table_.for_each_leaf(start, end, [&](PhysicalAddress leaf, u32 first, u32 last, VirtualAddress) {
        for (u32 i = first; (i = table_.next_used(leaf, i, last)) < last; ++i) {
            const PageEntry entry = table_.load(leaf, i);
            if (entry.owns_reference()) {
                frames_.drop_reference(entry.frame());
            }
        }
        return true;
    });
}

/// Whether a page may be written without a fault that looks at it first.
bool AddressSpace::may_write_at_once(const Mapping& mapping, PageEntry entry) {
    if (!mapping.permits(kAccessWrite)) {
        return false;
    }
    if (mapping.is_shared()) {
        return entry.writable() || !(*mapping.object)->tracks_writes();
    }
    if (!entry.owns_reference()) {
        return false;
    }
    const Frame& frame = frames_.frame(entry.frame());
    return frame.use.load(Order::relaxed) == FrameUse::Anonymous && frame.references.load(Order::relaxed) == 1;
}

/// Makes the entries follow the mapping's protection. Only what takes a right away needs a flush: a CPU that does not
/// know of a new right faults, and finds it.
void AddressSpace::change_entries(const Mapping& mapping, VirtualAddress start, VirtualAddress end) {
    TlbFlush flush(frames_);
    table_.for_each_leaf(start, end, [&](PhysicalAddress leaf, u32 first, u32 last, VirtualAddress at) {
        SpinLockGuard guard(table_lock_);
        for (u32 i = first; (i = table_.next_used(leaf, i, last)) < last; ++i) {
            const PageEntry entry = table_.load(leaf, i);
            const PageEntry changed = entry.with_access(mapping.properties.access, may_write_at_once(mapping, entry));
            if (changed == entry) {
                continue;
            }
            table_.store(leaf, i, changed);
            const bool lost = entry.present() && (!changed.present() || (entry.writable() && !changed.writable()) ||
                                                  (entry.executable() && !changed.executable()));
            if (lost) {
                flush.note(at + (i - first) * kPageSize, kPageSize, 0);
            }
        }
        return true;
    });
    flush.settle(tables_, directory_.flush(tlb_, flush));
}

// --- fork(2) ----------------------------------------------------------------------------------------

Result<Ref<AddressSpace>> AddressSpace::fork() {
    Ref<AddressSpace> child = TRY(create());
    sync::ExclusiveGuard guard(lock_);
    TRY(copy_mappings(*child));
    return child;
}

/// Nobody else knows the child yet, but for truncation, which comes through the objects' lists and takes its
/// table_lock_ only.
Result<void> AddressSpace::copy_mappings(AddressSpace& child) {
    child.layout_ = layout_;
    child.break_ = break_;
    child.mapping_base_ = mapping_base_;
    child.executable_ = executable_;
    child.stack_limit_.store(stack_limit_.load(Order::relaxed), Order::relaxed);
    TlbFlush flush(frames_);
    Result<void> result;
    for (const Mapping* mapping = mappings_.first(); mapping != nullptr; mapping = mappings_.next(*mapping)) {
        if (mapping->has(MappingFlag::DontFork)) {
            continue;
        }
        MappingProperties properties = mapping->properties;
        properties.flags &= ~(flag_bits(MappingFlag::Locked) | flag_bits(MappingFlag::LockOnFault));
        const Backing backing{mapping->object ? &mapping->object->get() : nullptr,
                              mapping->file ? &mapping->file->get() : nullptr, mapping->first_page};
        Result<Own<Mapping>> copy = child.make_mapping(mapping->start, mapping->end, properties, backing);
        if (!copy.ok()) {
            result = copy.failure();
            break;
        }
        const bool own_pages = mapping->has_own_pages.load(Order::relaxed);
        copy.value()->has_own_pages.store(own_pages, Order::relaxed);
        child.insert(std::move(copy).value());
        // An object's pages come by faults again.
        const bool copied =
            !mapping->is_shared() && !mapping->has(MappingFlag::WipeOnFork) && (mapping->is_anonymous() || own_pages);
        if (copied) {
            Result<void> entries = copy_entries(child, *mapping, flush);
            if (!entries.ok()) {
                result = entries;
                break;
            }
        }
    }
    flush.settle(tables_, directory_.flush(tlb_, flush));
    return result;
}

/// Shares the mapping's own pages with the child, write-protected on both sides.
Result<void> AddressSpace::copy_entries(AddressSpace& child, const Mapping& mapping, TlbFlush& flush) {
    Result<void> result;
    table_.for_each_leaf(mapping.start, mapping.end, [&](PhysicalAddress leaf, u32 first, u32 last, VirtualAddress at) {
        const auto is_own = [&](PageEntry entry) {
            return entry.owns_reference() && kind_of(entry) == ResidentAnonymous;
        };
        // Whether the child needs a table is seen without a lock: only truncation can take pages away meanwhile.
        u32 i = table_.next_used(leaf, first, last);
        while (i < last && !is_own(table_.load(leaf, i))) {
            i = table_.next_used(leaf, i + 1, last);
        }
        if (i == last) {
            return true;
        }
        Result<PhysicalAddress> target = child.table_.ensure_leaf(at, child.table_lock_);
        if (!target.ok()) {
            result = target.failure();
            return false;
        }
        SpinLockPairGuard guard(table_lock_, child.table_lock_);
        i64 copied = 0;
        for (; (i = table_.next_used(leaf, i, last)) < last; ++i) {
            PageEntry entry = table_.load(leaf, i);
            if (entry.empty() || !entry.owns_reference()) {
                continue;
            }
            Frame& frame = frames_.frame(entry.frame());
            if (frame.use.load(Order::relaxed) != FrameUse::Anonymous) {
                continue;
            }
            if (entry.writable()) {
                entry = entry.read_only();
                table_.store(leaf, i, entry);
                flush.note(at + (i - first) * kPageSize, kPageSize, 0);
            }
            frame.references.fetch_add(1, Order::relaxed);
            child.table_.store(target.value(), i, entry);
            ++copied;
        }
        child.add_resident(ResidentAnonymous, copied);
        return true;
    });
    return result;
}

}  // namespace cairn::mm
