/// AddressSpace: shmdt(2).
#include "mm/address_space.h"

namespace cairn::mm {

Result<void> AddressSpace::detach(VirtualAddress address) {
    MappingBin bin;
    sync::ExclusiveGuard guard(lock_);
    const MappedFile* attachment = nullptr;
    u64 size = ~u64{0};
    for (Mapping* mapping = mappings_.at_or_after(address); mapping != nullptr && mapping->end - address <= size;) {
        const VirtualAddress start = mapping->start;
        const VirtualAddress end = mapping->end;
        const MappedFile* file = mapping->file ? &mapping->file->get() : nullptr;
        if (file != nullptr && file->attached_bytes() != 0 && (attachment == nullptr || file == attachment) &&
            start >= address && mapping->first_page == (start - address) / kPageSize) {
            attachment = file;
            size = align_up(file->attached_bytes(), kPageSize);
            remove_range(start, end, bin);
        }
        mapping = mappings_.at_or_after(end);
    }
    return attachment == nullptr ? Result<void>(fail(Errno::einval)) : Result<void>();
}

}  // namespace cairn::mm
