/// Simulated devices behind I/O ports.

#include <cstdlib>

#include "arch/host/simulator.h"

namespace cairn::arch {
namespace host {

namespace {

struct Connection {
    u16 first = 0;
    u16 count = 0;
    PortDevice* device = nullptr;
};
constexpr u32 kMaxConnections = 16;
constinit Connection connections[kMaxConnections];
constinit u32 connection_count = 0;

PortDevice* find_device(u16 port) {
    for (u32 i = connection_count; i > 0; --i) {
        const Connection& connection = connections[i - 1];
        if (port >= connection.first && port - connection.first < connection.count) {
            return connection.device;
        }
    }
    return nullptr;
}

}  // namespace

void connect_ports(u16 first, u16 count, PortDevice& device) {
    if (connection_count == kMaxConnections) {
        std::abort();  // a test that forgets to disconnect
    }
    connections[connection_count++] = {first, count, &device};
}

void disconnect_ports(PortDevice& device) {
    u32 kept = 0;
    for (u32 i = 0; i < connection_count; ++i) {
        if (connections[i].device != &device) {
            connections[kept++] = connections[i];
        }
    }
    connection_count = kept;
}

void disconnect_all_ports() {
    connection_count = 0;
}

}  // namespace host

u8 io_read8(u16 port) {
    interleave();
    host::PortDevice* device = host::find_device(port);
    return device != nullptr ? device->read8(port) : u8{0xff};
}

void io_write8(u16 port, u8 value) {
    interleave();
    if (host::PortDevice* device = host::find_device(port)) {
        device->write8(port, value);
    }
}

}  // namespace cairn::arch
