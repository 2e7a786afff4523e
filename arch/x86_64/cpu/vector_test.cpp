/// Fills the vector registers with a pattern and looks whether they kept it; for the stress test
/// of the context switch.

#include "arch/arch.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/cpu/features.h"

extern "C" {
// vector_test.asm; each transfers all registers of its width.
void load_xmm_registers(const cairn::u64* bytes);
void store_xmm_registers(cairn::u64* bytes);
void load_ymm_registers(const cairn::u64* bytes);
void store_ymm_registers(cairn::u64* bytes);
void load_zmm_registers(const cairn::u64* bytes);
void store_zmm_registers(cairn::u64* bytes);
}

namespace cairn::arch {

namespace {

/// A register set: how many 64-bit words it has, and how to move them.
struct RegisterSet {
    u32 words;
    void (*load)(const u64*);
    void (*store)(u64*);
};

constexpr u32 kMostWords = 32 * 8;

/// The widest registers contain the narrower ones, so testing them is enough.
RegisterSet widest_registers() {
    u64 mask = cpu_features().vector_mask;
    if ((mask & kXcr0Avx512) == kXcr0Avx512) {
        return {32 * 8, load_zmm_registers, store_zmm_registers};
    }
    if ((mask & kXcr0Avx) != 0) {
        return {16 * 4, load_ymm_registers, store_ymm_registers};
    }
    return {16 * 2, load_xmm_registers, store_xmm_registers};
}

/// A different word in each place, so that exchanged registers are noticed too.
u64 word_at(u64 pattern, u32 index) {
    return pattern + u64{index} * 0x9e37'79b9'7f4a'7c15;
}

}  // namespace

void fill_vector_registers(u64 pattern) {
    RegisterSet set = widest_registers();
    u64 words[kMostWords];
    for (u32 i = 0; i < set.words; ++i) {
        words[i] = word_at(pattern, i);
    }
    set.load(words);
}

bool vector_registers_hold(u64 pattern) {
    RegisterSet set = widest_registers();
    u64 words[kMostWords];
    set.store(words);
    for (u32 i = 0; i < set.words; ++i) {
        if (words[i] != word_at(pattern, i)) {
            return false;
        }
    }
    return true;
}

}  // namespace cairn::arch
