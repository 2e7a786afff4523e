#include "kernel/base/format.h"

namespace cairn {

namespace {

struct Specification {
    bool hexadecimal = false;
    bool prefix = false;
    bool zero_fill = false;
    bool left = false;
    usize width = 0;
};

/// Reads what stands between ':' and '}'; characters it does not know are skipped.
Specification parse_specification(std::string_view text) {
    Specification result;
    for (char c : text) {
        if (c == 'x') {
            result.hexadecimal = true;
        } else if (c == '#') {
            result.prefix = true;
        } else if (c == '<') {
            result.left = true;
        } else if (c == '0' && result.width == 0) {
            result.zero_fill = true;
        } else if (c >= '0' && c <= '9') {
            result.width = result.width * 10 + static_cast<usize>(c - '0');
        }
    }
    return result;
}

void append_padded(TextBuffer& out, std::string_view prefix, std::string_view body, const Specification& spec) {
    usize length = prefix.size() + body.size();
    usize padding = spec.width > length ? spec.width - length : 0;
    bool spaces_first = !spec.left && !spec.zero_fill;
    for (usize i = 0; spaces_first && i < padding; ++i) {
        out.append(' ');
    }
    out.append(prefix);
    for (usize i = 0; spec.zero_fill && i < padding; ++i) {
        out.append('0');
    }
    out.append(body);
    for (usize i = 0; spec.left && !spec.zero_fill && i < padding; ++i) {
        out.append(' ');
    }
}

void append_number(TextBuffer& out, const FormatArgument& argument, Specification spec) {
    u64 value = argument.number;
    bool negative = argument.kind == FormatArgument::Kind::Signed && static_cast<i64>(value) < 0;
    if (negative) {
        value = ~value + 1;
    }
    if (argument.kind == FormatArgument::Kind::Address) {
        spec.hexadecimal = spec.prefix = true;
    }
    u64 base = spec.hexadecimal ? 16 : 10;
    char digits[20];
    usize at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    std::string_view prefix = spec.prefix && spec.hexadecimal ? (negative ? "-0x" : "0x") : (negative ? "-" : "");
    append_padded(out, prefix, {digits + at, sizeof(digits) - at}, spec);
}

}  // namespace

void format_arguments_to(TextBuffer& out, std::string_view format, std::span<const FormatArgument> arguments) {
    usize next = 0;
    for (usize i = 0; i < format.size(); ++i) {
        char c = format[i];
        bool doubled = i + 1 < format.size() && format[i + 1] == c;
        if ((c == '{' || c == '}') && doubled) {
            out.append(c);
            ++i;
            continue;
        }
        if (c != '{') {
            out.append(c);
            continue;
        }
        usize end = i;
        while (end < format.size() && format[end] != '}') {
            ++end;
        }
        Specification spec = parse_specification(format.substr(i + 1, end - i - 1));
        i = end;
        if (next == arguments.size()) {
            out.append("{?}");
            continue;
        }
        const FormatArgument& argument = arguments[next++];
        char single = static_cast<char>(argument.number);
        if (argument.kind == FormatArgument::Kind::Text) {
            spec.left = true;  // text is aligned left, as std::format does
            append_padded(out, {}, argument.text, spec);
        } else if (argument.kind == FormatArgument::Kind::Character) {
            append_padded(out, {}, {&single, 1}, spec);
        } else {
            append_number(out, argument, spec);
        }
    }
}

}  // namespace cairn
