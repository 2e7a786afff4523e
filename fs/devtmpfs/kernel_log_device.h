#pragma once
/// /dev/kmsg: each read gives one record of the kernel's log as "level,sequence,microseconds,-;text\n"; what is written
/// becomes a record (Documentation/ABI/testing/dev-kmsg).

#include "fs/vfs/file.h"

namespace cairn::fs::devtmpfs {

Result<Ref<vfs::File>> open_kernel_log(vfs::OperationContext& context, vfs::Inode& inode,
                                       const vfs::OpenRequest& request);

}  // namespace cairn::fs::devtmpfs
