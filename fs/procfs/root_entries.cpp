/// The table of /proc itself, and of the small directories in it.

#include "fs/procfs/process_files.h"
#include "fs/procfs/system_files.h"
#include "fs/sysfs/sysfs.h"

namespace cairn::procfs {

namespace {

Result<void> show_self(Request& request, Text& text) {
    const ProcessId caller = request.processes().caller();
    text.format("{}", caller.process);
    return {};
}

Result<void> show_thread_self(Request& request, Text& text) {
    const ProcessId caller = request.processes().caller();
    text.format("{}/task/{}", caller.process, caller.thread);
    return {};
}

Result<void> show_own_mounts(Request&, Text& text) {
    text.append("self/mounts");
    return {};
}

Result<void> show_own_network(Request&, Text& text) {
    text.append("self/net");
    return {};
}

Result<void> show_ipc(Request& request, Text& text) {
    g_kernel.ipc_information->list(static_cast<IpcKind>(request.argument), text);
    return {};
}

constexpr Entry ipc_list(std::string_view name, IpcKind kind) {
    return with_argument(static_cast<u8>(kind), file(name, 0444, &show_ipc));
}

constexpr Entry kIpc[] = {
    ipc_list("msg", IpcKind::Messages),
    ipc_list("sem", IpcKind::Semaphores),
    ipc_list("shm", IpcKind::Segments),
};
std::span<const Entry> ipc_entries() {
    return kIpc;
}

constexpr Entry kInput[] = {
    file("devices", 0444, &show_input_devices),
    file("handlers", 0444, &show_input_handlers),
};
std::span<const Entry> input_entries() {
    return kInput;
}
constexpr Entry kPci[] = {
    file("devices", 0444, &show_pci_devices),
};
std::span<const Entry> pci_entries() {
    return kPci;
}
/// A directory for each bus comes from drivers/pci.
constexpr Entry pci_directory() {
    Entry entry = sysfs::branch_with_devices("proc/bus/pci", "pci", &pci_entries);
    entry.permissions = kDirectoryPermissions;
    return entry;
}
constexpr Entry kBuses[] = {
    directory("input", &input_entries),
    pci_directory(),
};
std::span<const Entry> bus_entries() {
    return kBuses;
}

constexpr Entry kTerminals[] = {
    file("drivers", 0444, &show_terminal_drivers),
};

std::span<const Entry> terminal_entries() {
    return kTerminals;
}

constexpr Entry kEntries[] = {
    link("self", &show_self),
    link("thread-self", &show_thread_self),
    directory("bus", &bus_entries),
    file("cmdline", 0444, &show_boot_command_line),
    file("consoles", 0444, &show_consoles),
    file("cpuinfo", 0444, &show_processors),
    file("devices", 0444, &show_devices),
    file("diskstats", 0444, &show_nothing),
    file("execdomains", 0444, &show_execution_domains),
    file("filesystems", 0444, &show_filesystems),
    file("interrupts", 0444, &show_interrupts),
    with_argument(kMemoryRanges, file("iomem", 0444, &show_address_ranges)),
    with_argument(kPortRanges, file("ioports", 0444, &show_address_ranges)),
    {.name = "kmsg", .permissions = 0400, .open = &open_kernel_log},
    file("loadavg", 0444, &show_load),
    file("meminfo", 0444, &show_memory_information),
    file("misc", 0444, &show_nothing),
    file("modules", 0444, &show_nothing),
    link("mounts", &show_own_mounts),
    link("net", &show_own_network),
    file("partitions", 0444, &show_partitions),
    file("stat", 0444, &show_system_statistics),
    file("swaps", 0444, &show_swaps),
    directory("sys", &setting_entries),
    {.name = "sysrq-trigger", .permissions = 0200, .store = &store_magic_key},
    directory("sysvipc", &ipc_entries),
    directory("tty", &terminal_entries),
    file("uptime", 0444, &show_uptime),
    file("version", 0444, &show_version),
    file("vmstat", 0444, &show_memory_statistics),
};

}  // namespace

std::span<const Entry> root_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
