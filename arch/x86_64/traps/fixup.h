#pragma once
/// The fix-up table: instructions of the kernel that may fault, and where to continue if they do.
/// It is collected by the linker from the asm blocks concerned.

#include "arch/arch.h"

/// In an asm block: the instruction at local label `faulting` may fault and continues at `resume`.
#define FIXUP(faulting, resume)            \
    ".pushsection .fixup_table, \"a\"\n\t" \
    ".long " faulting " - ., " resume      \
    " - .\n\t"                             \
    ".popsection\n\t"

namespace cairn::arch {

/// Makes `frame` continue at the fix-up of the instruction that faulted; false if it has none.
bool apply_fixup(TrapFrame& frame);

}  // namespace cairn::arch
