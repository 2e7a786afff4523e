#pragma once
/// USB devices as programs see them: folders of /sys/devices and /sys/bus/usb/devices (Linux:
/// Documentation/ABI/testing/sysfs-bus-usb), and the files of /dev/bus/usb, which are fs/usb's.
///
/// Lock: NodeList::mutex_ (rank UsbDevices) around the list of devices for /dev.

#include "drivers/devices/device_tree.h"
#include "drivers/usb/contexts.h"
#include "drivers/usb/descriptors.h"
#include "kernel/base/list.h"
#include "kernel/base/own_array.h"
#include "kernel/sync/mutex.h"

namespace cairn::usb {

class DeviceNode;

/// The folder of an interface.
struct InterfaceNode {
    const DeviceNode* device = nullptr;
    Interface interface{};
    devices::Node* node = nullptr;  // counted
};

/// What a device or root hub shows of itself. What it points to lives as long as it does.
struct DeviceFacts {
    std::span<const u8> descriptor;
    std::span<const u8> configuration;
    std::string_view manufacturer;
    std::string_view product;
    std::string_view serial;
    u32 bus = 0;
    u8 address = 0;
    Speed speed = Speed::Full;
};

class DeviceNode {
public:
    static constexpr usize kNameLimit = 32;

    DeviceNode() = default;
    DeviceNode(const DeviceNode&) = delete;
    DeviceNode& operator=(const DeviceNode&) = delete;
    ~DeviceNode() { remove(); }

    /// Makes the folder `name` ("usb1", "1-2.3") in `parent`, its links, and its interfaces'. ENOMEM …
    Result<void> add(devices::Node& parent, std::string_view name, const DeviceFacts& facts);
    /// Takes it all away again, if it is there.
    void remove();
    /// Which driver has the interface; and that the device is configured.
    void set_driver(u8 interface, std::string_view driver);
    void set_ports(u8 ports) { ports_ = ports; }

    const DeviceFacts& facts() const { return facts_; }
    u8 ports() const { return ports_; }
    std::string_view name() const { return {name_, name_size_}; }
    devices::Node* node() const { return node_; }
    /// /dev/bus/usb/BBB/DDD's minor number.
    u32 minor() const { return (facts_.bus - 1) * 128 + facts_.address - 1; }

    ListNode list_node;

private:
    Result<void> add_interfaces();

    DeviceFacts facts_;
    char name_[kNameLimit];
    usize name_size_ = 0;
    u8 ports_ = 0;
    devices::Node* node_ = nullptr;  // counted
    OwnArray<InterfaceNode> interfaces_;
};

/// Told of devices that come and go. Thread context, no lock held.
class NodeListener {
public:
    virtual void added(u32 bus, u8 address) = 0;
    virtual void removed(u32 bus, u8 address) = 0;

protected:
    ~NodeListener() = default;
};

/// All that there are, for /dev.
class NodeList {
public:
    /// Makes node_list(). Start-up. ENOMEM.
    static Result<void> initialize();
    void add(DeviceNode& node);
    void remove(DeviceNode& node);
    /// Start-up; for ever.
    void set_listener(NodeListener& listener) { listener_.store(&listener, Order::release); }
    /// The descriptors of the device with this minor number, from `offset` on; ENODEV.
    Result<usize> read_descriptors(u32 minor, u64 offset, std::span<std::byte> to);

private:
    sync::Mutex<LockRank::UsbDevices> mutex_;
    List<DeviceNode, &DeviceNode::list_node> nodes_ GUARDED_BY(mutex_);
    Atomic<NodeListener*> listener_{nullptr};
};

NodeList& node_list();

/// Device and configuration descriptors of the root hub of a bus with so many ports.
struct RootHubDescriptors {
    u8 device[DeviceDescriptor::kSize];
    u8 configuration[31];
    usize configuration_size;
};
RootHubDescriptors root_hub_descriptors(Speed speed);

/// As `speed` in sysfs, in megabits: "1.5", "480".
std::string_view speed_text(Speed speed);

}  // namespace cairn::usb
