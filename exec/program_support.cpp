#include "exec/program_support.h"

#include "kernel/base/own.h"

namespace cairn::exec {

Result<void> ProgramSupport::initialize() {
    Own<ProgramSupport> support = TRY(try_new<ProgramSupport>());
    std::optional<Vdso> vdso = TRY(create_vdso());
    if (vdso) {
        support->vdso.emplace(std::move(*vdso));
    }
    g_kernel.program_support = support.release();
    return {};
}

}  // namespace cairn::exec
