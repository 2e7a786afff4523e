#include "exec/format.h"

#include "exec/script.h"

namespace cairn::exec {

namespace {

Result<Match> recognize_misc(const FileBeginning& file) {
    if (file.misc == nullptr) {
        return fail(Errno::enoexec);
    }
    Ref<MiscEntry> entry = TRY(file.misc->match(file.path, file.first_bytes));
    Match match;
    match.interpretation.emplace(Interpretation{.interpreter = entry->registration.interpreter(),
                                                .argument = std::nullopt,
                                                .flags = entry->registration.flags(),
                                                .entry = std::nullopt});
    match.interpretation->entry.emplace(std::move(entry));
    return match;
}

Result<Match> recognize_script(const FileBeginning& file) {
    ScriptLine line = TRY(parse_script(file.first_bytes));
    Match match;
    match.interpretation.emplace(
        Interpretation{.interpreter = line.interpreter, .argument = line.argument, .flags = {}, .entry = std::nullopt});
    return match;
}

Result<Match> recognize_elf(const FileBeginning& file) {
    Match match;
    match.elf = TRY(parse_elf_header(file.first_bytes, file.size, ElfRole::Program));
    return match;
}

// binfmt_misc first, so that it can take over what the kernel could run by itself.
constexpr Format kFormats[] = {
    {"misc", recognize_misc},
    {"script", recognize_script},
    {"elf", recognize_elf},
};

}  // namespace

std::span<const Format> formats() {
    return kFormats;
}

Result<Match> recognize(const FileBeginning& file) {
    for (const Format& format : kFormats) {
        Result<Match> match = format.recognize(file);
        if (match.ok() && match.value().interpretation && file.path_vanishes) {
            return fail(Errno::enoent);
        }
        if (match.ok() || match.error() != Errno::enoexec) {
            return match;
        }
    }
    return fail(Errno::enoexec);
}

Result<void> put_interpreter_first(ArgumentBlock& arguments, const Interpretation& interpretation,
                                   std::string_view path) {
    if (!interpretation.flags.preserve_argv0) {
        arguments.remove_first_argument();
    }
    TRY(arguments.push_argument(path));
    if (interpretation.argument) {
        TRY(arguments.push_argument(*interpretation.argument));
    }
    return arguments.push_argument(interpretation.interpreter);
}

}  // namespace cairn::exec
