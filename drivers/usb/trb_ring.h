#pragma once
/// Rings of transfer request blocks (xHCI 1.2, 4.9): the producer's, for commands and transfers, and the consumer's,
/// for events. They know memory only; who may use one when is their owner's matter.

#include <optional>
#include <span>

#include "kernel/base/types.h"

namespace cairn::usb {

struct Trb {
    u64 parameter = 0;
    u32 status = 0;
    u32 control = 0;

    u32 type() const { return control >> 10 & 0x3f; }
    u32 completion() const { return status >> 24; }
    u32 slot() const { return control >> 24; }
    u32 endpoint() const { return control >> 16 & 0x1f; }
    /// Of a transfer event: bytes that were not moved.
    u32 residue() const { return status & 0xffffff; }
};
static_assert(sizeof(Trb) == 16);

namespace trb_type {
constexpr u32 kNormal = 1, kSetup = 2, kData = 3, kStatus = 4, kLink = 6, kEnableSlot = 9, kDisableSlot = 10;
constexpr u32 kAddressDevice = 11, kConfigureEndpoint = 12, kEvaluateContext = 13, kResetEndpoint = 14;
constexpr u32 kStopEndpoint = 15, kSetDequeue = 16;
constexpr u32 kTransferEvent = 32, kCommandEvent = 33, kPortEvent = 34;
}  // namespace trb_type
namespace trb_flag {
constexpr u32 kCycle = 1, kToggleCycle = 2, kShortPacket = 4, kInterrupt = 0x20, kImmediate = 0x40, kIn = 0x10000;
}
namespace completion_code {
constexpr u32 kSuccess = 1, kStall = 6, kShortPacket = 13, kStopped = 26, kStoppedShort = 28;
}

constexpr u32 trb_control(u32 type, u32 flags = 0) {
    return type << 10 | flags;
}

/// One segment whose last block leads back to the first.
class ProducerRing {
public:
    /// `memory`: zeroed, at least three blocks; `address`: where the controller finds it.
    void start(std::span<Trb> memory, u64 address);
    /// Writes a block and hands it to the controller; returns its address. The owner has seen to it that there is room.
    u64 push(Trb block);
    /// Where the next block goes, with the cycle bit in bit 0: a ring's dequeue pointer.
    u64 next_with_cycle() const { return address_of(next_) | (cycle_ ? 1 : 0); }

private:
    u64 address_of(usize index) const { return address_ + index * sizeof(Trb); }
    void write(usize index, const Trb& block);

    std::span<Trb> memory_;
    u64 address_ = 0;
    usize next_ = 0;
    bool cycle_ = true;
};

class EventRing {
public:
    void start(std::span<Trb> memory, u64 address) {
        memory_ = memory;
        address_ = address;
        next_ = 0;
        cycle_ = true;
    }
    /// The next event, if the controller has written one.
    std::optional<Trb> take();
    u64 dequeue_pointer() const { return address_ + next_ * sizeof(Trb); }

private:
    std::span<Trb> memory_;
    u64 address_ = 0;
    usize next_ = 0;
    bool cycle_ = true;
};

}  // namespace cairn::usb
