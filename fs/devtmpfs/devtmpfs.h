#pragma once
/// devtmpfs: one tmpfs in which each registered character device has a node. All its mounts show the same tree, and it
/// lives for ever.

#include "fs/vfs/devices.h"
#include "fs/vfs/mount.h"

namespace cairn::fs::devtmpfs {

/// Makes the filesystem, with nodes for what is registered; from then on registrations add theirs. Start-up. ENOMEM.
Result<void> initialize();
/// For devices that come and go: makes the node `name` ("input/event0"), and directories on the way to it; takes it
/// away. Thread context, no lock held. ENOMEM; EEXIST, ENOENT.
Result<void> add_node(std::string_view name, vfs::DeviceNumber number, u16 permissions);
Result<void> remove_node(std::string_view name);
/// A row of the table of filesystems. Options are ignored, as on Linux for a further mount.
Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source, std::string_view options);

}  // namespace cairn::fs::devtmpfs
