#pragma once
/// Fills the root filesystem from newc archives, as Linux does with its initramfs: later entries replace earlier ones
/// of the same name, a directory that exists gets the new owner and mode.

#include <span>

#include "fs/vfs/operation_context.h"
#include "kernel/base/address.h"
#include "kernel/base/result.h"

namespace cairn::fs::cpio {

struct UnpackStatistics {
    u32 entries = 0;
    u32 skipped = 0;  // could not be made; each has a line in the log
    u64 bytes = 0;    // of file contents
};

/// Told of input that is not looked at again, in order, so that its memory can go to what it became.
class InputConsumer {
public:
    virtual void consumed(std::span<const std::byte> part) = 0;

protected:
    ~InputConsumer() = default;
};
/// It is told when so much has come together.
constexpr usize kConsumedStep = kMiB;

/// Unpacks all archives in `input` below the context's root. An entry that cannot be made is logged and skipped; ENOMEM
/// and ENOSPC end it, and so does a damaged archive (EINVAL). Thread context; may sleep.
Result<UnpackStatistics> unpack(vfs::OperationContext& context, std::span<const std::byte> input,
                                InputConsumer* consumer = nullptr);

/// The same for a boot module, whose memory is given back on the way, and a line in the log.
Result<void> unpack_cpio(vfs::OperationContext& context, PhysicalRange module);

}  // namespace cairn::fs::cpio
