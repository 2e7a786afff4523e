#pragma once
/// Boot options: the words of the kernel's command line. One table (options.cpp) says which there
/// are; docs/boot-options.md lists the same, which a test checks.
///
/// Words are separated by white space; a part in double quotes may contain it, and the quotes
/// themselves vanish, as in Linux (kernel-parameters.rst). "--" ends the options. A word that is
/// not in the table, and everything after "--", belongs to the first program: `name=value` goes
/// into its environment, another word is an argument.

#include <span>
#include <string_view>

#include "arch/platform.h"
#include "kernel/base/types.h"

namespace cairn::boot {

/// What start-up does when it is done.
enum class AfterBoot : u8 {
    RunInit,   // start the first program; power off when there is none
    PowerOff,  // for measuring and testing
    Halt,
    Reboot,
};

/// A deliberate bug, to look at the panic screen.
enum class Crash : u8 { None, Null, Stack, Assert, Deadlock };

/// Where a word of the command line that is not an option is meant for.
struct InitWord {
    enum class Kind : u8 { Argument, Environment };
    Kind kind;
    std::string_view text;  // without quotes
};

/// The terminals of programs and of the log: all words console= together. The last one is /dev/console.
struct ConsoleChoices {
    u32 port = 0;  // ttyS0 … ttyS3
    u32 baud = 115200;
    arch::GenericAddress address;  // of a serial port that was named by it; else width 0
    bool serial_named = false;
    bool screen_named = false;
    bool screen_is_last = false;
    u32 screen_number = 0;  // tty1 … tty63; 0: the one that is shown

    /// The log is for those that were named, if any was.
    bool keeps_log_from_screen() const { return serial_named && !screen_named; }
    bool operator==(const ConsoleChoices&) const = default;
};

class Options {
public:
    /// Words kept for the first program, as in Linux (MAX_INIT_ARGS, MAX_INIT_ENVS: 32 each); the
    /// rest is dropped, with a log line.
    static constexpr usize kMaxInitWords = 64;
    /// Longest command line, boot::Information's bound; the rest is cut, with a log line.
    static constexpr usize kMaxText = 4096;

    u32 log_level = 7;          // consoles show records below this (log.h)
    i32 panic_timeout = 0;      // seconds (panic.h)
    u32 max_cpus = ~u32{0};     // 1 with nosmp; never 0
    u64 stress_seconds = 0;     // zero: no stress test
    bool no_autogroup = false;  // sessions are no scheduling groups
    u64 fail_nth = 0;           // the allocation to fail, counted from 1; zero: none
    AfterBoot after_boot = AfterBoot::RunInit;
    Crash crash = Crash::None;
    ConsoleChoices consoles;
    /// init= and rdinit=; empty: not given. The text is kept in this object.
    std::string_view init;
    std::string_view ramdisk_init;
    bool trace_system_calls = false;

    /// Reads a whole command line into this object, which is as constructed. A value that is not
    /// what its option takes leaves the option alone and is logged. Nothing fails.
    void parse(std::string_view command_line);
    /// In order of appearance; the text is kept in this object.
    std::span<const InitWord> init_words() const { return {init_words_, init_word_count_}; }

private:
    void take_word(std::string_view word, std::string_view name, bool has_value);
    void keep_for_init(std::string_view word, InitWord::Kind kind);

    char text_[kMaxText] = {};  // the words without quotes
    InitWord init_words_[kMaxInitWords] = {};
    usize init_word_count_ = 0;
    bool only_init_words_ = false;
};

/// A row of the table, for documentation.
struct OptionHelp {
    std::string_view name;
    std::string_view value;  // "SECONDS"; empty for an option without value
    std::string_view help;
};
usize option_count();
OptionHelp option_help(usize index);

}  // namespace cairn::boot
