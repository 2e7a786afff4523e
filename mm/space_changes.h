#pragma once
/// AddressSpace::change_range, for the files that implement it.

#include <algorithm>

#include "mm/address_space.h"

namespace cairn::mm {

/// Gives the mappings of [start, end) the properties that `change(const Mapping&)`, which returns a
/// Result<MappingProperties>, says, one after the other: what comes before an error stays changed. ENOMEM for a hole,
/// at once or, if it is passed over, at the end.
template <typename Change>
Result<void> AddressSpace::change_range(VirtualAddress start, VirtualAddress end, Holes holes, MappingBin& bin,
                                        Change change) {
    bool hole_seen = false;
    while (start < end) {
        Mapping* mapping = mappings_.at_or_after(start);
        if (mapping == nullptr || mapping->start >= end) {
            return fail(Errno::enomem);
        }
        if (mapping->start > start) {
            if (holes == Holes::Refused) {
                return fail(Errno::enomem);
            }
            hole_seen = true;
            start = mapping->start;
        }
        const VirtualAddress stop = std::min(end, mapping->end);
        MappingProperties changed = TRY(change(static_cast<const Mapping&>(*mapping)));
        if (!(changed == mapping->properties)) {
            TRY(split_at(start));
            TRY(split_at(stop));
            mapping = mappings_.find(start);
            const bool other_access = changed.access != mapping->properties.access;
            account(*mapping, -static_cast<i64>(mapping->pages()));
            mapping->properties = changed;
            account(*mapping, static_cast<i64>(mapping->pages()));
            mappings_.refresh(*mapping);
            if (other_access) {
                change_entries(*mapping, start, stop);
            }
            merge_around(*mapping, bin);
        }
        start = stop;
    }
    if (hole_seen) {
        return fail(Errno::enomem);
    }
    return {};
}

}  // namespace cairn::mm
