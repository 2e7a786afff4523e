#include "drivers/ps2/mouse_decoder.h"

namespace cairn::drivers {

namespace {

constexpr u8 kSelfTestPassed = 0xaa;
constexpr u8 kAlwaysSet = 0x08;  // in the first byte

}  // namespace

MouseDecoder::Event MouseDecoder::take(u8 byte, MouseMovement& movement) {
    if (size_ == 0 && (byte & kAlwaysSet) == 0) {
        return Event::None;  // not the beginning of a packet: one byte was lost
    }
    packet_[size_++] = byte;
    if (size_ == 2 && packet_[0] == kSelfTestPassed && byte == 0) {
        size_ = 0;
        return Event::PluggedIn;
    }
    if (size_ < packet_size()) {
        return Event::None;
    }
    size_ = 0;
    movement = decode();
    return Event::Moved;
}

MouseMovement MouseDecoder::decode() const {
    MouseMovement movement;
    const u8 first = packet_[0];
    movement.buttons = first & 7;
    // Nine bits in two's complement each; the mouse counts upwards, the screen downwards.
    movement.right = packet_[1] - (first << 4 & 0x100);
    movement.down = (first << 3 & 0x100) - packet_[2];
    if (protocol_ == MouseProtocol::Wheel) {
        movement.wheel = -static_cast<i8>(packet_[3]);
    } else if (protocol_ == MouseProtocol::Explorer) {
        movement.buttons = static_cast<u8>(movement.buttons | (packet_[3] >> 4 & 3) << 3);
        const i32 steps = (packet_[3] & 7) - (packet_[3] & 8);
        // Two steps at once is how a second wheel turns.
        if (steps == 2 || steps == -2) {
            movement.side_wheel = steps / 2;
        } else {
            movement.wheel = -steps;
        }
    }
    return movement;
}

}  // namespace cairn::drivers
