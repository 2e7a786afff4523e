#pragma once
/// The first line of a script: "#!", the interpreter, at most one argument (execve(2), "Interpreter
/// scripts"). What counts is decided byte by byte as Linux does, in the first 256 bytes of the file:
/// blanks are spaces and tabs, a zero ends whatever it stands in, the argument may be cut off by the
/// end of the 256 bytes but the interpreter's path may not. Pure.

#include <optional>
#include <span>
#include <string_view>

#include "kernel/base/result.h"

namespace cairn::exec {

/// How much of a file formats are recognised by; what the file lacks reads as zeros.
constexpr usize kFormatBytes = 256;

/// How many times a file may be the interpreter's script in turn (E04); one more is ELOOP.
constexpr u32 kMaxInterpreterDepth = 5;

struct ScriptLine {
    std::string_view interpreter;  // empty: to be opened as the working directory, EACCES
    std::optional<std::string_view> argument;
};

/// ENOEXEC when this is no script. Refers to `first_bytes`.
Result<ScriptLine> parse_script(std::span<const std::byte> first_bytes);

}  // namespace cairn::exec
