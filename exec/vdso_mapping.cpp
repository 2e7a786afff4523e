#include "exec/vdso_mapping.h"

#include "exec/program_support.h"

namespace cairn::exec {

namespace {

mm::MapRequest part(VirtualAddress at, u64 size, u32 access, const char* name, mm::MemoryObject& object, u64 offset) {
    mm::MapRequest request;
    request.address = at;
    request.length = size;
    request.placement = mm::MapRequest::Placement::Fixed;
    request.access = access;
    request.flags = mm::flag_bits(mm::MappingFlag::DontExpand) | mm::flag_bits(mm::MappingFlag::DontDump);
    request.name = name;
    request.object = &object;
    request.offset = offset;
    return request;
}

}  // namespace

Result<std::optional<u64>> map_vdso(mm::AddressSpace& space) {
    if (g_kernel.program_support == nullptr || !g_kernel.program_support->vdso) {
        return std::optional<u64>();
    }
    const Vdso& vdso = *g_kernel.program_support->vdso;
    // One free range for both, since the code finds its data by distance.
    mm::MapRequest room;
    room.length = vdso.size();
    room.flags = mm::flag_bits(mm::MappingFlag::NoReserve);
    const VirtualAddress at = TRY(space.map(room));
    TRY(space.map(part(at, Vdso::kDataSize, mm::kAccessRead, "[vvar]", *vdso.object, 0)));
    TRY(space.map(part(at + Vdso::kDataSize, vdso.code_size, mm::kAccessRead | mm::kAccessExecute, "[vdso]",
                       *vdso.object, Vdso::kDataSize)));
    return std::optional<u64>((at + Vdso::kDataSize).value);
}

}  // namespace cairn::exec
