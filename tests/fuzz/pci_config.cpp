/// Configuration space that answers with the input: each function's registers begin at a place in it that the
/// function's address chooses, and writes change some bits of what is read later. Enumeration must end, with devices
/// that hold what device.h promises.

#include <map>

#include "drivers/pci/buses.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/mm/memory_fixture.h"

namespace {

using namespace cairn;

class InputConfig final : public pci::ConfigSpace {
public:
    explicit InputConfig(std::span<const std::byte> bytes) : bytes_(bytes) {}

    u32 read(const pci::FunctionAddress& address, u32 offset, u32 width) override {
        fuzz::require(offset % width == 0 && offset + width <= 4096);
        u32 value = 0;
        for (u32 i = 0; i < width; ++i) {
            value |= u32{byte_at(place(address) + offset + i)} << 8 * i;
        }
        const u64 key = place(address) << 12 | (offset & ~3u);
        auto written = written_.find(key);
        return written == written_.end() ? value : value ^ written->second >> 8 * (offset & 3);
    }
    /// Of each register a nibble more or less can be written.
    void write(const pci::FunctionAddress& address, u32 offset, u32 width, u32 value) override {
        fuzz::require(offset % width == 0 && offset + width <= 4096);
        const u32 mask = 0xfff0'fff0u << (byte_at(place(address)) & 15);
        written_[place(address) << 12 | (offset & ~3u)] = value << 8 * (offset & 3) & mask;
    }
    u32 reach(u16, u8 bus) override { return (byte_at(bus) & 1) != 0 ? 4096 : 256; }

private:
    u8 byte_at(u64 at) const { return bytes_.empty() ? u8{0xff} : static_cast<u8>(bytes_[at % bytes_.size()]); }
    /// Most functions share a place, so that a short input makes many.
    static u64 place(const pci::FunctionAddress& address) {
        return (u64{address.bus} * 7 + address.device % 4u * 64 + address.function) % 1024;
    }

    std::span<const std::byte> bytes_;
    std::map<u64, u32> written_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    set_console_level(0);
    static mm::MemoryMachine* machine = nullptr;  // for ever: devices come from its heap
    if (machine == nullptr) {
        machine = new mm::MemoryMachine(256 * kMiB);
        machine->add_cpu();
    }
    InputConfig config(fuzz::as_bytes(data, size));
    pci::Buses buses(config);
    static_cast<void>(buses.enumerate(0, 0));
    buses.route_pins({});
    u32 count = 0;
    pci::for_each_device(buses, [&](pci::Device& device) {
        ++count;
        for (u32 i = 0; i <= pci::Device::kRomBar; ++i) {
            const pci::Bar& bar = device.bar(i);
            const bool none = bar.kind == pci::Bar::Kind::None;
            fuzz::require(none || (bar.size != 0 && (bar.size & (bar.size - 1)) == 0 && bar.address % bar.size == 0));
        }
        fuzz::require(device.interrupt_pin() <= 4);
        fuzz::require(device.find_capability(0x11) < 256 && device.find_extended_capability(1) < 4096);
        fuzz::require(device.secondary_bus() == 0 || device.secondary_bus() > device.address().bus);
    });
    fuzz::require(count <= 256 * 32 * 8);
    return 0;
}
