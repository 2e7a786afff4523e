/// /proc/bus/input and /proc/sysrq-trigger.

#include "drivers/input/input.h"
#include "drivers/input/magic_keys.h"
#include "fs/procfs/system_files.h"

namespace cairn::procfs {

namespace {

using drivers::InputDevice;

/// A set of codes as Linux shows it: words of 64 bits in hexadecimal, the highest that is not zero first.
template <u32 kCodes>
void show_codes(Text& text, std::string_view name, const drivers::CodeSet<kCodes>& codes) {
    text.format("B: {}=", name);
    bool any = false;
    for (usize word = sizeof codes.bytes / 8; word-- > 0;) {
        u64 value = 0;
        for (usize byte = 8; byte-- > 0;) {
            value = value << 8 | codes.bytes[word * 8 + byte];
        }
        if (value != 0 || any || word == 0) {
            text.format("{}{:x}", any ? " " : "", value);
            any = true;
        }
    }
    text.append('\n');
}

void show_device(Text& text, const InputDevice& device) {
    const drivers::InputIdentity& identity = device.identity();
    const drivers::InputCapabilities& can = device.capabilities();
    text.format("I: Bus={:04x} Vendor={:04x} Product={:04x} Version={:04x}\n", identity.bus, identity.vendor,
                identity.product, identity.version);
    text.format("N: Name=\"{}\"\nP: Phys={}\nS: Sysfs=\nU: Uniq=\nH: Handlers={}{}event{} \n", device.name(),
                device.place(), device.is_keyboard() ? "sysrq kbd " : "", device.is_mouse() ? "mouse0 " : "",
                device.event_number);
    show_codes(text, "PROP", drivers::CodeSet<1>{});
    show_codes(text, "EV", can.types);
    if (!can.keys.empty()) {
        show_codes(text, "KEY", can.keys);
    }
    if (!can.relative.empty()) {
        show_codes(text, "REL", can.relative);
    }
    if (!can.misc.empty()) {
        show_codes(text, "MSC", can.misc);
    }
    if (!can.lights.empty()) {
        show_codes(text, "LED", can.lights);
    }
    text.append('\n');
}

}  // namespace

Result<void> show_input_devices(Request&, Text& text) {
    if (g_kernel.input != nullptr) {
        g_kernel.input->for_each_device([&](const InputDevice& device) { show_device(text, device); });
    }
    return {};
}

Result<void> show_input_handlers(Request&, Text& text) {
    text.append("N: Number=0 Name=kbd\nN: Number=1 Name=evdev Minor=64\nN: Number=2 Name=mousedev Minor=32\n");
    return {};
}

/// The first character is a command; with '_' in front, all are.
Result<void> store_magic_key(Request&, std::string_view text) {
    const bool all = text.starts_with('_');
    for (char letter : text.substr(all ? 1 : 0)) {
        if (letter == '\n') {
            break;
        }
        drivers::magic_key(letter, drivers::MagicSource::Program);
        if (!all) {
            break;
        }
    }
    return {};
}

}  // namespace cairn::procfs
