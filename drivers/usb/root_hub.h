#pragma once
/// RootHub: the ports of a controller that speak one generation of USB, which programs see as a bus of its own.

#include "drivers/usb/nodes.h"

namespace cairn::usb {

/// A set of a hub's ports.
class PortSet {
public:
    bool has(u8 port) const { return (words_[port / 64] >> port % 64 & 1) != 0; }
    void add(u8 port) { words_[port / 64] |= u64{1} << port % 64; }
    void remove(u8 port) { words_[port / 64] &= ~(u64{1} << port % 64); }

private:
    u64 words_[4] = {};
};

struct RootHub {
    u8 first_port = 0;                               // of the controller's, from 1
    u8 ports = 0;                                    // 0: the controller has none of this generation
    u32 bus = 0;                                     // number of the bus, from 1
    u32 used_addresses[4] = {1u << 1 | 1, 0, 0, 0};  // device numbers on the bus: a bit each; 1 is the root hub

    RootHubDescriptors descriptors;
    DeviceNode node;

    bool has(u8 port) const { return port >= first_port && port - first_port < ports; }
};

/// A number from 2 to 127 that no device on the bus has; 0: all are taken. And the counterpart.
u8 take_address(RootHub& hub);
void give_back_address(RootHub& hub, u8 address);

}  // namespace cairn::usb
