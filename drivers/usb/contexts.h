#pragma once
/// Slot and endpoint contexts (xHCI 1.2, 6.2), as software writes them into an input context.

#include <span>

#include "kernel/base/types.h"

namespace cairn::usb {

/// Numbers as in PORTSC and slot contexts, unless the controller defines others.
enum class Speed : u8 { Full = 1, Low = 2, High = 3, Super = 4, SuperPlus = 5 };
constexpr bool is_super(Speed speed) {
    return speed >= Speed::Super;
}

struct SlotContext {
    u32 route = 0;
    Speed speed = Speed::Full;
    u8 entries = 1;  // the highest endpoint context in use
    u8 root_port = 0;
    u8 hub_ports = 0;   // 0: no hub
    u8 think_time = 0;  // of a high-speed hub's transaction translator
    u8 translator_slot = 0;
    u8 translator_port = 0;
};

struct EndpointContext {
    enum class Kind : u8 { Control = 4, InterruptOut = 3, InterruptIn = 7 };
    Kind kind = Kind::Control;
    u16 packet_size = 8;
    u8 burst = 0;
    u8 interval = 0;  // 125 us times two to this power
    u64 ring = 0;     // with the cycle bit
    u16 average_length = 8;
};

/// The largest packet of endpoint 0 before the device has said it.
u16 first_packet_size(Speed speed);
/// EndpointContext::interval from a descriptor's bInterval of an interrupt endpoint.
u8 interval_exponent(Speed speed, u8 interval);

/// An input context of a controller whose contexts have 32 or 64 bytes.
class InputContext {
public:
    InputContext(std::span<u32> memory, u32 context_size) : memory_(memory), words_(context_size / 4) {}
    /// All zeros: nothing to add or to drop.
    void clear();
    void set_slot(const SlotContext& slot);
    /// `number` as in Endpoint::context().
    void set_endpoint(u32 number, const EndpointContext& endpoint);

private:
    std::span<u32> context(u32 index) { return memory_.subspan(index * words_, words_); }
    void add(u32 index) { memory_[1] |= 1u << index; }

    std::span<u32> memory_;
    usize words_;
};

}  // namespace cairn::usb
