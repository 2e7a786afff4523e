#pragma once
/// What the extended attribute security.capability of a program holds (capabilities(7), "File capabilities").

#include <optional>
#include <span>
#include <string_view>

#include "fs/vfs/credentials.h"
#include "kernel/base/result.h"

namespace cairn::vfs {

class Inode;

constexpr std::string_view kFileCapabilitiesName = "security.capability";

/// struct vfs_cap_data, or vfs_ns_cap_data (linux/capability.h).
struct FileCapabilities {
    CapabilitySet permitted, inheritable;
    bool effective = false;
    u32 root = 0;  // the user that is root in the user namespace which the capabilities are for

    static constexpr usize kMostBytes = 24;
    /// All three revisions. EINVAL.
    static Result<FileCapabilities> parse(std::span<const std::byte> value);
    /// Whether setxattr(2) takes the value: revision 2, or 3 for a user that exists.
    static bool may_be_set(std::span<const std::byte> value);
    /// As getxattr(2) shows it: what is for the only user namespace there is, is told as revision 2. Returns the size.
    static usize show(std::span<std::byte> value);
};

/// The capabilities that the file gives to who executes it: nothing if it has none, or for another user namespace
/// only. EINVAL. Sleeps.
Result<std::optional<FileCapabilities>> read_file_capabilities(Inode& inode);

}  // namespace cairn::vfs
