#pragma once
/// Text: what a file of procfs says, made as a whole when it is read. It grows as it is written; what memory did not
/// suffice for makes it fail as a whole (result()). A local value of one thread.

#include "kernel/base/format.h"
#include "kernel/base/own_array.h"

namespace cairn::procfs {

class Text {
public:
    void append(std::string_view text);
    void append(char c) { append(std::string_view(&c, 1)); }
    template <typename... Arguments>
    void format(FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
        const FormatArgument erased[sizeof...(Arguments) + 1] = {format_argument(arguments)..., FormatArgument{}};
        format_erased(format.text, std::span(erased, sizeof...(Arguments)));
    }
    /// Zero-filled to `digits`.
    void octal(u64 value, u32 digits);
    /// With the characters of `special` (and the backslash) as \ooo, as Linux writes names into lists.
    void escaped(std::string_view text, std::string_view special);
    /// Hundredths: "12.34".
    void hundredths(u64 value);
    /// Blanks up to a column of the line that began at `line_start`.
    void pad(usize line_start, usize column);
    /// Room for `size` bytes more, which the caller writes; they belong to the text. Empty: no memory.
    std::span<char> extend(usize size);
    /// Takes back the last `size` bytes.
    void shrink(usize size) { size_ -= size; }

    usize size() const { return size_; }
    std::string_view view() const { return {storage_.data(), size_}; }
    void clear() { size_ = 0; }
    /// ENOMEM if anything did not fit into memory.
    Result<void> result() const { return failed_ ? Result<void>(fail(Errno::enomem)) : Result<void>(); }

private:
    void format_erased(std::string_view format, std::span<const FormatArgument> arguments);
    bool reserve(usize more);

    OwnArray<char> storage_;
    usize size_ = 0;
    bool failed_ = false;
};

}  // namespace cairn::procfs
