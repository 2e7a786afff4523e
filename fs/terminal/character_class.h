#pragma once
/// Classes of characters as Linux's terminals see them (lib/ctype.c: Latin-1), and UTF-8 continuation bytes.

#include "kernel/base/types.h"

namespace cairn::fs::terminal {

constexpr bool is_control(u8 c) {
    return c < 32 || c == 127;
}
constexpr bool is_upper(u8 c) {
    return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}
constexpr bool is_lower(u8 c) {
    return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7);
}
constexpr bool is_alphanumeric(u8 c) {
    return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9');
}
constexpr u8 to_lower(u8 c) {
    return is_upper(c) ? static_cast<u8>(c + 0x20) : c;
}
constexpr u8 to_upper(u8 c) {
    return is_lower(c) ? static_cast<u8>(c - 0x20) : c;
}
/// The second and further bytes of a UTF-8 character.
constexpr bool is_utf8_continuation(u8 c) {
    return (c & 0xc0) == 0x80;
}

}  // namespace cairn::fs::terminal
