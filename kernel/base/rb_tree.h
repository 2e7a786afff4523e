#pragma once
/// An intrusive red-black tree (Cormen et al., "Introduction to Algorithms", chapter 13) with
/// optional augmentation: a value kept per subtree, such as the largest gap or the earliest
/// deadline. The node lives in the object and nothing is allocated.
///
///     struct ByDeadline {
///         static bool less(const Timer& a, const Timer& b) { return a.deadline < b.deadline; }
///     };
///     RbTree<Timer, &Timer::node, ByDeadline> timers;
///
/// Elements that compare equal are kept in order of insertion. A policy that also defines
/// `static bool update(T& element, T* left, T* right)` is augmented: update recomputes what
/// `element` says of its subtree from itself and its two children (nullable) and returns
/// whether that changed. After changing a field that only the augmentation reads, call refresh().

#include <bit>
#include <utility>

#include "kernel/base/assert.h"
#include "kernel/base/member_offset.h"
#include "kernel/base/types.h"

namespace cairn {

class RbNode {
public:
    constexpr RbNode() = default;
    RbNode(const RbNode&) = delete;
    RbNode& operator=(const RbNode&) = delete;
    ~RbNode() { DEBUG_ASSERT(!linked_); }
    bool linked() const { return linked_; }

private:
    friend class RbTreeBase;
    template <typename T, RbNode T::*, typename Policy>
    friend class RbTree;

    RbNode* parent_ = nullptr;
    RbNode* child_[2] = {nullptr, nullptr};
    bool red_ = false;
    bool linked_ = false;
};

/// The part that does not depend on the element's type; rb_tree.cpp.
class RbTreeBase {
protected:
    using Update = bool (*)(RbNode* node);

    RbTreeBase() = default;
    RbTreeBase(const RbTreeBase&) = delete;
    RbTreeBase& operator=(const RbTreeBase&) = delete;

    /// Into an empty tree.
    void link_only(RbNode* node) {
        ASSERT(!node->linked_);
        node->linked_ = true;
        node->red_ = false;
        node->parent_ = node->child_[0] = node->child_[1] = nullptr;
        root_ = node;
    }
    bool is_only(const RbNode* node) const {
        return root_ == node && node->child_[0] == nullptr && node->child_[1] == nullptr;
    }
    void unlink_only(RbNode* node) {
        node->linked_ = false;
        root_ = nullptr;
    }
    void link(RbNode* node, RbNode* parent, int side, Update update);
    void unlink(RbNode* node, Update update);
    /// Recomputes from `node` towards the root, until nothing changes.
    static void propagate(RbNode* node, Update update);
    /// Takes out a leaf below `node`, which becomes that leaf, and returns its parent. Leaves the colours alone: only
    /// on the way to an empty tree.
    RbNode* take_leaf(RbNode*& node);
    static RbNode* outermost(RbNode* node, int side);
    static RbNode* neighbour(const RbNode* node, int side);

    RbNode* root_ = nullptr;

private:
    void rotate(RbNode* node, int side, Update update);
    void replace_child(RbNode* parent, RbNode* old_child, RbNode* new_child);
    void balance_after_link(RbNode* node, Update update);
    void balance_after_unlink(RbNode* node, RbNode* parent, Update update);
};

template <typename T, RbNode T::* kNode, typename Policy>
class RbTree : private RbTreeBase {
public:
    RbTree() = default;
    ~RbTree() { ASSERT(empty()); }

    bool empty() const { return root_ == nullptr; }
    T* root() const { return object(root_); }
    T* left(const T& element) const { return object((element.*kNode).child_[0]); }
    T* right(const T& element) const { return object((element.*kNode).child_[1]); }
    /// The smallest (largest) element; nullptr when empty. O(log n).
    T* first() const { return object(outermost(root_, 0)); }
    T* last() const { return object(outermost(root_, 1)); }
    T* next(const T& element) const { return object(neighbour(&(element.*kNode), 1)); }
    T* previous(const T& element) const { return object(neighbour(&(element.*kNode), 0)); }

    void insert(T& element) {
        RbNode* parent = nullptr;
        RbNode* at = root_;
        int side = 0;
        while (at != nullptr) {
            parent = at;
            side = Policy::less(element, *object(at)) ? 0 : 1;
            at = at->child_[side];
        }
        link(&(element.*kNode), parent, side, update_function());
    }
    /// The same for one that is behind all others in the order; `last` is the last one yet, null when there is none.
    void insert_last(T& element, T* last) {
        link(&(element.*kNode), last == nullptr ? nullptr : &(last->*kNode), 1, update_function());
    }
    /// Makes an empty tree that of `count` elements, which `next()` gives in order. O(n): as flat as can be, and what
    /// an element says of its subtree is computed once.
    template <typename Next>
    void build(usize count, Next next) {
        ASSERT(empty());
        root_ = build_below(nullptr, count, static_cast<u32>(std::bit_width(count)), next);
        if (root_ != nullptr) {
            root_->red_ = false;
        }
    }
    /// Takes all elements out, in no particular order, and calls `visit` with each when it is out. O(n): nothing is
    /// balanced on the way.
    template <typename Visit>
    void clear(Visit visit) {
        for (RbNode* at = root_; at != nullptr;) {
            RbNode* leaf = at;
            at = take_leaf(leaf);
            visit(*object(leaf));
        }
    }
    void remove(T& element) { unlink(&(element.*kNode), update_function()); }
    /// insert() and remove() for trees that often have no other element: without a call then.
    void insert_quickly(T& element) {
        if (root_ != nullptr) {
            insert(element);
            return;
        }
        link_only(&(element.*kNode));
        if constexpr (kAugmented) {
            update_node(root_);
        }
    }
    void remove_quickly(T& element) {
        RbNode* node = &(element.*kNode);
        if (is_only(node)) {
            unlink_only(node);
        } else {
            remove(element);
        }
    }
    /// Call after a field of `element` that only the augmentation reads has changed.
    void refresh(T& element) { propagate(&(element.*kNode), update_function()); }

    /// The first element for which `before(element)` is false, where `before` is true for a
    /// prefix of the order and false for the rest; nullptr when it is true for all.
    template <typename Before>
    T* partition_point(Before before) const {
        RbNode* best = nullptr;
        RbNode* at = root_;
        while (at != nullptr) {
            if (before(static_cast<const T&>(*object(at)))) {
                at = at->child_[1];
            } else {
                best = at;
                at = at->child_[0];
            }
        }
        return object(best);
    }

private:
    static constexpr bool kAugmented = requires(T& element, T* child) { Policy::update(element, child, child); };

    /// All levels of the tree but the last one are full: what is on that one is red, so that all ways down have as many
    /// black nodes.
    template <typename Next>
    static RbNode* build_below(RbNode* parent, usize count, u32 levels, Next& next) {
        if (count == 0) {
            return nullptr;
        }
        RbNode* left = build_below(nullptr, count / 2, levels - 1, next);
        RbNode* node = &(next().*kNode);
        ASSERT(!node->linked_);
        node->linked_ = true;
        node->red_ = levels == 1;
        node->parent_ = parent;
        node->child_[0] = left;
        node->child_[1] = build_below(node, count - 1 - count / 2, levels - 1, next);
        if (left != nullptr) {
            left->parent_ = node;
        }
        if constexpr (kAugmented) {
            update_node(node);
        }
        return node;
    }
    static T* object(RbNode* node) { return node == nullptr ? nullptr : object_of_member<T, RbNode, kNode>(node); }
    static bool update_node(RbNode* node) {
        return Policy::update(*object(node), object(node->child_[0]), object(node->child_[1]));
    }
    static constexpr Update update_function() {
        if constexpr (kAugmented) {
            return &update_node;
        } else {
            return nullptr;
        }
    }
};

}  // namespace cairn
