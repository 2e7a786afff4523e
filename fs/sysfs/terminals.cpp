/// /sys/class/tty: the terminals of the screen and of serial ports, and which of them is the console.

#include "fs/terminal/terminals.h"
#include "fs/sysfs/numbered.h"
#include "fs/sysfs/sysfs.h"
#include "fs/terminal/serial_terminal.h"

namespace cairn::sysfs {

namespace {

namespace terminal = fs::terminal;

/// The directories are numbered as the minors are: tty0 to tty63, then ttyS0 to ttyS3.
constexpr u32 kMajor = 4;
constexpr u32 kFirstSerial = terminal::SerialTerminal::kFirstMinor;

bool exists(u32 index) {
    const terminal::Terminals* terminals = g_kernel.terminals;
    if (terminals == nullptr) {
        return false;
    }
    return index < kFirstSerial ? terminals->virtual_terminals() != nullptr
                                : terminals->serial(index - kFirstSerial) != nullptr;
}

template <typename Out>
void append_name(u32 index, Out& out) {
    const bool serial = index >= kFirstSerial;
    format_to(out, "{}{}", serial ? std::string_view("ttyS") : std::string_view("tty"),
              serial ? index - kFirstSerial : index);
}

/// "4:64"
Result<void> show_number(Request& request, Text& text) {
    text.format("{}:{}\n", kMajor, request.subject.index);
    return {};
}

Result<void> show_event(Request& request, Text& text) {
    const u32 index = request.subject.index;
    char storage[16];
    TextBuffer name{std::span(storage)};
    append_name(index, name);
    text.format("MAJOR={}\nMINOR={}\nDEVNAME={}\n", kMajor, index, name.view());
    return {};
}

constexpr Entry kTerminal[] = {
    leaf("dev", &show_number),
    leaf("uevent", &show_event),
};
std::span<const Entry> terminal_entries() {
    return kTerminal;
}

constexpr Numbered kNumbered = {
    .count = [] { return kFirstSerial + terminal::Terminals::kSerialTerminals; },
    .name =
        [](u32 index, TextBuffer& text) {
            append_name(index, text);
            return exists(index);
        },
    .entries = &terminal_entries,
};

// --- /dev/tty, /dev/console, /dev/ptmx -------------------------------------------------------------------------------

constexpr char kTtyNumber[] = "5:0";
constexpr char kConsoleNumber[] = "5:1";
constexpr char kPtmxNumber[] = "5:2";

/// The names of the terminals that have the log, and last the one that is /dev/console (agetty(8) and systemd look
/// here).
Result<void> show_active(Request&, Text& text) {
    const terminal::Terminals& terminals = *g_kernel.terminals;
    const terminal::Terminal* console = terminals.console();
    if (console == nullptr) {
        text.append('\n');
        return {};
    }
    const u32 last = terminals.console_is_shown_terminal() ? 0 : console->number().minor;
    for (u32 minor : {terminals.log_on_screen(), terminals.log_on_serial()}) {
        if (minor != terminal::Terminals::kNoLog && minor != last) {
            char storage[16];
            TextBuffer name{std::span(storage)};
            append_name(minor, name);
            text.format("{} ", name.view());
        }
    }
    char storage[16];
    TextBuffer name{std::span(storage)};
    append_name(last, name);
    text.format("{}\n", name.view());
    return {};
}

constexpr Entry kConsole[] = {
    leaf("active", &show_active),
    leaf("dev", &show_fixed<kConsoleNumber>),
};
std::span<const Entry> console_entries() {
    return kConsole;
}
constexpr Entry kTty[] = {leaf("dev", &show_fixed<kTtyNumber>)};
std::span<const Entry> tty_entries() {
    return kTty;
}
constexpr Entry kPtmx[] = {leaf("dev", &show_fixed<kPtmxNumber>)};
std::span<const Entry> ptmx_entries() {
    return kPtmx;
}

constexpr Entry kTerminals[] = {
    branch("console", &console_entries),
    branch("ptmx", &ptmx_entries),
    branch("tty", &tty_entries),
};

}  // namespace

Result<Ref<vfs::Inode>> make_terminals(vfs::Superblock& superblock, u64 number, const Entry&, const procfs::Subject&) {
    return make_numbered(superblock, number, kTerminals, kNumbered);
}

}  // namespace cairn::sysfs
