#pragma once
/// Own<T>: the one owner of a heap object. The only place besides ref.h that allocates, apart from objects that more
/// memory follows: their class makes them by itself, and has a `static void free(T* object)` that ends them.

#include <memory>
#include <utility>

#include "kernel/base/heap.h"
#include "kernel/base/result.h"

namespace cairn {

template <typename T>
class [[nodiscard]] Own {
public:
    constexpr Own() = default;
    constexpr Own(std::nullptr_t) {}
    Own(Own&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Own& operator=(Own&& other) noexcept {
        Own dying(std::move(*this));
        object_ = std::exchange(other.object_, nullptr);
        return *this;
    }
    ~Own() { reset(); }

    /// Takes over an object made by try_new; the counterpart of release().
    static Own adopt(T* object) {
        Own own;
        own.object_ = object;
        return own;
    }
    /// Hands the object to the caller, who owes it to adopt() again.
    [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }

    void reset() {
        if (T* object = std::exchange(object_, nullptr)) {
            if constexpr (requires { T::free(object); }) {
                T::free(object);
            } else {
                std::destroy_at(object);
                heap_free(object, sizeof(T), alignof(T));
            }
        }
    }

    T* get() const { return object_; }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }
    explicit operator bool() const { return object_ != nullptr; }

private:
    T* object_ = nullptr;
};

/// A heap object built in place, or ENOMEM. T is final or never owned through a base class,
/// because the size given back is T's.
template <typename T, typename... Arguments>
Result<Own<T>> try_new(Arguments&&... arguments) {
    void* memory = heap_allocate(sizeof(T), alignof(T));
    if (memory == nullptr) {
        return fail(Errno::enomem);
    }
    return Own<T>::adopt(std::construct_at(static_cast<T*>(memory), std::forward<Arguments>(arguments)...));
}

}  // namespace cairn
