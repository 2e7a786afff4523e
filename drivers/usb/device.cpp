/// How a device comes up and goes; see device.h. Requests are in device_requests.cpp.

#include "drivers/usb/device.h"

#include <algorithm>

#include "drivers/usb/controller.h"
#include "drivers/usb/hid.h"
#include "drivers/usb/hub.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"

namespace cairn::usb {

namespace {

/// More than any device has that we drive; longer ones are cut, and what is cut is not used.
constexpr usize kLargestConfiguration = kPageSize;
/// Behind so many hubs nothing is allowed to be (USB 2.0, 4.1.1).
constexpr u8 kDeepest = 5;
constexpr u32 kAfterAddressMilliseconds = 10;

}  // namespace

Device::Device(Controller& controller, Device* parent, u8 port, Speed speed)
    : controller_(controller), parent_(parent), port_(port), speed_(speed) {
    root_port_ = parent == nullptr ? port : parent->root_port_;
    if (parent != nullptr) {
        constexpr u8 kLargestInRoute = 15;
        depth_ = static_cast<u8>(parent->depth_ + 1);
        route_ = parent->route_ | u32{std::min(port, kLargestInRoute)} << (4 * (depth_ - 1));
    }
}

Result<Own<Device>> Device::create(Controller& controller, Device* parent, u8 port, Speed speed) {
    Own<Device> device = TRY(try_new<Device>(controller, parent, port, speed));
    if (device->depth_ > kDeepest) {
        return fail(Errno::einval);
    }
    Result<void> up = device->bring_up();
    if (!up.ok()) {
        device->leave();
        return up.failure();
    }
    return device;
}

Result<void> Device::bring_up() {
    RootHub* hub = controller_.root_hub_of(root_port_);
    if (hub == nullptr) {
        return fail(Errno::enodev);
    }
    address_ = take_address(*hub);
    if (address_ == 0) {
        return fail(Errno::enospc);
    }
    TRY(set_address());
    TRY(read_descriptors());
    read_texts();
    log_info("usb", "bus {} device {}: {:04x}:{:04x} {} {}", hub->bus, address_, descriptor_.vendor,
             descriptor_.product, manufacturer(), product());
    TRY(add_node());
    Result<void> configured = configure();
    if (!configured.ok()) {
        // It stays visible; nothing drives it.
        log_warning("usb", "bus {} device {}: not configured: {}", hub->bus, address_, configured.error());
    }
    return {};
}

Result<void> Device::add_node() {
    char storage[DeviceNode::kNameLimit];
    TextBuffer name{std::span(storage)};
    write_path(name);
    RootHub& hub = *controller_.root_hub_of(root_port_);
    devices::Node* above = parent_ == nullptr ? hub.node.node() : parent_->tree_node_.node();
    if (above == nullptr) {
        return {};  // there was no memory for it
    }
    return tree_node_.add(*above, name.view(),
                          {.descriptor = raw_descriptor_,
                           .configuration = configuration_.span(),
                           .manufacturer = manufacturer(),
                           .product = product(),
                           .serial = serial(),
                           .bus = hub.bus,
                           .address = address_,
                           .speed = speed_});
}

SlotContext Device::slot_context() const {
    SlotContext slot;
    slot.route = route_;
    slot.speed = speed_;
    slot.entries = last_context_;
    slot.root_port = root_port_;
    slot.hub_ports = hub_ports_;
    slot.think_time = think_time_;
    if (speed_ == Speed::Low || speed_ == Speed::Full) {
        // The nearest hub at high speed translates.
        const Device* below = this;
        const Device* hub = parent_;
        while (hub != nullptr && hub->speed_ != Speed::High) {
            below = hub;
            hub = hub->parent_;
        }
        if (hub != nullptr) {
            slot.translator_slot = hub->slot_;
            slot.translator_port = below->port_;
        }
    }
    return slot;
}

Result<void> Device::give_input_context(u32 command) {
    TRY(controller_.command({input_context_.address(), 0, trb_control(command) | u32{slot_} << 24}));
    return {};
}

Result<void> Device::set_address() {
    const mm::FrameFlags where = controller_.memory_kind();
    output_context_ = TRY(DmaPages::create(0, where));
    input_context_ = TRY(DmaPages::create(0, where));
    bounce_ = TRY(DmaPages::create(0, where));
    queues_[1] = TRY(try_new<EndpointQueue>());
    queues_[1]->context = 1;
    TRY(queues_[1]->create_ring(where));
    slot_ = TRY(controller_.enable_slot());
    at_work_ = true;
    controller_.set_slot(slot_, this, output_context_.address());
    InputContext input(input_context_.as<u32>(), controller_.context_size());
    input.clear();
    input.set_slot(slot_context());
    input.set_endpoint(1, {.packet_size = first_packet_size(speed_), .ring = queues_[1]->ring.next_with_cycle()});
    TRY(give_input_context(trb_type::kAddressDevice));
    sched::sleep_for(Nanoseconds::from_milliseconds(kAfterAddressMilliseconds));
    return {};
}

Result<void> Device::read_descriptors() {
    constexpr usize kBeginning = 8;  // up to the size of packets
    const Request get_device{request_kind::kIn, standard_request::kGetDescriptor, descriptor_kind::kDevice << 8, 0};
    if (TRY(read(get_device, std::span(raw_descriptor_).first(kBeginning))) < kBeginning) {
        return fail(Errno::einval);
    }
    const u8 packet = raw_descriptor_[kBeginning - 1];
    if (speed_ == Speed::Full && packet != first_packet_size(speed_)) {
        if (packet != 16 && packet != 32 && packet != 64) {
            return fail(Errno::einval);
        }
        InputContext input(input_context_.as<u32>(), controller_.context_size());
        input.clear();
        input.set_endpoint(1, {.packet_size = packet});
        TRY(give_input_context(trb_type::kEvaluateContext));
    }
    const usize got = TRY(read(get_device, raw_descriptor_));
    descriptor_ = TRY(parse_device_descriptor(std::span<const u8>(raw_descriptor_).first(got)));

    const Request get_configuration{request_kind::kIn, standard_request::kGetDescriptor,
                                    descriptor_kind::kConfiguration << 8, 0};
    u8 header[Configuration::kSize];
    const usize header_size = TRY(read(get_configuration, header));
    const usize size = TRY(configuration_size(std::span<const u8>(header).first(header_size)));
    configuration_ = TRY(OwnArray<u8>::create(std::min(size, kLargestConfiguration)));
    const usize have = TRY(read(get_configuration, configuration_.span()));
    return have < configuration_.size() ? Result<void>(fail(Errno::einval)) : Result<void>();
}

/// The endpoints of first alternates, which hold from SET_CONFIGURATION on.
Result<void> Device::add_endpoints(const Configuration& configuration) {
    InputContext input(input_context_.as<u32>(), controller_.context_size());
    input.clear();
    usize offset = 0;
    while (const std::optional<Interface> interface = next_interface(configuration, offset)) {
        usize inner = 0;
        while (const std::optional<Endpoint> endpoint =
                   interface->alternate == 0 ? next_endpoint(*interface, inner) : std::nullopt) {
            // Of other kinds nothing is used yet.
            if (!endpoint->is_interrupt() || !endpoint->is_in() || queues_[endpoint->context()]) {
                continue;
            }
            Own<EndpointQueue> queue = TRY(try_new<EndpointQueue>());
            queue->context = endpoint->context();
            TRY(queue->create_ring(controller_.memory_kind()));
            last_context_ = std::max(last_context_, queue->context);
            input.set_endpoint(queue->context, {.kind = EndpointContext::Kind::InterruptIn,
                                                .packet_size = endpoint->packet_size,
                                                .burst = endpoint->burst,
                                                .interval = interval_exponent(speed_, endpoint->interval),
                                                .ring = queue->ring.next_with_cycle(),
                                                .average_length = endpoint->packet_size});
            // The controller's events find it only once it is started.
            queues_[queue->context] = std::move(queue);
        }
    }
    input.set_slot(slot_context());
    return give_input_context(trb_type::kConfigureEndpoint);
}

Result<void> Device::configure() {
    const Configuration configuration = TRY(parse_configuration(configuration_.span()));
    TRY(add_endpoints(configuration));
    TRY(write({0, standard_request::kSetConfiguration, configuration.value, 0}));
    find_functions(configuration);
    return {};
}

/// Null: nothing drives it.
Result<Function*> Device::create_function(const Interface& interface) {
    switch (interface.interface_class) {
        case usb_class::kHub:
            return create_hub(*this, interface);
        case usb_class::kHid:
            return create_boot_device(*this, interface);
        default:
            return static_cast<Function*>(nullptr);
    }
}

void Device::find_functions(const Configuration& configuration) {
    usize offset = 0;
    while (const std::optional<Interface> interface = next_interface(configuration, offset)) {
        if (interface->alternate != 0) {
            continue;
        }
        Result<Function*> made = create_function(*interface);
        if (!made.ok()) {
            log_warning("usb", "device {}, interface {}: {}", address_, interface->number, made.error());
        } else if (made.value() != nullptr) {
            made.value()->interface_number = interface->number;
            functions.push_back(*made.value());
            tree_node_.set_driver(interface->number, made.value()->driver_name());
        }
    }
}

void Device::serve() {
    for (u32 context = 2; context < kEndpoints; ++context) {
        if (queues_[context] && queues_[context]->halted.exchange(false, Order::acq_rel)) {
            restart_reports(*queues_[context]);
        }
    }
    for (Function& function : functions) {
        function.serve();
    }
}

void Device::leave() {
    for (const Own<EndpointQueue>& queue : queues_) {
        if (queue) {
            controller_.stop_reports(*queue);
        }
    }
    while (Function* function = functions.pop_front()) {
        function->leave();
        function->destroy();
    }
    const bool was_announced = tree_node_.node() != nullptr;
    tree_node_.remove();
    if (at_work_) {
        controller_.disable_slot(slot_);
        controller_.set_slot(slot_, nullptr, 0);
        at_work_ = false;
    }
    if (RootHub* hub = controller_.root_hub_of(root_port_); hub != nullptr && address_ != 0) {
        if (was_announced) {
            log_info("usb", "bus {} device {} is gone", hub->bus, address_);
        }
        give_back_address(*hub, address_);
    }
}

void Device::write_path(TextBuffer& text) const {
    if (parent_ != nullptr) {
        parent_->write_path(text);
        format_to(text, ".{}", port_);
        return;
    }
    const RootHub& hub = *controller_.root_hub_of(root_port_);
    format_to(text, "{}-{}", hub.bus, port_ - hub.first_port + 1);
}

}  // namespace cairn::usb
