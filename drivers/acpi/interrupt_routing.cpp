/// See interrupt_routing.h.

#include "drivers/acpi/interrupt_routing.h"

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "mm/kernel_space.h"

namespace cairn::acpi {

namespace {

using aml::Hardware;
using aml::Interpreter;
using aml::Node;
using aml::Type;
using aml::Value;
using arch::InterruptTrigger;

/// Regions of a real machine.
class MachineHardware final : public Hardware {
public:
    MachineHardware(pci::ConfigSpace& config, const boot::MemoryMap& memory) : config_(config), memory_(memory) {}

    bool read(u8 space, u64 address, u32 bytes, u64& value) override {
        return access(space, address, bytes, &value, nullptr);
    }
    bool write(u8 space, u64 address, u32 bytes, u64 value) override {
        return access(space, address, bytes, nullptr, &value);
    }

private:
    bool access(u8 space, u64 address, u32 bytes, u64* read, const u64* write) {
        switch (space) {
            case kMemory:
                return access_memory({address}, bytes, read, write);
            case kPorts:
                return address + bytes <= 0x10000 && bytes <= 4 &&
                       access_port(static_cast<u16>(address), bytes, read, write);
            case kPciConfig:
                return bytes <= 4 && access_config(address, bytes, read, write);
            default:
                return false;
        }
    }

    static bool access_port(u16 port, u32 bytes, u64* read, const u64* write) {
        if (read != nullptr) {
            *read = bytes == 1 ? arch::io_read8(port) : bytes == 2 ? arch::io_read16(port) : arch::io_read32(port);
        } else if (bytes == 1) {
            arch::io_write8(port, static_cast<u8>(*write));
        } else if (bytes == 2) {
            arch::io_write16(port, static_cast<u16>(*write));
        } else {
            arch::io_write32(port, static_cast<u32>(*write));
        }
        return true;
    }

    bool access_config(u64 address, u32 bytes, u64* read, const u64* write) {
        const pci::FunctionAddress where{0, static_cast<u8>(address >> 48), static_cast<u8>(address >> 32 & 0x1f),
                                         static_cast<u8>(address >> 16 & 7)};
        const u32 offset = static_cast<u32>(address & 0xfff);
        if (offset % bytes != 0) {
            return false;
        }
        if (read != nullptr) {
            *read = config_.read(where, offset, bytes);
        } else {
            config_.write(where, offset, bytes, static_cast<u32>(*write));
        }
        return true;
    }

    /// The firmware's own memory and devices' registers; memory that is ours is refused.
    bool access_memory(PhysicalAddress address, u32 bytes, u64* read, const u64* write) {
        const PhysicalRange range{address, address + bytes};
        if (address >= boot::MemoryMap::kAddressLimit || address.value % bytes != 0) {
            return false;
        }
        bool in_direct_map = false;
        for (const boot::MemoryRegion& region : memory_.regions()) {
            if (region.range.overlaps(range)) {
                if (region.kind < boot::MemoryRegion::Kind::AcpiReclaimable ||
                    region.kind == boot::MemoryRegion::Kind::Bad) {
                    return false;
                }
                in_direct_map = region.kind < boot::MemoryRegion::Kind::Reserved;
            }
        }
        void* mapped = nullptr;
        if (in_direct_map) {
            mapped = arch::direct_map(address);
        } else if (Result<void*> made = g_kernel.kernel_space->map_device(range); made.ok()) {
            mapped = made.value();
        } else {
            return false;
        }
        // SAFETY: aligned, and mapped for as long as it is used.
        auto move = [&](auto* at) {
            if (read != nullptr) {
                *read = *at;
            } else {
                *at = static_cast<std::remove_cvref_t<decltype(*at)>>(*write);
            }
        };
        switch (bytes) {
            case 1:
                move(static_cast<volatile u8*>(mapped));
                break;
            case 2:
                move(static_cast<volatile u16*>(mapped));
                break;
            case 4:
                move(static_cast<volatile u32*>(mapped));
                break;
            default:
                move(static_cast<volatile u64*>(mapped));
                break;
        }
        if (!in_direct_map) {
            g_kernel.kernel_space->unmap_device(mapped);
        }
        return true;
    }

    pci::ConfigSpace& config_;
    const boot::MemoryMap& memory_;
};

/// EISA identities of a root bridge and a PCI Express one (PNP0A03, PNP0A08).
bool is_root_bridge(Interpreter& interpreter, Node& device) {
    constexpr u64 kPci = 0x030a'd041, kExpress = 0x080a'd041;
    for (std::string_view name : {"_HID", "_CID"}) {
        Node* identity = Interpreter::find_child(device, name);
        Result<Value> value =
            identity == nullptr ? Result<Value>(fail(Errno::enoent)) : interpreter.evaluate(*identity);
        if (!value.ok()) {
            continue;
        }
        const Value& read = value.value();
        if (read.type == Type::Integer && (read.integer == kPci || read.integer == kExpress)) {
            return true;
        }
        if (read.type == Type::String) {
            const std::string_view text = text_of(std::as_bytes(std::span(read.bytes->data, read.bytes->size)));
            if (text == "PNP0A03" || text == "PNP0A08") {
                return true;
            }
        }
    }
    return false;
}

struct Router {
    Interpreter& interpreter;
    pci::Buses& buses;
    const arch::PlatformDescription& platform;
    u32 routed = 0;

    void visit(Node& folder, u32 depth);
    void visit_bus(Node& bridge, u8 bus, u32 depth);
    void route_bus(Node& device, u8 bus);
    std::optional<arch::InterruptLine> line_of(const Value& entry);
    u64 number(Node& device, std::string_view name);
};

/// The device and pin by which a function's interrupt leaves a bus: each bridge on the way turns the pins by the number
/// of the device behind it (PCI-to-PCI Bridge 1.2, 9.1). False: it does not come past there.
bool leaves_bus(const pci::Device& function, u8 bus, u64& slot, u64& pin) {
    const pci::Device* at = &function;
    pin = function.interrupt_pin();
    while (at->address().bus != bus) {
        pin = (pin - 1 + at->address().device) % 4 + 1;
        at = at->bridge();
        if (at == nullptr) {
            return false;
        }
    }
    slot = at->address().device;
    return true;
}

/// 0 when the device does not say.
u64 Router::number(Node& device, std::string_view name) {
    Node* node = Interpreter::find_child(device, name);
    Result<u64> value = node == nullptr ? Result<u64>(fail(Errno::enoent)) : interpreter.evaluate_integer(*node);
    return value.ok() ? value.value() : 0;
}

/// Source 0: the number is a GSI, a low level. Else the source is a link device, whose _CRS has the interrupt.
std::optional<arch::InterruptLine> Router::line_of(const Value& entry) {
    const Value& source = entry.elements->data[2];
    const Value& index = entry.elements->data[3];
    Node* link = interpreter.object_of(source);
    if (link == nullptr) {
        const bool is_gsi = source.type == Type::Integer && source.integer == 0 && index.type == Type::Integer;
        return is_gsi
                   ? std::optional<arch::InterruptLine>({static_cast<u32>(index.integer), InterruptTrigger::LevelLow})
                   : std::nullopt;
    }
    Node* settings = Interpreter::find_child(*link, "_CRS");
    Result<Value> resources =
        settings == nullptr ? Result<Value>(fail(Errno::enoent)) : interpreter.evaluate(*settings);
    if (!resources.ok() || resources.value().type != Type::Buffer) {
        return std::nullopt;
    }
    const aml::Bytes& bytes = *resources.value().bytes;
    return interrupt_of_resources({bytes.data, bytes.size}, platform);
}

void Router::route_bus(Node& device, u8 bus) {
    Node* table = Interpreter::find_child(device, "_PRT");
    if (table == nullptr) {
        return;
    }
    Result<Value> value = interpreter.evaluate(*table);
    if (!value.ok() || value.value().type != Type::Package) {
        log_warning("acpi", "bus {:02x}: _PRT cannot be used: {} ({:#x})", bus, interpreter.error(),
                    interpreter.error_opcode());
        return;
    }
    const aml::Elements& entries = *value.value().elements;
    for (u32 i = 0; i < entries.size; ++i) {
        const Value& entry = entries.data[i];
        constexpr u32 kFields = 4;
        if (entry.type != Type::Package || entry.elements->size < kFields ||
            entry.elements->data[0].type != Type::Integer || entry.elements->data[1].type != Type::Integer) {
            continue;
        }
        const u64 slot = entry.elements->data[0].integer >> 16;
        const u64 pin = entry.elements->data[1].integer + 1;
        std::optional<arch::InterruptLine> line;
        pci::for_each_device(buses, [&](pci::Device& candidate) {
            u64 its_slot = 0;
            u64 its_pin = 0;
            if (candidate.interrupt_pin() == 0 || candidate.address().segment != 0 ||
                !leaves_bus(candidate, bus, its_slot, its_pin) || its_slot != slot || its_pin != pin) {
                return;
            }
            line = line ? line : line_of(entry);
            if (line) {
                pci::Buses::set_pin_line(candidate, *line);
                ++routed;
            }
        });
    }
}

constexpr u32 kDepth = 8;

/// The bus, and those behind bridges that say more of theirs.
void Router::visit_bus(Node& bridge, u8 bus, u32 depth) {
    route_bus(bridge, bus);
    for (Node* child = bridge.first_child; child != nullptr && depth < kDepth; child = child->next) {
        if (child->kind != aml::Kind::Device || Interpreter::find_child(*child, "_ADR") == nullptr) {
            continue;
        }
        const u64 address = number(*child, "_ADR");
        pci::Device* found = buses.find({0, bus, static_cast<u8>(address >> 16 & 0x1f), static_cast<u8>(address & 7)});
        if (found != nullptr && found->secondary_bus() != 0) {
            visit_bus(*child, found->secondary_bus(), depth + 1);
        }
    }
}

void Router::visit(Node& folder, u32 depth) {
    for (Node* child = folder.first_child; child != nullptr && depth < kDepth; child = child->next) {
        if (child->kind == aml::Kind::Device && is_root_bridge(interpreter, *child)) {
            visit_bus(*child, static_cast<u8>(number(*child, "_BBN")), depth);
        } else if (child->kind == aml::Kind::Device || child->kind == aml::Kind::Scope) {
            visit(*child, depth + 1);
        }
    }
}

}  // namespace

std::optional<arch::InterruptLine> interrupt_of_resources(std::span<const u8> resources,
                                                          const arch::PlatformDescription& platform) {
    constexpr u8 kLarge = 0x80, kSmallIrq = 4, kEnd = 15, kLargeIrq = 0x89;
    for (usize at = 0; at + 1 < resources.size();) {
        const u8 head = resources[at];
        if ((head & kLarge) == 0) {
            const u32 length = head & 7u;
            const u32 kind = head >> 3;
            std::span<const u8> body = resources.subspan(at + 1);
            if (kind == kEnd || body.size() < length) {
                return std::nullopt;
            }
            const u32 mask = kind == kSmallIrq && length >= 2 ? body[0] | u32{body[1]} << 8 : 0;
            if (mask != 0) {
                arch::InterruptLine line = arch::isa_interrupt_line(platform, static_cast<u32>(__builtin_ctz(mask)));
                line.trigger = line.trigger == InterruptTrigger::EdgeHigh ? InterruptTrigger::LevelLow : line.trigger;
                return line;
            }
            at += 1 + length;
            continue;
        }
        if (resources.size() - at < 3) {
            return std::nullopt;
        }
        const u32 length = resources[at + 1] | u32{resources[at + 2]} << 8;
        std::span<const u8> body = resources.subspan(at + 3);
        if (body.size() < length) {
            return std::nullopt;
        }
        if (head == kLargeIrq && length >= 6 && body[1] != 0) {
            const u32 gsi = body[2] | u32{body[3]} << 8 | u32{body[4]} << 16 | u32{body[5]} << 24;
            const bool edge = (body[0] & 2) != 0;
            const bool low = (body[0] & 4) != 0;
            return arch::InterruptLine{gsi, edge  ? low ? InterruptTrigger::EdgeLow : InterruptTrigger::EdgeHigh
                                            : low ? InterruptTrigger::LevelLow
                                                  : InterruptTrigger::LevelHigh};
        }
        at += 3 + length;
    }
    return std::nullopt;
}

Result<void> route_pci_interrupts(const KeptTables& tables, pci::Buses& buses,
                                  const arch::PlatformDescription& platform, const boot::MemoryMap& memory) {
    if (platform.io_controller_count == 0) {
        return {};  // lines are the 8259s' then, as the firmware set them
    }
    MachineHardware hardware(buses.space(), memory);
    Own<Interpreter> interpreter = TRY(try_new<Interpreter>(hardware));
    for (std::string_view signature : {"DSDT", "SSDT"}) {
        for (KeptTable* table = tables.find(signature); table != nullptr; table = tables.find(signature, table)) {
            std::span<const std::byte> bytes = table->bytes.span();
            const u8 revision = load_at<u8>(bytes, 8).value_or(0);
            if (!interpreter->load(slice(bytes, sizeof(TableHeader)), revision).ok()) {
                log_warning("acpi", "a part of the {} is not understood: {} ({:#x})", signature, interpreter->error(),
                            interpreter->error_opcode());
            }
        }
    }
    if (interpreter->root() == nullptr) {
        return {};
    }
    if (Node* mode = Interpreter::find_child(*interpreter->root(), "_PIC")) {
        const Value io_apics = Value::of(1);
        if (!interpreter->evaluate(*mode, {&io_apics, 1}).ok()) {
            log_warning("acpi", "_PIC failed: {} ({:#x})", interpreter->error(), interpreter->error_opcode());
        }
    }
    Router router{*interpreter, buses, platform};
    router.visit(*interpreter->root(), 0);
    log_info("acpi", "_PRT routes the interrupts of {} PCI functions", router.routed);
    return {};
}

}  // namespace cairn::acpi
