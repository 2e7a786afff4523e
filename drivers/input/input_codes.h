#pragma once
/// Types and codes of input events: the numbers of Linux's evdev (input-event-codes.h), as programs see them.

#include "kernel/base/types.h"

namespace cairn::drivers {

namespace input_type {
constexpr u16 kSync = 0, kKey = 1, kRelative = 2, kAbsolute = 3, kMisc = 4, kLight = 0x11, kSound = 0x12;
constexpr u16 kRepeat = 0x14, kTypes = 0x20;
}  // namespace input_type

namespace sync_code {
constexpr u16 kReport = 0, kDropped = 3;
}

namespace misc_code {
constexpr u16 kScan = 4, kCodes = 8;
}

namespace light_code {
constexpr u16 kNumLock = 0, kCapsLock = 1, kScrollLock = 2, kCodes = 16;
}

namespace repeat_code {
constexpr u16 kDelay = 0, kPeriod = 1;
}

namespace relative_code {
constexpr u16 kX = 0, kY = 1, kHorizontalWheel = 6, kWheel = 8, kCodes = 16;
}

namespace sound_code {
constexpr u16 kBell = 1, kTone = 2, kCodes = 8;
}

namespace bus_type {
constexpr u16 kUsb = 3, kI8042 = 0x11, kIsa = 0x10;
}

namespace key {
constexpr u16 kEscape = 1, k1 = 2, k9 = 10, k0 = 11, kTab = 15, kEnter = 28, kLeftCtrl = 29, kLeftShift = 42;
constexpr u16 kRightShift = 54, kLeftAlt = 56, kSpace = 57, kCapsLock = 58, kNumLock = 69, kScrollLock = 70;
constexpr u16 kSystemRequest = 99, kRightAlt = 100, kRightCtrl = 97, kPause = 119, kHanguel = 122, kHanja = 123;
constexpr u16 kLeftMeta = 125, kRightMeta = 126;
constexpr u16 kButtonLeft = 0x110, kButtonRight = 0x111, kButtonMiddle = 0x112, kButtonSide = 0x113;
constexpr u16 kButtonExtra = 0x114;
constexpr u16 kCodes = 0x300;
}  // namespace key

/// What one device has or shows of one type, by code.
template <u32 kCodes>
struct CodeSet {
    u8 bytes[(kCodes + 63) / 64 * 8] = {};

    constexpr bool has(u32 code) const { return code < kCodes && (bytes[code / 8] >> (code % 8) & 1) != 0; }
    constexpr void add(u32 code) { bytes[code / 8] = static_cast<u8>(bytes[code / 8] | 1u << (code % 8)); }
    constexpr void remove(u32 code) { bytes[code / 8] = static_cast<u8>(bytes[code / 8] & ~(1u << (code % 8))); }
    constexpr void set(u32 code, bool on) { on ? add(code) : remove(code); }
    constexpr void add_range(u32 first, u32 last) {
        for (u32 code = first; code <= last; ++code) {
            add(code);
        }
    }
    constexpr bool empty() const {
        for (u8 byte : bytes) {
            if (byte != 0) {
                return false;
            }
        }
        return true;
    }
};

struct InputEvent {
    Nanoseconds time{};  // of the monotonic clock
    u16 type = 0;
    u16 code = 0;
    i32 value = 0;
};

}  // namespace cairn::drivers
