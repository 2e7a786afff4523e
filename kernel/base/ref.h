#pragma once
/// Ref<T>: a counted, never null reference. The count lives in the object (RefCounted).
/// A Ref is never dropped under a spinlock: unlink inside, destroy outside.

#include <memory>
#include <utility>

#include "kernel/base/atomic.h"
#include "kernel/base/heap.h"
#include "kernel/base/result.h"

namespace cairn {

/// Base of counted objects: `class Inode : public RefCounted<Inode>`. Starts at one, owned by
/// whoever made it. A class may define `void last_reference_dropped()` to replace the default
/// (destroy and free at once), e.g. to wait for a read-side grace period.
template <typename T>
class RefCounted {
public:
    void acquire_reference() const {
        u32 before = count_.fetch_add(1, Order::relaxed);
        ASSERT(before != 0 && before < ~u32{0} / 2);
    }
    /// For lookups that hold no reference of their own: false when the object is already dying.
    [[nodiscard]] bool try_acquire_reference() const {
        u32 seen = count_.load(Order::relaxed);
        while (seen != 0) {
            if (count_.compare_exchange(seen, seen + 1, Order::acquire, Order::relaxed)) {
                return true;
            }
        }
        return false;
    }
    void release_reference() const {
        u32 before = count_.fetch_sub(1, Order::acq_rel);
        ASSERT(before != 0);
        if (before == 1) {
            T* self = const_cast<T*>(static_cast<const T*>(this));
            if constexpr (requires { self->last_reference_dropped(); }) {
                self->last_reference_dropped();
            } else {
                destroy_counted(self);
            }
        }
    }
    u32 reference_count() const { return count_.load(Order::relaxed); }
    /// For caches: drops the last reference, which is the caller's, unless somebody else has one too. True: the
    /// object is dying and nobody can acquire it any more; the caller destroys it.
    [[nodiscard]] bool release_if_last() const {
        u32 one = 1;
        return count_.compare_exchange(one, 0, Order::acq_rel, Order::relaxed);
    }

    /// For last_reference_dropped(); a hierarchy gives its concrete type.
    template <typename Concrete>
    static void destroy_counted(Concrete* object) {
        std::destroy_at(object);
        heap_free(object, sizeof(Concrete), alignof(Concrete));
    }

protected:
    RefCounted() = default;
    ~RefCounted() = default;

private:
    mutable Atomic<u32> count_{1};
};

template <typename T>
class [[nodiscard]] Ref {
public:
    /// A further reference to an object that the caller borrows.
    explicit Ref(T& object) : object_(&object) { object.acquire_reference(); }
    Ref(const Ref& other) : object_(other.object_) { object_->acquire_reference(); }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ != nullptr) {
            object_->release_reference();
        }
    }

    /// Takes over a reference that was already counted.
    static Ref adopt(T& object) { return Ref(&object); }
    /// Gives up ownership without dropping the count; the counterpart of adopt().
    [[nodiscard]] T& release() { return *std::exchange(object_, nullptr); }

    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }
    T& get() const { return *object_; }

private:
    explicit Ref(T* object) : object_(object) {}
    T* object_;
};

template <typename T, typename... Arguments>
Result<Ref<T>> try_new_ref(Arguments&&... arguments) {
    void* memory = heap_allocate(sizeof(T), alignof(T));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    return Ref<T>::adopt(*std::construct_at(static_cast<T*>(memory), std::forward<Arguments>(arguments)...));
}

}  // namespace cairn
