#include "arch/x86_64/traps/fixup.h"

namespace cairn::arch {

/// Both distances count from their own field, so that an entry is eight bytes.
struct FixupEntry {
    i32 faulting;
    i32 resume;
};

extern "C" {
extern const FixupEntry fixup_table_start[];
extern const FixupEntry fixup_table_end[];
}

namespace {

u64 target(const i32& field) {
    return reinterpret_cast<u64>(&field) + static_cast<u64>(i64{field});
}

}  // namespace

bool apply_fixup(TrapFrame& frame) {
    // A handful of entries: no need to sort them.
    for (const FixupEntry* entry = fixup_table_start; entry != fixup_table_end; ++entry) {
        if (frame.rip == target(entry->faulting)) {
            frame.rip = target(entry->resume);
            return true;
        }
    }
    return false;
}

}  // namespace cairn::arch
