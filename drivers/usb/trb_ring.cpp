#include "drivers/usb/trb_ring.h"

#include <atomic>

namespace cairn::usb {

void ProducerRing::start(std::span<Trb> memory, u64 address) {
    memory_ = memory;
    address_ = address;
    next_ = 0;
    cycle_ = true;
}

/// The cycle bit goes last: with it the block is the controller's.
void ProducerRing::write(usize index, const Trb& block) {
    Trb& place = memory_[index];
    place.parameter = block.parameter;
    place.status = block.status;
    const u32 control = (block.control & ~trb_flag::kCycle) | (cycle_ ? trb_flag::kCycle : 0);
    std::atomic_ref<u32>(place.control).store(control, std::memory_order_release);
}

u64 ProducerRing::push(Trb block) {
    const u64 address = address_of(next_);
    write(next_, block);
    if (++next_ == memory_.size() - 1) {
        write(next_, {address_, 0, trb_control(trb_type::kLink, trb_flag::kToggleCycle)});
        next_ = 0;
        cycle_ = !cycle_;
    }
    return address;
}

std::optional<Trb> EventRing::take() {
    Trb& place = memory_[next_];
    const u32 control = std::atomic_ref<u32>(place.control).load(std::memory_order_acquire);
    if ((control & trb_flag::kCycle) != (cycle_ ? 1u : 0u)) {
        return std::nullopt;
    }
    const Trb event{place.parameter, place.status, control};
    if (++next_ == memory_.size()) {
        next_ = 0;
        cycle_ = !cycle_;
    }
    return event;
}

}  // namespace cairn::usb
