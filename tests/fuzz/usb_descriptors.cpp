/// What a USB device says of itself. The first byte chooses: 0 a device descriptor, 1 a configuration, 2 a hub
/// descriptor, 3 a string.

#include "drivers/usb/descriptors.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using fuzz::require;

void require_inside(std::span<const u8> part, std::span<const u8> whole) {
    require(part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size()));
}

void walk(std::span<const u8> bytes) {
    const Result<usb::Configuration> parsed = usb::parse_configuration(bytes);
    if (!parsed.ok()) {
        return;
    }
    require_inside(parsed.value().bytes, bytes);
    usize offset = 0;
    while (const std::optional<usb::Interface> interface = usb::next_interface(parsed.value(), offset)) {
        require(offset <= parsed.value().bytes.size());
        require_inside(interface->bytes, parsed.value().bytes);
        usize inner = 0;
        while (const std::optional<usb::Endpoint> endpoint = usb::next_endpoint(*interface, inner)) {
            require(inner <= interface->bytes.size());
            require_inside(endpoint->bytes, interface->bytes);
            require(endpoint->number() != 0 && endpoint->packet_size != 0 && endpoint->packet_size <= 1024);
            require(endpoint->context() >= 2 && endpoint->context() < 32 && endpoint->burst < 16);
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::span<const u8> bytes(data + 1, size - 1);
    switch (data[0] % 4) {
        case 0:
            static_cast<void>(usb::parse_device_descriptor(bytes));
            break;
        case 1:
            walk(bytes);
            break;
        case 2:
            if (const Result<usb::HubDescriptor> hub = usb::parse_hub_descriptor(bytes); hub.ok()) {
                require(hub.value().ports != 0);
            }
            break;
        default: {
            char text[128];
            require(usb::string_text(bytes, text) <= sizeof text);
            break;
        }
    }
    return 0;
}
