/// The processor's own random numbers: RDSEED, or RDRAND (SDM vol. 1, 7.3.17).

#include <cpuid.h>

#include "arch/arch.h"

namespace cairn::arch {

namespace {

constexpr u32 kRandomBit = 1u << 30;  // CPUID.1:ECX
constexpr u32 kSeedBit = 1u << 18;    // CPUID.7:EBX
constexpr int kAttempts = 32;         // RDSEED runs dry when many ask

}  // namespace

std::optional<u64> hardware_random() {
    u32 a = 0;
    u32 b = 0;
    u32 c = 0;
    u32 d = 0;
    bool has_seed = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kSeedBit) != 0;
    bool has_random = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & kRandomBit) != 0;
    for (int i = 0; i < kAttempts && (has_seed || has_random); ++i) {
        u64 value = 0;
        bool valid = false;
        // SAFETY: CPUID says that the instruction exists; it writes the operand and the flags.
        if (has_seed) {
            asm volatile("rdseed %0" : "=r"(value), "=@ccc"(valid)::);
        } else {
            asm volatile("rdrand %0" : "=r"(value), "=@ccc"(valid)::);
        }
        if (valid) {
            return value;
        }
        cpu_relax();
    }
    return std::nullopt;
}

}  // namespace cairn::arch
