#include "drivers/usb/hid_boot.h"

#include <algorithm>

namespace cairn::usb {

namespace {

namespace type = drivers::input_type;
namespace key = drivers::key;

/// Usages from 4 on.
constexpr u8 kFirstUsage = 4;
constexpr u8 kKeys[] = {
    30,  48,  46,  32,  18,  33,  34,  35,  23,  36,  37,  38,  50,  49,  24,  25,  16, 19,  31,
    20,  22,  47,  17,  45,  21,  44,                                                            // A … Z
    2,   3,   4,   5,   6,   7,   8,   9,   10,  11,                                             // 1 … 0
    28,  1,   14,  15,  57,  12,  13,  26,  27,  43,  43,  39,  40,  41,  51,  52,  53, 58,      // Enter … Caps Lock
    59,  60,  61,  62,  63,  64,  65,  66,  67,  68,  87,  88,                                   // F1 … F12
    99,  70,  119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103,                             // Print … Up
    69,  98,  55,  74,  78,  96,  79,  80,  81,  75,  76,  77,  71,  72,  73,  82,  83,          // the keypad
    86,  127, 116, 117, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194,              // 102nd … F24
    134, 138, 130, 132, 128, 129, 131, 137, 133, 135, 136, 113, 115, 114, 0,   0,   0,  121, 0,  // Open … Keypad comma
    89,  93,  124, 92,  94,  95,  0,   0,   0,   122, 123, 90,  91,  85,                         // International, LANG
};
/// Usages E0 … E7.
constexpr u8 kModifiers[] = {key::kLeftCtrl,  key::kLeftShift,  key::kLeftAlt,  key::kLeftMeta,
                             key::kRightCtrl, key::kRightShift, key::kRightAlt, key::kRightMeta};

constexpr usize kFirstKey = 2;  // in a report; before: modifiers, and a byte of the maker's
constexpr u8 kTooManyKeys = 1;

}  // namespace

u16 key_of_usage(u8 usage) {
    const usize index = usize{usage} - kFirstUsage;
    return usage < kFirstUsage || index >= std::size(kKeys) ? u16{0} : kKeys[index];
}

drivers::InputCapabilities boot_keyboard_capabilities() {
    drivers::InputCapabilities can;
    can.types.add(type::kSync);
    can.types.add(type::kKey);
    can.types.add(type::kMisc);
    can.types.add(type::kLight);
    can.types.add(type::kRepeat);
    can.misc.add(drivers::misc_code::kScan);
    can.lights.add_range(drivers::light_code::kNumLock, drivers::light_code::kScrollLock);
    for (u8 code : kKeys) {
        if (code != 0) {
            can.keys.add(code);
        }
    }
    for (u8 code : kModifiers) {
        can.keys.add(code);
    }
    return can;
}

void BootKeyboard::take(std::span<const u8> report, drivers::InputDevice& device) {
    if (report.size() < kReportSize || report[kFirstKey] == kTooManyKeys) {
        return;
    }
    report = report.first(kReportSize);
    for (u32 bit = 0; bit < std::size(kModifiers); ++bit) {
        device.report(type::kKey, kModifiers[bit], report[0] >> bit & 1);
    }
    auto tell = [&device](std::span<const u8> of, std::span<const u8> not_in, i32 value) {
        for (u8 usage : of.subspan(kFirstKey)) {
            if (usage >= kFirstUsage && std::ranges::find(not_in.subspan(kFirstKey), usage) == not_in.end()) {
                constexpr i32 kKeyboardPage = 0x70000;
                device.report(type::kMisc, drivers::misc_code::kScan, kKeyboardPage | usage);
                if (const u16 code = key_of_usage(usage); code != 0) {
                    device.report(type::kKey, code, value);
                }
            }
        }
    };
    tell(last_, report, 0);
    tell(report, last_, 1);
    std::ranges::copy(report, last_);
    device.synchronize();
}

void take_boot_mouse(std::span<const u8> report, drivers::InputDevice& device) {
    constexpr usize kLeast = 3;
    constexpr u16 kButtons = 5;
    if (report.size() < kLeast) {
        return;
    }
    for (u16 button = 0; button < kButtons; ++button) {
        device.report(type::kKey, static_cast<u16>(key::kButtonLeft + button), report[0] >> button & 1);
    }
    device.report(type::kRelative, drivers::relative_code::kX, static_cast<i8>(report[1]));
    device.report(type::kRelative, drivers::relative_code::kY, static_cast<i8>(report[2]));
    if (report.size() > kLeast) {
        device.report(type::kRelative, drivers::relative_code::kWheel, static_cast<i8>(report[kLeast]));
    }
    device.synchronize();
}

u8 boot_lights(u32 wanted) {
    // Num, Caps and Scroll Lock are bits 0 … 2 of both.
    return wanted & 7;
}

}  // namespace cairn::usb
