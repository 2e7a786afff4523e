#pragma once
/// What the magic links say and lead to.

#include "fs/procfs/text.h"
#include "fs/vfs/file.h"
#include "fs/vfs/path.h"

namespace cairn::procfs {

/// The path as the caller sees it. ENOMEM, ENAMETOOLONG.
Result<void> describe_path(vfs::OperationContext& context, const vfs::Path& path, Text& text);
/// The path of an open file, or "pipe:[123]".
Result<void> describe_file(vfs::OperationContext& context, vfs::File& file, Text& text);
/// Where an open file is. One without a name gets a place of its own, which nothing else leads to. ENOMEM.
Result<vfs::Path> path_of_file(vfs::File& file);
/// Such a place for an inode.
Result<vfs::Path> path_of_inode(vfs::Inode& inode);
/// The id of its mount; 0: none.
u32 mount_of_file(vfs::File& file);

}  // namespace cairn::procfs
