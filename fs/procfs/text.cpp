/// See text.h.

#include "fs/procfs/text.h"

#include <algorithm>
#include <cstring>

namespace cairn::procfs {

bool Text::reserve(usize more) {
    constexpr usize kFirst = 512;
    if (failed_ || storage_.size() - size_ >= more) {
        return !failed_;
    }
    Result<OwnArray<char>> larger =
        OwnArray<char>::create_for_overwrite(std::max({kFirst, 2 * storage_.size(), size_ + more}));
    if (!larger.ok()) {
        failed_ = true;
        return false;
    }
    if (size_ != 0) {
        std::memcpy(larger.value().data(), storage_.data(), size_);
    }
    storage_ = std::move(larger).value();
    return true;
}

void Text::append(std::string_view text) {
    if (!text.empty() && reserve(text.size())) {
        std::memcpy(storage_.data() + size_, text.data(), text.size());
        size_ += text.size();
    }
}

std::span<char> Text::extend(usize size) {
    if (!reserve(size)) {
        return {};
    }
    size_ += size;
    return storage_.span().subspan(size_ - size, size);
}

void Text::format_erased(std::string_view format, std::span<const FormatArgument> arguments) {
    constexpr usize kUsual = 128;
    for (usize room = kUsual; reserve(room); room *= 2) {
        TextBuffer buffer(storage_.span().subspan(size_));
        format_arguments_to(buffer, format, arguments);
        if (!buffer.truncated()) {
            size_ += buffer.size();
            return;
        }
        room = std::max(room, storage_.size() - size_);
    }
}

void Text::octal(u64 value, u32 digits) {
    constexpr u32 kMost = 22;
    char text[kMost];
    u32 used = 0;
    for (; used < kMost && (value != 0 || used < digits); value >>= 3) {
        text[kMost - ++used] = static_cast<char>('0' + (value & 7));
    }
    append(std::string_view(text + kMost - used, used));
}

void Text::escaped(std::string_view text, std::string_view special) {
    for (char c : text) {
        if (c == '\\' || special.find(c) != std::string_view::npos) {
            append('\\');
            octal(static_cast<u8>(c), 3);
        } else {
            append(c);
        }
    }
}

void Text::hundredths(u64 value) {
    format("{}.{:02}", value / 100, value % 100);
}

void Text::pad(usize line_start, usize column) {
    while (size_ - line_start < column && !failed_) {
        append(' ');
    }
}

}  // namespace cairn::procfs
