#include "drivers/ps2/scan_decoder.h"

#include "drivers/input/input_codes.h"
#include "drivers/input/scan_codes.h"

namespace cairn::drivers {

namespace {

constexpr u8 kExtendedPrefix = 0xe0, kPausePrefix = 0xe1, kRelease = 0x80;
constexpr u8 kLeftShift = 0x2a, kRightShift = 0x36;
/// Keys of Korean keyboards that send one code, and none when they are let go.
constexpr u8 kHanja = 0xf1, kHanguel = 0xf2;

}  // namespace

ScanDecoder::ScanDecoder() {
    for (u32 code = 0; code < kRelease; ++code) {
        keys_[code] = drivers::key_of_scan_code(static_cast<u8>(code));
        keys_[kRelease + code] = key_of_extended_scan_code(static_cast<u8>(code));
    }
}

std::optional<ScanDecoder::Stroke> ScanDecoder::take(u8 byte) {
    const bool down = (byte & kRelease) == 0;
    const u8 code = byte & static_cast<u8>(~kRelease);
    switch (state_) {
        case State::Start:
            if (byte == kExtendedPrefix) {
                state_ = State::Extended;
                return std::nullopt;
            }
            if (byte == kPausePrefix) {
                state_ = State::Pause1;
                return std::nullopt;
            }
            if (byte == kHanja || byte == kHanguel) {
                return Stroke{byte == kHanja ? key::kHanja : key::kHanguel, true, byte};
            }
            if (code == kLeftShift) {
                left_shift_ = down;
            }
            return Stroke{keys_[code], down, code};
        case State::Extended:
            state_ = State::Start;
            if (code == kLeftShift || code == kRightShift) {
                return std::nullopt;  // keyboards pretend it for the keys that the PC/XT had on its keypad
            }
            return Stroke{keys_[kRelease + code], down, u32{kRelease} + code};
        case State::Pause1:  // E1 1D 45: Pause
            state_ = State::Pause2;
            return std::nullopt;
        case State::Pause2:
            state_ = State::Start;
            return Stroke{key::kPause, down, code};
    }
    return std::nullopt;
}

Result<u32> ScanDecoder::key_of(u32 scan_code) const {
    if (scan_code >= kCodes) {
        return fail(Errno::einval);
    }
    return u32{keys_[scan_code]};
}

Result<void> ScanDecoder::set_key(u32 scan_code, u32 key) {
    if (scan_code >= kCodes || key >= key::kCodes) {
        return fail(Errno::einval);
    }
    keys_[scan_code] = static_cast<u16>(key);
    return {};
}

}  // namespace cairn::drivers
