/// Requests to endpoint 0, and endpoints that have stopped; see device.h.

#include <algorithm>

#include "drivers/usb/controller.h"
#include "drivers/usb/device.h"

namespace cairn::usb {

namespace {

/// What a device may take its time for at most (USB 2.0, 9.2.6.4).
constexpr u32 kRequestMilliseconds = 5000;

}  // namespace

Result<usize> Device::read(const Request& request, std::span<u8> data) {
    return transfer(request, data);
}

Result<void> Device::write(const Request& request, std::span<const u8> data) {
    std::ranges::copy(data, bounce_.as<u8>().begin());
    TRY(transfer(request, bounce_.as<u8>().first(data.size())));
    return {};
}

/// Three stages (xHCI 1.2, 4.11.2.2). Data goes through a page of the device's; `data` is that page when it is written.
Result<usize> Device::transfer(const Request& request, std::span<u8> data) {
    constexpr u32 kDataIn = 3u << 16, kDataOut = 2u << 16;
    const bool in = (request.kind & request_kind::kIn) != 0;
    const u32 size = static_cast<u32>(std::min<usize>(data.size(), kPageSize));
    const u64 setup = u64{request.kind} | u64{request.request} << 8 | u64{request.value} << 16 |
                      u64{request.index} << 32 | u64{size} << 48;
    Trb blocks[3];
    usize count = 0;
    blocks[count++] = {setup, 8,
                       trb_control(trb_type::kSetup, trb_flag::kImmediate) | (size == 0 ? 0
                                                                              : in      ? kDataIn
                                                                                        : kDataOut)};
    if (size != 0) {
        blocks[count++] = {bounce_.address(), size,
                           trb_control(trb_type::kData, trb_flag::kInterrupt | (in ? trb_flag::kIn : 0))};
    }
    const bool status_in = size == 0 || !in;
    blocks[count++] = {0, 0, trb_control(trb_type::kStatus, trb_flag::kInterrupt | (status_in ? trb_flag::kIn : 0))};

    EndpointQueue& queue = *queues_[1];
    const Result<void> ran =
        controller_.run_transfer(*this, queue, std::span<const Trb>(blocks, count), kRequestMilliseconds);
    if (!ran.ok()) {
        if (ran.error() == Errno::etimedout) {
            recover(queue, false);
        }
        return fail(ran.error());
    }
    if (queue.completion != completion_code::kSuccess && queue.completion != completion_code::kShortPacket) {
        recover(queue, true);
        return fail(queue.completion == completion_code::kStall ? Errno::epipe : Errno::eio);
    }
    const usize moved = size - std::min(queue.residue, size);
    if (in) {
        std::copy_n(bounce_.as<u8>().data(), moved, data.data());
    }
    return moved;
}

/// Has the controller forget what it was at (xHCI 1.2, 4.10.2.1): an endpoint that halted is reset, one that is at work
/// stopped; then it goes on behind what was given to it.
void Device::recover(EndpointQueue& queue, bool is_halted) {
    const u32 target = u32{queue.context} << 16 | u32{slot_} << 24;
    const u32 command = is_halted ? trb_type::kResetEndpoint : trb_type::kStopEndpoint;
    static_cast<void>(controller_.command({0, 0, trb_control(command) | target}));
    static_cast<void>(
        controller_.command({queue.ring.next_with_cycle(), 0, trb_control(trb_type::kSetDequeue) | target}));
}

void Device::restart_reports(EndpointQueue& queue) {
    recover(queue, true);
    const u16 address = static_cast<u16>(queue.context / 2 | (queue.context % 2 != 0 ? 0x80 : 0));
    constexpr u16 kHalt = 0;
    const Result<void> cleared = write({request_kind::kEndpoint, standard_request::kClearFeature, kHalt, address});
    if (cleared.ok() || cleared.error() == Errno::epipe) {
        controller_.start_reports(slot_, queue);
    }
}

Result<void> Device::start_reports(const Endpoint& endpoint, ReportSink& sink, u16 largest) {
    EndpointQueue* queue = this->queue(endpoint.context());
    if (queue == nullptr || queue->sink != nullptr) {
        return fail(Errno::einval);
    }
    queue->buffer = TRY(DmaPages::create(0, controller_.memory_kind()));
    queue->report_size = largest;
    queue->sink = &sink;
    controller_.start_reports(slot_, *queue);
    return {};
}

void Device::set_hub(u8 ports, u8 think_time) {
    hub_ports_ = ports;
    think_time_ = think_time;
    tree_node_.set_ports(ports);
    InputContext input(input_context_.as<u32>(), controller_.context_size());
    input.clear();
    input.set_slot(slot_context());
    // Controllers take a hub's data with this command (xHCI 1.2, 4.5.2).
    static_cast<void>(give_input_context(trb_type::kConfigureEndpoint));
}

// --- Texts --------------------------------------------------------------------------------------------------------

void Device::read_text(u8 number, u16 language, std::span<char, kTextLimit> to, usize& size) {
    if (number == 0) {
        return;
    }
    u8 bytes[255];
    const Result<usize> got = read({request_kind::kIn, standard_request::kGetDescriptor,
                                    static_cast<u16>(descriptor_kind::kString << 8 | number), language},
                                   bytes);
    if (got.ok()) {
        size = string_text(std::span<const u8>(bytes).first(got.value()), to);
    }
}

/// Devices without texts, or that refuse to tell them, have none.
void Device::read_texts() {
    u8 languages[4] = {};
    if (descriptor_.manufacturer_text == 0 && descriptor_.product_text == 0 && descriptor_.serial_text == 0) {
        return;
    }
    const Result<usize> got =
        read({request_kind::kIn, standard_request::kGetDescriptor, descriptor_kind::kString << 8, 0}, languages);
    if (!got.ok() || got.value() < sizeof languages) {
        return;
    }
    const u16 language = static_cast<u16>(languages[2] | languages[3] << 8);
    read_text(descriptor_.manufacturer_text, language, manufacturer_, manufacturer_size_);
    read_text(descriptor_.product_text, language, product_, product_size_);
    read_text(descriptor_.serial_text, language, serial_, serial_size_);
}

}  // namespace cairn::usb
