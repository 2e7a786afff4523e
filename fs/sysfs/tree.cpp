/// The tables of sysfs but for CPUs and terminals. Empty directories are there because programs list them, and take
/// their absence for a broken system (lsblk, udev, runtimes that look for cgroups).

#include "fs/sysfs/sysfs.h"

namespace cairn::sysfs {

namespace {

constexpr char kZero[] = "0";
constexpr char kOne[] = "1";
constexpr char kNever[] = "always madvise [never]";
constexpr char kHugePage[] = "2097152";

// --- class, dev, bus -----------------------------------------------------------------------------------------------

constexpr Entry kClasses[] = {
    empty_branch("block"),
    empty_branch("net"),
    {.name = "tty", .kind = procfs::Kind::Directory, .permissions = 0755, .make = &make_terminals},
};
std::span<const Entry> class_entries() {
    return kClasses;
}

constexpr Entry kDeviceNumbers[] = {
    branch_with_devices("dev/block", "block", &no_entries),
    branch_with_devices("dev/char", "char", &no_entries),
};
std::span<const Entry> device_number_entries() {
    return kDeviceNumbers;
}

// --- devices -------------------------------------------------------------------------------------------------------

constexpr Entry kSystem[] = {
    {.name = "cpu", .kind = procfs::Kind::Directory, .permissions = 0755, .make = &make_processors},
    branch("node", &memory_node_entries),
};
std::span<const Entry> system_entries() {
    return kSystem;
}

constexpr Entry kDevices[] = {
    branch("system", &system_entries),
};
std::span<const Entry> device_entries() {
    return kDevices;
}

// --- kernel, fs ----------------------------------------------------------------------------------------------------

constexpr Entry kHugePages[] = {
    leaf("enabled", &show_fixed<kNever>),
    leaf("hpage_pmd_size", &show_fixed<kHugePage>),
};
std::span<const Entry> huge_page_entries() {
    return kHugePages;
}

constexpr Entry kMemory[] = {
    empty_branch("hugepages"),
    branch("transparent_hugepage", &huge_page_entries),
};
std::span<const Entry> memory_entries() {
    return kMemory;
}

constexpr Entry kKernel[] = {
    branch("mm", &memory_entries),     empty_branch("debug"),
    empty_branch("security"),          empty_branch("tracing"),
    leaf("fscaps", &show_fixed<kOne>), leaf("uevent_seqnum", &show_fixed<kZero>),
};
std::span<const Entry> kernel_entries() {
    return kKernel;
}

constexpr Entry kFilesystems[] = {
    empty_branch("cgroup"),
};
std::span<const Entry> filesystem_entries() {
    return kFilesystems;
}

constexpr Entry kRoot[] = {
    branch_with_devices("block", "block", &no_entries),
    branch_with_devices("bus", "bus", &no_entries),
    branch_with_devices("class", "class", &class_entries),
    branch("dev", &device_number_entries),
    branch_with_devices("devices", "devices", &device_entries),
    branch_with_devices("firmware", "firmware", &no_entries),
    branch("fs", &filesystem_entries),
    branch("kernel", &kernel_entries),
    empty_branch("module"),
    empty_branch("power"),
};

}  // namespace

std::span<const Entry> root_entries() {
    return kRoot;
}

}  // namespace cairn::sysfs
