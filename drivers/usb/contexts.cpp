#include "drivers/usb/contexts.h"

#include <algorithm>
#include <bit>

namespace cairn::usb {

u16 first_packet_size(Speed speed) {
    switch (speed) {
        case Speed::Low:
        case Speed::Full:
            return 8;
        case Speed::High:
            return 64;
        default:
            return 512;
    }
}

u8 interval_exponent(Speed speed, u8 interval) {
    if (speed >= Speed::High) {
        return static_cast<u8>(std::clamp(interval, u8{1}, u8{16}) - 1);
    }
    // Milliseconds: the power of two below, at least 1 ms.
    constexpr u32 kPerMillisecond = 8;
    const u32 frames = std::max<u32>(interval, 1) * kPerMillisecond;
    return static_cast<u8>(std::clamp<u32>(static_cast<u32>(std::bit_width(frames)) - 1, 3, 10));
}

void InputContext::clear() {
    std::ranges::fill(memory_, 0u);
}

void InputContext::set_slot(const SlotContext& slot) {
    const std::span<u32> words = context(1);
    constexpr u32 kHub = 1u << 26;
    words[0] =
        slot.route | static_cast<u32>(slot.speed) << 20 | (slot.hub_ports != 0 ? kHub : 0) | u32{slot.entries} << 27;
    words[1] = u32{slot.root_port} << 16 | u32{slot.hub_ports} << 24;
    words[2] = u32{slot.translator_slot} | u32{slot.translator_port} << 8 | u32{slot.think_time} << 16;
    add(0);
}

void InputContext::set_endpoint(u32 number, const EndpointContext& endpoint) {
    constexpr u32 kErrors = 3;  // so many in a row halt the endpoint
    const std::span<u32> words = context(number + 1);
    const u32 payload =
        endpoint.kind == EndpointContext::Kind::Control ? 0 : u32{endpoint.packet_size} * (endpoint.burst + 1u);
    words[0] = u32{endpoint.interval} << 16;
    words[1] = kErrors << 1 | static_cast<u32>(endpoint.kind) << 3 | u32{endpoint.burst} << 8 |
               u32{endpoint.packet_size} << 16;
    words[2] = static_cast<u32>(endpoint.ring);
    words[3] = static_cast<u32>(endpoint.ring >> 32);
    words[4] = endpoint.average_length | payload << 16;
    add(number);
}

}  // namespace cairn::usb
