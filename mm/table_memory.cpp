#include "mm/table_memory.h"

namespace cairn::mm {

Result<PhysicalAddress> TableFrames::allocate_table() {
    if (frames_ != nullptr) {
        FrameNumber number = TRY(frames_->allocate(0, FrameFlags::Zeroed));
        return number.address();
    }
    PhysicalAddress table = TRY(early_->allocate(kPageSize, kPageSize, MemoryPurpose::Early));
    __builtin_memset(arch::direct_map(table), 0, kPageSize);
    return table;
}

void TableFrames::free_table(PhysicalAddress table) {
    ASSERT(frames_ != nullptr);
    frames_->free(FrameNumber::containing(table), 0);
}

}  // namespace cairn::mm
