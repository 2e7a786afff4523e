#pragma once
/// The functions behind the rows of the root's table (root_entries.cpp).

#include "fs/procfs/entry.h"

namespace cairn::procfs {

// system_files.cpp
Result<void> show_memory_information(Request& request, Text& text);
Result<void> show_system_statistics(Request& request, Text& text);
Result<void> show_uptime(Request& request, Text& text);
Result<void> show_load(Request& request, Text& text);
Result<void> show_filesystems(Request& request, Text& text);
Result<void> show_processors(Request& request, Text& text);

}  // namespace cairn::procfs
