#include "exec/vdso_mapping.h"

#include "exec/program_support.h"

namespace cairn::exec {

namespace {

mm::MapRequest request_for(const Vdso& vdso, u32 access, const char* name) {
    mm::MapRequest request;
    request.access = access;
    request.flags = mm::flag_bits(mm::MappingFlag::DontExpand);
    request.object = &*vdso.object;
    request.name = name;
    return request;
}

}  // namespace

Result<std::optional<u64>> map_vdso(mm::AddressSpace& space) {
    const ProgramSupport* support = g_kernel.program_support;
    if (support == nullptr || !support->vdso) {
        return std::optional<u64>();
    }
    const Vdso& vdso = *support->vdso;
    // The data first, over the whole length; then the code over all but its first page.
    mm::MapRequest data = request_for(vdso, mm::kAccessRead, "[vvar]");
    data.length = vdso.size();
    data.maximum = mm::kAccessRead;
    data.flags |= mm::flag_bits(mm::MappingFlag::DontDump);
    const VirtualAddress start = TRY(space.map(data));

    mm::MapRequest code = request_for(vdso, mm::kAccessRead | mm::kAccessExecute, "[vdso]");
    code.placement = mm::MapRequest::Placement::Fixed;
    code.address = start + Vdso::kDataSize;
    code.length = vdso.code_size;
    code.offset = Vdso::kDataSize;
    TRY(space.map(code));
    return std::optional(code.address.value);
}

}  // namespace cairn::exec
