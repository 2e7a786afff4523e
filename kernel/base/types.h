#pragma once
/// Fixed-width integers and the few numeric types that every layer shares.
/// A quantity that has a unit is a type of its own, so that frames, bytes and
/// nanoseconds cannot be mixed by accident.

#include <compare>
#include <cstddef>
#include <cstdint>

namespace cairn {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using usize = std::size_t;
using uptr = std::uintptr_t;

constexpr usize kKiB = 1024;
constexpr usize kMiB = 1024 * kKiB;
constexpr usize kGiB = 1024 * kMiB;

/// Bytes of a line of the processor's cache. Data that different CPUs write is kept on
/// different lines; 64 holds for every x86-64 processor made so far.
constexpr usize kCacheLine = 64;

/// A length of time or a point on the monotonic clock, in nanoseconds. 2^64 ns are 584 years.
struct Nanoseconds {
    u64 value = 0;

    static constexpr Nanoseconds from_microseconds(u64 n) { return {n * 1'000}; }
    static constexpr Nanoseconds from_milliseconds(u64 n) { return {n * 1'000'000}; }
    static constexpr Nanoseconds from_seconds(u64 n) { return {n * 1'000'000'000}; }
    /// A deadline that never comes.
    static constexpr Nanoseconds never() { return {~u64{0}}; }

    constexpr auto operator<=>(const Nanoseconds&) const = default;
    /// Saturates, so that "now + never" stays never.
    constexpr Nanoseconds operator+(Nanoseconds other) const {
        u64 sum = value + other.value;
        return {sum < value ? ~u64{0} : sum};
    }
    /// Stops at zero: a deadline in the past is "no time left".
    constexpr Nanoseconds operator-(Nanoseconds other) const { return {value > other.value ? value - other.value : 0}; }
    constexpr Nanoseconds& operator+=(Nanoseconds other) { return *this = *this + other; }
};

}  // namespace cairn
