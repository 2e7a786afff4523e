#include "arch/x86_64/cpu/features.h"

#include <cstring>

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"
#include "kernel/base/log.h"

namespace cairn::arch {

namespace {

constexpr bool bit(u32 word, u32 number) {
    return (word >> number & 1) != 0;
}

void read_identity(CpuFeatures& features) {
    CpuidResult leaf0 = cpuid(0);
    std::memcpy(features.vendor, &leaf0.ebx, 4);
    std::memcpy(features.vendor + 4, &leaf0.edx, 4);
    std::memcpy(features.vendor + 8, &leaf0.ecx, 4);

    // Family and model have extended parts (SDM vol. 2A, CPUID, figure 3-6).
    u32 signature = cpuid(1).eax;
    features.stepping = signature & 0xf;
    features.model = signature >> 4 & 0xf;
    features.family = signature >> 8 & 0xf;
    if (features.family == 6 || features.family == 15) {
        features.model |= (signature >> 16 & 0xf) << 4;
    }
    if (features.family == 15) {
        features.family += signature >> 20 & 0xff;
    }

    if (cpuid(0x8000'0000).eax >= 0x8000'0004) {
        for (u32 i = 0; i < 3; ++i) {
            CpuidResult part = cpuid(0x8000'0002 + i);
            std::memcpy(features.brand + usize{i} * sizeof part, &part, sizeof part);
        }
    }
}

u32 read_apic_id(u32 highest_leaf) {
    if (highest_leaf >= 0xb) {
        CpuidResult topology = cpuid(0xb);
        if (topology.ebx != 0) {  // zero: the leaf is there but empty
            return topology.edx;
        }
    }
    return cpuid(1).ebx >> 24;
}

/// Chooses the register sets and the size of their save area. The size is summed up from the sets'
/// own offsets, since the one that CPUID gives depends on XCR0, which is not set yet.
void read_vector_state(CpuFeatures& features) {
    if (!features.xsave) {
        return;
    }
    CpuidResult leaf = cpuid(0xd, 0);
    u64 supported = static_cast<u64>(leaf.edx) << 32 | leaf.eax;
    features.vector_mask = supported & (kXcr0X87 | kXcr0Sse | kXcr0Avx);
    if ((supported & kXcr0Avx) != 0 && (supported & kXcr0Avx512) == kXcr0Avx512) {
        features.vector_mask |= kXcr0Avx512;
    }
    constexpr u32 kLegacyAndHeader = 512 + 64;
    features.vector_state_size = kLegacyAndHeader;
    for (u32 component = 2; component < CpuFeatures::kVectorComponents; ++component) {
        if ((features.vector_mask >> component & 1) != 0) {
            CpuidResult place = cpuid(0xd, component);  // EAX size, EBX offset
            features.vector_components[component] = {place.ebx, place.eax};
            u32 end = place.ebx + place.eax;
            features.vector_state_size = end > features.vector_state_size ? end : features.vector_state_size;
        }
    }
    features.vector_save = bit(cpuid(0xd, 1).eax, 0) ? VectorSave::Xsaveopt : VectorSave::Xsave;
}

}  // namespace

CpuFeatures detect_features() {
    CpuFeatures features;
    u32 highest_leaf = cpuid(0).eax;
    read_identity(features);
    features.initial_apic_id = read_apic_id(highest_leaf);

    CpuidResult basic = cpuid(1);
    features.hardware_capabilities = basic.edx;
    features.machine_check = bit(basic.edx, 7);
    features.global_pages = bit(basic.edx, 13);
    features.page_attributes = bit(basic.edx, 16);
    features.pcid = bit(basic.ecx, 17);
    features.xsave = bit(basic.ecx, 26);
    features.hypervisor = bit(basic.ecx, 31);
    if (highest_leaf >= 7) {
        CpuidResult structured = cpuid(7, 0);
        features.fsgsbase = bit(structured.ebx, 0);
        features.smep = bit(structured.ebx, 7);
        features.invpcid = bit(structured.ebx, 10);
        features.smap = bit(structured.ebx, 20);
        features.umip = bit(structured.ecx, 2);
        features.tsc_aux = bit(structured.ecx, 22);
    }
    u32 extended = cpuid(0x8000'0001).edx;
    features.gigabyte_pages = bit(extended, 26);
    features.tsc_aux |= bit(extended, 27);
    read_vector_state(features);
    return features;
}

void log_features(const CpuFeatures& features) {
    std::string_view brand = features.brand;
    brand.remove_prefix(brand.find_first_not_of(' ') == std::string_view::npos ? brand.size()
                                                                               : brand.find_first_not_of(' '));
    log_info("cpu", "{} family {} model {} stepping {}: {}{}", features.vendor, features.family, features.model,
             features.stepping, brand, features.hypervisor ? " (in a virtual machine)" : "");

    char storage[160];
    TextBuffer names{std::span(storage)};
    const struct {
        bool present;
        std::string_view name;
    } rows[] = {
        {features.smep, " smep"},
        {features.smap, " smap"},
        {features.umip, " umip"},
        {features.pcid, " pcid"},
        {features.invpcid, " invpcid"},
        {features.gigabyte_pages, " 1g-pages"},
        {features.fsgsbase, " fsgsbase"},
        {features.machine_check, " machine-check"},
        {(features.vector_mask & kXcr0Avx) != 0, " avx"},
        {(features.vector_mask & kXcr0Avx512) != 0, " avx512"},
        {features.vector_save == VectorSave::Fxsave, " fxsave"},
        {features.vector_save == VectorSave::Xsave, " xsave"},
        {features.vector_save == VectorSave::Xsaveopt, " xsaveopt"},
    };
    for (const auto& row : rows) {
        if (row.present) {
            names.append(row.name);
        }
    }
    log_info("cpu", "nx{}, {} bytes of vector state", names.view(), features.vector_state_size);
}

/// Asked before initialize_cpu has stored the features; the kernel's page tables ask once per range.
bool has_gigabyte_pages() {
    return bit(cpuid(0x8000'0001).edx, 26);
}

}  // namespace cairn::arch
