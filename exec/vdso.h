#pragma once
/// The pages of the vDSO (vdso(7)), made once at start-up and mapped into every program: page 0 is the
/// data ("[vvar]", readable), the rest is the code ("[vdso]", readable and executable) and begins with
/// the ELF header that AT_SYSINFO_EHDR names. Both are mapped in one piece, data first.

#include <optional>

#include "kernel/base/ref.h"
#include "mm/memory_object.h"

namespace cairn::exec {

struct Vdso {
    Ref<mm::FrameListObject> object;
    u64 code_size;  // bytes; whole pages

    static constexpr u64 kDataSize = kPageSize;
    u64 size() const { return kDataSize + code_size; }
};

/// Nothing on a machine without a vDSO. ENOMEM. Once, before the first program: the data page then
/// belongs to the machine.
Result<std::optional<Vdso>> create_vdso();

}  // namespace cairn::exec
