/// See errata.h. Which processors are affected by a weakness follows Linux's arch/x86/kernel/cpu/common.c, with what
/// the processor says of itself (IA32_ARCH_CAPABILITIES) taken before its model.

#include "arch/x86_64/cpu/errata.h"

#include <algorithm>

#include "arch/processor.h"
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/instructions.h"
#include "kernel/base/log.h"

namespace cairn::arch {

namespace {

constexpr u32 kMsrMicrocode = 0x8b;
constexpr u32 kMsrCapabilities = 0x10a;
constexpr u32 kMsrDecodeConfiguration = 0xc001'1029;

enum class Maker : u8 { Intel, Amd, Other };

struct Identity {
    Maker maker = Maker::Other;
    u32 family = 0;
    u32 model = 0;
    bool hypervisor = false;
};

/// Without detect_features(), whose object is too large to be made for each question.
Identity identify() {
    Identity identity;
    const u32 name = cpuid(0).ebx;
    constexpr u32 kIntel = 'G' | 'e' << 8 | 'n' << 16 | 'u' << 24;
    constexpr u32 kAmd = 'A' | 'u' << 8 | 't' << 16 | 'h' << 24;
    identity.maker = name == kIntel ? Maker::Intel : name == kAmd ? Maker::Amd : Maker::Other;
    const u32 signature = cpuid(1).eax;
    identity.family = signature >> 8 & 0xf;
    identity.model = signature >> 4 & 0xf;
    if (identity.family == 6 || identity.family == 15) {
        identity.model |= signature >> 12 & 0xf0;
    }
    identity.family += identity.family == 15 ? signature >> 20 & 0xff : 0;
    identity.hypervisor = (cpuid(1).ecx >> 31 & 1) != 0;
    return identity;
}

// --- Errata -------------------------------------------------------------------------------------------------------

struct Erratum {
    Maker maker;
    u32 family;
    u32 first_model;
    u32 last_model;
    std::string_view what;
    /// What is done on each CPU of a real machine; null: nothing need be.
    void (*repair)();
};

/// AMD-SB-7008 (Zenbleed): registers of another thread may show in VZEROUPPER's wake. Bit 9 turns the optimisation off.
void stop_zenbleed() {
    constexpr u64 kChicken = 1u << 9;
    write_msr(kMsrDecodeConfiguration, read_msr(kMsrDecodeConfiguration) | kChicken);
}

constexpr Erratum kErrata[] = {
    {Maker::Amd, 0x17, 0x30, 0x4f, "Zenbleed: a feature of vector registers is off", &stop_zenbleed},
    {Maker::Amd, 0x17, 0x60, 0x7f, "Zenbleed: a feature of vector registers is off", &stop_zenbleed},
    {Maker::Amd, 0x17, 0x90, 0xaf, "Zenbleed: a feature of vector registers is off", &stop_zenbleed},
    {Maker::Intel, 6, 0x5c, 0x5c, "MONITOR misses writes (APL30): it is not used", nullptr},
    {Maker::Amd, 0x10, 0, 0xff, "the APIC timer stops in deep sleep (erratum 400): it is not entered", nullptr},
};

bool fits(const Erratum& erratum, const Identity& identity) {
    return erratum.maker == identity.maker && erratum.family == identity.family &&
           identity.model >= erratum.first_model && identity.model <= erratum.last_model;
}

u32 read_microcode_level(Maker maker) {
    if (maker == Maker::Other) {
        return 0;
    }
    if (maker == Maker::Amd) {
        return static_cast<u32>(read_msr(kMsrMicrocode));
    }
    write_msr(kMsrMicrocode, 0);  // CPUID then loads it (SDM vol. 3A, 10.11.7.1)
    cpuid(1);
    return static_cast<u32>(read_msr(kMsrMicrocode) >> 32);
}

/// The boot CPU's; written once.
constinit u32 the_microcode_level = 0;

// --- Weaknesses ---------------------------------------------------------------------------------------------------

// IA32_ARCH_CAPABILITIES.
constexpr u64 kNoMeltdown = 1 << 0, kNoStoreBypass = 1 << 4, kNoDataSampling = 1 << 5, kNoPageSizeChange = 1 << 6,
              kNoAsyncAbort = 1 << 8, kNoStaleData = 7 << 13, kNoGather = 1 << 26;

u64 capabilities() {
    const bool has = cpuid(0).eax >= 7 && (cpuid(7).edx >> 29 & 1) != 0;
    return has ? read_msr(kMsrCapabilities) : 0;
}

struct Asked {
    Identity identity;
    u64 capabilities;
    bool is_intel(u64 immune) const { return identity.maker == Maker::Intel && (capabilities & immune) == 0; }
    bool is_model(std::initializer_list<u8> models) const {
        return identity.maker == Maker::Intel && identity.family == 6 &&
               std::find(models.begin(), models.end(), identity.model) != models.end();
    }
};

bool is_everybody(const Asked&) {
    return true;
}
bool has_meltdown(const Asked& asked) {
    return asked.is_intel(kNoMeltdown);
}
bool has_data_sampling(const Asked& asked) {
    return asked.is_intel(kNoDataSampling);
}
bool has_page_size_change(const Asked& asked) {
    return asked.is_intel(kNoPageSizeChange) && (asked.capabilities & kNoMeltdown) == 0;
}
bool has_store_bypass(const Asked& asked) {
    const bool old_amd = asked.identity.maker == Maker::Amd && asked.identity.family <= 0x12;
    const bool amd_immune = old_amd || (asked.identity.maker == Maker::Amd && cpuid(0x8000'0000).eax >= 0x8000'0008 &&
                                        (cpuid(0x8000'0008).ebx >> 26 & 1) != 0);
    return (asked.capabilities & kNoStoreBypass) == 0 && !amd_immune;
}
bool has_async_abort(const Asked& asked) {
    const bool transactions = cpuid(0).eax >= 7 && (cpuid(7).ebx >> 11 & 1) != 0;
    return transactions && asked.is_intel(kNoAsyncAbort);
}
bool has_register_sampling(const Asked& asked) {
    return asked.is_model({0x3a, 0x3c, 0x3d, 0x45, 0x46, 0x47, 0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6});
}
bool has_stale_data(const Asked& asked) {
    return asked.is_intel(kNoStaleData) && asked.is_model({0x3f, 0x4e, 0x4f, 0x55, 0x56, 0x5e, 0x6a, 0x6c, 0x7e, 0x8a,
                                                           0x8c, 0x8d, 0x8e, 0x96, 0x9c, 0x9e, 0xa5, 0xa6, 0xa7});
}
bool has_retbleed(const Asked& asked) {
    const bool amd =
        asked.identity.maker == Maker::Amd && asked.identity.family >= 0x15 && asked.identity.family <= 0x17;
    return amd ||
           asked.is_model({0x4e, 0x55, 0x5e, 0x66, 0x6a, 0x6c, 0x7e, 0x8a, 0x8c, 0x8d, 0x8e, 0x9e, 0xa5, 0xa6, 0xa7});
}
bool has_return_overflow(const Asked& asked) {
    return asked.identity.maker == Maker::Amd && (asked.identity.family == 0x17 || asked.identity.family == 0x19);
}
bool has_gather(const Asked& asked) {
    return asked.is_intel(kNoGather) &&
           asked.is_model({0x4e, 0x55, 0x5e, 0x6a, 0x6c, 0x7e, 0x8c, 0x8d, 0x8e, 0x9e, 0xa5, 0xa6, 0xa7});
}

struct Weakness {
    std::string_view name;
    std::string_view bug_name;
    bool (*is_affected)(const Asked&);
};
constexpr Weakness kWeaknesses[] = {
    {"gather_data_sampling", "gds", &has_gather},
    {"itlb_multihit", "itlb_multihit", &has_page_size_change},
    {"l1tf", "l1tf", &has_meltdown},
    {"mds", "mds", &has_data_sampling},
    {"meltdown", "cpu_meltdown", &has_meltdown},
    {"mmio_stale_data", "mmio_stale_data", &has_stale_data},
    {"retbleed", "retbleed", &has_retbleed},
    {"spec_rstack_overflow", "srso", &has_return_overflow},
    {"spec_store_bypass", "spec_store_bypass", &has_store_bypass},
    {"spectre_v1", "spectre_v1", &is_everybody},
    {"spectre_v2", "spectre_v2", &is_everybody},
    {"srbds", "srbds", &has_register_sampling},
    {"tsx_async_abort", "taa", &has_async_abort},
};

}  // namespace

void handle_errata(bool is_boot_cpu) {
    const Identity identity = identify();
    if (is_boot_cpu) {
        the_microcode_level = read_microcode_level(identity.maker);
        log_info("cpu", "microcode {:#x}", the_microcode_level);
    }
    for (const Erratum& erratum : kErrata) {
        if (!fits(erratum, identity)) {
            continue;
        }
        // A hypervisor does it for its guests, and may refuse the register.
        if (erratum.repair != nullptr && !identity.hypervisor) {
            erratum.repair();
        }
        if (is_boot_cpu) {
            log_info("cpu", "erratum: {}{}", erratum.what, identity.hypervisor ? " (left to the hypervisor)" : "");
        }
    }
}

u32 microcode_level() {
    return the_microcode_level;
}

std::optional<CpuWeakness> cpu_weakness(u32 index) {
    if (index >= std::size(kWeaknesses)) {
        return std::nullopt;
    }
    const Weakness& weakness = kWeaknesses[index];
    return CpuWeakness{weakness.name, weakness.bug_name, weakness.is_affected({identify(), capabilities()})};
}

}  // namespace cairn::arch
