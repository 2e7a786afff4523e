#pragma once
/// Taking typed values out of untrusted bytes. Nothing here reads outside the span, whatever the
/// offset; values may lie at any alignment and are little-endian, as the CPU is.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernel/base/types.h"

namespace cairn {

/// The T at `offset`, or nothing when it does not lie wholly inside.
template <typename T>
    requires std::is_trivially_copyable_v<T>
std::optional<T> load_at(std::span<const std::byte> bytes, u64 offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) {
        return std::nullopt;
    }
    T value;
    __builtin_memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

/// The part [offset, offset + size); what lies outside is cut off.
constexpr std::span<const std::byte> slice(std::span<const std::byte> bytes, u64 offset, u64 size = ~u64{0}) {
    if (offset >= bytes.size()) {
        return {};
    }
    u64 rest = bytes.size() - offset;
    return bytes.subspan(static_cast<usize>(offset), static_cast<usize>(size < rest ? size : rest));
}

/// The same bytes as text and back; both refer to the original.
inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// Whether two texts of one size are the same: for the short ones that names are, by words without a loop of bytes.
inline bool same_text(std::string_view left, std::string_view right) {
    const usize size = left.size();
    if (size != right.size()) {
        return false;
    }
    const auto same = [&]<typename Word>(usize at, Word) {
        Word a;
        Word b;
        __builtin_memcpy(&a, left.data() + at, sizeof a);
        __builtin_memcpy(&b, right.data() + at, sizeof b);
        return a == b;
    };
    if (size >= sizeof(u64)) {
        for (usize at = 0; at < size - sizeof(u64); at += sizeof(u64)) {
            if (!same(at, u64{})) {
                return false;
            }
        }
        return same(size - sizeof(u64), u64{});  // may overlap what was compared
    }
    if (size >= sizeof(u32)) {
        return same(0, u32{}) && same(size - sizeof(u32), u32{});
    }
    for (usize at = 0; at < size; ++at) {
        if (left[at] != right[at]) {
            return false;
        }
    }
    return true;
}

}  // namespace cairn
