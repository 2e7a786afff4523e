/// The table of filesystem types; see filesystems.h.

#include "fs/filesystems.h"

#include "fs/devtmpfs/devtmpfs.h"
#include "fs/devtmpfs/memory_devices.h"
#include "fs/mqueue/mqueue.h"
#include "fs/pipe/pipe_file.h"
#include "fs/procfs/procfs.h"
#include "fs/sysfs/sysfs.h"
#include "fs/terminal/devpts.h"
#include "fs/terminal/terminals.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/vfs.h"

namespace cairn::fs {

namespace {

constexpr vfs::FilesystemType kTypes[] = {
    {"tmpfs", false, &tmpfs::mount},   {"ramfs", false, &tmpfs::mount},
    {"proc", false, &procfs::mount},   {"devtmpfs", false, &devtmpfs::mount},
    {"sysfs", false, &sysfs::mount},   {"devpts", false, &terminal::DevptsInstance::mount},
    {"mqueue", false, &mqueue::mount},
};

}  // namespace

std::span<const vfs::FilesystemType> filesystem_types() {
    return kTypes;
}

Result<vfs::Path> initialize() {
    TRY(vfs::Vfs::initialize());
    vfs::the_vfs().hooks.types = kTypes;
    vfs::the_vfs().hooks.open_fifo = &pipe::open_fifo;
    TRY(tmpfs::initialize());
    TRY(mqueue::initialize());
    TRY(devtmpfs::initialize());
    TRY(devtmpfs::register_memory_devices());
    TRY(terminal::Terminals::initialize());
    tmpfs::Options options = tmpfs::Options::defaults();
    options.mode = 0755;
    // What comes with the kernel lives here, and nothing else is meant to be as large: 7/8 of memory.
    options.size_pages = options.size_pages / 4 * 7;
    options.inodes = options.inodes / 4 * 7;
    Ref<tmpfs::TmpfsSuperblock> root = TRY(tmpfs::TmpfsSuperblock::create(options, "rootfs"));
    return vfs::mount_root(Ref<vfs::Superblock>::adopt(root.release()));
}

}  // namespace cairn::fs
