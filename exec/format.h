#pragma once
/// The table of executable formats (E04). A format looks at the beginning of a file and says how it is run: as an ELF
/// image, or by an interpreter that gets the file's path as an argument. Whoever executes a file drives it:
///
///     for (u32 depth = 0;; ++depth) {
///         Match match = TRY(recognize(file));
///         if (!match.interpretation) { ... load match.elf ... break; }
///         if (depth == kMaxInterpreterDepth) return fail(Errno::eloop);
///         TRY(put_interpreter_first(arguments, *match.interpretation, file.path));
///         ... the interpreter's file is the next one to be recognised ...
///     }
///
/// A new format is a function and a row. No state but the MiscStore's.

#include <optional>

#include "exec/argument_block.h"
#include "exec/elf.h"
#include "exec/misc_store.h"

namespace cairn::exec {

/// What formats get to see of a file.
struct FileBeginning {
    std::span<const std::byte> first_bytes;  // kFormatBytes, or as many as there are
    u64 size = 0;                            // of the file
    std::string_view path;                   // as it was spelled, or as the interpreter's is
    /// The path is /dev/fd/N of a descriptor that is closed on exec: an interpreter could not open it.
    bool path_vanishes = false;
    MiscStore* misc = nullptr;
};

/// A file to be run by another one.
struct Interpretation {
    std::string_view interpreter;  // its path
    std::optional<std::string_view> argument;
    MiscFlags flags;
    /// Of binfmt_misc: has the opened interpreter if there is one, and what `interpreter` refers to, which otherwise
    /// are the file's first bytes.
    std::optional<Ref<MiscEntry>> entry;
};

struct Match {
    ElfHeader elf;  // if there is no interpretation
    std::optional<Interpretation> interpretation;
};

struct Format {
    std::string_view name;
    /// ENOEXEC: another format may fit. Any other error is final.
    Result<Match> (*recognize)(const FileBeginning& file);
};

/// In the order in which they are tried.
std::span<const Format> formats();

/// The first format that fits. ENOEXEC: none; ENOENT: an interpreter would not find the file.
Result<Match> recognize(const FileBeginning& file);

/// Replaces argv[0] by the interpreter, its argument and the path (binfmt_misc's P flag: puts them before argv[0]).
Result<void> put_interpreter_first(ArgumentBlock& arguments, const Interpretation& interpretation,
                                   std::string_view path);

/// AT_FLAGS: tells an interpreter that argv[0] was preserved (AT_FLAGS_PRESERVE_ARGV0).
constexpr u64 kAuxiliaryFlagPreserveArgv0 = 1;

}  // namespace cairn::exec
