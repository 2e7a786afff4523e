#pragma once
/// MouseDecoder: from the bytes of a PS/2 mouse to movements and buttons.

#include <optional>

#include "kernel/base/types.h"

namespace cairn::drivers {

/// By the number that a mouse answers to "identify", after the knocks that ask for more than the original.
enum class MouseProtocol : u8 { Plain = 0, Wheel = 3, Explorer = 4 };

struct MouseMovement {
    i32 right = 0;
    i32 down = 0;
    i32 wheel = 0;       // away from the user is positive
    i32 side_wheel = 0;  // to the right is positive
    u8 buttons = 0;      // left, right, middle, side, extra
};

class MouseDecoder {
public:
    enum class Event : u8 { None, Moved, PluggedIn };

    void set_protocol(MouseProtocol protocol) {
        protocol_ = protocol;
        reset();
    }
    /// Forgets what was begun.
    void reset() { size_ = 0; }
    /// Takes a byte; Moved: the last one of a packet, which is in `movement`.
    Event take(u8 byte, MouseMovement& movement);

private:
    usize packet_size() const { return protocol_ == MouseProtocol::Plain ? 3 : 4; }
    MouseMovement decode() const;

    MouseProtocol protocol_ = MouseProtocol::Plain;
    u8 packet_[4] = {};
    usize size_ = 0;
};

}  // namespace cairn::drivers
