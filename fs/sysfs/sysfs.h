#pragma once
/// sysfs: devices and what the kernel knows of them, as far as programs ask (sysfs(5)). Read only; its tables are in
/// tree.cpp, processors.cpp and terminals.cpp.

#include "fs/procfs/entry.h"
#include "fs/vfs/mount.h"

namespace cairn::sysfs {

using procfs::Entry;
using procfs::Request;
using procfs::Text;

/// For the table of filesystem types.
Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source, std::string_view options);

std::span<const Entry> root_entries();         // tree.cpp
std::span<const Entry> memory_node_entries();  // processors.cpp: devices/system/node
/// processors.cpp: the directories cpu0, cpu1 … with the files beside them.
Result<Ref<vfs::Inode>> make_processors(vfs::Superblock&, u64 number, const Entry&, const procfs::Subject&);
/// terminals.cpp: class/tty.
Result<Ref<vfs::Inode>> make_terminals(vfs::Superblock&, u64 number, const Entry&, const procfs::Subject&);

/// node_directory.cpp: a directory of a table, and behind it what drivers have entered under the same path
/// (drivers/devices). Of branch_with_devices().
Result<Ref<vfs::Inode>> make_shared(vfs::Superblock&, u64 number, const Entry&, const procfs::Subject&);

constexpr u16 kFilePermissions = 0444;
constexpr Entry leaf(std::string_view name, procfs::Show show) {
    return procfs::file(name, kFilePermissions, show);
}
constexpr Entry branch(std::string_view name, std::span<const Entry> (*entries)()) {
    Entry entry = procfs::directory(name, entries);
    entry.permissions = 0755;
    return entry;
}
/// The directories that are shared with drivers, by the path under which they enter things.
/// The last is procfs's.
constexpr std::string_view kSharedPaths[] = {"block",    "bus",     "class",    "dev/block",
                                             "dev/char", "devices", "firmware", "proc/bus/pci"};
constexpr Entry branch_with_devices(std::string_view path, std::string_view name, std::span<const Entry> (*entries)()) {
    Entry entry = branch(name, entries);
    entry.make = &make_shared;
    while (kSharedPaths[entry.argument] != path) {
        ++entry.argument;
    }
    return entry;
}
inline std::span<const Entry> no_entries() {
    return {};
}
constexpr Entry empty_branch(std::string_view name) {
    return branch(name, &no_entries);
}
/// A file that always says the same, with a newline.
template <const char* kText>
Result<void> show_fixed(Request&, Text& text) {
    text.append(std::string_view(kText));
    text.append('\n');
    return {};
}

}  // namespace cairn::sysfs
