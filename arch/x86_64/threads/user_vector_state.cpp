/// Vector registers to and from signal frames: XSAVE and XRSTOR on user memory itself. A fault sleeps in
/// kernel_trap like that of any copy; the instruction starts again then, and a switch of threads in
/// between saves and loads whatever the registers hold.

#include <cstddef>
#include <utility>

#include "arch/long_mode/user_state.h"
#include "arch/user_words.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/threads/user_registers.h"

namespace cairn::arch {

namespace {

constexpr u64 kXstateBv = kLegacyVectorSize;  // first word of the header

/// Initial contents of everything that XRSTOR reads when all register sets are marked as initial.
struct alignas(kVectorAlignment) InitialArea {
    u16 control_word = 0x37f;
    u8 other[22] = {};
    u32 mxcsr = 0x1f80;
    u8 rest[kLegacyVectorSize + kXsaveHeaderSize - 28] = {};
};
static_assert(offsetof(InitialArea, mxcsr) == kMxcsrOffset);
static_assert(sizeof(InitialArea) == kLegacyVectorSize + kXsaveHeaderSize);
constexpr InitialArea kInitialArea;

void load_initial(u64 features) {
    // SAFETY: the area is constant and as large as the instruction looks at.
    if (!cpu_features().xsave) {
        asm volatile("fxrstor64 %0" : : "m"(kInitialArea));
    } else {
        asm volatile("xrstor64 %0"
                     :
                     : "m"(kInitialArea), "a"(static_cast<u32>(features)), "d"(static_cast<u32>(features >> 32)));
    }
}

/// User memory is open.
bool xsave_to_user(u64 to, u64 features) {
    u32 failed = 1;
    // SAFETY: `to` was tested to be user space; a fault ends at label 2 with `failed` as it was. Plain XSAVE
    // writes register sets in their initial state, too. Legacy registers count as present, so that a handler that
    // only knows them can change them.
    asm volatile(
        "1:\n\t"
        "xsave64 (%[to])\n"
        "3:\n\t"
        "orl %[legacy], %c[header](%[to])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b") FIXUP("3b", "2b")
        : [failed] "+r"(failed)
        : [to] "r"(to), "a"(static_cast<u32>(features)),
          "d"(static_cast<u32>(features >> 32)), [legacy] "i"(kLegacyFeatures), [header] "i"(kXstateBv)
        : "memory", "cc");
    return failed == 0;
}

/// User memory is open.
bool fxsave_to_user(u64 to) {
    u32 failed = 1;
    // SAFETY: as above.
    asm volatile(
        "1:\n\t"
        "fxsave64 (%[to])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed)
        : [to] "r"(to)
        : "memory", "cc");
    return failed == 0;
}

/// XSAVE writes the first word of its header only.
template <usize... kWords>
bool clear_header(const UserWords& words, usize at, std::index_sequence<kWords...>) {
    static_assert(sizeof...(kWords) * sizeof(u64) == kXsaveHeaderSize);
    return (words.store(at + kWords * sizeof(u64), u64{0}) && ...);
}

bool xrstor_from_user(u64 from, u64 features) {
    u32 failed = 1;
    UserAccess access;
    // SAFETY: `from` was tested to be user space. What the processor finds wrong with the contents is a
    // general protection exception, which ends at label 2 like a page fault that nobody resolved.
    asm volatile(
        "1:\n\t"
        "xrstor64 (%[from])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed)
        : [from] "r"(from), "a"(static_cast<u32>(features)), "d"(static_cast<u32>(features >> 32))
        : "memory", "cc");
    return failed == 0;
}

bool fxrstor_from_user(u64 from) {
    u32 failed = 1;
    UserAccess access;
    // SAFETY: as above.
    asm volatile(
        "1:\n\t"
        "fxrstor64 (%[from])\n\t"
        "xorl %[failed], %[failed]\n"
        "2:\n\t" FIXUP("1b", "2b")
        : [failed] "+r"(failed)
        : [from] "r"(from)
        : "memory", "cc");
    return failed == 0;
}

}  // namespace

bool save_vector_state_to_user(const UserWords& words, usize offset) {
    const CpuFeatures& features = cpu_features();
    if (!features.xsave) {
        return fxsave_to_user(words.address(offset));
    }
    return clear_header(words, offset + kXstateBv, std::make_index_sequence<kXsaveHeaderSize / sizeof(u64)>()) &&
           xsave_to_user(words.address(offset), features.vector_mask);
}

Result<void> load_vector_state_from_user(VirtualAddress from, u64 features, bool has_header) {
    u64 all = cpu_features().vector_mask;
    usize size = has_header ? vector_state_size() : kLegacyVectorSize;
    bool loaded = false;
    if (in_user_space(from, size)) {
        u64 address = safe_user_address(from, size);
        loaded = has_header ? xrstor_from_user(address, features) : fxrstor_from_user(address);
    }
    if (!loaded) {
        reset_vector_registers();
        return fail(Errno::efault);
    }
    if ((all & ~features) != 0) {
        load_initial(all & ~features);
    }
    return {};
}

void reset_vector_registers() {
    load_initial(cpu_features().vector_mask);
}

}  // namespace cairn::arch
