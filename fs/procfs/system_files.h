#pragma once
/// The functions behind the rows of the root's table (root_entries.cpp).

#include "fs/procfs/entry.h"

namespace cairn::procfs {

// processor_files.cpp
Result<void> show_system_statistics(Request& request, Text& text);
Result<void> show_uptime(Request& request, Text& text);
Result<void> show_load(Request& request, Text& text);
Result<void> show_interrupts(Request& request, Text& text);
Result<void> show_processors(Request& request, Text& text);

// system_files.cpp
Result<void> show_memory_information(Request& request, Text& text);
Result<void> show_memory_statistics(Request& request, Text& text);
Result<void> show_filesystems(Request& request, Text& text);
Result<void> show_version(Request& request, Text& text);
Result<void> show_boot_command_line(Request& request, Text& text);
Result<void> show_devices(Request& request, Text& text);
Result<void> show_swaps(Request& request, Text& text);
Result<void> show_partitions(Request& request, Text& text);
Result<void> show_nothing(Request& request, Text& text);
Result<void> show_terminal_drivers(Request& request, Text& text);
// input_files.cpp
Result<void> show_input_devices(Request& request, Text& text);
Result<void> show_input_handlers(Request& request, Text& text);
Result<void> store_magic_key(Request& request, std::string_view text);
Result<void> show_consoles(Request& request, Text& text);
Result<void> show_execution_domains(Request& request, Text& text);

// address_files.cpp: iomem and ioports, by the entry's argument, and bus/pci/devices
constexpr u8 kMemoryRanges = 0;
constexpr u8 kPortRanges = 1;
Result<void> show_address_ranges(Request& request, Text& text);
Result<void> show_pci_devices(Request& request, Text& text);

// kernel_log_file.cpp
Result<Ref<vfs::File>> open_kernel_log(vfs::OperationContext& context, vfs::Inode& inode,
                                       const vfs::OpenRequest& request, const Subject& subject);

// settings.cpp: /proc/sys
std::span<const Entry> setting_entries();

}  // namespace cairn::procfs
