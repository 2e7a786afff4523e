#include "kernel/boot/options.h"

#include <iterator>
#include <type_traits>

#include "kernel/base/log.h"

namespace cairn::boot {

namespace {

/// False when `value` is not what the option takes; the options are unchanged then.
using Apply = bool (*)(Options& options, std::string_view value);

struct Row {
    OptionHelp help;
    Apply apply;
};

/// A decimal number up to `limit`.
bool parse_number(std::string_view text, u64 limit, u64& number) {
    u64 result = 0;
    for (char c : text) {
        if (c < '0' || c > '9') {
            return false;
        }
        u64 digit = static_cast<u64>(c - '0');
        if (digit > limit || result > (limit - digit) / 10) {
            return false;
        }
        result = result * 10 + digit;
    }
    number = result;
    return !text.empty();
}

template <auto kField, u64 kLeast, u64 kMost>
bool apply_number(Options& options, std::string_view value) {
    u64 number = 0;
    if (!parse_number(value, kMost, number) || number < kLeast) {
        return false;
    }
    auto& field = options.*kField;
    field = static_cast<std::remove_reference_t<decltype(field)>>(number);
    return true;
}

bool apply_panic(Options& options, std::string_view value) {
    bool negative = !value.empty() && value.front() == '-';
    u64 number = 0;
    if (!parse_number(negative ? value.substr(1) : value, 1u << 30, number)) {
        return false;
    }
    options.panic_timeout = negative ? -static_cast<i32>(number) : static_cast<i32>(number);
    return true;
}

/// "tty0", "tty3"
bool apply_screen_console(Options& options, std::string_view number) {
    constexpr u64 kMostTerminals = 63;
    u64 wanted = 0;
    if (!parse_number(number, kMostTerminals, wanted)) {
        return false;
    }
    options.consoles.screen_named = options.consoles.screen_is_last = true;
    options.consoles.screen_number = static_cast<u32>(wanted);
    return true;
}

/// A number with "0x" in front; of 52 bits at most, as addresses are.
bool parse_address(std::string_view text, u64& address) {
    constexpr usize kMostDigits = 13;
    if (!text.starts_with("0x") || text.size() > 2 + kMostDigits || text.size() == 2) {
        return false;
    }
    address = 0;
    for (char c : text.substr(2)) {
        const char letter = static_cast<char>(c | 0x20);
        const bool is_letter = letter >= 'a' && letter <= 'f';
        if (!is_letter && (c < '0' || c > '9')) {
            return false;
        }
        address = address << 4 | static_cast<u64>(is_letter ? letter - 'a' + 10 : c - '0');
    }
    return true;
}

/// ",9600", ",9600n8"; nothing: the usual rate.
bool parse_rate(std::string_view value, u64& baud) {
    if (value.empty()) {
        return true;
    }
    usize digits = 1;
    while (digits < value.size() && value[digits] >= '0' && value[digits] <= '9') {
        ++digits;
    }
    const std::string_view frame = value.substr(digits);
    const bool usual = frame.empty() || frame == "n" || frame == "n8";
    return value[0] == ',' && usual && parse_number(value.substr(1, digits - 1), 115200, baud) && baud != 0;
}

/// "io,0x3f8,115200n8", "mmio,0x…", "mmio32,0x…", behind "uart8250," or "uart," (Linux: earlycon.c).
bool apply_uart(Options& options, std::string_view value) {
    struct Kind {
        std::string_view name;
        u8 space;
        u8 width;
    };
    constexpr Kind kKinds[] = {{"io,", 1, 8}, {"mmio,", 0, 8}, {"mmio16,", 0, 16}, {"mmio32,", 0, 32}};
    constexpr u64 kPortEnd = 0x10000;
    for (const Kind& kind : kKinds) {
        if (!value.starts_with(kind.name)) {
            continue;
        }
        value.remove_prefix(kind.name.size());
        const usize end = value.find(',') == std::string_view::npos ? value.size() : value.find(',');
        u64 address = 0;
        u64 baud = ConsoleChoices{}.baud;
        if (!parse_address(value.substr(0, end), address) || address == 0 || !parse_rate(value.substr(end), baud) ||
            (kind.space == 1 && address >= kPortEnd)) {
            return false;
        }
        options.consoles.address = {kind.space, kind.width, address};
        options.consoles.baud = static_cast<u32>(baud);
        options.consoles.serial_named = true;
        options.consoles.screen_is_last = false;
        return true;
    }
    return false;
}

/// "ttyS1", "ttyS1,9600", "ttyS1,9600n8": what follows the rate is Linux's way to name the frame, and 8n1 is what we
/// begin with.
bool apply_console(Options& options, std::string_view value) {
    constexpr std::string_view kScreen = "tty", kSerial = "ttyS";
    for (std::string_view uart : {"uart8250,", "uart,"}) {
        if (value.starts_with(uart)) {
            return apply_uart(options, value.substr(uart.size()));
        }
    }
    if (!value.starts_with(kSerial)) {
        return value.starts_with(kScreen) && apply_screen_console(options, value.substr(kScreen.size()));
    }
    value.remove_prefix(kSerial.size());
    if (value.empty() || value[0] < '0' || value[0] > '3') {
        return false;
    }
    const u32 port = static_cast<u32>(value[0] - '0');
    u64 baud = ConsoleChoices{}.baud;
    value.remove_prefix(1);
    if (!parse_rate(value, baud)) {
        return false;
    }
    options.consoles.port = port;
    options.consoles.address = {};
    options.consoles.baud = static_cast<u32>(baud);
    options.consoles.serial_named = true;
    options.consoles.screen_is_last = false;
    return true;
}

bool apply_quiet(Options& options, std::string_view) {
    options.log_level = kQuietConsoleLevel;
    return true;
}

bool apply_nosmp(Options& options, std::string_view) {
    options.max_cpus = 1;
    return true;
}

bool apply_noautogroup(Options& options, std::string_view) {
    options.no_autogroup = true;
    return true;
}

template <AfterBoot kChoice>
bool apply_after(Options& options, std::string_view) {
    options.after_boot = kChoice;
    return true;
}

struct NamedCrash {
    std::string_view name;
    Crash crash;
};
constexpr NamedCrash kCrashes[] = {
    {"null", Crash::Null},
    {"stack", Crash::Stack},
    {"assert", Crash::Assert},
    {"deadlock", Crash::Deadlock},
};

bool apply_crash(Options& options, std::string_view value) {
    for (const NamedCrash& named : kCrashes) {
        if (named.name == value) {
            options.crash = named.crash;
            return true;
        }
    }
    return false;
}

template <auto kField>
bool apply_text(Options& options, std::string_view value) {
    options.*kField = value;
    return !value.empty();
}

/// What strace shows, in the log.
bool apply_trace(Options& options, std::string_view value) {
    options.trace_system_calls = value == "syscalls";
    return options.trace_system_calls;
}

constexpr u64 kNoLimit = ~u64{0};
constexpr u64 kLongest = 10ull * 365 * 24 * 3600;  // seconds; what Nanoseconds can hold, and more than enough

// The one table. An option is one row; a row without a value name is a word of its own.
constexpr Row kRows[] = {
    {{"loglevel", "N", "show log records of levels below N on the consoles: 0 nothing … 8 everything; 7 if not given"},
     apply_number<&Options::log_level, 0, 8>},
    {{"quiet", "", "as loglevel=4: only errors and worse"}, apply_quiet},
    {{"console", "TERMINAL[,RATE]",
      "a terminal that has the log: ttySN, or ttyN of the screen (tty0: the one that is seen), or a 16550 by its "
      "address "
      "(uart8250,io,0xPORT, uart8250,mmio32,0xADDRESS); the last one given is also that of programs"},
     apply_console},
    {{"init", "PATH", "the first program, if the root has no /init"}, apply_text<&Options::init>},
    {{"rdinit", "PATH", "the first program instead of the root's /init"}, apply_text<&Options::ramdisk_init>},
    {{"trace", "syscalls", "a line in the log for each system call"}, apply_trace},
    {{"panic", "SECONDS", "after a panic reboot when SECONDS have passed; 0 (as if not given) never, negative at once"},
     apply_panic},
    {{"maxcpus", "N", "use at most N CPUs"}, apply_number<&Options::max_cpus, 1, 0xffff'ffff>},
    {{"nosmp", "", "as maxcpus=1"}, apply_nosmp},
    {{"noautogroup", "", "threads share the processor one by one, not session by session"}, apply_noautogroup},
    {{"stress", "SECONDS", "run the built-in stress test for SECONDS after start-up"},
     apply_number<&Options::stress_seconds, 0, kLongest>},
    {{"fail_nth", "N", "let the N-th memory request after start-up fail, to test what happens then"},
     apply_number<&Options::fail_nth, 1, kNoLimit>},
    {{"poweroff", "", "switch the machine off when start-up (and stress=) is done"}, apply_after<AfterBoot::PowerOff>},
    {{"halt", "", "stop when start-up is done, without switching off"}, apply_after<AfterBoot::Halt>},
    {{"reboot", "", "start again when start-up is done"}, apply_after<AfterBoot::Reboot>},
    {{"crash", "HOW", "fail on purpose after start-up, to see the panic screen: null, stack, assert or deadlock"},
     apply_crash},
};

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

}  // namespace

void Options::parse(std::string_view command_line) {
    if (command_line.size() > kMaxText) {
        log_warning("boot", "command line of {} bytes cut to {}", command_line.size(), kMaxText);
        command_line = command_line.substr(0, kMaxText);
    }
    usize used = 0;  // of text_; never more than was read, since quotes and spaces are left out
    usize at = 0;
    while (at < command_line.size()) {
        if (is_space(command_line[at])) {
            ++at;
            continue;
        }
        usize start = used;
        bool quoted = false;
        usize equals = ~usize{0};
        for (; at < command_line.size() && (quoted || !is_space(command_line[at])); ++at) {
            char c = command_line[at];
            if (c == '"') {
                quoted = !quoted;
                continue;
            }
            if (c == '=' && equals == ~usize{0}) {
                equals = used - start;
            }
            text_[used++] = c;
        }
        std::string_view word(text_ + start, used - start);
        bool has_value = equals != ~usize{0};
        take_word(word, has_value ? word.substr(0, equals) : word, has_value);
    }
}

void Options::take_word(std::string_view word, std::string_view name, bool has_value) {
    if (only_init_words_) {
        return keep_for_init(word, InitWord::Kind::Argument);
    }
    if (word == "--") {
        only_init_words_ = true;
        return;
    }
    for (const Row& row : kRows) {
        if (row.help.name != name) {
            continue;
        }
        bool wants_value = !row.help.value.empty();
        std::string_view value = has_value ? word.substr(name.size() + 1) : std::string_view{};
        if (wants_value != has_value || !row.apply(*this, value)) {
            log_warning("boot", "option not understood: {}", word);
        }
        return;
    }
    keep_for_init(word, has_value ? InitWord::Kind::Environment : InitWord::Kind::Argument);
}

void Options::keep_for_init(std::string_view word, InitWord::Kind kind) {
    if (init_word_count_ == kMaxInitWords) {
        log_warning("boot", "too many words for init; dropped: {}", word);
        return;
    }
    init_words_[init_word_count_++] = {kind, word};
}

usize option_count() {
    return std::size(kRows);
}
OptionHelp option_help(usize index) {
    return kRows[index].help;
}

}  // namespace cairn::boot
