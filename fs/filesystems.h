#pragma once
/// Start-up of the filesystems, and the table of their types.

#include <span>

#include "fs/vfs/mount.h"

namespace cairn::fs {

/// Makes g_kernel.vfs with the table of filesystem types, memory devices and what memfd_create(2) needs, and mounts an
/// empty tmpfs as the root; returns it. After the heap, the clock and the read side. ENOMEM.
Result<vfs::Path> initialize();

/// The table: a row for each filesystem that mount(2) knows.
std::span<const vfs::FilesystemType> filesystem_types();

}  // namespace cairn::fs
