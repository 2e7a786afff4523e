#pragma once
/// Result<T>: a value or an Errno. Whatever can fail returns one; `TRY` passes errors on.
///
/// `TRY(expression)` stands only as a statement of its own, as the whole initialiser of one
/// local, or as the whole operand of `return`. Inside a braced aggregate both compilers leak
/// the members that were already built when it returns early.

#include <memory>
#include <type_traits>
#include <utility>

#include "kernel/base/assert.h"
#include "kernel/base/errno.h"

namespace cairn {

/// An error on its way into a Result; made by `fail`.
struct Failure {
    Errno error;
};

/// `return fail(Errno::einval);`
[[nodiscard]] constexpr Failure fail(Errno error) {
    return {error};
}

template <typename T>
class [[nodiscard]] Result {
public:
    using Value = T;

    constexpr Result(Failure failure) : error_(failure.error) {}
    constexpr Result(const T& value)
        requires std::is_copy_constructible_v<T>
        : value_(value) {}
    constexpr Result(T&& value) : value_(std::move(value)) {}

    /// A Result of what is trivially copied is itself moved trivially, so that functions return it in two registers.
    constexpr Result(Result&&)
        requires std::is_trivially_copyable_v<T>
    = default;
    constexpr Result(Result&& other) noexcept : error_(other.error_) {
        if (ok()) {
            std::construct_at(&value_, std::move(other.value_));
        }
    }
    constexpr Result(const Result&)
        requires std::is_trivially_copyable_v<T>
    = default;
    Result& operator=(Result&&) = delete;

    constexpr ~Result()
        requires std::is_trivially_destructible_v<T>
    = default;
    constexpr ~Result() {
        if (ok()) {
            std::destroy_at(&value_);
        }
    }

    constexpr bool ok() const { return error_ == Errno{}; }
    /// The error; Errno{} (zero) when there is a value.
    constexpr Errno error() const { return error_; }
    constexpr Failure failure() const { return {error_}; }

    constexpr T& value() & {
        ASSERT(ok());
        return value_;
    }
    constexpr const T& value() const& {
        ASSERT(ok());
        return value_;
    }
    constexpr T&& value() && {
        ASSERT(ok());
        return std::move(value_);
    }
    /// Used by TRY, which has just tested ok().
    constexpr T&& take_unchecked() { return std::move(value_); }

private:
    Errno error_ = Errno{};
    union {
        T value_;
    };
};

template <>
class [[nodiscard]] Result<void> {
public:
    using Value = void;
    constexpr Result() = default;
    constexpr Result(Failure failure) : error_(failure.error) {}
    constexpr bool ok() const { return error_ == Errno{}; }
    constexpr Errno error() const { return error_; }
    constexpr Failure failure() const { return {error_}; }
    constexpr void value() const { ASSERT(ok()); }
    constexpr void take_unchecked() const {}

private:
    Errno error_ = Errno{};
};

/// During start-up only: a failure here means that the machine cannot run the kernel.
template <typename T>
T must(Result<T> result, const char* reason) {
    if (!result.ok()) {
        assertion_failed(reason, __builtin_FILE(), __builtin_LINE());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(result).value();
    }
}

}  // namespace cairn

/// The value of a Result, or return its error from the enclosing function.
#define TRY(expression)                                                               \
    __extension__({                                                                   \
        auto&& cairn_try_result = (expression);                                       \
        if (!cairn_try_result.ok()) [[unlikely]] {                                    \
            return ::cairn::fail(cairn_try_result.error());                           \
        }                                                                             \
        static_cast<decltype(cairn_try_result)&&>(cairn_try_result).take_unchecked(); \
    })
