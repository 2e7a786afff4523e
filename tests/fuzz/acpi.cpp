/// The first byte chooses what the rest of the input is:
///   0  raw memory at the BIOS area (sums and all; rarely gets far)
///   1  a list of tables {signature index, length, body}: the harness adds headers with right sums,
///      root pointer and XSDT, so that the readers behind the sums are reached
///   2  AML, for the search of \_S5
///   3  a MADT body, 4  a FADT body, 5  an MCFG body, 6  an SPCR body, 7  an SRAT body

#include <cstring>
#include <vector>

#include "drivers/acpi/fadt.h"
#include "drivers/acpi/madt.h"
#include "drivers/acpi/mcfg.h"
#include "drivers/acpi/platform.h"
#include "drivers/acpi/soft_off.h"
#include "drivers/acpi/spcr.h"
#include "drivers/acpi/srat.h"
#include "drivers/acpi/tables.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using fuzz::require;
using Bytes = std::span<const std::byte>;

constexpr u64 kBios = 0xe0000;
constexpr u32 kBootCpu = 3;

void require_sound(const arch::PlatformDescription& platform) {
    require(platform.cpu_count >= 1 && platform.cpu_count <= kMaxCpus);
    require(platform.cpu_hardware_id[0] == kBootCpu);
    for (u32 i = 0; i < platform.cpu_count; ++i) {
        for (u32 j = 0; j < i; ++j) {
            require(platform.cpu_hardware_id[i] != platform.cpu_hardware_id[j]);
        }
    }
    require(platform.io_controller_count <= arch::PlatformDescription::kMaxIoControllers);
    require(platform.override_count <= arch::PlatformDescription::kMaxOverrides);
    for (u32 i = 0; i < platform.override_count; ++i) {
        require(platform.overrides[i].isa_irq < 16);
    }
    require(platform.pci_window_count <= arch::PlatformDescription::kMaxPciWindows);
    for (u32 i = 0; i < platform.pci_window_count; ++i) {
        const arch::PciConfigWindow& window = platform.pci_windows[i];
        require(window.first_bus <= window.last_bus && is_aligned(window.address.value, kMiB));
        require(window.address.value < boot::MemoryMap::kAddressLimit.value);
    }
    require(platform.soft_off_type_a < 8 && platform.soft_off_type_b < 8);
}

arch::PlatformDescription& fresh_platform() {
    static arch::PlatformDescription platform;
    set_console_level(0);
    acpi::describe_without_tables(kBootCpu, platform);
    return platform;
}

void describe(Bytes memory) {
    fuzz::InputMemory reader({kBios}, memory);
    arch::PlatformDescription& platform = fresh_platform();
    static_cast<void>(acpi::describe_platform({}, reader, kBootCpu, platform));
    require_sound(platform);
}

/// Makes the bytes sum up to zero through the one at `at`.
void fix_sum(std::span<std::byte> bytes, usize at) {
    u8 sum = 0;
    bytes[at] = std::byte{0};
    for (std::byte byte : bytes) {
        sum = static_cast<u8>(sum + static_cast<u8>(byte));
    }
    bytes[at] = static_cast<std::byte>(-sum);
}

void put(std::vector<std::byte>& memory, usize at, const void* value, usize size) {
    if (memory.size() < at + size) {
        memory.resize(at + size);
    }
    std::memcpy(memory.data() + at, value, size);
}

/// Appends a table with header and sum; returns its address.
u64 append_table(std::vector<std::byte>& memory, const char* signature, Bytes body) {
    usize start = memory.size();
    acpi::TableHeader header = {};
    std::memcpy(header.signature, signature, 4);
    header.length = static_cast<u32>(sizeof(header) + body.size());
    header.revision = 6;
    put(memory, start, &header, sizeof(header));
    memory.insert(memory.end(), body.begin(), body.end());
    fix_sum(std::span(memory).subspan(start), offsetof(acpi::TableHeader, checksum));
    return kBios + start;
}

void describe_tables(Bytes input) {
    constexpr const char* kSignatures[] = {"APIC", "FACP", "HPET", "SSDT", "DSDT", "XXXX", "MCFG", "SPCR", "SRAT"};
    std::vector<std::byte> memory(64);
    std::vector<u64> addresses;
    usize offset = 0;
    while (offset + 2 <= input.size() && addresses.size() < 16) {
        usize which = static_cast<usize>(input[offset]) % std::size(kSignatures);
        usize length = static_cast<usize>(input[offset + 1]) * 2;
        std::vector<std::byte> body;
        Bytes raw = slice(input, offset + 2, length);
        body.assign(raw.begin(), raw.end());
        if (which == 1) {  // a FADT points to the last table, which may be a DSDT
            u32 dsdt = addresses.empty() ? 0 : static_cast<u32>(addresses.back());
            put(body, 40 - sizeof(acpi::TableHeader), &dsdt, sizeof(dsdt));
        }
        addresses.push_back(append_table(memory, kSignatures[which], body));
        offset += 2 + length;
    }
    std::vector<std::byte> list(addresses.size() * sizeof(u64));
    if (!list.empty()) {
        std::memcpy(list.data(), addresses.data(), list.size());
    }
    u64 xsdt = append_table(memory, "XSDT", list);
    std::memcpy(memory.data(), "RSD PTR ", 8);
    memory[15] = std::byte{2};
    put(memory, 24, &xsdt, sizeof(xsdt));
    fix_sum(std::span(memory).first(20), 8);
    fix_sum(std::span(memory).first(36), 32);
    describe(memory);
}

/// A table with an unchecked header in front of the input.
std::vector<std::byte> with_header(Bytes body) {
    std::vector<std::byte> table(sizeof(acpi::TableHeader), std::byte{2});
    table.insert(table.end(), body.begin(), body.end());
    return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    Bytes rest = fuzz::as_bytes(data + 1, size - 1);
    switch (data[0] % 8) {
        case 0:
            describe(rest);
            break;
        case 1:
            describe_tables(rest);
            break;
        case 2:
            if (auto found = acpi::find_soft_off(rest)) {
                require(found->type_a < 8 && found->type_b < 8);
            }
            break;
        case 3:
            acpi::read_madt(with_header(rest), fresh_platform());
            break;
        case 5:
            acpi::read_mcfg(with_header(rest), fresh_platform());
            break;
        case 6:
            acpi::read_spcr(with_header(rest), fresh_platform());
            break;
        case 7: {
            // Each domain has an entry, of 16 bytes at least.
            const u32 domains = acpi::read_srat(with_header(rest), fresh_platform());
            require(domains <= rest.size() / 16);
            break;
        }
        default:
            acpi::read_fadt(with_header(rest), fresh_platform());
            break;
    }
    return 0;
}
