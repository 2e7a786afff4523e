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

u32 PortDevice::read(u16 port, u32 bytes) {
    u32 value = 0;
    for (u32 i = 0; i < bytes; ++i) {
        value |= u32{read8(static_cast<u16>(port + i))} << 8 * i;
    }
    return value;
}

void PortDevice::write(u16 port, u32 bytes, u32 value) {
    for (u32 i = 0; i < bytes; ++i) {
        write8(static_cast<u16>(port + i), static_cast<u8>(value >> 8 * i));
    }
}

namespace {

u32 read_wide(u16 port, u32 bytes) {
    interleave();
    PortDevice* device = find_device(port);
    return device != nullptr ? device->read(port, bytes) : ~u32{0};
}

void write_wide(u16 port, u32 bytes, u32 value) {
    interleave();
    if (PortDevice* device = find_device(port)) {
        device->write(port, bytes, value);
    }
}

}  // namespace

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

u16 io_read16(u16 port) {
    return static_cast<u16>(host::read_wide(port, sizeof(u16)));
}
u32 io_read32(u16 port) {
    return host::read_wide(port, sizeof(u32));
}
void io_write16(u16 port, u16 value) {
    host::write_wide(port, sizeof(value), value);
}
void io_write32(u16 port, u32 value) {
    host::write_wide(port, sizeof(value), value);
}

}  // namespace cairn::arch
