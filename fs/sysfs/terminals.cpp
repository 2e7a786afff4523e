/// /sys/class/tty: the terminals of serial ports, and which of them is the console.

#include "fs/terminal/terminals.h"
#include "fs/sysfs/numbered.h"
#include "fs/sysfs/sysfs.h"

namespace cairn::sysfs {

namespace {

namespace terminal = fs::terminal;

const terminal::Terminal* serial(u32 index) {
    return g_kernel.terminals == nullptr ? nullptr : g_kernel.terminals->serial(index);
}

u32 minor_of(u32 index) {
    const terminal::Terminal* found = serial(index);
    return found == nullptr ? 0 : found->number().minor;
}
constexpr u32 kSerialMajor = 4;

/// "4:64"
Result<void> show_number(Request& request, Text& text) {
    text.format("{}:{}\n", kSerialMajor, minor_of(request.subject.index));
    return {};
}

Result<void> show_event(Request& request, Text& text) {
    const u32 index = request.subject.index;
    text.format("MAJOR={}\nMINOR={}\nDEVNAME=ttyS{}\n", kSerialMajor, minor_of(index), index);
    return {};
}

constexpr Entry kSerial[] = {
    leaf("dev", &show_number),
    leaf("uevent", &show_event),
};
std::span<const Entry> serial_entries() {
    return kSerial;
}

constexpr Numbered kNumbered = {
    .count = [] { return terminal::Terminals::kSerialTerminals; },
    .name =
        [](u32 index, TextBuffer& text) {
            format_to(text, "ttyS{}", index);
            return serial(index) != nullptr;
        },
    .entries = &serial_entries,
};

// --- /dev/tty, /dev/console, /dev/ptmx -------------------------------------------------------------------------------

constexpr char kTtyNumber[] = "5:0";
constexpr char kConsoleNumber[] = "5:1";
constexpr char kPtmxNumber[] = "5:2";

/// The names of the console's terminals (agetty(8), systemd look here).
Result<void> show_active(Request&, Text& text) {
    for (u32 index = 0; index < terminal::Terminals::kSerialTerminals; ++index) {
        if (serial(index) != nullptr && serial(index) == g_kernel.terminals->console()) {
            text.format("ttyS{}", index);
        }
    }
    text.append('\n');
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
