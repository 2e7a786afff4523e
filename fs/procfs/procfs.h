#pragma once
/// procfs: what the kernel tells programs about processes and itself (proc(5)). Files are rows of tables (entry.h);
/// their texts are made when they are read. docs/procfs.md tells which there are.

#include "fs/vfs/mount.h"

namespace cairn::procfs {

/// For the table of filesystem types.
Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source, std::string_view options);

/// The number of the process whose directory in a procfs `inode` is (not a thread's, nor one below). EBADF: it is
/// something else; ESRCH: the process is gone.
Result<i32> process_of_directory(vfs::Inode& inode);

}  // namespace cairn::procfs
