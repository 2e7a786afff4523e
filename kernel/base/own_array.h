#pragma once
/// OwnArray<T>: the one owner of a heap array whose size is known only at run time. For plain values: the elements
/// start out value-initialised, and nothing is grown in place.

#include <span>
#include <type_traits>

#include "kernel/base/own.h"

namespace cairn {

/// Memory for an array, filled with zeros if wanted; null for none, and when it is not to be had.
void* allocate_elements(usize count, usize size, usize alignment, bool zeros);

template <typename T>
class [[nodiscard]] OwnArray {
public:
    static_assert(std::is_trivially_destructible_v<T>, "elements are dropped without a word");

    constexpr OwnArray() = default;
    OwnArray(OwnArray&& other) noexcept
        : elements_(std::exchange(other.elements_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    OwnArray& operator=(OwnArray&& other) noexcept {
        std::swap(elements_, other.elements_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~OwnArray() { heap_free(elements_, size_ * sizeof(T), alignof(T)); }

    /// ENOMEM. No elements: no allocation.
    static Result<OwnArray> create(usize size) {
        OwnArray array;
        TRY(array.allocate(size, std::is_trivially_default_constructible_v<T>));
        if constexpr (!std::is_trivially_default_constructible_v<T>) {
            std::uninitialized_value_construct_n(array.elements_, size);
        }
        return array;
    }
    /// Elements that will be written before they are read.
    static Result<OwnArray> create_for_overwrite(usize size) {
        OwnArray array;
        TRY(array.allocate(size, false));
        std::uninitialized_default_construct_n(array.elements_, size);
        return array;
    }

    usize size() const { return size_; }
    T* data() const { return elements_; }
    T& operator[](usize index) const { return elements_[index]; }
    std::span<T> span() const { return {elements_, size_}; }

private:
    Result<void> allocate(usize size, bool zeros) {
        elements_ = static_cast<T*>(allocate_elements(size, sizeof(T), alignof(T), zeros));
        if (elements_ == nullptr && size != 0) {
            return fail(Errno::enomem);
        }
        size_ = size;
        return {};
    }
    T* elements_ = nullptr;
    usize size_ = 0;
};

}  // namespace cairn
