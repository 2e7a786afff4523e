#include "exec/misc_registration.h"

#include <algorithm>
#include <charconv>

#include "kernel/base/bytes.h"

namespace cairn::exec {

namespace {

constexpr usize kMinLine = 11;

constexpr int digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Decimal, with a sign if need be; not negative. As kstrtoint does, an end of line may follow.
std::optional<u32> parse_offset(std::string_view text) {
    bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    i32 value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool is_number = !text.empty() && text.front() != '-' && error == std::errc{} && end == text.data() + text.size();
    if (!is_number || (negative && value != 0)) {
        return std::nullopt;
    }
    return static_cast<u32>(value);
}

/// Replaces \xHH by bytes, in place; ends at the first zero that was written as such.
std::string_view unescape(std::span<char> text) {
    usize from = 0;
    usize to = 0;
    while (from < text.size() && text[from] != '\0') {
        bool escaped = text.size() - from >= 4 && text[from] == '\\' && text[from + 1] == 'x' &&
                       digit_of(text[from + 2]) >= 0 && digit_of(text[from + 3]) >= 0;
        if (escaped) {
            text[to++] = static_cast<char>(digit_of(text[from + 2]) << 4 | digit_of(text[from + 3]));
            from += 4;
        } else {
            text[to++] = text[from++];
        }
    }
    return {text.data(), to};
}

}  // namespace

/// Takes fields off the front of the line. Behind its end there are some more delimiters, as Linux
/// puts them there: a line may lack its last ones, if no flags follow, only to be refused then.
class MiscRegistration::Fields {
public:
    Fields(std::span<char> text, char delimiter) : text_(text), delimiter_(delimiter) {}

    char front() const { return at(position_); }
    void skip() { ++position_; }
    bool at_end() const { return position_ == text_.size(); }

    /// Up to the delimiter, which is taken too. A zero before it is none of ours.
    Result<std::span<char>> field() {
        usize start = position_;
        while (front() != delimiter_) {
            if (front() == '\0') {
                return fail(Errno::einval);
            }
            skip();
        }
        return finish(start);
    }
    /// The same; a delimiter may be part of \xHH, and zeros may occur.
    Result<std::span<char>> escaped_field() {
        usize start = position_;
        while (front() != delimiter_) {
            if (position_ >= text_.size()) {
                return fail(Errno::einval);
            }
            bool escape = front() == '\\' && at(position_ + 1) == 'x';
            if (escape && (digit_of(at(position_ + 2)) < 0 || digit_of(at(position_ + 3)) < 0)) {
                return fail(Errno::einval);
            }
            position_ += escape ? 4 : 1;
        }
        return finish(start);
    }

private:
    char at(usize position) const { return position < text_.size() ? text_[position] : delimiter_; }
    Result<std::span<char>> finish(usize start) {
        usize end = position_;
        skip();
        if (end > text_.size()) {
            return fail(Errno::einval);
        }
        return text_.subspan(start, end - start);
    }

    std::span<char> text_;
    char delimiter_;
    usize position_ = 0;
};

Result<void> MiscRegistration::parse(std::string_view line) {
    if (line.size() < kMinLine || line.size() > kMaxLine) {
        return fail(Errno::einval);
    }
    std::ranges::copy(line, text_.begin());
    std::span<char> text = text_;
    Fields fields(text.subspan(1, line.size() - 1), line.front());

    std::span<char> name = TRY(fields.field());
    name_ = {name.data(), name.size()};
    if (name_.empty() || name_ == "." || name_ == ".." || std::ranges::count(name_, '/') != 0) {
        return fail(Errno::einval);
    }
    TRY(parse_kind(fields));
    std::span<char> interpreter = TRY(fields.field());
    interpreter_ = {interpreter.data(), interpreter.size()};
    if (interpreter_.empty()) {
        return fail(Errno::einval);
    }
    for (; !fields.at_end(); fields.skip()) {
        char flag = fields.front();
        flags_.preserve_argv0 |= flag == 'P';
        flags_.open_binary |= flag == 'O' || flag == 'C';
        flags_.credentials |= flag == 'C';
        flags_.fixed_interpreter |= flag == 'F';
        if (flag != 'P' && flag != 'O' && flag != 'C' && flag != 'F') {
            break;
        }
    }
    if (!fields.at_end() && fields.front() == '\n') {
        fields.skip();
    }
    if (!fields.at_end()) {
        return fail(Errno::einval);
    }
    return {};
}

Result<void> MiscRegistration::parse_kind(Fields& fields) {
    // One character, which may be the delimiter's.
    char kind = fields.front();
    fields.skip();
    std::span<char> rest = TRY(fields.field());
    if ((kind != 'M' && kind != 'E') || !rest.empty()) {
        return fail(Errno::einval);
    }
    by_extension_ = kind == 'E';
    return by_extension_ ? parse_extension(fields) : parse_magic(fields);
}

Result<void> MiscRegistration::parse_magic(Fields& fields) {
    std::span<char> offset = TRY(fields.field());
    if (!offset.empty()) {
        std::optional<u32> value = parse_offset({offset.data(), offset.size()});
        if (!value) {
            return fail(Errno::einval);
        }
        offset_ = *value;
    }
    std::span<char> magic = TRY(fields.escaped_field());
    std::span<char> mask = TRY(fields.escaped_field());
    if (magic.empty() || magic.front() == '\0') {
        return fail(Errno::einval);
    }
    bool has_mask = !mask.empty() && mask.front() != '\0';
    magic_ = unescape(magic);
    mask_ = has_mask ? unescape(mask) : std::string_view{};
    if ((has_mask && mask_.size() != magic_.size()) || magic_.size() > kFormatBytes ||
        kFormatBytes - magic_.size() < offset_) {
        return fail(Errno::einval);
    }
    return {};
}

Result<void> MiscRegistration::parse_extension(Fields& fields) {
    TRY(fields.field());  // the offset means nothing
    std::span<char> extension = TRY(fields.field());
    magic_ = {extension.data(), extension.size()};
    if (magic_.empty() || std::ranges::count(magic_, '/') != 0) {
        return fail(Errno::einval);
    }
    TRY(fields.field());  // nor does the mask
    return {};
}

bool MiscRegistration::matches(std::string_view path, std::span<const std::byte> first_bytes) const {
    if (by_extension_) {
        // The part behind the last dot of the whole path, as Linux has it.
        usize start = path.size();
        while (start > 0 && path[start - 1] != '.') {
            --start;
        }
        return start > 0 && path.substr(start) == magic_;
    }
    for (usize i = 0; i < magic_.size(); ++i) {
        u8 byte = load_at<u8>(first_bytes, offset_ + i).value_or(0);
        u8 mask = mask_.empty() ? u8{0xff} : static_cast<u8>(mask_[i]);
        if (((byte ^ static_cast<u8>(magic_[i])) & mask) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace cairn::exec
