/// AddressSpace: mremap(2).
#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"

namespace cairn::mm {

Result<VirtualAddress> AddressSpace::remap(const RemapRequest& asked, const MemoryLimits& limits) {
    RemapRequest request = asked;
    request.old_size = align_up(asked.old_size, kPageSize);
    request.new_size = align_up(asked.new_size, kPageSize);
    const u64 end = mappings_end().value;
    if (!is_aligned(request.address.value, kPageSize) || request.new_size == 0 || request.new_size > end ||
        request.old_size < asked.old_size) {
        return fail(Errno::einval);
    }
    if ((request.fixed || request.keep_old) && !request.may_move) {
        return fail(Errno::einval);
    }
    if (request.keep_old && request.old_size != request.new_size) {
        return fail(Errno::einval);
    }
    if (request.fixed) {
        const u64 to = request.new_address.value;
        const u64 from = request.address.value;
        if (!is_aligned(to, kPageSize) || to > end || request.new_size > end - to ||
            (to < from + request.old_size && from < to + request.new_size)) {
            return fail(Errno::einval);
        }
        if (to < request.lowest) {
            return fail(Errno::eperm);
        }
    }
    VirtualAddress result;
    bool fill_in = false;
    {
        MappingBin bin;
        sync::ExclusiveGuard guard(lock_);
        Result<VirtualAddress> remapped = remap_locked(request, limits, bin);
        if (!remapped.ok()) {
            return remapped;
        }
        result = remapped.value();
        const Mapping* mapping = mappings_.find(result);
        fill_in = mapping != nullptr && mapping->has(MappingFlag::Locked) && request.new_size > request.old_size;
    }
    if (fill_in) {
        static_cast<void>(fill_locked(result + request.old_size, result + request.new_size));
    }
    return result;
}

Result<VirtualAddress> AddressSpace::remap_locked(const RemapRequest& request, const MemoryLimits& limits,
                                                  MappingBin& bin) {
    Mapping* mapping = mappings_.find(request.address);
    if (mapping == nullptr) {
        return fail(Errno::efault);
    }
    if (request.old_size == 0 && !mapping->is_shared()) {
        return fail(Errno::einval);
    }
    const bool to_elsewhere = request.fixed || request.keep_old;
    if (!to_elsewhere && request.old_size != 0 && request.old_size >= request.new_size) {
        TRY(unmap_locked(request.address + request.new_size, request.address + request.old_size, bin));
        return request.address;
    }
    RemapRequest part = request;
    if (request.fixed && request.old_size > request.new_size) {
        TRY(unmap_locked(request.address + request.new_size, request.address + request.old_size, bin));
        part.old_size = request.new_size;
        mapping = mappings_.find(request.address);
    }
    if (part.old_size > mapping->end - part.address) {
        return fail(Errno::efault);
    }
    if (mapping->has(MappingFlag::DontExpand) && part.new_size > part.old_size) {
        return fail(Errno::efault);
    }
    MappingProperties properties = mapping->properties;
    const u64 added = (part.new_size - part.old_size) / kPageSize + (part.keep_old ? part.old_size / kPageSize : 0);
    if (added != 0) {
        TRY(check_limits(properties, added, 0, limits));
    }

    const VirtualAddress old_end = part.address + part.old_size;
    const VirtualAddress new_end = part.address + part.new_size;
    if (!to_elsewhere && part.old_size != 0 && old_end == mapping->end && new_end <= mappings_end()) {
        const Mapping* next = mappings_.next(*mapping);
        if (next == nullptr || next->guarded_start() >= new_end.value) {
            set_bounds(*mapping, mapping->start, new_end);
            account(*mapping, static_cast<i64>((new_end - old_end) / kPageSize));
            merge_around(*mapping, bin);
            return part.address;
        }
    }
    if (!part.may_move) {
        return fail(Errno::enomem);
    }
    return move_mapping(*mapping, part, bin);
}

/// Makes a mapping of the new size elsewhere and moves the pages of the old range there.
Result<VirtualAddress> AddressSpace::move_mapping(Mapping& mapping, const RemapRequest& request, MappingBin& bin) {
    const VirtualAddress from = request.address;
    const u64 size = request.old_size;
    VirtualAddress to = request.new_address;
    if (!request.fixed) {
        MapRequest anywhere;
        anywhere.address = request.keep_old ? request.new_address : VirtualAddress{0};
        anywhere.lowest = request.lowest;
        Result<VirtualAddress> found = place(anywhere, request.new_size);
        if (!found.ok()) {
            return found;
        }
        to = found.value();
    }
    const VirtualAddress to_end = to + request.new_size;
    if (mappings_.count() >= mapping_limit.load(Order::relaxed)) {
        return fail(Errno::enomem);
    }
    const Backing backing{mapping.object ? &mapping.object->get() : nullptr,
                          mapping.file ? &mapping.file->get() : nullptr, mapping.page_index(from)};
    Own<Mapping> fresh = TRY(make_mapping(to, to_end, mapping.properties, backing));
    fresh->has_own_pages.store(mapping.has_own_pages.load(Order::relaxed), Order::relaxed);
    if (size != 0) {
        TRY(split_at(from));
        TRY(split_at(from + size));
    }
    if (request.fixed) {
        TRY(unmap_locked(to, to_end, bin));
    }
    if (Result<void> tables = ensure_tables_for_move(from, to, size); !tables.ok()) {
        remove_range(to, to_end, bin);  // tables may be where no mapping is
        return tables.failure();
    }

    Mapping& target = *fresh.release();
    mappings_.insert(target);
    account(target, static_cast<i64>(target.pages()));
    if (target.object) {
        // Truncation must not come between the moment when a page leaves one mapping and arrives in the other.
        MemoryObject& object = target.object->get();
        sync::MutexGuard guard(object.mappings_mutex());
        object.add_mapping_locked(target);
        move_entries(from, to, size);
    } else {
        move_entries(from, to, size);
    }
    if (size != 0 && !request.keep_old) {
        remove_range(from, from + size, bin);
    } else if (request.keep_old) {
        Mapping& old = *mappings_.find(from);
        account(old, -static_cast<i64>(old.pages()));
        old.properties.flags &= ~(flag_bits(MappingFlag::Locked) | flag_bits(MappingFlag::LockOnFault));
        account(old, static_cast<i64>(old.pages()));
    }
    merge_around(target, bin);
    return to;
}

/// A last-level table at the target for each one at the source. What was made stays when it fails.
Result<void> AddressSpace::ensure_tables_for_move(VirtualAddress from, VirtualAddress to, u64 size) {
    for (u64 offset = 0; offset < size;) {
        const u64 rest = std::min(UserTable::kLeafSpan - (from + offset).value % UserTable::kLeafSpan,
                                  UserTable::kLeafSpan - (to + offset).value % UserTable::kLeafSpan);
        if (table_.find_leaf(from + offset).value != 0) {
            TRY(table_.ensure_leaf(to + offset, table_lock_));
        }
        offset += rest;
    }
    return {};
}

void AddressSpace::move_entries(VirtualAddress from, VirtualAddress to, u64 size) {
    TlbFlush flush(frames_);
    for (u64 offset = 0; offset < size;) {
        const VirtualAddress source = from + offset;
        const VirtualAddress target = to + offset;
        const u64 part = std::min({UserTable::kLeafSpan - source.value % UserTable::kLeafSpan,
                                   UserTable::kLeafSpan - target.value % UserTable::kLeafSpan, size - offset});
        const PhysicalAddress source_leaf = table_.find_leaf(source);
        if (source_leaf.value != 0) {
            const PhysicalAddress target_leaf = table_.find_leaf(target);
            SpinLockGuard guard(table_lock_);
            for (u32 i = 0; i < part / kPageSize; ++i) {
                const PageEntry entry = table_.load(source_leaf, UserTable::index_of(source) + i);
                if (!entry.empty()) {
                    table_.store(source_leaf, UserTable::index_of(source) + i, {});
                    table_.store(target_leaf, UserTable::index_of(target) + i, entry);
                    flush.note(source + i * kPageSize, kPageSize, 0);
                }
            }
        }
        offset += part;
    }
    flush.settle(tables_, directory_.flush(tlb_, flush));
}

}  // namespace cairn::mm
