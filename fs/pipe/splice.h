#pragma once
/// splice(2), tee(2) and vmsplice(2): bytes between a pipe and a file. The bytes are copied, through a page that
/// belongs to the pipe; no lock of the pipe is held while the file is read or written. Thread context; may sleep.

#include "fs/pipe/pipe_file.h"

namespace cairn::pipe {

namespace splice_flags {
constexpr u32 kMove = 1, kNonBlock = 2, kMore = 4, kGift = 8;
constexpr u32 kAll = kMove | kNonBlock | kMore | kGift;
}  // namespace splice_flags

/// `offset`: where in the file, advanced by what was moved; null: at the file's own position.
/// EBADF, EINVAL, ESPIPE, EPIPE, EAGAIN, EINTR and what the file says; a short count once bytes were moved.
Result<usize> splice(vfs::OperationContext& context, vfs::File& in, u64* in_offset, vfs::File& out, u64* out_offset,
                     usize size, u32 flags);

/// Copies what is in one pipe to another without consuming it. EINVAL, EBADF, EAGAIN, EPIPE, EINTR.
Result<usize> tee(vfs::File& in, vfs::File& out, usize size, u32 flags);

}  // namespace cairn::pipe
