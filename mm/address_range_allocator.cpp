#include "mm/address_range_allocator.h"

namespace cairn::mm {

AddressRangeAllocator::~AddressRangeAllocator() {
    if (sentinel_.node.linked()) {
        tree_.remove(sentinel_);
    }
}

void AddressRangeAllocator::initialize(VirtualAddress start, VirtualAddress end) {
    start_ = start;
    sentinel_.start = end;
    sentinel_.gap = end - start;
    tree_.insert(sentinel_);
}

Result<void> AddressRangeAllocator::allocate(AddressRange& range, u64 size) {
    ASSERT(size != 0 && is_aligned(size, kPageSize));
    AddressRange* after = find_gap(size);
    if (after == nullptr) {
        return fail(Errno::enomem);
    }
    range.start = {after->start.value - after->gap};
    range.size = size;
    range.gap = 0;
    range.largest_gap = 0;
    after->gap -= size;
    tree_.refresh(*after);
    tree_.insert(range);
    bytes_in_use_ += size;
    return {};
}

void AddressRangeAllocator::free(AddressRange& range) {
    AddressRange* after = tree_.next(range);
    ASSERT(after != nullptr);
    const u64 gap = range.gap + range.size;
    tree_.remove(range);
    after->gap += gap;
    tree_.refresh(*after);
    bytes_in_use_ -= range.size;
}

AddressRange* AddressRangeAllocator::find(VirtualAddress start) const {
    AddressRange* range = tree_.partition_point([&](const AddressRange& r) { return r.start < start; });
    return range == nullptr || range == &sentinel_ || range->start != start ? nullptr : range;
}

/// The first range with at least `size` free bytes before it.
AddressRange* AddressRangeAllocator::find_gap(u64 size) const {
    AddressRange* at = tree_.root();
    if (at == nullptr || at->largest_gap < size) {
        return nullptr;
    }
    for (;;) {
        AddressRange* left = tree_.left(*at);
        if (left != nullptr && left->largest_gap >= size) {
            at = left;
        } else if (at->gap >= size) {
            return at;
        } else {
            at = tree_.right(*at);
        }
    }
}

bool AddressRangeAllocator::ByAddress::update(AddressRange& range, AddressRange* left, AddressRange* right) {
    u64 largest = range.gap;
    for (const AddressRange* child : {left, right}) {
        if (child != nullptr && child->largest_gap > largest) {
            largest = child->largest_gap;
        }
    }
    return std::exchange(range.largest_gap, largest) != largest;
}

}  // namespace cairn::mm
