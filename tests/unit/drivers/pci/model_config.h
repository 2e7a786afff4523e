#pragma once
/// PCI functions as a test makes them: 4096 bytes each, of which only some bits can be written.

#include <array>
#include <map>
#include <tuple>

#include "drivers/pci/config_space.h"
#include "drivers/pci/registers.h"

namespace cairn::test {

class ModelFunction {
public:
    void put8(u32 offset, u8 value) { bytes_[offset] = value; }
    void put16(u32 offset, u16 value) {
        put8(offset, static_cast<u8>(value));
        put8(offset + 1, static_cast<u8>(value >> 8));
    }
    void put32(u32 offset, u32 value) {
        put16(offset, static_cast<u16>(value));
        put16(offset + 2, static_cast<u16>(value >> 16));
    }
    /// A register that begins as `value` and of which the bits of `mask` can be written.
    void put_writable(u32 offset, u32 value, u32 mask) {
        put32(offset, value);
        for (u32 i = 0; i < 4; ++i) {
            mask_[offset + i] = static_cast<u8>(mask >> 8 * i);
        }
    }
    u32 read(u32 offset, u32 bytes) const {
        u32 value = 0;
        for (u32 i = 0; i < bytes; ++i) {
            value |= u32{bytes_[offset + i]} << 8 * i;
        }
        return value;
    }
    void write(u32 offset, u32 bytes, u32 value) {
        for (u32 i = 0; i < bytes; ++i) {
            u8& byte = bytes_[offset + i];
            const u8 mask = mask_[offset + i];
            byte = static_cast<u8>((byte & ~mask) | (value >> 8 * i & mask));
        }
    }

private:
    std::array<u8, 4096> bytes_{};
    std::array<u8, 4096> mask_{};
};

class ModelConfig final : public pci::ConfigSpace {
public:
    /// A device with an identity and a class; more is up to the test.
    ModelFunction& add(u8 bus, u8 device, u8 function, u32 class_code = 0xff0000) {
        ModelFunction& made = functions[{bus, device, function}];
        made.put32(pci::kVendorId, 0x1234'1af4);
        made.put32(pci::kRevision, class_code << 8 | 7);
        return made;
    }
    ModelFunction& add_bridge(u8 bus, u8 device, u8 secondary, u8 subordinate) {
        ModelFunction& made = add(bus, device, 0, 0x060400);
        made.put8(pci::kHeaderType, pci::kHeaderBridge);
        made.put32(pci::kPrimaryBus, u32{subordinate} << 16 | u32{secondary} << 8 | bus);
        return made;
    }

    u32 read(const pci::FunctionAddress& address, u32 offset, u32 bytes) override {
        ++reads;
        auto found = functions.find({address.bus, address.device, address.function});
        return found == functions.end() || offset + bytes > 4096 ? ~u32{0} >> 8 * (4 - bytes)
                                                                 : found->second.read(offset, bytes);
    }
    void write(const pci::FunctionAddress& address, u32 offset, u32 bytes, u32 value) override {
        auto found = functions.find({address.bus, address.device, address.function});
        if (found != functions.end()) {
            found->second.write(offset, bytes, value);
        }
    }
    u32 reach(u16 segment, u8) override { return segment == 0 ? 4096 : 0; }

    std::map<std::tuple<u8, u8, u8>, ModelFunction> functions;
    usize reads = 0;
};

}  // namespace cairn::test
