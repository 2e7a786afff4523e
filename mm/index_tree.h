#pragma once
/// IndexTree: from a page's number to a word, for any number of pages anywhere (a radix tree as Linux's XArray: nodes
/// of 64 slots, as high as the largest index needs; a lone word at index 0 needs no node at all).
///
/// find() takes no lock and writes nothing; the caller is in a read-side section (sync::ReadGuard) or holds the lock
/// under which the tree is changed. What the words mean, and when what they name is freed, is the owner's business.
/// A word is never zero, which stands for "none", and has a clear bit 0.

#include <optional>
#include <span>

#include "kernel/base/atomic.h"
#include "kernel/base/own.h"
#include "kernel/sync/read_side.h"

namespace cairn::mm {

class IndexTree {
public:
    IndexTree() = default;
    IndexTree(const IndexTree&) = delete;
    IndexTree& operator=(const IndexTree&) = delete;
    /// Empty; see clear().
    ~IndexTree();

    /// The word at `index`; zero if there is none.
    u64 find(u64 index) const {
        const u64 root = root_.load(Order::acquire);
        if (!is_node(root)) {
            return index == 0 ? root : 0;
        }
        const Atomic<u64>* slot = find_slot_below(node_of(root), index);
        return slot == nullptr ? 0 : slot->load(Order::acquire);
    }
    /// Where the word of `index` is, for who looks at it twice in one read-side section; null if it has no place. A
    /// place that is taken out of the tree meanwhile holds zero, or something of the tree's own (has_moved()).
    const Atomic<u64>* find_slot(u64 index) const {
        const u64 root = root_.load(Order::acquire);
        return is_node(root) ? find_slot_below(node_of(root), index) : index == 0 ? &root_ : nullptr;
    }
    /// The same for `first` and some of those behind it; empty if `first` has no place.
    std::span<const Atomic<u64>> find_slots(u64 first) const {
        const Atomic<u64>* slot = find_slot(first);
        const bool in_leaf = slot != nullptr && slot != &root_;
        return {slot, slot == nullptr ? 0 : in_leaf ? kSlots - first % kSlots : 1};
    }

    /// Whether what a place holds says that its word is elsewhere by now: that of a lone word when the tree got a node.
    static bool has_moved(u64 word) { return is_node(word); }

    // The rest with the lock held.

    /// Puts a word where there is none. ENOMEM.
    Result<void> insert(u64 index, u64 word);
    /// Changes a word that is there.
    void replace(u64 index, u64 word);
    /// Changes a word only if it is `expected`. Also without the lock.
    bool exchange(u64 index, u64 expected, u64 word);
    /// Takes a word out and returns it; zero if there is none.
    u64 erase(u64 index);
    /// The first index at or after `from` that has a word (that has none); nullopt if there is none.
    std::optional<u64> next_present(u64 from) const;
    u64 next_absent(u64 from) const;

    bool empty() const { return root_.load(Order::relaxed) == 0; }

private:
    static constexpr u32 kBits = 6;
    static constexpr u32 kSlots = 1u << kBits;
    static constexpr u64 kNodeTag = 1;

    struct Node {
        sync::ReadSideHead free_head;
        Node* parent = nullptr;
        u32 shift = 0;  // of an index: which slot
        u32 count = 0;  // slots in use
        u32 slot = 0;   // in the parent
        Atomic<u64> slots[kSlots];
    };
    static bool is_node(u64 word) { return (word & kNodeTag) != 0; }
    static Node* node_of(u64 word) { return reinterpret_cast<Node*>(word - kNodeTag); }
    static u64 tagged(Node* node) { return reinterpret_cast<u64>(node) | kNodeTag; }
    static u32 slot_in(const Node& node, u64 index) { return static_cast<u32>(index >> node.shift) % kSlots; }
    static bool covers(const Node& node, u64 index) {
        return node.shift + kBits >= 64 || (index >> (node.shift + kBits)) == 0;
    }

    /// The root is the slot of index 0 in a tree without nodes.
    static const Atomic<u64>* find_slot_below(const Node* node, u64 index);
    Node* find_leaf(u64 index) const;
    Result<Node*> ensure_leaf(u64 index);
    Result<void> grow(u64 index);
    void retire_if_empty(Node* node);
    static void free_node(sync::ReadSideHead& head);
    static std::optional<u64> next_in(const Node& node, u64 base, u64 from);

    Atomic<u64> root_{0};
};

}  // namespace cairn::mm
