#include "mm/index_tree.h"

#include <cstddef>

namespace cairn::mm {

IndexTree::~IndexTree() {
    ASSERT(empty());
}

const Atomic<u64>* IndexTree::find_slot_below(const Node* node, u64 index) {
    if (!covers(*node, index)) {
        return nullptr;
    }
    while (node->shift != 0) {
        const u64 below = node->slots[slot_in(*node, index)].load(Order::acquire);
        if (below == 0) {
            return nullptr;
        }
        node = node_of(below);
    }
    return &node->slots[slot_in(*node, index)];
}

IndexTree::Node* IndexTree::find_leaf(u64 index) const {
    const u64 root = root_.load(Order::acquire);
    Node* node = is_node(root) ? node_of(root) : nullptr;
    if (node != nullptr && !covers(*node, index)) {
        return nullptr;
    }
    while (node != nullptr && node->shift != 0) {
        const u64 below = node->slots[slot_in(*node, index)].load(Order::acquire);
        node = below == 0 ? nullptr : node_of(below);
    }
    return node;
}

/// Adds levels until the root covers `index`. A tree that is a lone word gets its first node.
Result<void> IndexTree::grow(u64 index) {
    for (;;) {
        const u64 root = root_.load(Order::relaxed);
        if (is_node(root) && covers(*node_of(root), index)) {
            return {};
        }
        Own<Node> node = TRY(try_new<Node>());
        if (root == 0) {
            while (!covers(*node, index)) {
                node->shift += kBits;  // no empty nodes below the first word
            }
        } else {
            node->shift = is_node(root) ? node_of(root)->shift + kBits : 0;
            node->slots[0].store(root, Order::relaxed);
            node->count = 1;
            if (is_node(root)) {
                node_of(root)->parent = node.get();
            }
        }
        root_.store(tagged(node.release()), Order::release);
    }
}

/// When this fails, the nodes made so far stay if something is below them; an empty one is taken out again.
Result<IndexTree::Node*> IndexTree::ensure_leaf(u64 index) {
    Result<void> grown = grow(index);
    const u64 root = root_.load(Order::relaxed);
    if (!grown.ok()) {
        if (is_node(root)) {
            retire_if_empty(node_of(root));
        }
        return grown.failure();
    }
    Node* node = node_of(root);
    while (node->shift != 0) {
        const u32 slot = slot_in(*node, index);
        const u64 below = node->slots[slot].load(Order::relaxed);
        if (below != 0) {
            node = node_of(below);
            continue;
        }
        Result<Own<Node>> made = try_new<Node>();
        if (!made.ok()) {
            retire_if_empty(node);
            return made.failure();
        }
        Node* child = made.value().release();
        child->shift = node->shift - kBits;
        child->parent = node;
        child->slot = slot;
        node->slots[slot].store(tagged(child), Order::release);
        ++node->count;
        node = child;
    }
    return node;
}

Result<void> IndexTree::insert(u64 index, u64 word) {
    ASSERT(word != 0 && !is_node(word));
    if (index == 0 && root_.load(Order::relaxed) == 0) {
        root_.store(word, Order::release);
        return {};
    }
    Node* leaf = TRY(ensure_leaf(index));
    Atomic<u64>& slot = leaf->slots[slot_in(*leaf, index)];
    ASSERT(slot.load(Order::relaxed) == 0);
    slot.store(word, Order::release);
    ++leaf->count;
    return {};
}

void IndexTree::replace(u64 index, u64 word) {
    Atomic<u64>* slot = const_cast<Atomic<u64>*>(find_slot(index));
    ASSERT(slot != nullptr && slot->load(Order::relaxed) != 0);
    slot->store(word, Order::release);
}

bool IndexTree::exchange(u64 index, u64 expected, u64 word) {
    Atomic<u64>* slot = const_cast<Atomic<u64>*>(find_slot(index));
    return slot != nullptr && slot->compare_exchange(expected, word, Order::acq_rel, Order::relaxed);
}

u64 IndexTree::erase(u64 index) {
    const u64 root = root_.load(Order::relaxed);
    if (!is_node(root)) {
        return index == 0 ? root_.exchange(0, Order::acq_rel) : 0;
    }
    Node* leaf = find_leaf(index);
    if (leaf == nullptr) {
        return 0;
    }
    const u64 word = leaf->slots[slot_in(*leaf, index)].exchange(0, Order::acq_rel);
    if (word != 0) {
        --leaf->count;
        retire_if_empty(leaf);
    }
    return word;
}

void IndexTree::retire_if_empty(Node* node) {
    while (node != nullptr && node->count == 0) {
        Node* parent = node->parent;
        if (parent == nullptr) {
            root_.store(0, Order::release);
        } else {
            parent->slots[node->slot].store(0, Order::release);
            --parent->count;
        }
        if (g_kernel.read_side == nullptr) {
            free_node(node->free_head);  // there are no concurrent readers before start-up is done
        } else {
            sync::call_after_grace_period(node->free_head, &free_node);
        }
        node = parent;
    }
}

void IndexTree::free_node(sync::ReadSideHead& head) {
    static_assert(offsetof(Node, free_head) == 0);
    Own<Node>::adopt(reinterpret_cast<Node*>(&head)).reset();
}

std::optional<u64> IndexTree::next_in(const Node& node, u64 base, u64 from) {
    const u64 first = from > base ? (from - base) >> node.shift : 0;
    for (u64 slot = first; slot < kSlots; ++slot) {
        const u64 word = node.slots[slot].load(Order::acquire);
        if (word == 0) {
            continue;
        }
        const u64 start = base + (slot << node.shift);
        if (node.shift == 0) {
            return start;
        }
        if (std::optional<u64> found = next_in(*node_of(word), start, from)) {
            return found;
        }
    }
    return std::nullopt;
}

std::optional<u64> IndexTree::next_present(u64 from) const {
    const u64 root = root_.load(Order::acquire);
    if (!is_node(root)) {
        return root != 0 && from == 0 ? std::optional<u64>(0) : std::nullopt;
    }
    const Node& node = *node_of(root);
    return covers(node, from) ? next_in(node, 0, from) : std::nullopt;
}

u64 IndexTree::next_absent(u64 from) const {
    for (;; ++from) {
        const Node* leaf = find_leaf(from);
        if (leaf == nullptr) {
            return find(from) == 0 ? from : from + 1;
        }
        for (u32 slot = slot_in(*leaf, from); slot < kSlots; ++slot, ++from) {
            if (leaf->slots[slot].load(Order::acquire) == 0) {
                return from;
            }
        }
        --from;
    }
}

}  // namespace cairn::mm
