#include "arch/x86_64/time/frequency.h"

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

namespace {

constexpr u32 kHypervisorFirstLeaf = 0x4000'0000;
constexpr u32 kKvmFeaturesLeaf = 0x4000'0001;
constexpr u32 kHypervisorTimingLeaf = 0x4000'0010;
constexpr u32 kKvmClockFeature = 1 << 3;  // KVM_FEATURE_CLOCKSOURCE2
constexpr u32 kMsrKvmSystemTime = 0x4b56'4d01;

/// struct pvclock_vcpu_time_info (Linux, Documentation/virt/kvm/x86/msr.rst).
struct alignas(32) KvmTimeInformation {
    u32 version;
    u32 pad0;
    u64 tsc_timestamp;
    u64 system_time;
    u32 tsc_to_system_mul;
    i8 tsc_shift;
    u8 flags;
    u8 pad[2];
};
static_assert(sizeof(KvmTimeInformation) == 32);
/// In the image, whose physical address is known; written by the hypervisor, only in kvm_frequency.
constinit KvmTimeInformation kvm_time = {};

PhysicalAddress physical_address_in_image(const void* object) {
    u64 address = reinterpret_cast<u64>(object);
    for (const ImageSegment& segment : kernel_image()) {
        if (address >= segment.start.value && address - segment.start.value < segment.size) {
            return segment.physical + (address - segment.start.value);
        }
    }
    return {};
}

/// The counter's period as KVM gives it: ns = (ticks << shift) * mul / 2^32.
u64 kvm_frequency() {
    PhysicalAddress place = physical_address_in_image(&kvm_time);
    if (place.value == 0) {
        return 0;
    }
    constexpr u64 kEnable = 1;
    write_msr(kMsrKvmSystemTime, place.value | kEnable);
    const volatile KvmTimeInformation& shared = kvm_time;
    u64 multiplier = shared.tsc_to_system_mul;
    i32 shift = shared.tsc_shift;
    write_msr(kMsrKvmSystemTime, 0);
    if (multiplier == 0) {
        return 0;
    }
    // 10^9 * 2^32 fits into 63 bits. The shift is small; one that is not makes no frequency.
    u64 hertz = (u64{1'000'000'000} << 32) / multiplier;
    constexpr i32 kLargestShift = 20;
    if (shift < -kLargestShift || shift > kLargestShift) {
        return 0;
    }
    return shift < 0 ? hertz << -shift : hertz >> shift;
}

StatedFrequency hypervisor_frequency() {
    if (!runs_under_hypervisor()) {
        return {};
    }
    u32 highest = cpuid(kHypervisorFirstLeaf).eax;
    if (highest >= kHypervisorTimingLeaf && highest < kHypervisorFirstLeaf + 0x1000) {
        constexpr u64 kKilo = 1'000;
        if (u64 hertz = cpuid(kHypervisorTimingLeaf).eax * kKilo; hertz != 0) {
            return {hertz, "hypervisor"};
        }
    }
    // "KVMKVMKVM": other hypervisors number their features differently.
    CpuidResult signature = cpuid(kHypervisorFirstLeaf);
    bool kvm = signature.ebx == 0x4b4d564b && signature.ecx == 0x564b4d56 && signature.edx == 0x4d;
    if (kvm && (cpuid(kKvmFeaturesLeaf).eax & kKvmClockFeature) != 0) {
        if (u64 hertz = kvm_frequency(); hertz != 0) {
            return {hertz, "kvm-clock"};
        }
    }
    return {};
}

}  // namespace

StatedFrequency exact_counter_frequency() {
    constexpr u32 kTimeStampLeaf = 0x15;
    if (cpuid(0).eax >= kTimeStampLeaf) {
        // Counter = crystal (ECX) * EBX / EAX; processors that leave ECX zero are calibrated.
        CpuidResult leaf = cpuid(kTimeStampLeaf);
        if (leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0) {
            return {u64{leaf.ecx} * leaf.ebx / leaf.eax, "cpuid"};
        }
    }
    return hypervisor_frequency();
}

StatedFrequency nominal_counter_frequency() {
    constexpr u32 kFrequencyLeaf = 0x16;
    constexpr u64 kMega = 1'000'000;
    if (cpuid(0).eax >= kFrequencyLeaf) {
        u64 megahertz = cpuid(kFrequencyLeaf).eax & 0xffff;
        return {megahertz * kMega, "cpuid nominal"};
    }
    return {};
}

bool counter_is_steady() {
    constexpr u32 kPowerLeaf = 0x8000'0007;
    constexpr u32 kInvariant = 1 << 8;
    bool invariant = cpuid(0x8000'0000).eax >= kPowerLeaf && (cpuid(kPowerLeaf).edx & kInvariant) != 0;
    return invariant || runs_under_hypervisor();
}

bool has_deadline_timer() {
    return (cpuid(1).ecx >> 24 & 1) != 0;
}
bool runs_under_hypervisor() {
    return (cpuid(1).ecx >> 31 & 1) != 0;
}

}  // namespace cairn::arch
