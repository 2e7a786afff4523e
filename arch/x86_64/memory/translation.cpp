/// Loading page tables and flushing the TLB (SDM vol. 3A, 4.10.4).

#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/cpu/instructions.h"
#include "kernel/base/assert.h"

namespace cairn::arch {

namespace {

constexpr u32 kTagCount = 4096;                  // CR3 bits 0-11
constexpr u64 kKeepTranslations = u64{1} << 63;  // of a CR3 load, with PCIDs on
constexpr u64 kCr4GlobalPages = 1 << 7;

constexpr u64 kInvalidateAll = 2;  // INVPCID type: all tags, global translations too

void invalidate_everything_by_invpcid() {
    struct alignas(16) {
        u64 tag;
        u64 address;
    } descriptor{0, 0};
    // SAFETY: the CPU has the instruction; it reads only the descriptor.
    asm volatile("invpcid %0, %1" : : "m"(descriptor), "r"(kInvalidateAll) : "memory");
}

}  // namespace

u32 address_space_tag_count() {
    return cpu_features().pcid ? kTagCount : 1;
}

void load_address_space(PhysicalAddress root, u16 tag, TagContents contents) {
    DEBUG_ASSERT(is_aligned(root.value, kPageSize) && tag < address_space_tag_count());
    u64 value = root.value | tag;
    // Without PCIDs every load flushes, and the bit is reserved.
    if (contents == TagContents::Keep && cpu_features().pcid) {
        value |= kKeepTranslations;
    }
    write_cr3(value);
}

void flush_page(VirtualAddress address) {
    // SAFETY: drops one translation of the current tag and any global one of the address.
    asm volatile("invlpg (%0)" : : "r"(address.value) : "memory");
}

void flush_address_space() {
    // Bit 63 reads as zero, so this load drops the current tag's translations.
    write_cr3(read_cr3());
}

void flush_all() {
    if (cpu_features().invpcid) {
        invalidate_everything_by_invpcid();
        return;
    }
    // A change of CR4.PGE drops everything, of all tags. Interrupts are off in between so that no
    // handler changes CR4 meanwhile.
    InterruptState state = disable_interrupts();
    u64 cr4 = read_cr4();
    if ((cr4 & kCr4GlobalPages) != 0) {
        write_cr4(cr4 & ~kCr4GlobalPages);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    restore_interrupts(state);
}

}  // namespace cairn::arch
