#include "drivers/acpi/fadt.h"

#include "drivers/acpi/tables.h"

namespace cairn::acpi {

namespace {

using arch::GenericAddress;
using arch::PlatformDescription;

// Offsets of fields (table 5.9). The table grew over time, so each field is looked at by itself.
constexpr u64 kRevision = 8;
constexpr u64 kDsdt = 40;
constexpr u64 kSci = 46;
constexpr u64 kSmiCommand = 48;
constexpr u64 kAcpiEnable = 52;
constexpr u64 kPm1aEvent = 56;
constexpr u64 kPm1bEvent = 60;
constexpr u64 kPm1aControl = 64;
constexpr u64 kPm1bControl = 68;
constexpr u64 kPmTimer = 76;
constexpr u64 kGpe0 = 80;
constexpr u64 kGpe1 = 84;
constexpr u64 kPm1EventLength = 88;
constexpr u64 kPm1ControlLength = 89;
constexpr u64 kPmTimerLength = 91;
constexpr u64 kGpe0Length = 92;
constexpr u64 kGpe1Length = 93;
constexpr u64 kCentury = 108;
constexpr u64 kBootFlags = 109;
constexpr u64 kFlags = 112;
constexpr u64 kResetRegister = 116;
constexpr u64 kResetValue = 128;
constexpr u64 kExtendedDsdt = 140;
constexpr u64 kExtendedPm1aEvent = 148;
constexpr u64 kExtendedPm1bEvent = 160;
constexpr u64 kExtendedPm1aControl = 172;
constexpr u64 kExtendedPm1bControl = 184;
constexpr u64 kExtendedPmTimer = 208;
constexpr u64 kExtendedGpe0 = 220;
constexpr u64 kExtendedGpe1 = 232;
constexpr u64 kSleepControl = 244;

constexpr u16 kNoCmosClock = 1u << 5;    // boot flags, table 5.11
constexpr u32 kNoPowerButton = 1u << 4;  // flags, table 5.10: it is none of the fixed ones
constexpr u32 kTimerIs32Bit = 1u << 8;
constexpr u32 kHasResetRegister = 1u << 10;
constexpr u32 kReducedHardware = 1u << 20;  // then none of the PM1 and timer blocks exist

constexpr u8 kSpaceMemory = 0;
constexpr u8 kSpacePort = 1;
constexpr u8 kSpacePciConfig = 2;
constexpr u32 kPortSpaceEnd = 0x10000;

struct GenericAddressImage {
    u8 space;
    u8 width;
    u8 bit_offset;
    u8 access_size;
    u64 address;
} __attribute__((packed));
static_assert(sizeof(GenericAddressImage) == 12);

template <typename T>
T field(Bytes table, u64 offset) {
    return load_at<T>(table, offset).value_or(T{});
}

/// A register block that has an old, 32-bit form for I/O ports and an extended one.
GenericAddress block(Bytes table, u64 offset, u64 length_offset, u64 extended_offset) {
    GenericAddress extended = load_generic_address(table, extended_offset);
    if (register_usable(extended)) {
        return extended;
    }
    u8 length = field<u8>(table, length_offset);
    GenericAddress old{kSpacePort, static_cast<u8>(length < 32 ? length * 8 : 0), field<u32>(table, offset)};
    return register_usable(old) ? old : GenericAddress{};
}

void read_pm_timer(Bytes table, u32 flags, PlatformDescription& platform) {
    GenericAddress timer = block(table, kPmTimer, kPmTimerLength, kExtendedPmTimer);
    if (timer.width == 32 && timer.space == kSpacePort) {
        platform.pm_timer_port = static_cast<u16>(timer.address);
        platform.pm_timer_is_32_bit = (flags & kTimerIs32Bit) != 0;
    }
}

void read_events(Bytes table, u32 flags, PlatformDescription& platform) {
    platform.sci = field<u16>(table, kSci);
    const u32 command = field<u32>(table, kSmiCommand);
    platform.smi_command_port = command < kPortSpaceEnd ? static_cast<u16>(command) : u16{0};
    platform.acpi_enable = field<u8>(table, kAcpiEnable);
    platform.pm1a_event = block(table, kPm1aEvent, kPm1EventLength, kExtendedPm1aEvent);
    platform.pm1b_event = block(table, kPm1bEvent, kPm1EventLength, kExtendedPm1bEvent);
    platform.gpe0 = block(table, kGpe0, kGpe0Length, kExtendedGpe0);
    platform.gpe1 = block(table, kGpe1, kGpe1Length, kExtendedGpe1);
    platform.has_power_button = (flags & kNoPowerButton) == 0 && platform.pm1a_event.width != 0;
}

/// Of PCI configuration space it can only be a device on the first bus (5.2.3.2, table 5.1).
bool reset_register_usable(const GenericAddress& reset) {
    constexpr u64 kDevices = 32, kFunctions = 8, kConfigBytes = 256;
    const bool in_config = reset.space == kSpacePciConfig && reset.address >> 32 < kDevices &&
                           (reset.address >> 16 & 0xffff) < kFunctions && (reset.address & 0xffff) < kConfigBytes;
    return reset.width == 8 && (in_config || register_usable(reset));
}

}  // namespace

bool register_usable(const GenericAddress& address) {
    bool in_memory = address.space == kSpaceMemory && address.address < boot::MemoryMap::kAddressLimit.value;
    bool at_port = address.space == kSpacePort && address.address < kPortSpaceEnd;
    return (in_memory || at_port) && address.width != 0 && address.address != 0;
}

GenericAddress load_generic_address(Bytes table, u64 offset) {
    auto image = field<GenericAddressImage>(table, offset);
    return {image.space, image.width, image.address};
}

PhysicalAddress read_fadt(Bytes table, PlatformDescription& platform) {
    u32 flags = field<u32>(table, kFlags);
    bool reduced = (flags & kReducedHardware) != 0;
    if (!reduced) {
        platform.pm1a_control = block(table, kPm1aControl, kPm1ControlLength, kExtendedPm1aControl);
        platform.pm1b_control = block(table, kPm1bControl, kPm1ControlLength, kExtendedPm1bControl);
        read_pm_timer(table, flags, platform);
        read_events(table, flags, platform);
    }
    GenericAddress sleep = load_generic_address(table, kSleepControl);
    if (register_usable(sleep)) {
        platform.sleep_control = sleep;
    }
    GenericAddress reset = load_generic_address(table, kResetRegister);
    if ((flags & kHasResetRegister) != 0 && reset_register_usable(reset)) {
        platform.reset_register = reset;
        platform.reset_value = field<u8>(table, kResetValue);
    }
    constexpr u8 kCmosRegisters = 128;
    u8 century = field<u8>(table, kCentury);
    platform.century_register = century < kCmosRegisters ? century : u8{0};
    // The boot flags came with revision 2; before that there was always a CMOS clock.
    bool has_boot_flags = field<u8>(table, kRevision) >= 2;
    platform.has_cmos_clock = !has_boot_flags || (field<u16>(table, kBootFlags) & kNoCmosClock) == 0;

    u64 extended_dsdt = field<u64>(table, kExtendedDsdt);
    return {extended_dsdt != 0 ? extended_dsdt : field<u32>(table, kDsdt)};
}

}  // namespace cairn::acpi
