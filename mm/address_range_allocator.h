#pragma once
/// Hands out ranges of a kernel virtual area. Ranges in use are in a tree by address, augmented
/// with the largest gap before any range of a subtree, so that a free range is found in O(log n),
/// lowest address first, and giving a range back needs no memory: the caller owns the node.
///
/// No lock of its own (rank KernelArea, the owner's).

#include "kernel/base/address.h"
#include "kernel/base/rb_tree.h"
#include "kernel/base/result.h"

namespace cairn::mm {

/// A range in use; the caller embeds or owns it.
struct AddressRange {
    VirtualAddress start;
    u64 size = 0;
    u64 gap = 0;          // free bytes between the range before and this one
    u64 largest_gap = 0;  // in this node's subtree
    RbNode node;

    VirtualAddress end() const { return start + size; }
};

class AddressRangeAllocator {
public:
    AddressRangeAllocator() = default;
    ~AddressRangeAllocator();
    AddressRangeAllocator(const AddressRangeAllocator&) = delete;
    AddressRangeAllocator& operator=(const AddressRangeAllocator&) = delete;

    /// Manages [start, end), page-aligned. Once, before anything else.
    void initialize(VirtualAddress start, VirtualAddress end);

    /// Finds room for `size` bytes (whole pages, not zero) and enters `range` there. ENOMEM when
    /// there is none.
    Result<void> allocate(AddressRange& range, u64 size);
    void free(AddressRange& range);

    /// The range in use that starts at `start`; nullptr if none does.
    AddressRange* find(VirtualAddress start) const;
    u64 bytes_in_use() const { return bytes_in_use_; }

private:
    struct ByAddress {
        static bool less(const AddressRange& a, const AddressRange& b) { return a.start < b.start; }
        static bool update(AddressRange& range, AddressRange* left, AddressRange* right);
    };
    using Tree = RbTree<AddressRange, &AddressRange::node, ByAddress>;

    AddressRange* find_gap(u64 size) const;

    VirtualAddress start_;
    /// An empty range at the end, so that every gap is in front of some range.
    AddressRange sentinel_;
    Tree tree_;
    u64 bytes_in_use_ = 0;
};

}  // namespace cairn::mm
