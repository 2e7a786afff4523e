#pragma once
/// An intrusive doubly linked list: insertion cannot fail and needs no allocation. The node
/// lives in the object: `List<Thread, &Thread::run_node>`. The list owns nothing.

#include <iterator>

#include "kernel/base/assert.h"
#include "kernel/base/member_offset.h"

namespace cairn {

class ListNode {
public:
    constexpr ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    ~ListNode() { DEBUG_ASSERT(!linked()); }

    bool linked() const { return next_ != nullptr; }

    /// Takes this node out of whatever list it is in. O(1).
    void unlink() {
        ASSERT(linked());
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    template <typename T, ListNode T::*>
    friend class List;
    ListNode* next_ = nullptr;
    ListNode* previous_ = nullptr;
};

template <typename T, ListNode T::* kNode>
class List {
public:
    List() { head_.next_ = head_.previous_ = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() {
        ASSERT(empty());
        head_.next_ = head_.previous_ = nullptr;
    }

    bool empty() const { return head_.next_ == &head_; }
    /// The first or last element; nullptr when empty.
    T* front() const { return empty() ? nullptr : object(head_.next_); }
    T* back() const { return empty() ? nullptr : object(head_.previous_); }

    void push_back(T& element) { insert(&(element.*kNode), &head_); }
    void push_front(T& element) { insert(&(element.*kNode), head_.next_); }
    void insert_before(T& position, T& element) { insert(&(element.*kNode), &(position.*kNode)); }
    void remove(T& element) { (element.*kNode).unlink(); }

    /// Unlinks and returns the first element; nullptr when empty.
    T* pop_front() {
        T* first = front();
        if (first != nullptr) {
            remove(*first);
        }
        return first;
    }

    /// Moves all of `other` to the end of this list. O(1).
    void splice_back(List& other) {
        if (other.empty()) {
            return;
        }
        ListNode* first = other.head_.next_;
        ListNode* last = other.head_.previous_;
        other.head_.next_ = other.head_.previous_ = &other.head_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
    }

    /// The element after (before) `element`; nullptr at the end.
    T* next(const T& element) const {
        ListNode* node = (element.*kNode).next_;
        return node == &head_ ? nullptr : object(node);
    }
    T* previous(const T& element) const {
        ListNode* node = (element.*kNode).previous_;
        return node == &head_ ? nullptr : object(node);
    }

    class Iterator {
    public:
        explicit Iterator(ListNode* node) : node_(node) {}
        T& operator*() const { return *object(node_); }
        T* operator->() const { return object(node_); }
        Iterator& operator++() {
            node_ = List::next_of(node_);
            return *this;
        }
        bool operator==(const Iterator&) const = default;

    private:
        ListNode* node_;
    };
    /// The current element must not be removed while iterating; use next() for that.
    Iterator begin() const { return Iterator(head_.next_); }
    Iterator end() const { return Iterator(const_cast<ListNode*>(&head_)); }

private:
    static T* object(ListNode* node) { return object_of_member<T, ListNode, kNode>(node); }
    static ListNode* next_of(ListNode* node) { return node->next_; }
    static void insert(ListNode* node, ListNode* before) {
        ASSERT(!node->linked());
        node->next_ = before;
        node->previous_ = before->previous_;
        before->previous_->next_ = node;
        before->previous_ = node;
    }

    ListNode head_;
};

}  // namespace cairn
