#pragma once
/// SMBIOS (DMTF DSP0134 3.4): the firmware's list of what the machine is made of. Everything in it is untrusted.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "drivers/firmware/firmware_memory.h"
#include "kernel/boot/information.h"

namespace cairn::firmware {

/// Where the structures are, as an entry point says (5.2).
struct SmbiosEntryPoint {
    static constexpr usize kLargest = 32;
    PhysicalAddress structures;
    u32 length = 0;  // bytes, at most
    u8 size = 0;     // of the entry point itself
};
/// Checks anchors, lengths and sums of either form; `bytes` may be longer.
std::optional<SmbiosEntryPoint> parse_entry_point(std::span<const std::byte> bytes);

/// One structure: its formatted part, and behind it its strings.
struct SmbiosStructure {
    u8 type = 0;
    std::span<const std::byte> formatted;
    std::span<const std::byte> strings;
    /// The string whose number stands at an offset of the formatted part; empty: there is none.
    std::string_view string(usize offset) const;
};
/// The structure at `offset`, which moves behind it; nothing at the end, or where the table is damaged.
std::optional<SmbiosStructure> next_structure(std::span<const std::byte> table, usize& offset);

/// Finds the tables of a PC, by EFI or in the BIOS's memory, keeps a copy, and enters /sys/firmware/dmi and
/// /sys/class/dmi. ENOENT: there are none; EINVAL: damaged; ENOMEM. Start-up, thread context.
Result<void> start_smbios(const boot::Information& information);

}  // namespace cairn::firmware
