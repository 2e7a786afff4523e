#pragma once
/// What becomes of an exception: the kernel's upcall, the fix-up table, or the end.

#include <string_view>

#include "arch/arch.h"
#include "arch/x86_64/cpu/vectors.h"

namespace cairn::arch {

/// "page fault" and so on (SDM vol. 3A, table 6-1).
std::string_view exception_name(u32 vector);

/// Exceptions that arrive on a stack of their own (cpu_state.h, InterruptStack).
constexpr bool has_interrupt_stack(u32 vector) {
    return vector == kDebugException || vector == kNonMaskableInterrupt || vector == kDoubleFault ||
           vector == kMachineCheck;
}

/// Returns when `frame` can be resumed; else prints what happened and panics.
void resolve_exception(TrapFrame& frame, const TrapDetails& details);

}  // namespace cairn::arch
