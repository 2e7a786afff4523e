#pragma once
/// Files in the simulated kernel whose pages are read from a "disk", one page at a time, and where any such read can
/// be made to fail (EIO). What programs see is an ordinary file of the page cache.

#include <cstddef>
#include <span>

#include "fs/vfs/vfs.h"
#include "mm/failure_injection.h"

namespace cairn::sim {

/// Counts reads of pages, of all such files of this run, and fails them.
mm::FailureInjector& disk_failures();

/// Before a run: there are no files yet.
void forget_disk_files();
/// Makes such a file in the root directory. `image` outlives the run. Panics when there is no memory.
void add_disk_file(vfs::OperationContext& context, std::string_view path, std::span<const std::byte> image, u16 mode);
/// The page cache forgets the files' pages, so that they are read again. Nobody maps them. May sleep.
void drop_disk_pages();

}  // namespace cairn::sim
