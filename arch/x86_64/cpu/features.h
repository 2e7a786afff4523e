#pragma once
/// What the processor can do, as far as the kernel uses it (CPUID: SDM vol. 2A; AMD APM vol. 3,
/// appendix E). All processors of a machine are taken to be alike; each CPU reads its own.

#include <string_view>

#include "kernel/base/types.h"

namespace cairn::arch {

/// How a thread's vector registers are saved.
enum class VectorSave : u8 { Fxsave, Xsave, Xsaveopt };

struct CpuFeatures {
    char vendor[13] = {};  // "GenuineIntel", zero-terminated
    char brand[49] = {};   // marketing name, may be empty
    u32 family = 0;
    u32 model = 0;
    u32 stepping = 0;
    u32 initial_apic_id = 0;  // the full 32 bits where the processor has leaf 0xb

    bool gigabyte_pages = false;
    bool global_pages = false;
    bool machine_check = false;
    bool page_attributes = false;  // PAT
    bool pcid = false;
    bool invpcid = false;
    bool smep = false;
    bool smap = false;
    bool umip = false;
    bool fsgsbase = false;
    bool tsc_aux = false;  // RDTSCP or RDPID
    bool xsave = false;
    bool hypervisor = false;

    VectorSave vector_save = VectorSave::Fxsave;
    /// What XCR0 is set to: bits of the register sets that threads may use; zero without XSAVE.
    u64 vector_mask = 0;
    /// Bytes of a save area in the standard format, for `vector_mask`, and where each register set beyond
    /// SSE lies in it.
    u32 vector_state_size = 512;
    static constexpr u32 kVectorComponents = 8;
    struct {
        u32 offset = 0;
        u32 size = 0;
    } vector_components[kVectorComponents];
    u32 mxcsr_mask = 0;             // set by initialize_cpu
    u32 hardware_capabilities = 0;  // what AT_HWCAP shows: CPUID.1:EDX
};

/// Bits of XCR0 (SDM vol. 1, 13.3).
constexpr u64 kXcr0X87 = 1 << 0;
constexpr u64 kXcr0Sse = 1 << 1;
constexpr u64 kXcr0Avx = 1 << 2;
constexpr u64 kXcr0Avx512 = 7 << 5;

/// Asks the calling CPU.
CpuFeatures detect_features();

/// Two lines of the log.
void log_features(const CpuFeatures& features);

}  // namespace cairn::arch
