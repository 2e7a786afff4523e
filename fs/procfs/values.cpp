/// See values.h.

#include "fs/procfs/values.h"

#include <bit>

#include "kernel/base/kernel.h"

namespace cairn::procfs {

void show_cpu_mask(Text& text, u64 cpus) {
    const u32 count = g_kernel.cpu_count > 64 ? 64 : g_kernel.cpu_count;
    const u32 digits = (count + 3) / 4;
    for (u32 digit = digits; digit-- > 0;) {
        text.append("0123456789abcdef"[cpus >> (4 * digit) & 0xf]);
        if (digit % 8 == 0 && digit != 0) {
            text.append(',');
        }
    }
}

void show_cpu_list(Text& text, u64 cpus) {
    bool first = true;
    while (cpus != 0) {
        const i32 start = std::countr_zero(cpus);
        const i32 length = std::countr_one(cpus >> start);
        text.format("{}{}", first ? "" : ",", start);
        if (length > 1) {
            text.format("-{}", start + length - 1);
        }
        first = false;
        cpus = length + start >= 64 ? 0 : cpus >> (start + length) << (start + length);
    }
}

void show_settings(Text& text, const Settings& settings) {
    for (u32 i = 0; i < settings.count; ++i) {
        text.format("{}{}", settings.values[i].load(Order::relaxed), i + 1 == settings.count ? '\n' : '\t');
    }
}

Result<void> store_settings(std::string_view text, const Settings& settings) {
    for (u32 i = 0; i < settings.count; ++i) {
        text = trimmed(text);
        if (text.empty()) {
            break;
        }
        u64 value = 0;
        for (const char c : text.substr(0, text.find_first_of(" \t\n"))) {
            if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, c - '0', &value)) {
                return fail(Errno::einval);
            }
            text.remove_prefix(1);
        }
        if (value < settings.least || value > settings.most[i]) {
            return fail(Errno::einval);
        }
        settings.values[i].store(value, Order::relaxed);
    }
    return {};
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\n\0";
    auto is_blank = [&](char c) { return c == '\0' || kBlanks.find(c) != std::string_view::npos; };
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

Result<i64> parse_integer(std::string_view text) {
    text = trimmed(text);
    const bool negative = !text.empty() && text.front() == '-';
    text.remove_prefix(negative ? 1 : 0);
    if (text.empty()) {
        return fail(Errno::einval);
    }
    i64 value = 0;
    for (char c : text) {
        if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, c - '0', &value)) {
            return fail(Errno::einval);
        }
    }
    return negative ? -value : value;
}

}  // namespace cairn::procfs
