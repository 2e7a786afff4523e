#include "mm/mapping.h"

#include <algorithm>

#include "mm/memory_object.h"

namespace cairn::mm {

Mapping::Mapping(AddressSpace& space_, VirtualAddress start_, VirtualAddress end_, const MappingProperties& properties_)
    : start(start_), end(end_), properties(properties_), space(space_) {}

Mapping::~Mapping() {
    if (file) {
        (*file)->mapping_ends();
    }
}

void Mapping::set_file(MappedFile& shown) {
    file.emplace(shown);
    shown.mapping_begins();
}

bool Mapping::continues_in(const Mapping& next) const {
    if (end != next.start || !(properties == next.properties) || object.has_value() != next.object.has_value() ||
        file.has_value() != next.file.has_value() || has(MappingFlag::GrowsDown)) {
        return false;
    }
    if (file && &file->get() != &next.file->get()) {
        return false;
    }
    return !object || (&object->get() == &next.object->get() && first_page + pages() == next.first_page);
}

bool MappingTree::ByAddress::update(Mapping& mapping, Mapping* left, Mapping* right) {
    u64 start = mapping.guarded_start();
    u64 end = mapping.end.value;
    u64 gap = 0;
    // A stack's guard may reach into its neighbour: no gap then.
    const auto between = [](u64 from, u64 to) { return to > from ? to - from : 0; };
    if (left != nullptr) {
        gap = std::max(left->subtree_gap, between(left->subtree_end, start));
        start = std::min(start, left->subtree_start);
    }
    if (right != nullptr) {
        gap = std::max({gap, right->subtree_gap, between(end, right->subtree_start)});
        end = right->subtree_end;
    }
    const bool changed = start != mapping.subtree_start || end != mapping.subtree_end || gap != mapping.subtree_gap;
    mapping.subtree_start = start;
    mapping.subtree_end = end;
    mapping.subtree_gap = gap;
    return changed;
}

/// Looks below `node`, whose subtree lies within the free ranges' neighbours: what is before it ends at `gap_start`,
/// what is behind it starts at `gap_end`. A subtree is left out when none of its gaps is large enough.
template <bool kHighest>
std::optional<u64> MappingTree::search(const Mapping* node, u64 gap_start, u64 gap_end, const Search& wanted) const {
    if (node == nullptr) {
        const u64 start = std::max(gap_start, wanted.low);
        const u64 end = std::min(gap_end, wanted.high);
        if (start >= end || end - start < wanted.size) {
            return std::nullopt;
        }
        return kHighest ? end - wanted.size : start;
    }
    if (gap_start >= wanted.high || gap_end <= wanted.low) {
        return std::nullopt;
    }
    const auto fits = [&](u64 from, u64 to) { return to > from && to - from >= wanted.size; };
    if (node->subtree_gap < wanted.size && !fits(gap_start, node->subtree_start) && !fits(node->subtree_end, gap_end)) {
        return std::nullopt;
    }
    const auto below = [&] { return search<kHighest>(tree_.left(*node), gap_start, node->guarded_start(), wanted); };
    const auto above = [&] { return search<kHighest>(tree_.right(*node), node->end.value, gap_end, wanted); };
    std::optional<u64> found = kHighest ? above() : below();
    if (!found) {
        found = kHighest ? below() : above();
    }
    return found;
}

Result<VirtualAddress> MappingTree::find_gap_below(u64 size, u64 low, u64 high) const {
    std::optional<u64> found = search<true>(tree_.root(), 0, ~u64{0}, {size, low, high});
    if (!found) {
        return fail(Errno::enomem);
    }
    return VirtualAddress{*found};
}

Result<VirtualAddress> MappingTree::find_gap_above(u64 size, u64 low, u64 high) const {
    std::optional<u64> found = search<false>(tree_.root(), 0, ~u64{0}, {size, low, high});
    if (!found) {
        return fail(Errno::enomem);
    }
    return VirtualAddress{*found};
}

}  // namespace cairn::mm
