#include "drivers/usb/descriptors.h"

#include <algorithm>

#include "drivers/input/utf8.h"

namespace cairn::usb {

namespace {

constexpr u16 word(std::span<const u8> bytes, usize at) {
    return static_cast<u16>(bytes[at] | bytes[at + 1] << 8);
}

/// The descriptor at `offset`; nothing when its length is wrong.
std::optional<std::span<const u8>> descriptor_at(std::span<const u8> bytes, usize offset) {
    constexpr usize kLeast = 2;
    if (bytes.size() - offset < kLeast || bytes[offset] < kLeast || bytes[offset] > bytes.size() - offset) {
        return std::nullopt;
    }
    return bytes.subspan(offset, bytes[offset]);
}

bool is_interface(std::span<const u8> descriptor) {
    constexpr usize kSize = 9;
    return descriptor[1] == descriptor_kind::kInterface && descriptor.size() >= kSize;
}

}  // namespace

Result<DeviceDescriptor> parse_device_descriptor(std::span<const u8> bytes) {
    if (bytes.size() < DeviceDescriptor::kSize || bytes[0] < DeviceDescriptor::kSize ||
        bytes[1] != descriptor_kind::kDevice) {
        return fail(Errno::einval);
    }
    DeviceDescriptor device;
    device.usb_version = word(bytes, 2);
    device.device_class = bytes[4];
    device.subclass = bytes[5];
    device.protocol = bytes[6];
    device.packet_size = bytes[7];
    device.vendor = word(bytes, 8);
    device.product = word(bytes, 10);
    device.release = word(bytes, 12);
    device.manufacturer_text = bytes[14];
    device.product_text = bytes[15];
    device.serial_text = bytes[16];
    device.configurations = bytes[17];
    return device;
}

Result<usize> configuration_size(std::span<const u8> bytes) {
    if (bytes.size() < Configuration::kSize || bytes[0] < Configuration::kSize ||
        bytes[1] != descriptor_kind::kConfiguration || word(bytes, 2) < Configuration::kSize) {
        return fail(Errno::einval);
    }
    return usize{word(bytes, 2)};
}

Result<Configuration> parse_configuration(std::span<const u8> bytes) {
    const usize size = TRY(configuration_size(bytes));
    if (size > bytes.size()) {
        return fail(Errno::einval);
    }
    bytes = bytes.first(size);
    for (usize offset = 0; offset < size;) {
        const std::optional<std::span<const u8>> descriptor = descriptor_at(bytes, offset);
        if (!descriptor) {
            return fail(Errno::einval);
        }
        offset += descriptor->size();
    }
    Configuration configuration;
    configuration.interfaces = bytes[4];
    configuration.value = bytes[5];
    configuration.attributes = bytes[7];
    configuration.max_power = bytes[8];
    configuration.bytes = bytes;
    return configuration;
}

std::optional<Interface> next_interface(const Configuration& configuration, usize& offset) {
    const std::span<const u8> all = configuration.bytes;
    for (; offset < all.size();) {
        const std::optional<std::span<const u8>> found = descriptor_at(all, offset);
        if (!found) {
            return std::nullopt;
        }
        offset += found->size();
        const std::span<const u8> bytes = *found;
        if (!is_interface(bytes)) {
            continue;
        }
        const usize start = offset;
        while (const std::optional<std::span<const u8>> inner = descriptor_at(all, offset)) {
            if (is_interface(*inner)) {
                break;
            }
            offset += inner->size();
        }
        return Interface{bytes[2], bytes[3], bytes[4], bytes[5],
                         bytes[6], bytes[7], bytes[8], all.subspan(start, offset - start)};
    }
    return std::nullopt;
}

std::optional<Endpoint> next_endpoint(const Interface& interface, usize& offset) {
    constexpr usize kSize = 7;
    constexpr u16 kPacketMask = 0x7ff, kLargestPacket = 1024;
    constexpr usize kCompanionSize = 6;
    constexpr u8 kMostBurst = 15;
    const std::span<const u8> all = interface.bytes;
    while (const std::optional<std::span<const u8>> found = descriptor_at(all, offset)) {
        const std::span<const u8> bytes = *found;
        offset += bytes.size();
        if (bytes[1] != descriptor_kind::kEndpoint || bytes.size() < kSize) {
            continue;
        }
        Endpoint endpoint{bytes[2], bytes[3], static_cast<u16>(word(bytes, 4) & kPacketMask), bytes[6], 0, bytes};
        if (endpoint.number() == 0 || endpoint.packet_size == 0 || endpoint.packet_size > kLargestPacket) {
            continue;
        }
        if (const std::optional<std::span<const u8>> companion = descriptor_at(all, offset);
            companion && (*companion)[1] == descriptor_kind::kCompanion && companion->size() >= kCompanionSize) {
            endpoint.burst = (*companion)[2] <= kMostBurst ? (*companion)[2] : kMostBurst;
        }
        return endpoint;
    }
    return std::nullopt;
}

Result<HubDescriptor> parse_hub_descriptor(std::span<const u8> bytes) {
    constexpr usize kLeast = 7;
    if (bytes.size() < kLeast || bytes[0] < kLeast ||
        (bytes[1] != descriptor_kind::kHub && bytes[1] != descriptor_kind::kSuperHub) || bytes[2] == 0) {
        return fail(Errno::einval);
    }
    return HubDescriptor{bytes[2], word(bytes, 3), bytes[5]};
}

usize string_text(std::span<const u8> bytes, std::span<char> to) {
    constexpr usize kHeader = 2;
    if (bytes.size() < kHeader || bytes[0] < kHeader || bytes[1] != descriptor_kind::kString) {
        return 0;
    }
    const usize end = std::min(bytes.size(), usize{bytes[0]});
    usize size = 0;
    for (usize at = kHeader; at + 1 < end; at += 2) {
        u32 character = word(bytes, at);
        if ((character & 0xfc00) == 0xd800 && at + 3 < end && (word(bytes, at + 2) & 0xfc00) == 0xdc00) {
            character = 0x10000 + ((character & 0x3ff) << 10) + (word(bytes, at + 2) & 0x3ffu);
            at += 2;
        }
        const drivers::Utf8 text = character < ' ' ? drivers::to_utf8('?') : drivers::to_utf8(character);
        if (size + text.size > to.size()) {
            break;
        }
        for (u8 i = 0; i < text.size; ++i) {
            to[size++] = static_cast<char>(text.bytes[i]);
        }
    }
    return size;
}

}  // namespace cairn::usb
