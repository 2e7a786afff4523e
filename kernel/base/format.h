#pragma once
/// Text formatting in the manner of std::format, into a fixed buffer, without allocation:
/// `{}`, `{:x}` (hexadecimal), `{:#x}` (with 0x), `{:5}` / `{:<5}` (width, right/left aligned),
/// `{:016x}` (zero-filled), `{{` and `}}`. Accepts integers, bool, char, string_view, C strings,
/// pointers, and every type for which `format_argument(value)` is overloaded (found by ADL).
/// The number of placeholders is checked when the program is compiled.

#include <concepts>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernel/base/address.h"
#include "kernel/base/errno.h"
#include "kernel/base/types.h"

namespace cairn {

/// One value, erased to what the formatter needs.
struct FormatArgument {
    enum class Kind : u8 { Unsigned, Signed, Character, Text, Address };
    Kind kind = Kind::Unsigned;
    u64 number = 0;
    std::string_view text;
};

template <std::integral T>
constexpr FormatArgument format_argument(T value) {
    if constexpr (std::same_as<T, bool>) {
        return {FormatArgument::Kind::Text, 0, value ? "true" : "false"};
    } else if constexpr (std::same_as<T, char>) {
        return {FormatArgument::Kind::Character, static_cast<u8>(value), {}};
    } else if constexpr (std::is_signed_v<T>) {
        return {FormatArgument::Kind::Signed, static_cast<u64>(static_cast<i64>(value)), {}};
    } else {
        return {FormatArgument::Kind::Unsigned, static_cast<u64>(value), {}};
    }
}
constexpr FormatArgument format_argument(std::string_view text) {
    return {FormatArgument::Kind::Text, 0, text};
}
constexpr FormatArgument format_argument(const char* text) {
    return {FormatArgument::Kind::Text, 0, text == nullptr ? std::string_view("(null)") : std::string_view(text)};
}
inline FormatArgument format_argument(const void* pointer) {
    return {FormatArgument::Kind::Address, reinterpret_cast<uptr>(pointer), {}};
}
constexpr FormatArgument format_argument(PhysicalAddress a) {
    return {FormatArgument::Kind::Address, a.value, {}};
}
constexpr FormatArgument format_argument(VirtualAddress a) {
    return {FormatArgument::Kind::Address, a.value, {}};
}
constexpr FormatArgument format_argument(FrameNumber f) {
    return {FormatArgument::Kind::Unsigned, f.value, {}};
}
constexpr FormatArgument format_argument(Nanoseconds n) {
    return {FormatArgument::Kind::Unsigned, n.value, {}};
}
inline FormatArgument format_argument(Errno error) {
    return {FormatArgument::Kind::Text, 0, errno_name(error)};
}

/// Text collected in a caller's buffer; what does not fit is cut off and remembered.
class TextBuffer {
public:
    explicit TextBuffer(std::span<char> storage) : storage_(storage) {}

    void append(char c) {
        if (size_ < storage_.size()) {
            storage_[size_++] = c;
        } else {
            truncated_ = true;
        }
    }
    void append(std::string_view text) {
        for (char c : text) {
            append(c);
        }
    }
    std::string_view view() const { return {storage_.data(), size_}; }
    usize size() const { return size_; }
    bool truncated() const { return truncated_; }
    void clear() {
        size_ = 0;
        truncated_ = false;
    }

private:
    std::span<char> storage_;
    usize size_ = 0;
    bool truncated_ = false;
};

/// Placeholders in a format string; used at compile time by FormatString.
consteval usize count_placeholders(std::string_view format) {
    usize count = 0;
    for (usize i = 0; i < format.size(); ++i) {
        bool doubled = i + 1 < format.size() && format[i + 1] == format[i];
        if (format[i] == '{' && doubled) {
            ++i;
        } else if (format[i] == '{') {
            ++count;
            while (format[i] != '}') {  // out of range, hence not constant, when unterminated
                ++i;
            }
        } else if (format[i] == '}') {
            ++i;
        }
    }
    return count;
}

/// A literal whose placeholders match its arguments; a wrong count does not compile.
template <typename... Arguments>
struct FormatString {
    template <usize kSize>
    consteval FormatString(const char (&literal)[kSize]) : text(literal, kSize - 1) {
        if (count_placeholders(text) != sizeof...(Arguments)) {
            number_of_arguments_does_not_match_the_format();
        }
    }
    static void number_of_arguments_does_not_match_the_format();
    std::string_view text;
};

void format_arguments_to(TextBuffer& out, std::string_view format, std::span<const FormatArgument> arguments);

template <typename... Arguments>
void format_to(TextBuffer& out, FormatString<std::type_identity_t<Arguments>...> format,
               const Arguments&... arguments) {
    const FormatArgument erased[sizeof...(Arguments) + 1] = {format_argument(arguments)..., FormatArgument{}};
    format_arguments_to(out, format.text, std::span(erased, sizeof...(Arguments)));
}

}  // namespace cairn
