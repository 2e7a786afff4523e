#pragma once
/// Descriptors of USB devices (USB 2.0, 9.6): what a device says of itself, taken apart without trust. Views point into
/// the bytes that were read from the device.

#include <optional>
#include <span>

#include "kernel/base/result.h"

namespace cairn::usb {

namespace descriptor_kind {
constexpr u8 kDevice = 1, kConfiguration = 2, kString = 3, kInterface = 4, kEndpoint = 5, kCompanion = 0x30;
constexpr u8 kHub = 0x29, kSuperHub = 0x2a;
}  // namespace descriptor_kind

namespace usb_class {
constexpr u8 kHid = 3, kHub = 9;
}

struct DeviceDescriptor {
    static constexpr usize kSize = 18;
    u16 usb_version;  // in decimal digits: 0x0210
    u8 device_class;
    u8 subclass;
    u8 protocol;
    u8 packet_size;  // of endpoint 0; a power of two's exponent for SuperSpeed
    u16 vendor;
    u16 product;
    u16 release;
    u8 manufacturer_text;  // numbers of string descriptors, 0: none
    u8 product_text;
    u8 serial_text;
    u8 configurations;
};
/// EINVAL: it is none.
Result<DeviceDescriptor> parse_device_descriptor(std::span<const u8> bytes);

struct Configuration {
    static constexpr usize kSize = 9;
    u8 value;
    u8 interfaces;
    u8 attributes;
    u8 max_power;  // 2 mA, with SuperSpeed 8 mA
    /// With all that belongs to it.
    std::span<const u8> bytes;
};
/// How long the whole of a configuration is, from its first kSize bytes. EINVAL.
Result<usize> configuration_size(std::span<const u8> bytes);
/// Checks that the descriptors in it follow one another to the end. EINVAL.
Result<Configuration> parse_configuration(std::span<const u8> bytes);

struct Interface {
    u8 number;
    u8 alternate;
    u8 endpoints;
    u8 interface_class;
    u8 subclass;
    u8 protocol;
    u8 text;
    std::span<const u8> bytes;  // what follows it, up to the next interface
};
/// The first interface at or behind `offset`, which is moved on.
std::optional<Interface> next_interface(const Configuration& configuration, usize& offset);

struct Endpoint {
    u8 address;     // bit 7: into the host
    u8 attributes;  // bits 0 and 1: the kind
    u16 packet_size;
    u8 interval;
    u8 burst;  // of a SuperSpeed companion
    std::span<const u8> bytes;
    bool is_in() const { return (address & 0x80) != 0; }
    bool is_interrupt() const { return (attributes & 3) == 3; }
    u8 number() const { return address & 0x0f; }
    /// As xHCI counts contexts: 1 is endpoint 0, 2 is endpoint 1 out, 3 is endpoint 1 in …
    u8 context() const { return static_cast<u8>(number() * 2 + (is_in() ? 1 : 0)); }
};
/// Endpoints that make no sense (number 0, no or too large packets) are passed over.
std::optional<Endpoint> next_endpoint(const Interface& interface, usize& offset);

struct HubDescriptor {
    u8 ports;
    u16 characteristics;
    u8 power_on_delay;  // 2 ms
    bool has_individual_power() const { return (characteristics & 3) == 1; }
};
/// EINVAL.
Result<HubDescriptor> parse_hub_descriptor(std::span<const u8> bytes);

/// The text of a string descriptor in UTF-8; cut to what fits. Size.
usize string_text(std::span<const u8> bytes, std::span<char> to);

}  // namespace cairn::usb
