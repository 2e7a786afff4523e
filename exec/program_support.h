#pragma once
/// What the programs of a machine share: the registrations of binfmt_misc and the pages of the vDSO.
/// g_kernel.program_support; null until start-up has made it, when there is neither.

#include <optional>

#include "exec/misc_store.h"
#include "exec/vdso.h"
#include "kernel/base/kernel.h"

namespace cairn::exec {

struct ProgramSupport {
    MiscStore misc;
    std::optional<Vdso> vdso;  // constant after start-up

    /// Once, before the first program. ENOMEM.
    static Result<void> initialize();
};

/// Null while there is none.
inline MiscStore* find_misc_store() {
    return g_kernel.program_support == nullptr ? nullptr : &g_kernel.program_support->misc;
}

}  // namespace cairn::exec
