#pragma once
/// Single instructions that C++ has no words for. Every asm block uses only its operands and what
/// its comment names.

#include "kernel/base/types.h"

namespace cairn::arch {

// --- I/O ports ----------------------------------------------------------------------------------
// SAFETY: port accesses touch no memory; what the device does is the caller's business.
inline void write_port8(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void write_port16(u16 port, u16 value) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void write_port32(u16 port, u32 value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline u8 read_port8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline u16 read_port16(u16 port) {
    u16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline u32 read_port32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

// --- Model-specific registers -------------------------------------------------------------------
// SAFETY: the register exists (the caller has looked at CPUID), else #GP.
inline u64 read_msr(u32 number) {
    u32 low;
    u32 high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number) : "memory");
    return static_cast<u64>(high) << 32 | low;
}
inline void write_msr(u32 number, u64 value) {
    asm volatile("wrmsr" : : "c"(number), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}

// --- Segments and their bases ---------------------------------------------------------------------
// SAFETY: the FSGSBASE instructions need CR4.FSGSBASE and a canonical address. The pairs of SWAPGS need
// interrupts off; exceptions with stacks of their own find the kernel's GS base by themselves.
inline u64 read_fs_base() {
    u64 base;
    asm volatile("rdfsbase %0" : "=r"(base) : : "memory");
    return base;
}
inline void write_fs_base(u64 base) {
    asm volatile("wrfsbase %0" : : "r"(base) : "memory");
}
inline u64 read_user_gs_base() {
    u64 base;
    asm volatile("swapgs\n\trdgsbase %0\n\tswapgs" : "=r"(base) : : "memory");
    return base;
}
inline void write_user_gs_base(u64 base) {
    asm volatile("swapgs\n\twrgsbase %0\n\tswapgs" : : "r"(base) : "memory");
}
inline u64 exchange_user_gs_base(u64 base) {
    u64 old;
    asm volatile("swapgs\n\trdgsbase %0\n\twrgsbase %1\n\tswapgs" : "=&r"(old) : "r"(base) : "memory");
    return old;
}
struct DataSelectors {
    u16 ds, es, fs, gs;
};
inline DataSelectors read_data_selectors() {
    u32 ds;
    u32 es;
    u32 fs;
    u32 gs;
    asm volatile("movl %%ds, %0\n\tmovl %%es, %1\n\tmovl %%fs, %2\n\tmovl %%gs, %3"
                 : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs)
                 :
                 : "memory");
    return {static_cast<u16>(ds), static_cast<u16>(es), static_cast<u16>(fs), static_cast<u16>(gs)};
}
/// Of descriptors that user mode can load. Changes the user's FS and GS bases.
inline void write_data_selectors(const DataSelectors& selectors) {
    asm volatile("movl %0, %%ds\n\tmovl %1, %%es\n\tmovl %2, %%fs\n\tswapgs\n\tmovl %3, %%gs\n\tswapgs"
                 :
                 : "r"(u32{selectors.ds}), "r"(u32{selectors.es}), "r"(u32{selectors.fs}), "r"(u32{selectors.gs})
                 : "memory");
}

// --- Debug registers ----------------------------------------------------------------------------
// SAFETY: the status register has no effect.
inline u64 read_dr6() {
    u64 value;
    asm volatile("movq %%dr6, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_dr6(u64 value) {
    asm volatile("movq %0, %%dr6" : : "r"(value) : "memory");
}
inline void write_dr7(u64 value) {
    asm volatile("movq %0, %%dr7" : : "r"(value) : "memory");
}
/// DR0 to DR3. With breakpoints off.
inline void write_debug_addresses(const u64 (&addresses)[4]) {
    asm volatile("movq %0, %%dr0" : : "r"(addresses[0]) : "memory");
    asm volatile("movq %0, %%dr1" : : "r"(addresses[1]) : "memory");
    asm volatile("movq %0, %%dr2" : : "r"(addresses[2]) : "memory");
    asm volatile("movq %0, %%dr3" : : "r"(addresses[3]) : "memory");
}

// --- CPUID --------------------------------------------------------------------------------------
struct CpuidResult {
    u32 eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(u32 leaf, u32 subleaf = 0) {
    CpuidResult result;
    // SAFETY: reads; serialising.
    asm volatile("cpuid"
                 : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                 : "a"(leaf), "c"(subleaf)
                 : "memory");
    return result;
}

// --- Control registers --------------------------------------------------------------------------
// SAFETY: writers keep the kernel mapped and set only bits that CPUID announces.
inline u64 read_cr0() {
    u64 value;
    asm volatile("movq %%cr0, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_cr0(u64 value) {
    asm volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}
inline u64 read_cr2() {
    u64 value;
    asm volatile("movq %%cr2, %0" : "=r"(value) : : "memory");
    return value;
}
inline u64 read_cr3() {
    u64 value;
    asm volatile("movq %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_cr3(u64 value) {
    asm volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}
inline u64 read_cr4() {
    u64 value;
    asm volatile("movq %%cr4, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_cr4(u64 value) {
    asm volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}
inline void write_xcr0(u64 value) {
    asm volatile("xsetbv" : : "c"(0), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}

}  // namespace cairn::arch
