#pragma once
/// One line that is written to /proc/sys/fs/binfmt_misc/register: which files an interpreter takes
/// (Linux, Documentation/admin-guide/binfmt-misc.rst):
///
///     :name:type:offset:magic:mask:interpreter:flags
///
/// The first character is the delimiter, whatever it is. Type M compares bytes of the file, which
/// may be written \xHH, under a mask; type E compares the extension of its name. Flags: P keep
/// argv[0], O pass an open descriptor, C take credentials from the file (implies O), F open the
/// interpreter now. Pure; the line is hostile as far as that matters for what root may write.

#include <array>
#include <span>
#include <string_view>

#include "exec/script.h"

namespace cairn::exec {

struct MiscFlags {
    bool preserve_argv0 = false;     // P
    bool open_binary = false;        // O
    bool credentials = false;        // C
    bool fixed_interpreter = false;  // F
    constexpr bool operator==(const MiscFlags&) const = default;
};

class MiscRegistration {
public:
    /// Longer lines are EINVAL.
    static constexpr usize kMaxLine = 1920;

    MiscRegistration() = default;
    MiscRegistration(const MiscRegistration&) = delete;
    MiscRegistration& operator=(const MiscRegistration&) = delete;

    /// EINVAL when the line is wrong in any way. Once per object.
    Result<void> parse(std::string_view line);

    std::string_view name() const { return name_; }  // a file name: no slash, not "." nor ".."
    std::string_view interpreter() const { return interpreter_; }
    MiscFlags flags() const { return flags_; }
    bool by_extension() const { return by_extension_; }
    std::string_view extension() const { return magic_; }
    u32 offset() const { return offset_; }
    std::string_view magic() const { return magic_; }
    std::string_view mask() const { return mask_; }  // empty: none; else as long as the magic

    /// Does a file with this name and beginning belong to the interpreter? What is missing of its
    /// first kFormatBytes is zero.
    bool matches(std::string_view path, std::span<const std::byte> first_bytes) const;

private:
    class Fields;
    Result<void> parse_kind(Fields& fields);
    Result<void> parse_magic(Fields& fields);
    Result<void> parse_extension(Fields& fields);

    std::array<char, kMaxLine> text_ = {};  // what the views below refer to
    std::string_view name_;
    std::string_view interpreter_;
    std::string_view magic_;
    std::string_view mask_;
    u32 offset_ = 0;
    bool by_extension_ = false;
    MiscFlags flags_;
};

}  // namespace cairn::exec
