/// AddressSpace: madvise(2), mlock(2), msync(2).
#include <algorithm>

#include "mm/address_space.h"
#include "mm/space_changes.h"

namespace cairn::mm {

namespace {

/// include/uapi/asm-generic/mman-common.h
enum Advice : i32 {
    kNormal = 0,
    kRandom = 1,
    kSequential = 2,
    kWillNeed = 3,
    kDontNeed = 4,
    kFree = 8,
    kRemove = 9,
    kDontFork = 10,
    kDoFork = 11,
    kDontDump = 16,
    kDoDump = 17,
    kWipeOnFork = 18,
    kKeepOnFork = 19,
    kCold = 20,
    kPageOut = 21,
    kPopulateRead = 22,
    kPopulateWrite = 23,
    kDontNeedLocked = 24,
};

struct FlagChange {
    u32 set;
    u32 clear;
};

/// The advice that is remembered in the mapping.
std::optional<FlagChange> flag_change(i32 advice) {
    constexpr u32 kReading = flag_bits(MappingFlag::RandomRead) | flag_bits(MappingFlag::SequentialRead);
    switch (advice) {
        case kNormal:
            return FlagChange{0, kReading};
        case kRandom:
            return FlagChange{flag_bits(MappingFlag::RandomRead), kReading};
        case kSequential:
            return FlagChange{flag_bits(MappingFlag::SequentialRead), kReading};
        case kDontFork:
            return FlagChange{flag_bits(MappingFlag::DontFork), 0};
        case kDoFork:
            return FlagChange{0, flag_bits(MappingFlag::DontFork)};
        case kDontDump:
            return FlagChange{flag_bits(MappingFlag::DontDump), 0};
        case kDoDump:
            return FlagChange{0, flag_bits(MappingFlag::DontDump)};
        case kWipeOnFork:
            return FlagChange{flag_bits(MappingFlag::WipeOnFork), 0};
        case kKeepOnFork:
            return FlagChange{0, flag_bits(MappingFlag::WipeOnFork)};
        default:
            return std::nullopt;
    }
}

Result<void> result_of_populate(FaultResult result) {
    switch (result) {
        case FaultResult::Resolved:
            return {};
        case FaultResult::SegvMaperr:
        case FaultResult::OutOfMemory:
            return fail(Errno::enomem);
        case FaultResult::SegvAccerr:
            return fail(Errno::einval);
        case FaultResult::BusAdrerr:
            return fail(Errno::efault);
    }
    return fail(Errno::efault);
}

/// Whole pages; EINVAL. An empty range is legal.
Result<VirtualAddress> end_of_range(VirtualAddress start, u64 size) {
    const u64 length = align_up(size, kPageSize);
    if (!is_aligned(start.value, kPageSize) || length < size || start.value + length < start.value) {
        return fail(Errno::einval);
    }
    return start + length;
}

}  // namespace

Result<void> AddressSpace::advise(VirtualAddress start, u64 size, i32 advice) {
    const std::optional<FlagChange> flags = flag_change(advice);
    const bool known = flags || advice == kWillNeed || advice == kDontNeed || advice == kFree || advice == kRemove ||
                       (advice >= kCold && advice <= kDontNeedLocked);
    if (!known) {
        return fail(Errno::einval);
    }
    VirtualAddress end = TRY(end_of_range(start, size));
    if (start == end) {
        return {};
    }
    if (advice == kPopulateRead || advice == kPopulateWrite) {
        return result_of_populate(
            populate(start, end - start, advice == kPopulateRead ? FaultAccess::Read : FaultAccess::Write));
    }
    if (advice == kRemove) {
        return remove_backing(start, end);
    }
    if (!flags) {
        return discard(start, end, advice);
    }
    MappingBin bin;
    sync::ExclusiveGuard guard(lock_);
    return change_range(start, end, Holes::PassedOver, bin, [&](const Mapping& mapping) -> Result<MappingProperties> {
        if (advice == kWipeOnFork && (mapping.is_shared() || !mapping.is_anonymous())) {
            return fail(Errno::einval);
        }
        MappingProperties changed = mapping.properties;
        changed.flags = (changed.flags & ~flags->clear) | flags->set;
        return changed;
    });
}

/// The advice that changes no mapping, mapping by mapping; ENOMEM at the end if there was a hole.
Result<void> AddressSpace::discard(VirtualAddress start, VirtualAddress end, i32 advice) {
    bool hole_seen = false;
    sync::SharedGuard guard(lock_);
    for (VirtualAddress at = start; at < end;) {
        const Mapping* mapping = mappings_.at_or_after(at);
        if (mapping == nullptr || mapping->start >= end) {
            return fail(Errno::enomem);
        }
        hole_seen = hole_seen || mapping->start > at;
        at = std::max(at, mapping->start);
        const VirtualAddress stop = std::min(end, mapping->end);
        const bool device = mapping->object && !(*mapping->object)->has_frames();
        const bool pinned = mapping->has(MappingFlag::Locked) && advice != kDontNeedLocked;
        if (advice != kWillNeed && (pinned || device)) {
            return fail(Errno::einval);
        }
        if (advice == kFree && (mapping->is_shared() || !mapping->is_anonymous())) {
            return fail(Errno::einval);
        }
        // MADV_FREE may take the pages at any time, so now. Without swap there is nothing to do for
        // MADV_COLD and MADV_PAGEOUT, and what MADV_WILLNEED asks for comes by faults.
        if (advice == kDontNeed || advice == kDontNeedLocked || advice == kFree) {
            zap(at, stop, ZapWhat::Everything);
        }
        at = stop;
    }
    if (hole_seen) {
        return fail(Errno::enomem);
    }
    return {};
}

/// MADV_REMOVE. The objects are changed without lock_, since they unmap their pages here, too.
Result<void> AddressSpace::remove_backing(VirtualAddress start, VirtualAddress end) {
    bool hole_seen = false;
    while (start < end) {
        std::optional<Ref<MemoryObject>> object;
        u64 first = 0;
        VirtualAddress stop;
        {
            sync::SharedGuard guard(lock_);
            const Mapping* mapping = mappings_.at_or_after(start);
            if (mapping == nullptr || mapping->start >= end) {
                return fail(Errno::enomem);
            }
            hole_seen = hole_seen || mapping->start > start;
            start = std::max(start, mapping->start);
            if (!mapping->object || mapping->has(MappingFlag::Locked)) {
                return fail(Errno::einval);
            }
            if (!mapping->is_shared() || (mapping->properties.maximum & kAccessWrite) == 0) {
                return fail(Errno::eacces);
            }
            object = mapping->object;
            first = mapping->page_index(start);
            stop = std::min(end, mapping->end);
        }
        TRY((*object)->remove_pages(first, first + (stop - start) / kPageSize));
        start = stop;
    }
    return hole_seen ? fail(Errno::enomem) : Result<void>();
}

Result<void> AddressSpace::lock(VirtualAddress start, u64 size, LockMode mode, const MemoryLimits& limits) {
    const VirtualAddress first{align_down(start.value, kPageSize)};
    const u64 length = align_up(size + start.value % kPageSize, kPageSize);
    if (first.value + length < first.value) {
        return fail(Errno::einval);
    }
    if (length == 0) {
        return {};
    }
    const VirtualAddress end = first + length;
    {
        MappingBin bin;
        sync::ExclusiveGuard guard(lock_);
        if (mode != LockMode::Unlock && limits.locked != MemoryLimits::kUnlimited) {
            u64 already = 0;
            for (const Mapping* m = mappings_.at_or_after(first); m != nullptr && m->start < end;
                 m = mappings_.next(*m)) {
                if (m->has(MappingFlag::Locked)) {
                    already += std::min(m->end, end) - std::max(m->start, first);
                }
            }
            if (locked_pages_.load(Order::relaxed) * kPageSize + length - already > limits.locked) {
                return fail(limits.locked == 0 ? Errno::eperm : Errno::enomem);
            }
        }
        TRY(change_range(first, end, Holes::Refused, bin,
                         [&](const Mapping& mapping) { return with_lock_mode(mapping, mode); }));
    }
    if (mode == LockMode::Lock) {
        return fill_locked(first, end);
    }
    return {};
}

Result<MappingProperties> AddressSpace::with_lock_mode(const Mapping& mapping, LockMode mode) {
    MappingProperties changed = mapping.properties;
    changed.flags &= ~(flag_bits(MappingFlag::Locked) | flag_bits(MappingFlag::LockOnFault));
    const bool device = mapping.object && !(*mapping.object)->has_frames();
    if (mode != LockMode::Unlock && !device && !mapping.has(MappingFlag::DontExpand)) {
        changed.flags |= flag_bits(MappingFlag::Locked);
        changed.flags |= mode == LockMode::LockOnFault ? flag_bits(MappingFlag::LockOnFault) : 0;
    }
    return changed;
}

/// As mlock(2): ENOMEM for what cannot be filled in, also because nobody may use it; the rest is.
Result<void> AddressSpace::fill_locked(VirtualAddress start, VirtualAddress end) {
    constexpr u32 kLocked = flag_bits(MappingFlag::Locked);
    bool filled = true;
    while (start < end) {
        std::optional<MappingInformation> mapping = find_mapping(start);
        if (!mapping || mapping->start >= end) {
            break;
        }
        start = std::max(start, mapping->start);
        const VirtualAddress stop = std::min(end, mapping->end);
        if ((mapping->properties.flags & (kLocked | flag_bits(MappingFlag::LockOnFault))) == kLocked) {
            const bool write = (mapping->properties.access & kAccessWrite) != 0 && !mapping->is_shared();
            const FaultResult result = populate(start, stop - start, write ? FaultAccess::Write : FaultAccess::Read);
            filled = filled && (result == FaultResult::Resolved || result == FaultResult::SegvMaperr);
        }
        start = stop;
    }
    return filled ? Result<void>() : fail(Errno::enomem);
}

Result<void> AddressSpace::lock_all(LockMode mode, bool current, bool future, const MemoryLimits& limits) {
    constexpr u32 kLocked = flag_bits(MappingFlag::Locked);
    constexpr u32 kOnFault = flag_bits(MappingFlag::LockOnFault);
    {
        MappingBin bin;
        sync::ExclusiveGuard guard(lock_);
        if (mode != LockMode::Unlock && current && total_pages_.load(Order::relaxed) > limits.locked / kPageSize) {
            return fail(limits.locked == 0 ? Errno::eperm : Errno::enomem);
        }
        future_flags_ = !future || mode == LockMode::Unlock ? 0
                        : mode == LockMode::LockOnFault     ? kLocked | kOnFault
                                                            : kLocked;
        if (current || mode == LockMode::Unlock) {
            for (Mapping* mapping = mappings_.first(); mapping != nullptr;) {
                const VirtualAddress start = mapping->start;
                const VirtualAddress end = mapping->end;
                TRY(change_range(start, end, Holes::Refused, bin,
                                 [&](const Mapping& m) { return with_lock_mode(m, mode); }));
                mapping = mappings_.at_or_after(end);
            }
        }
    }
    if (current && mode == LockMode::Lock) {
        static_cast<void>(fill_locked({0}, mappings_end()));
    }
    return {};
}

Result<void> AddressSpace::sync(VirtualAddress start, u64 size, bool write, bool invalidate) {
    VirtualAddress end = TRY(end_of_range(start, size));
    bool hole_seen = false;
    while (start < end) {
        std::optional<Ref<MemoryObject>> object;
        u64 first = 0;
        VirtualAddress stop;
        {
            sync::SharedGuard guard(lock_);
            const Mapping* mapping = mappings_.at_or_after(start);
            if (mapping == nullptr || mapping->start >= end) {
                return fail(Errno::enomem);
            }
            hole_seen = hole_seen || mapping->start > start;
            start = std::max(start, mapping->start);
            stop = std::min(end, mapping->end);
            if (invalidate && mapping->has(MappingFlag::Locked)) {
                return fail(Errno::ebusy);
            }
            if (write && mapping->is_shared()) {
                object = mapping->object;
                first = mapping->page_index(start);
            }
        }
        if (object) {
            TRY((*object)->write_back(first, first + (stop - start) / kPageSize));
        }
        start = stop;
    }
    if (hole_seen) {
        return fail(Errno::enomem);
    }
    return {};
}

}  // namespace cairn::mm
