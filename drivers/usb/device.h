#pragma once
/// Device: something plugged into USB, from its first address on: what it says of itself, its endpoints, and what
/// drives it (a hub, keyboards and mice). Its controller's thread makes and uses it; nobody else but for what is said
/// to be any context's, and what programs read of it under the lock of the tree of devices.

#include "drivers/usb/contexts.h"
#include "drivers/usb/descriptors.h"
#include "drivers/usb/endpoint_queue.h"
#include "drivers/usb/nodes.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/base/own_array.h"

namespace cairn::usb {

class Controller;
class Device;

/// What drives an interface of a device.
class Function {
public:
    /// Its part of what the thread does. May sleep.
    virtual void serve() = 0;
    /// The device is going away: no more reports come.
    virtual void leave() = 0;
    /// With the concrete type.
    virtual void destroy() = 0;
    virtual std::string_view driver_name() const = 0;
    u8 interface_number = 0;
    ListNode node;

protected:
    ~Function() = default;
};

/// A request to endpoint 0 (USB 2.0, 9.3).
struct Request {
    u8 kind;
    u8 request;
    u16 value;
    u16 index;
};
namespace request_kind {
constexpr u8 kIn = 0x80, kClass = 0x20, kInterface = 1, kEndpoint = 2, kOther = 3;
}
namespace standard_request {
constexpr u8 kGetStatus = 0, kClearFeature = 1, kSetFeature = 3, kGetDescriptor = 6, kSetConfiguration = 9;
}

class Device {
public:
    static constexpr u32 kEndpoints = 32;
    static constexpr usize kTextLimit = 128;

    /// Addresses what was found at the port, reads its descriptors, configures it and gives it to what drives it.
    static Result<Own<Device>> create(Controller& controller, Device* parent, u8 port, Speed speed);
    /// Undoes it: what drives it goes, and the slot is given back. Then it may be destroyed.
    void leave();
    void serve();

    Controller& controller() const { return controller_; }
    Device* parent() const { return parent_; }
    u8 port() const { return port_; }
    u8 root_port() const { return root_port_; }
    u8 slot() const { return slot_; }
    Speed speed() const { return speed_; }
    u8 depth() const { return depth_; }
    u8 address() const { return address_; }
    const DeviceDescriptor& descriptor() const { return descriptor_; }
    std::span<const u8> raw_descriptor() const { return raw_descriptor_; }
    std::span<const u8> raw_configuration() const { return configuration_.span(); }
    std::string_view manufacturer() const { return {manufacturer_, manufacturer_size_}; }
    std::string_view product() const { return {product_, product_size_}; }
    std::string_view serial() const { return {serial_, serial_size_}; }
    /// "1-2.3"; ports as its bus counts them.
    void write_path(TextBuffer& text) const;

    // --- Requests; the thread's. ETIMEDOUT, ENODEV, EPIPE (the device refuses), EIO ---------------------------------
    /// Returns how much came.
    Result<usize> read(const Request& request, std::span<u8> data);
    Result<void> write(const Request& request, std::span<const u8> data = {});
    /// Has reports of an endpoint of the configuration handed to `sink`, until leave().
    Result<void> start_reports(const Endpoint& endpoint, ReportSink& sink, u16 largest);
    void set_hub(u8 ports, u8 think_time);

    /// Under the controller's lock: null: no such endpoint.
    EndpointQueue* queue(u32 context) const { return context < kEndpoints ? queues_[context].get() : nullptr; }

    ListNode node;                              // the controller's list
    List<Function, &Function::node> functions;  // owned

    Device(Controller& controller, Device* parent, u8 port, Speed speed);
    ~Device() = default;

private:
    Result<void> bring_up();
    Result<void> set_address();
    Result<void> read_descriptors();
    Result<void> configure();
    Result<void> add_endpoints(const Configuration& configuration);
    Result<Function*> create_function(const Interface& interface);
    void find_functions(const Configuration& configuration);
    void read_text(u8 number, u16 language, std::span<char, kTextLimit> to, usize& size);
    void read_texts();
    Result<usize> transfer(const Request& request, std::span<u8> data);
    void recover(EndpointQueue& queue, bool is_halted);
    void restart_reports(EndpointQueue& queue);
    Result<void> give_input_context(u32 command);
    Result<void> add_node();
    SlotContext slot_context() const;

    Controller& controller_;
    Device* const parent_;  // null: at a root port
    const u8 port_;
    const Speed speed_;
    u8 root_port_ = 0;
    u8 depth_ = 0;
    u32 route_ = 0;
    u8 slot_ = 0;
    u8 address_ = 0;  // as programs see it
    u8 hub_ports_ = 0;
    u8 think_time_ = 0;
    u8 last_context_ = 1;
    bool at_work_ = false;  // the slot is the controller's

    DmaPages output_context_;
    DmaPages input_context_;
    DmaPages bounce_;
    Own<EndpointQueue> queues_[kEndpoints];

    DeviceDescriptor descriptor_{};
    u8 raw_descriptor_[DeviceDescriptor::kSize] = {};
    OwnArray<u8> configuration_;
    char manufacturer_[kTextLimit];
    char product_[kTextLimit];
    char serial_[kTextLimit];
    usize manufacturer_size_ = 0;
    usize product_size_ = 0;
    usize serial_size_ = 0;
    DeviceNode tree_node_;
};

}  // namespace cairn::usb
