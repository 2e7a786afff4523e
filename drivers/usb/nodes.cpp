#include "drivers/usb/nodes.h"

#include <algorithm>

#include "kernel/base/log.h"

namespace cairn::usb {

namespace {

constinit NodeList* the_list = nullptr;

// --- Texts of devices ---------------------------------------------------------------------------------------------

u16 word(std::span<const u8> bytes, usize at) {
    return static_cast<u16>(bytes[at] | bytes[at + 1] << 8);
}

/// A byte of the device's descriptor (from 0) or of its configuration's (from 100).
u8 byte_of(const DeviceNode& node, usize at) {
    constexpr usize kConfiguration = 100;
    return at < kConfiguration ? node.facts().descriptor[at] : node.facts().configuration[at - kConfiguration];
}

/// How a number is written.
enum class Form : u8 { Hexadecimal, Decimal, Word, Padded };

// One function for all numbers, whose callers are tiny: there are many.
[[gnu::noinline]] Result<void> write_number(u32 number, Form form, TextBuffer& text) {
    switch (form) {
        case Form::Hexadecimal:
            format_to(text, "{:02x}\n", number);
            break;
        case Form::Decimal:
            format_to(text, "{}\n", number);
            break;
        case Form::Word:
            format_to(text, "{:04x}\n", number);
            break;
        case Form::Padded:
            format_to(text, "{:2}\n", number);
            break;
    }
    return {};
}
[[gnu::noinline]] Result<void> write_line(std::string_view line, TextBuffer& text) {
    text.append(line);
    text.append('\n');
    return {};
}

template <usize kAt, Form kForm>
Result<void> show_byte(DeviceNode& node, TextBuffer& text) {
    return write_number(byte_of(node, kAt), kForm, text);
}
template <usize kAt>
Result<void> show_word(DeviceNode& node, TextBuffer& text) {
    return write_number(word(node.facts().descriptor, kAt), Form::Word, text);
}
Result<void> show_power(DeviceNode& node, TextBuffer& text) {
    const u32 unit = is_super(node.facts().speed) ? 8 : 2;
    format_to(text, "{}mA\n", byte_of(node, 108) * unit);
    return {};
}
Result<void> show_version(DeviceNode& node, TextBuffer& text) {
    const u16 version = word(node.facts().descriptor, 2);
    format_to(text, "{:2x}.{:02x}\n", version >> 8, version & 0xff);
    return {};
}
Result<void> show_bus(DeviceNode& node, TextBuffer& text) {
    return write_number(node.facts().bus, Form::Decimal, text);
}
Result<void> show_address(DeviceNode& node, TextBuffer& text) {
    return write_number(node.facts().address, Form::Decimal, text);
}
Result<void> show_ports(DeviceNode& node, TextBuffer& text) {
    return write_number(node.ports(), Form::Decimal, text);
}
Result<void> show_path(DeviceNode& node, TextBuffer& text) {
    const usize dash = node.name().find('-');
    return write_line(dash == std::string_view::npos ? "0" : node.name().substr(dash + 1), text);
}
Result<void> show_speed(DeviceNode& node, TextBuffer& text) {
    return write_line(speed_text(node.facts().speed), text);
}
// Two come with 20 Gbit/s only.
Result<void> show_lanes(DeviceNode&, TextBuffer& text) {
    return write_line("1", text);
}
Result<void> show_configuration_name(DeviceNode&, TextBuffer& text) {
    return write_line({}, text);
}
template <std::string_view DeviceFacts::* kText>
Result<void> show_text(DeviceNode& node, TextBuffer& text) {
    return write_line(node.facts().*kText, text);
}
template <std::string_view DeviceFacts::* kText>
bool has_text(DeviceNode& node) {
    return !(node.facts().*kText).empty();
}
Result<void> show_event(DeviceNode& node, TextBuffer& text) {
    const DeviceFacts& facts = node.facts();
    constexpr u32 kMajor = 189;
    format_to(text, "MAJOR={}\nMINOR={}\nDEVNAME=bus/usb/{:03}/{:03}\nDEVTYPE=usb_device\nDRIVER=usb\n", kMajor,
              node.minor(), facts.bus, facts.address);
    format_to(text, "PRODUCT={:x}/{:x}/{:x}\nTYPE={}/{}/{}\nBUSNUM={:03}\nDEVNUM={:03}\n", word(facts.descriptor, 8),
              word(facts.descriptor, 10), word(facts.descriptor, 12), facts.descriptor[4], facts.descriptor[5],
              facts.descriptor[6], facts.bus, facts.address);
    return {};
}
Result<void> show_number(DeviceNode& node, TextBuffer& text) {
    constexpr u32 kMajor = 189;
    format_to(text, "{}:{}\n", kMajor, node.minor());
    return {};
}

/// Copies from `offset` on of the two descriptors in a row.
usize copy_descriptors(const DeviceFacts& facts, u64 offset, std::span<std::byte> to) {
    usize moved = 0;
    u64 begin = 0;
    for (const std::span<const u8> part : {facts.descriptor, facts.configuration}) {
        if (offset < begin + part.size() && moved < to.size()) {
            const std::span<const u8> rest = part.subspan(offset - begin);
            const usize size = std::min(rest.size(), to.size() - moved);
            std::ranges::copy(std::as_bytes(rest.first(size)), to.subspan(moved).begin());
            moved += size;
            offset += size;
        }
        begin += part.size();
    }
    return moved;
}

Result<usize> read_descriptor_bytes(DeviceNode& node, u64 offset, std::span<std::byte> to, bool) {
    return copy_descriptors(node.facts(), offset, to);
}
u64 size_of_descriptors(DeviceNode& node) {
    return node.facts().descriptor.size() + node.facts().configuration.size();
}

using devices::bytes;
using devices::only_if;
using devices::text;

constexpr devices::Attribute kDeviceAttributes[] = {
    text<&show_byte<105, Form::Decimal>>("bConfigurationValue"),
    text<&show_byte<4, Form::Hexadecimal>>("bDeviceClass"),
    text<&show_byte<6, Form::Hexadecimal>>("bDeviceProtocol"),
    text<&show_byte<5, Form::Hexadecimal>>("bDeviceSubClass"),
    text<&show_byte<7, Form::Decimal>>("bMaxPacketSize0"),
    text<&show_power>("bMaxPower"),
    text<&show_byte<17, Form::Decimal>>("bNumConfigurations"),
    text<&show_byte<104, Form::Padded>>("bNumInterfaces"),
    text<&show_word<12>>("bcdDevice"),
    text<&show_byte<107, Form::Hexadecimal>>("bmAttributes"),
    text<&show_bus>("busnum"),
    text<&show_configuration_name>("configuration"),
    bytes<&read_descriptor_bytes, &size_of_descriptors>("descriptors"),
    text<&show_number>("dev"),
    text<&show_address>("devnum"),
    text<&show_path>("devpath"),
    text<&show_word<10>>("idProduct"),
    text<&show_word<8>>("idVendor"),
    only_if<&has_text<&DeviceFacts::manufacturer>>(text<&show_text<&DeviceFacts::manufacturer>>("manufacturer")),
    text<&show_ports>("maxchild"),
    only_if<&has_text<&DeviceFacts::product>>(text<&show_text<&DeviceFacts::product>>("product")),
    text<&show_lanes>("rx_lanes"),
    only_if<&has_text<&DeviceFacts::serial>>(text<&show_text<&DeviceFacts::serial>>("serial")),
    text<&show_speed>("speed"),
    text<&show_lanes>("tx_lanes"),
    text<&show_event>("uevent"),
    text<&show_version>("version"),
};

// --- Texts of interfaces ------------------------------------------------------------------------------------------

template <u8 Interface::* kField>
Result<void> show_field(InterfaceNode& node, TextBuffer& text) {
    return write_number(node.interface.*kField, Form::Hexadecimal, text);
}
Result<void> show_alternate(InterfaceNode& node, TextBuffer& text) {
    return write_number(node.interface.alternate, Form::Padded, text);
}
void write_alias(const InterfaceNode& node, TextBuffer& text) {
    const std::span<const u8> device = node.device->facts().descriptor;
    auto digits = [&text](std::string_view name, u32 number, u32 count) {
        text.append(name);
        while (count-- > 0) {
            text.append("0123456789ABCDEF"[number >> 4 * count & 15]);
        }
    };
    digits("usb:v", word(device, 8), 4);
    digits("p", word(device, 10), 4);
    digits("d", word(device, 12), 4);
    digits("dc", device[4], 2);
    digits("dsc", device[5], 2);
    digits("dp", device[6], 2);
    digits("ic", node.interface.interface_class, 2);
    digits("isc", node.interface.subclass, 2);
    digits("ip", node.interface.protocol, 2);
    digits("in", node.interface.number, 2);
}
Result<void> show_alias(InterfaceNode& node, TextBuffer& text) {
    write_alias(node, text);
    text.append('\n');
    return {};
}
Result<void> show_interface_event(InterfaceNode& node, TextBuffer& text) {
    const std::span<const u8> device = node.device->facts().descriptor;
    const Interface& interface = node.interface;
    format_to(text, "DEVTYPE=usb_interface\nPRODUCT={:x}/{:x}/{:x}\nTYPE={}/{}/{}\nINTERFACE={}/{}/{}\nMODALIAS=",
              word(device, 8), word(device, 10), word(device, 12), device[4], device[5], device[6],
              interface.interface_class, interface.subclass, interface.protocol);
    write_alias(node, text);
    text.append('\n');
    return {};
}

constexpr devices::Attribute kInterfaceAttributes[] = {
    text<&show_alternate>("bAlternateSetting"),
    text<&show_field<&Interface::interface_class>>("bInterfaceClass"),
    text<&show_field<&Interface::number>>("bInterfaceNumber"),
    text<&show_field<&Interface::protocol>>("bInterfaceProtocol"),
    text<&show_field<&Interface::subclass>>("bInterfaceSubClass"),
    text<&show_field<&Interface::endpoints>>("bNumEndpoints"),
    text<&show_alias>("modalias"),
    text<&show_interface_event>("uevent"),
};

constexpr std::string_view kBusFolder = "bus/usb/devices";

}  // namespace

// --- Folders ------------------------------------------------------------------------------------------------------

Result<void> DeviceNode::add(devices::Node& parent, std::string_view name, const DeviceFacts& facts) {
    facts_ = facts;
    name_size_ = name.copy(name_, kNameLimit);
    Ref<devices::Node> made = TRY(devices::tree().add(parent, name, kDeviceAttributes, this));
    node_ = &*made;
    static_cast<void>(made.release());
    TRY(devices::tree().add_link(kBusFolder, name, *node_));
    Ref<devices::Node> bus = TRY(devices::tree().make_path("bus/usb"));
    TRY(devices::tree().add_link(*node_, "subsystem", *bus));
    TRY(add_interfaces());
    node_list().add(*this);
    return {};
}

Result<void> DeviceNode::add_interfaces() {
    const Result<Configuration> parsed = parse_configuration(facts_.configuration);
    if (!parsed.ok()) {
        return {};  // it shows none
    }
    usize count = 0;
    usize offset = 0;
    while (const std::optional<Interface> interface = next_interface(parsed.value(), offset)) {
        count += interface->alternate == 0 ? 1 : 0;
    }
    interfaces_ = TRY(OwnArray<InterfaceNode>::create(count));
    offset = 0;
    usize index = 0;
    // A root hub's interface is called 1-0:1.0.
    char storage[kNameLimit + 8];
    while (const std::optional<Interface> interface = next_interface(parsed.value(), offset)) {
        if (interface->alternate != 0) {
            continue;
        }
        InterfaceNode& made = interfaces_[index++];
        made.device = this;
        made.interface = *interface;
        TextBuffer name{std::span(storage)};
        if (this->name().starts_with("usb")) {
            format_to(name, "{}-0", facts_.bus);
        } else {
            name.append(this->name());
        }
        format_to(name, ":{}.{}", parsed.value().value, interface->number);
        Result<Ref<devices::Node>> added = devices::tree().add(*node_, name.view(), kInterfaceAttributes, &made);
        if (!added.ok()) {
            continue;  // the same number twice
        }
        made.node = &*added.value();
        static_cast<void>(std::move(added).value().release());
        TRY(devices::tree().add_link(kBusFolder, name.view(), *made.node));
        Ref<devices::Node> bus = TRY(devices::tree().make_path("bus/usb"));
        TRY(devices::tree().add_link(*made.node, "subsystem", *bus));
    }
    return {};
}

void DeviceNode::set_driver(u8 interface, std::string_view driver) {
    for (InterfaceNode& node : interfaces_.span()) {
        if (node.node == nullptr || node.interface.number != interface) {
            continue;
        }
        char storage[kNameLimit + 24];
        TextBuffer path{std::span(storage)};
        format_to(path, "bus/usb/drivers/{}", driver);
        Result<Ref<devices::Node>> folder = devices::tree().make_path(path.view());
        if (!folder.ok() || !devices::tree().add_link(*node.node, "driver", *folder.value()).ok() ||
            !devices::tree().add_link(*folder.value(), node.node->name(), *node.node).ok()) {
            log_warning("usb", "no memory to show which driver {} has", node.node->name());
        }
    }
}

void DeviceNode::remove() {
    if (node_ == nullptr) {
        return;
    }
    if (list_node.linked()) {
        node_list().remove(*this);
    }
    devices::tree().remove(*node_);
    for (InterfaceNode& node : interfaces_.span()) {
        if (node.node != nullptr) {
            static_cast<void>(Ref<devices::Node>::adopt(*node.node));
            node.node = nullptr;
        }
    }
    static_cast<void>(Ref<devices::Node>::adopt(*node_));
    node_ = nullptr;
}

// --- The list -----------------------------------------------------------------------------------------------------

NodeList& node_list() {
    return *the_list;
}

Result<void> NodeList::initialize() {
    Own<NodeList> list = TRY(try_new<NodeList>());
    the_list = list.release();
    return {};
}

void NodeList::add(DeviceNode& node) {
    {
        sync::MutexGuard guard(mutex_);
        nodes_.push_back(node);
    }
    if (NodeListener* listener = listener_.load(Order::acquire)) {
        listener->added(node.facts().bus, node.facts().address);
    }
}

void NodeList::remove(DeviceNode& node) {
    {
        sync::MutexGuard guard(mutex_);
        nodes_.remove(node);
    }
    if (NodeListener* listener = listener_.load(Order::acquire)) {
        listener->removed(node.facts().bus, node.facts().address);
    }
}

Result<usize> NodeList::read_descriptors(u32 minor, u64 offset, std::span<std::byte> to) {
    sync::MutexGuard guard(mutex_);
    for (DeviceNode& node : nodes_) {
        if (node.minor() == minor) {
            return copy_descriptors(node.facts(), offset, to);
        }
    }
    return fail(Errno::enodev);
}

// --- Root hubs ----------------------------------------------------------------------------------------------------

std::string_view speed_text(Speed speed) {
    switch (speed) {
        case Speed::Low:
            return "1.5";
        case Speed::Full:
            return "12";
        case Speed::High:
            return "480";
        case Speed::Super:
            return "5000";
        case Speed::SuperPlus:
            return "10000";
    }
    return "unknown";
}

RootHubDescriptors root_hub_descriptors(Speed speed) {
    const bool is_three = is_super(speed);
    RootHubDescriptors made{};
    // Vendor 1d6b is the Linux Foundation's, whose numbers for root hubs lsusb(8) knows.
    const u8 device[] = {18,
                         descriptor_kind::kDevice,
                         0,
                         static_cast<u8>(is_three ? 3 : 2),
                         usb_class::kHub,
                         0,
                         static_cast<u8>(is_three ? 3 : 1),
                         static_cast<u8>(is_three ? 9 : 64),
                         0x6b,
                         0x1d,
                         static_cast<u8>(is_three ? 3 : 2),
                         0,
                         1,
                         6,
                         3,
                         2,
                         1,
                         1};
    std::ranges::copy(device, made.device);
    const u8 size = is_three ? 31 : 25;
    const u8 configuration[] = {9,
                                descriptor_kind::kConfiguration,
                                size,
                                0,
                                1,
                                1,
                                0,
                                0xe0,
                                0,
                                9,
                                descriptor_kind::kInterface,
                                0,
                                0,
                                1,
                                usb_class::kHub,
                                0,
                                0,
                                0,
                                7,
                                descriptor_kind::kEndpoint,
                                0x81,
                                3,
                                4,
                                0,
                                12,
                                6,
                                descriptor_kind::kCompanion,
                                0,
                                0,
                                2,
                                0};
    made.configuration_size = size;
    std::copy_n(configuration, size, made.configuration);
    return made;
}

}  // namespace cairn::usb
