/// Fields of regions and of buffers; see interpreter.h.

#include "drivers/acpi/aml/interpreter.h"

namespace cairn::acpi::aml {

namespace {

constexpr u32 kMostBits = 64;  // longer fields are buffers, which nothing here needs

u64 low_bits(u32 count) {
    return count >= 64 ? ~u64{0} : (u64{1} << count) - 1;
}

}  // namespace

/// Of PCI configuration space: the function is the device's in which the region stands, on the bus of its bridge.
bool Interpreter::region_address(Node& region, u64 offset, u64& address) {
    address = region.region.base + offset;
    if (region.region_space != Hardware::kPciConfig) {
        return true;
    }
    Node* device = region.parent;
    while (device != nullptr && device->kind != Kind::Device) {
        device = device->parent;
    }
    if (device == nullptr) {
        return false;
    }
    Node* where = find_child(*device, "_ADR");
    Node* bridge = device->parent;
    Node* bus = bridge == nullptr ? nullptr : find_child(*bridge, "_BBN");
    // Only devices of a root bus: others would need the number of the bus behind their bridge.
    const bool on_root = bridge != nullptr && find_child(*bridge, "_HID") != nullptr;
    const u64 number = where == nullptr ? 0 : to_integer(read_object(*where));
    const u64 bus_number = bus == nullptr ? 0 : to_integer(read_object(*bus));
    address = (bus_number & 0xff) << 48 | (number >> 16 & 0x1f) << 32 | (number & 7) << 16 | (address & 0xfff);
    return on_root && !failed();
}

/// One access, as wide as the field's accesses are; `value` null: a read.
u64 Interpreter::access(Node& field, u64 offset, const u64* value) {
    const u32 bytes = field.access_bytes;
    u64 result = 0;
    if (field.kind == Kind::IndexField) {
        if (field.field.region == nullptr || field.field.data == nullptr || field.field.region == &field ||
            field.field.data == &field || ++depth_ > kDepthLimit) {
            fail("an index field without its registers");
            return 0;
        }
        write_object(*field.field.region, Value::of(offset));
        if (value != nullptr) {
            write_object(*field.field.data, Value::of(*value));
        } else if (!failed()) {
            result = to_integer(read_object(*field.field.data));
        }
        --depth_;
        return result;
    }
    Node* region = field.field.region;
    u64 address = 0;
    if (region == nullptr || region->kind != Kind::Region || offset + bytes > region->region.size ||
        !region_address(*region, offset, address)) {
        fail("a field outside its region");
        return 0;
    }
    const bool done = value != nullptr ? hardware_.write(region->region_space, address, bytes, *value)
                                       : hardware_.read(region->region_space, address, bytes, result);
    if (!done) {
        fail("a region that cannot be reached", region->region_space);
    }
    return result;
}

Value Interpreter::read_field(Node& field) {
    const u32 width = field.access_bytes * 8u;
    const u32 bits = field.field.bits;
    if (bits > kMostBits || width == 0) {
        fail("a field that is too long");
        return {};
    }
    u64 result = 0;
    for (u32 done = 0; done < bits && step();) {
        const u32 bit = field.field.bit + done;
        const u32 shift = bit % width;
        const u64 unit = access(field, bit / width * field.access_bytes, nullptr) >> shift;
        result |= unit << done;
        done += width - shift;
    }
    return Value::of(result & low_bits(bits));
}

/// The other bits of a unit stay.
void Interpreter::write_field(Node& field, u64 value) {
    const u32 width = field.access_bytes * 8u;
    const u32 bits = field.field.bits;
    if (bits > kMostBits || width == 0) {
        fail("a field that is too long");
        return;
    }
    for (u32 done = 0; done < bits && step();) {
        const u32 bit = field.field.bit + done;
        const u32 shift = bit % width;
        const u32 count = bits - done < width - shift ? bits - done : width - shift;
        const u64 offset = u64{bit / width} * field.access_bytes;
        const u64 mask = low_bits(count) << shift;
        u64 unit = count == width ? 0 : access(field, offset, nullptr) & ~mask;
        unit |= value >> done << shift & mask;
        if (!failed()) {
            static_cast<void>(access(field, offset, &unit));
        }
        done += count;
    }
}

/// Within its buffer: define_buffer_field has seen to that, and buffers never shrink.
u64 Interpreter::read_buffer_field(Node& field) {
    u64 result = 0;
    for (u32 i = 0; i < field.field.bits; ++i) {
        const u32 bit = field.field.bit + i;
        result |= u64{field.value.bytes->data[bit / 8] >> bit % 8 & 1u} << i;
    }
    return result;
}

void Interpreter::write_buffer_field(Node& field, u64 value) {
    for (u32 i = 0; i < field.field.bits; ++i) {
        const u32 bit = field.field.bit + i;
        u8& byte = field.value.bytes->data[bit / 8];
        const u8 mask = static_cast<u8>(1u << bit % 8);
        byte = static_cast<u8>((value >> i & 1) != 0 ? byte | mask : byte & ~mask);
    }
}

}  // namespace cairn::acpi::aml
