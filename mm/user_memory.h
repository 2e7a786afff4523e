#pragma once
/// User memory has its own types: eight-byte values that name a place in the address space of the
/// calling thread and cannot be dereferenced. Each copy may fault, sleep and fail with EFAULT; each
/// input is fetched once and then worked on as a copy. Thread context, no spinlock held.

#include <span>
#include <type_traits>

#include "arch/arch.h"
#include "kernel/base/address.h"
#include "kernel/base/result.h"

namespace cairn::mm {

/// Kernel bytes cannot leak through a type that may be copied out: it has no padding.
template <typename T>
concept UserReadable = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;
template <typename T>
concept UserWritable = UserReadable<T> && (std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>);

/// All or nothing; EFAULT. A size of zero always succeeds.
[[nodiscard]] inline Result<void> copy_in(void* to, VirtualAddress from, usize size) {
    if (size != 0 && arch::copy_from_user(to, from, size) != 0) {
        return fail(Errno::efault);
    }
    return {};
}
[[nodiscard]] inline Result<void> copy_out(VirtualAddress to, const void* from, usize size) {
    if (size != 0 && arch::copy_to_user(to, from, size) != 0) {
        return fail(Errno::efault);
    }
    return {};
}

class UserAddress {
public:
    constexpr UserAddress() = default;
    constexpr explicit UserAddress(u64 address) : address_{address} {}
    constexpr VirtualAddress address() const { return address_; }
    constexpr bool is_null() const { return address_.value == 0; }

protected:
    VirtualAddress address_;
};

/// A T, or an array of them, that the kernel reads.
template <typename T>
class UserIn : public UserAddress {
public:
    using UserAddress::UserAddress;
    Result<T> fetch(usize index = 0) const
        requires UserReadable<T>
    {
        T value;
        TRY(copy_in(&value, address_ + index * sizeof(T), sizeof(T)));
        return value;
    }
    Result<void> fetch(std::span<T> to) const
        requires UserReadable<T>
    {
        return copy_in(to.data(), address_, to.size_bytes());
    }
};

/// A T, or an array of them, that the kernel writes.
template <typename T>
class UserOut : public UserAddress {
public:
    using UserAddress::UserAddress;
    Result<void> store(const T& value, usize index = 0) const
        requires UserWritable<T>
    {
        return copy_out(address_ + index * sizeof(T), &value, sizeof(T));
    }
    Result<void> store(std::span<const T> from) const
        requires UserWritable<T>
    {
        return copy_out(address_, from.data(), from.size_bytes());
    }
};

/// Both: value-result parameters.
template <typename T>
class UserInOut : public UserAddress {
public:
    using UserAddress::UserAddress;
    Result<T> fetch(usize index = 0) const { return UserIn<T>(address_.value).fetch(index); }
    Result<void> store(const T& value, usize index = 0) const { return UserOut<T>(address_.value).store(value, index); }
};

/// A text that ends in a NUL.
class UserCString : public UserAddress {
public:
    using UserAddress::UserAddress;
    /// Copies the text with its NUL and returns its length without it. EFAULT; ENAMETOOLONG when there is
    /// no NUL within `to.size()` bytes.
    Result<usize> fetch(std::span<char> to) const;
};

}  // namespace cairn::mm
