/// AddressSpace: how its tree of mappings changes.
#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"
#include "mm/space_changes.h"
#include "mm/system_memory.h"

namespace cairn::mm {

namespace {

/// Only the holder of the space's lock writes.
void add_to(Atomic<u64>& count, i64 amount) {
    count.store(count.load(Order::relaxed) + static_cast<u64>(amount), Order::relaxed);
}

}  // namespace

Result<Own<Mapping>> AddressSpace::make_mapping(VirtualAddress start, VirtualAddress end,
                                                const MappingProperties& properties, const Backing& backing) {
    Own<Mapping> mapping = TRY(try_new<Mapping>(*this, start, end, properties));
    if (backing.object != nullptr) {
        mapping->object.emplace(*backing.object);
        mapping->first_page = backing.first_page;
    }
    if (backing.file != nullptr) {
        mapping->set_file(*backing.file);
    }
    return mapping;
}

Mapping& AddressSpace::insert(Own<Mapping> owned) {
    Mapping& mapping = *owned.release();
    mappings_.insert(mapping);
    join_object(mapping);
    return mapping;
}

/// What remains to be done for a mapping that is in the tree, or will be.
void AddressSpace::join_object(Mapping& mapping) {
    if (mapping.object) {
        (*mapping.object)->add_mapping(mapping);
    }
    account(mapping, static_cast<i64>(mapping.pages()));
}

void AddressSpace::unlink(Mapping& mapping) {
    mappings_.remove(mapping);
    leave_object(mapping);
}

/// What remains to be done for a mapping that is out of the tree.
void AddressSpace::leave_object(Mapping& mapping) {
    if (mapping.object) {
        (*mapping.object)->remove_mapping(mapping);
    }
    account(mapping, -static_cast<i64>(mapping.pages()));
}

/// The object's page that an address shows stays the same. Accounting is the caller's.
void AddressSpace::set_bounds(Mapping& mapping, VirtualAddress start, VirtualAddress end) {
    const auto change = [&] {
        if (start < mapping.start) {
            mapping.first_page -= (mapping.start - start) / kPageSize;
        } else {
            mapping.first_page += (start - mapping.start) / kPageSize;
        }
        mapping.start = start;
        mapping.end = end;
    };
    if (mapping.object) {
        sync::MutexGuard guard((*mapping.object)->mappings_mutex());
        change();
    } else {
        change();
        mapping.first_page = 0;
    }
    mappings_.refresh(mapping);
}

constinit Atomic<u32> AddressSpace::mapping_limit{65530};  // Linux's default

Result<void> AddressSpace::split_at(VirtualAddress address) {
    Mapping* lower = mappings_.find(address);
    if (lower == nullptr || lower->start == address) {
        return {};
    }
    if (mappings_.count() >= mapping_limit.load(Order::relaxed)) {
        return fail(Errno::enomem);
    }
    const Backing backing{lower->object ? &lower->object->get() : nullptr, lower->file ? &lower->file->get() : nullptr,
                          lower->page_index(address)};
    Own<Mapping> upper = TRY(make_mapping(address, lower->end, lower->properties, backing));
    upper->has_own_pages.store(lower->has_own_pages.load(Order::relaxed), Order::relaxed);
    // The tree first gets the upper part: where there never is a gap, nothing has to be said of one up to the root.
    Mapping& added = *upper.release();
    mappings_.insert(added);
    if (lower->object) {
        MemoryObject& object = lower->object->get();
        sync::MutexGuard guard(object.mappings_mutex());
        lower->end = address;
        object.add_mapping_locked(added);
    } else {
        lower->end = address;
    }
    mappings_.refresh(*lower);
    return {};
}

void AddressSpace::merge_around(Mapping& mapping, MappingBin& bin) {
    if (mapping.has(MappingFlag::DontMerge)) {
        return;
    }
    if (Mapping* next = mappings_.next(mapping); next != nullptr && mapping.continues_in(*next)) {
        absorb_next(mapping, *next, bin);
    }
    if (Mapping* before = mappings_.previous(mapping); before != nullptr && before->continues_in(mapping)) {
        absorb_next(*before, mapping, bin);
    }
}

/// Under the object's lock `next` disappears and `mapping` grows at once, so that truncation sees each page once.
void AddressSpace::absorb_next(Mapping& mapping, Mapping& next, MappingBin& bin) {
    if (next.has_own_pages.load(Order::relaxed)) {
        mapping.has_own_pages.store(true, Order::relaxed);
    }
    if (mapping.object) {
        MemoryObject& object = mapping.object->get();
        sync::MutexGuard guard(object.mappings_mutex());
        object.remove_mapping_locked(next);
        mapping.end = next.end;
    } else {
        mapping.end = next.end;
    }
    mappings_.refresh(mapping);
    mappings_.remove(next);
    bin.add(next);
}

/// Both ends are boundaries of mappings. Pages go first, while truncation still finds them; tables go when nothing
/// leads to them any more.
void AddressSpace::remove_range(VirtualAddress start, VirtualAddress end, MappingBin& bin) {
    for (VirtualAddress at = start;;) {
        TlbFlush flush(frames_);
        at = zap_some(at, end, ZapWhat::Everything, flush);
        const bool done = at >= end;
        if (done) {
            Mapping* mapping = mappings_.at_or_after(start);
            const Mapping* before = mapping == nullptr ? mappings_.last() : mappings_.previous(*mapping);
            while (mapping != nullptr && mapping->start < end) {
                Mapping* next = mappings_.next(*mapping);
                unlink(*mapping);
                bin.add(*mapping);
                mapping = next;
            }
            const VirtualAddress floor = before == nullptr ? VirtualAddress{0} : before->end;
            const VirtualAddress ceiling = mapping == nullptr ? arch::user_space_end() : mapping->start;
            table_.retire_tables(start, end, floor, ceiling, flush);
        }
        flush.settle(tables_, directory_.flush(tlb_, flush));
        if (done) {
            return;
        }
    }
}

Result<void> AddressSpace::unmap_locked(VirtualAddress start, VirtualAddress end, MappingBin& bin) {
    const Mapping* first = mappings_.at_or_after(start);
    if (start >= end || first == nullptr || first->start >= end) {
        return {};
    }
    TRY(split_at(start));
    TRY(split_at(end));
    remove_range(start, end, bin);
    return {};
}

Result<void> AddressSpace::unmap(VirtualAddress start, u64 size) {
    const u64 length = align_up(size, kPageSize);
    const u64 limit = mappings_end().value;
    if (!is_aligned(start.value, kPageSize) || length == 0 || start.value > limit || length > limit - start.value) {
        return fail(Errno::einval);
    }
    MappingBin bin;
    sync::ExclusiveGuard guard(lock_);
    return unmap_locked(start, start + length, bin);
}

void AddressSpace::account(const Mapping& mapping, i64 pages) {
    add_to(total_pages_, pages);
    if (mapping.is_data()) {
        add_to(data_pages_, pages);
    }
    if (mapping.has(MappingFlag::Stack)) {
        add_to(stack_pages_, pages);
    } else if (mapping.permits(kAccessExecute) && !mapping.permits(kAccessWrite)) {
        add_to(executable_pages_, pages);
    }
    if (mapping.has(MappingFlag::Locked)) {
        add_to(locked_pages_, pages);
    }
    if (mapping.is_committed()) {
        g_kernel.memory->committed.add(pages);
    }
    if (const u64 total = total_pages_.load(Order::relaxed); total > peak_total_.load(Order::relaxed)) {
        peak_total_.store(total, Order::relaxed);
    }
}

/// As mprotect(2): what comes before an error stays changed.
Result<void> AddressSpace::protect(VirtualAddress start, u64 size, u32 access, ProtectRange range,
                                   const MemoryLimits& limits) {
    if (!is_aligned(start.value, kPageSize) || (access & ~kAccessAll) != 0) {
        return fail(Errno::einval);
    }
    if (size == 0) {
        return {};
    }
    const u64 length = align_up(size, kPageSize);
    if (length == 0 || start.value + length <= start.value) {
        return fail(Errno::enomem);
    }
    const VirtualAddress end = start + length;
    MappingBin bin;
    sync::ExclusiveGuard guard(lock_);
    if (range == ProtectRange::GrowsDown) {
        const Mapping* first = mappings_.at_or_after(start);
        if (first == nullptr || first->start >= end) {
            return fail(Errno::enomem);
        }
        if (!first->has(MappingFlag::GrowsDown)) {
            return fail(Errno::einval);
        }
        start = first->start;
    }
    return change_range(start, end, Holes::Refused, bin, [&](const Mapping& mapping) -> Result<MappingProperties> {
        MappingProperties changed = mapping.properties;
        changed.access = access;
        if ((access & ~mapping.properties.maximum) != 0) {
            return fail(Errno::eacces);
        }
        const bool becomes_data = (access & kAccessWrite) != 0 && !mapping.is_shared() &&
                                  !mapping.has(MappingFlag::Stack) && !mapping.is_data();
        const u64 part = std::min(end, mapping.end) - std::max(start, mapping.start);
        if (becomes_data && data_pages_.load(Order::relaxed) * kPageSize + part > limits.data) {
            return fail(Errno::enomem);
        }
        return changed;
    });
}

}  // namespace cairn::mm
