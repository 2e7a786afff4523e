/// The input is the beginning of a file. What the parser makes of it is compared with a second reading of the rules,
/// which works on a copy that is filled up with zeros.

#include "exec/script.h"

#include <optional>
#include <string>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;

struct Expected {
    std::string interpreter;
    std::optional<std::string> argument;
};

constexpr std::string_view kBlanks = " \t";

std::string up_to_zero(std::string_view text) {
    return std::string(text.substr(0, text.find('\0')));
}

std::optional<Expected> read_line(std::string_view file) {
    std::string buffer(file.substr(0, exec::kFormatBytes));
    buffer.resize(exec::kFormatBytes, '\0');
    if (buffer.substr(0, 2) != "#!") {
        return std::nullopt;
    }
    std::string_view rest = std::string_view(buffer).substr(2);
    usize stop = rest.find_first_of(std::string_view("\n\0", 2));
    bool whole_line = stop != rest.npos && rest[stop] == '\n';
    if (!whole_line) {
        // The name must end before the buffer does. The last byte is then given up for a terminator.
        usize name = rest.find_first_not_of(kBlanks);
        if (name == rest.npos || rest.find_first_of(std::string_view(" \t\0", 3), name) == rest.npos) {
            return std::nullopt;
        }
        stop = rest.size() - 1;
    }
    std::string_view line = rest.substr(0, stop);
    usize last = line.find_last_not_of(kBlanks);
    line = line.substr(0, last == line.npos ? 0 : last + 1);
    usize name = line.find_first_not_of(kBlanks);
    if (name == line.npos) {
        return std::nullopt;
    }
    line.remove_prefix(name);
    usize end = line.find_first_of(std::string_view(" \t\0", 3));
    if (end == line.npos || line[end] == '\0') {
        return Expected{up_to_zero(line), std::nullopt};
    }
    std::string_view argument = line.substr(end);
    return Expected{std::string(line.substr(0, end)), up_to_zero(argument.substr(argument.find_first_not_of(kBlanks)))};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    Result<exec::ScriptLine> line = exec::parse_script(input);
    std::optional<Expected> expected = read_line(text_of(input));
    fuzz::require(line.ok() == expected.has_value());
    if (!line.ok()) {
        fuzz::require(line.error() == Errno::enoexec);
        return 0;
    }
    fuzz::require(line.value().interpreter == expected->interpreter);
    fuzz::require(line.value().argument.has_value() == expected->argument.has_value());
    fuzz::require(!line.value().argument || *line.value().argument == *expected->argument);
    fuzz::require_inside(line.value().interpreter, input);
    fuzz::require_inside(line.value().argument.value_or(""), input);
    return 0;
}
