/// AddressSpace: how the entries of pages change: zap, protection, fork.
#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"
#include "mm/system_memory.h"

namespace cairn::mm {

AddressSpace::ResidentKind AddressSpace::kind_of(PageEntry entry) const {
    return kind_of(frames_.frame(entry.frame()).use.load(Order::relaxed));
}

AddressSpace::ResidentKind AddressSpace::kind_of(FrameUse use) {
    switch (use) {
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
    for (UserTable::Parts parts(table_, start, end); parts.next();) {
        const UserTable::Part& part = *parts;
        i64 removed[kResidentKinds] = {};
        u32 stopped = part.last;
        SpinLockGuard guard(table_lock_);
        for (u32 i = part.first; i < part.last; ++i) {
            const PageEntry entry = table_.load(part.leaf, i);
            if (entry.empty()) {
                i = table_.last_unused(part.leaf, i, part.last);
                continue;
            }
            const bool counted = entry.owns_reference();
            const ResidentKind kind = counted ? kind_of(entry) : ResidentAnonymous;
            if (what == ZapWhat::ObjectPages && kind == ResidentAnonymous && counted) {
                continue;
            }
            if (!flush.has_room()) {
                stopped = i;
                break;
            }
            table_.store(part.leaf, i, {});
            flush.note(part.address_of(i), kPageSize, 0);
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
        if (stopped != part.last) {
            return part.address_of(stopped);
        }
    }
    return end;
}

void AddressSpace::unmap_object_pages(VirtualAddress start, VirtualAddress end, MemoryObject::PrivateCopies copies) {
    zap(start, end, copies == MemoryObject::PrivateCopies::Zap ? ZapWhat::Everything : ZapWhat::ObjectPages);
}

namespace {

/// What a loop over the entries of a table meets.
struct Found {
    enum What : u8 { Nothing, NoReference, OwnReference } what;
    PageEntry entry;
    PhysicalAddress page;
};

/// The entry at `i`. If it is empty, `i` becomes the last of the empty ones that begin there. Inline, since it is most
/// of what fork and the end of a space do for a page.
[[gnu::always_inline]] inline Found look_at(const UserTable& table, const UserTable::Part& part,
                                            const TableEntries& entries, u64& i) {
    const PageEntry entry(entries.load(i));
    if (entry.is_counted_page()) [[likely]] {
        return {Found::OwnReference, entry, entry.present_address()};
    }
    if (entry.empty()) {
        i = table.last_unused(part.leaf, static_cast<u32>(i), part.last);
        return {Found::Nothing, entry, {}};
    }
    return {entry.owns_reference() ? Found::OwnReference : Found::NoReference, entry, entry.address()};
}

}  // namespace

/// At the end, when no CPU uses the space: no flush, no lock.
void AddressSpace::drop_entries(const UserTable::Part& part) {
    TableEntries entries(part.leaf);
    NearFrames frames = frames_.near_frames();
    const u64 last = part.last;
    for (u64 i = part.first; i < last; ++i) {
        const Found found = look_at(table_, part, entries, i);
        if (found.what == Found::Nothing) {
            continue;
        }
        entries.store(i, 0);
        if (found.what == Found::OwnReference) {
            frames_.drop_one_of_many(found.page, frames.of_allocated(found.page));
        }
    }
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
    for (UserTable::Parts parts(table_, start, end); parts.next();) {
        const UserTable::Part& part = *parts;
        SpinLockGuard guard(table_lock_);
        for (u32 i = part.first; (i = table_.next_used(part.leaf, i, part.last)) < part.last; ++i) {
            const PageEntry entry = table_.load(part.leaf, i);
            const PageEntry changed = entry.with_access(mapping.properties.access, may_write_at_once(mapping, entry));
            if (changed == entry) {
                continue;
            }
            table_.store(part.leaf, i, changed);
            const bool lost = entry.present() && (!changed.present() || (entry.writable() && !changed.writable()) ||
                                                  (entry.executable() && !changed.executable()));
            if (lost) {
                flush.note(part.address_of(i), kPageSize, 0);
            }
        }
    }
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
    MappingList copies;
    usize count = 0;
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
        Mapping& added = *std::move(copy).value().release();
        copies.push_back(added);
        ++count;
        child.join_object(added);
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
    child.mappings_.build(copies, count);
    flush.settle(tables_, directory_.flush(tlb_, flush));
    return result;
}

/// Shares the mapping's own pages with the child, write-protected on both sides.
Result<void> AddressSpace::copy_entries(AddressSpace& child, const Mapping& mapping, TlbFlush& flush OPEN_OBLIGATION) {
    for (UserTable::Parts parts(table_, mapping.start, mapping.end); parts.next();) {
        const UserTable::Part& part = *parts;
        const auto is_own = [&](PageEntry entry) {
            return entry.owns_reference() && kind_of(entry) == ResidentAnonymous;
        };
        // Whether the child needs a table is seen without a lock: only truncation can take pages away meanwhile.
        u32 i = table_.next_used(part.leaf, part.first, part.last);
        while (i < part.last && !is_own(table_.load(part.leaf, i))) {
            i = table_.next_used(part.leaf, i + 1, part.last);
        }
        if (i != part.last) {
            const PhysicalAddress target = TRY(child.table_.ensure_leaf(part.start, child.table_lock_));
            SpinLockPairGuard guard(table_lock_, child.table_lock_);
            share_entries(mapping, part, i, child, target, flush);
        }
    }
    return {};
}

/// The same for one table, whose first own page is `first`'s; both locks are held.
void AddressSpace::share_entries(const Mapping& mapping, const UserTable::Part& part, u32 first, AddressSpace& child,
                                 PhysicalAddress child_leaf, TlbFlush& flush OPEN_OBLIGATION) {
    TableEntries entries(part.leaf);
    TableEntries child_entries(child_leaf);
    NearFrames frames = frames_.near_frames();
    u32 copied = 0;
    bool any_protected = false;
    const bool has_object = !mapping.is_anonymous();
    const u64 last = part.last;
    for (u64 i = first; i < last; ++i) {
        const Found found = look_at(table_, part, entries, i);
        if (found.what != Found::OwnReference) {
            continue;
        }
        PageEntry entry = found.entry;
        Frame& frame = frames.of_allocated(found.page);
        if (has_object && frame.use.load(Order::relaxed) != FrameUse::Anonymous) {
            continue;
        }
        if (entry.writable()) {
            any_protected = true;
            entry = entry.read_only();
            entries.store(i, entry.bits());
        }
        frame.references.fetch_add(1, Order::relaxed);
        child_entries.store(i, entry.bits());
        ++copied;
    }
    if (any_protected) {
        flush.note_pages(part.address_of(first), last - first);
    }
    child.add_resident(ResidentAnonymous, copied);
}

}  // namespace cairn::mm
