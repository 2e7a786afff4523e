#pragma once
/// Addresses and frame numbers as types. A physical address is not a pointer and a user
/// address is not a kernel address; only `arch` and `mm` turn one into the other.

#include "kernel/base/types.h"

namespace cairn {

constexpr usize kPageShift = 12;
constexpr usize kPageSize = usize{1} << kPageShift;

constexpr u64 align_down(u64 value, u64 alignment) {
    return value & ~(alignment - 1);
}
/// Wraps to zero when the result does not fit; callers that take untrusted input check first.
constexpr u64 align_up(u64 value, u64 alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}
constexpr bool is_aligned(u64 value, u64 alignment) {
    return (value & (alignment - 1)) == 0;
}

/// An address on the memory bus.
struct PhysicalAddress {
    u64 value = 0;
    constexpr auto operator<=>(const PhysicalAddress&) const = default;
    constexpr PhysicalAddress operator+(u64 bytes) const { return {value + bytes}; }
    constexpr u64 operator-(PhysicalAddress other) const { return value - other.value; }
};

/// An address that the MMU translates, of user space or of the kernel.
struct VirtualAddress {
    u64 value = 0;
    constexpr auto operator<=>(const VirtualAddress&) const = default;
    constexpr VirtualAddress operator+(u64 bytes) const { return {value + bytes}; }
    constexpr u64 operator-(VirtualAddress other) const { return value - other.value; }
};

/// The number of a 4 KiB frame of physical memory: its address divided by kPageSize.
struct FrameNumber {
    u64 value = 0;
    constexpr auto operator<=>(const FrameNumber&) const = default;
    constexpr FrameNumber operator+(u64 frames) const { return {value + frames}; }
    constexpr u64 operator-(FrameNumber other) const { return value - other.value; }
    constexpr PhysicalAddress address() const { return {value << kPageShift}; }
    static constexpr FrameNumber containing(PhysicalAddress address) { return {address.value >> kPageShift}; }
};

/// A half-open range [start, end) of physical memory, in bytes.
struct PhysicalRange {
    PhysicalAddress start;
    PhysicalAddress end;
    constexpr u64 size() const { return end.value > start.value ? end.value - start.value : 0; }
    constexpr bool contains(PhysicalAddress a) const { return start <= a && a < end; }
    constexpr bool overlaps(const PhysicalRange& o) const { return start < o.end && o.start < end; }
    constexpr bool operator==(const PhysicalRange&) const = default;
};

}  // namespace cairn
