#include "exec/script.h"

#include <algorithm>

#include "kernel/base/bytes.h"

namespace cairn::exec {

namespace {

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/// The 256 bytes with positions in them, as far as the file has them.
class Line {
public:
    explicit Line(std::string_view text) : text_(text) {}

    char at(usize position) const { return position < text_.size() ? text_[position] : '\0'; }

    /// The first position in [from, end) that is no blank; `end` if there is none.
    usize skip_blanks(usize from, usize end) const {
        while (from < end && is_blank(at(from))) {
            ++from;
        }
        return from;
    }
    /// The first position in [from, end) that ends a word; `end` if there is none.
    usize skip_word(usize from, usize end) const {
        while (from < end && !is_blank(at(from)) && at(from) != '\0') {
            ++from;
        }
        return from;
    }
    /// [from, end), or less if there is a zero in it.
    std::string_view text(usize from, usize end) const {
        usize length = 0;
        while (from + length < end && at(from + length) != '\0') {
            ++length;
        }
        return length == 0 ? std::string_view{} : text_.substr(from, length);
    }

private:
    std::string_view text_;
};

}  // namespace

Result<ScriptLine> parse_script(std::span<const std::byte> first_bytes) {
    std::string_view text = text_of(slice(first_bytes, 0, kFormatBytes));
    constexpr std::string_view kMagic = "#!";
    if (!text.starts_with(kMagic)) {
        return fail(Errno::enoexec);
    }
    Line line(text);
    usize end = 0;
    while (end < kFormatBytes && line.at(end) != '\n' && line.at(end) != '\0') {
        ++end;
    }
    if (line.at(end) != '\n' || end == kFormatBytes) {
        // No end of line: the interpreter's path has to end inside, or it would be cut off.
        usize name = line.skip_blanks(kMagic.size(), kFormatBytes);
        if (line.skip_word(name, kFormatBytes) == kFormatBytes) {
            return fail(Errno::enoexec);
        }
        end = kFormatBytes - 1;
    }
    while (is_blank(line.at(end - 1))) {  // stops at the magic at the latest
        --end;
    }
    usize name = line.skip_blanks(kMagic.size(), end);
    if (name == end) {
        return fail(Errno::enoexec);
    }
    usize name_end = line.skip_word(name, end);
    ScriptLine script{.interpreter = line.text(name, name_end), .argument = std::nullopt};
    if (name_end < end && line.at(name_end) != '\0') {
        script.argument = line.text(line.skip_blanks(name_end, end), end);
    }
    return script;
}

}  // namespace cairn::exec
