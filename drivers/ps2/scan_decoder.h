#pragma once
/// ScanDecoder: from the bytes of a keyboard, as the controller translates them to set 1, to keys.

#include <optional>

#include "kernel/base/result.h"

namespace cairn::drivers {

class ScanDecoder {
public:
    struct Stroke {
        u16 key;
        bool down;
        u32 scan_code;  // as for key_of()
    };

    ScanDecoder();
    /// Takes a byte; a key when it was the last one of its code. Unknown codes give key 0.
    std::optional<Stroke> take(u8 byte);
    /// Whether AAh would be what a keyboard says that was just plugged in, and not that Shift was let go.
    bool reset_code_is_expected() const { return state_ == State::Start && !left_shift_; }
    void reset() {
        state_ = State::Start;
        left_shift_ = false;
    }

    /// Scan codes with the prefix E0 are from 80h on, as for setkeycodes(8). EINVAL.
    Result<u32> key_of(u32 scan_code) const;
    Result<void> set_key(u32 scan_code, u32 key);

private:
    enum class State : u8 { Start, Extended, Pause1, Pause2 };
    static constexpr u32 kCodes = 0x100;

    State state_ = State::Start;
    bool left_shift_ = false;
    u16 keys_[kCodes];
};

}  // namespace cairn::drivers
