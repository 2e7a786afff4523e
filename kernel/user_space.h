#pragma once
/// From a kernel that runs to the first program: filesystems, terminals, processes, the root out of the boot modules,
/// and /init.

#include "kernel/boot/information.h"
#include "kernel/boot/options.h"

namespace cairn {

namespace vfs {
class Path;
}

/// The part of start_user_layers that needs no devices: filesystems with an empty root, which is returned, processes
/// and what goes with them. Boot CPU, thread context, once; panics when there is no memory.
const vfs::Path& start_process_layers();

/// Makes what programs need (g_kernel's parts of the upper layers) and serial terminals. Boot CPU, thread context,
/// once; panics when there is no memory.
void start_user_layers(const boot::Options& options, const arch::PlatformDescription& platform);

/// Starts process 1, which unpacks the modules into the root filesystem, gives back the boot loader's memory and runs
/// the first program. False: there is no module, hence no program. Both arguments live for ever.
bool start_first_program(const boot::Options& options, const boot::Information& information);

}  // namespace cairn
