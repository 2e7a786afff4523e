/// Simulated devices behind I/O ports.

#include <vector>

#include "arch/host/simulator.h"

namespace cairn::arch {
namespace host {

namespace {

struct Connection {
    u16 first = 0;
    u16 count = 0;
    PortDevice* device = nullptr;
};
std::vector<Connection>& connections() {
    static std::vector<Connection> all;
    return all;
}

PortDevice* find_device(u16 port) {
    for (usize i = connections().size(); i > 0; --i) {
        const Connection& connection = connections()[i - 1];
        if (port >= connection.first && port - connection.first < connection.count) {
            return connection.device;
        }
    }
    return nullptr;
}

}  // namespace

void connect_ports(u16 first, u16 count, PortDevice& device) {
    connections().push_back({first, count, &device});
}

void disconnect_ports(PortDevice& device) {
    std::erase_if(connections(), [&](const Connection& connection) { return connection.device == &device; });
}

void disconnect_all_ports() {
    connections().clear();
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
