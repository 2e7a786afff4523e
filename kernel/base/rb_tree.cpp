#include "kernel/base/rb_tree.h"

namespace cairn {

namespace {

constexpr int kLeft = 0;

}  // namespace

RbNode* RbTreeBase::outermost(RbNode* node, int side) {
    while (node != nullptr && node->child_[side] != nullptr) {
        node = node->child_[side];
    }
    return node;
}

RbNode* RbTreeBase::neighbour(const RbNode* node, int side) {
    if (node->child_[side] != nullptr) {
        return outermost(node->child_[side], 1 - side);
    }
    RbNode* parent = node->parent_;
    while (parent != nullptr && node == parent->child_[side]) {
        node = parent;
        parent = parent->parent_;
    }
    return parent;
}

void RbTreeBase::propagate(RbNode* node, Update update) {
    while (update != nullptr && node != nullptr && update(node)) {
        node = node->parent_;
    }
}

void RbTreeBase::replace_child(RbNode* parent, RbNode* old_child, RbNode* new_child) {
    if (parent == nullptr) {
        root_ = new_child;
    } else {
        parent->child_[parent->child_[kLeft] == old_child ? 0 : 1] = new_child;
    }
}

/// Moves `node` down to `side`; its other child takes its place.
void RbTreeBase::rotate(RbNode* node, int side, Update update) {
    RbNode* pivot = node->child_[1 - side];
    node->child_[1 - side] = pivot->child_[side];
    if (pivot->child_[side] != nullptr) {
        pivot->child_[side]->parent_ = node;
    }
    pivot->parent_ = node->parent_;
    replace_child(node->parent_, node, pivot);
    pivot->child_[side] = node;
    node->parent_ = pivot;
    if (update != nullptr) {
        update(node);
        update(pivot);
    }
}

void RbTreeBase::link(RbNode* node, RbNode* parent, int side, Update update) {
    ASSERT(!node->linked_);
    node->linked_ = true;
    node->red_ = true;
    node->parent_ = parent;
    node->child_[0] = node->child_[1] = nullptr;
    if (parent == nullptr) {
        root_ = node;
    } else {
        parent->child_[side] = node;
    }
    if (update != nullptr) {
        update(node);
        propagate(parent, update);
    }
    balance_after_link(node, update);
}

void RbTreeBase::balance_after_link(RbNode* node, Update update) {
    while (node->parent_ != nullptr && node->parent_->red_) {
        RbNode* parent = node->parent_;
        RbNode* grandparent = parent->parent_;
        int side = parent == grandparent->child_[kLeft] ? 0 : 1;
        RbNode* uncle = grandparent->child_[1 - side];
        if (uncle != nullptr && uncle->red_) {
            parent->red_ = false;
            uncle->red_ = false;
            grandparent->red_ = true;
            node = grandparent;
            continue;
        }
        if (node == parent->child_[1 - side]) {
            rotate(parent, side, update);
            std::swap(node, parent);
        }
        parent->red_ = false;
        grandparent->red_ = true;
        rotate(grandparent, 1 - side, update);
    }
    root_->red_ = false;
}

RbNode* RbTreeBase::take_leaf(RbNode*& node) {
    while (node->child_[0] != nullptr || node->child_[1] != nullptr) {
        node = node->child_[node->child_[0] != nullptr ? 0 : 1];
    }
    RbNode* parent = node->parent_;
    replace_child(parent, node, nullptr);
    node->linked_ = false;
    return parent;
}

void RbTreeBase::unlink(RbNode* node, Update update) {
    ASSERT(node->linked_);
    RbNode* moved_up = nullptr;      // takes the place of what leaves its position
    RbNode* moved_parent = nullptr;  // and its parent, since moved_up may be null
    bool removed_red = node->red_;
    if (node->child_[0] != nullptr && node->child_[1] != nullptr) {
        // The successor has no left child; it takes over this node's position and colour.
        RbNode* successor = outermost(node->child_[1], kLeft);
        removed_red = successor->red_;
        moved_up = successor->child_[1];
        moved_parent = successor->parent_ == node ? successor : successor->parent_;
        if (successor->parent_ != node) {
            replace_child(successor->parent_, successor, moved_up);
            if (moved_up != nullptr) {
                moved_up->parent_ = successor->parent_;
            }
            successor->child_[1] = node->child_[1];
            successor->child_[1]->parent_ = successor;
        }
        successor->child_[0] = node->child_[0];
        successor->child_[0]->parent_ = successor;
        successor->red_ = node->red_;
        successor->parent_ = node->parent_;
        replace_child(node->parent_, node, successor);
        if (update != nullptr) {
            propagate(moved_parent, update);
            update(successor);
            propagate(successor->parent_, update);
        }
    } else {
        moved_up = node->child_[0] != nullptr ? node->child_[0] : node->child_[1];
        moved_parent = node->parent_;
        replace_child(moved_parent, node, moved_up);
        if (moved_up != nullptr) {
            moved_up->parent_ = moved_parent;
        }
        propagate(moved_parent, update);
    }
    if (!removed_red) {
        balance_after_unlink(moved_up, moved_parent, update);
    }
    node->linked_ = false;
    node->parent_ = node->child_[0] = node->child_[1] = nullptr;
}

/// `node` (possibly null) stands for a subtree that lacks one black node.
void RbTreeBase::balance_after_unlink(RbNode* node, RbNode* parent, Update update) {
    auto is_black = [](const RbNode* n) { return n == nullptr || !n->red_; };
    while (parent != nullptr && is_black(node)) {
        int side = node == parent->child_[kLeft] ? 0 : 1;
        RbNode* sibling = parent->child_[1 - side];
        if (sibling->red_) {
            sibling->red_ = false;
            parent->red_ = true;
            rotate(parent, side, update);
            sibling = parent->child_[1 - side];
        }
        if (is_black(sibling->child_[0]) && is_black(sibling->child_[1])) {
            sibling->red_ = true;
            node = parent;
            parent = node->parent_;
            continue;
        }
        if (is_black(sibling->child_[1 - side])) {
            sibling->child_[side]->red_ = false;
            sibling->red_ = true;
            rotate(sibling, 1 - side, update);
            sibling = parent->child_[1 - side];
        }
        sibling->red_ = parent->red_;
        parent->red_ = false;
        sibling->child_[1 - side]->red_ = false;
        rotate(parent, side, update);
        node = root_;
        break;
    }
    if (node != nullptr) {
        node->red_ = false;
    }
}

}  // namespace cairn
