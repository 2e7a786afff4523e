#pragma once
/// What the CPU or the hypervisor says about the time-stamp counter.

#include <string_view>

#include "kernel/base/types.h"

namespace cairn::arch {

struct StatedFrequency {
    u64 hertz = 0;            // zero: nobody says
    std::string_view source;  // "cpuid"
};

/// An exact statement: CPUID leaf 0x15, the hypervisors' leaf 0x40000010, or KVM's clock, in this
/// order. Boot CPU.
StatedFrequency exact_counter_frequency();
/// CPUID leaf 0x16: the nominal frequency in whole MHz, for want of anything better.
StatedFrequency nominal_counter_frequency();

/// Whether the counter runs at a constant rate in all power states (CPUID 0x80000007, EDX bit 8), or
/// is a hypervisor's, which sees to that.
bool counter_is_steady();
/// CPUID leaf 1, ECX bit 24.
bool has_deadline_timer();
/// CPUID leaf 1, ECX bit 31: a virtual machine or an emulator.
bool runs_under_hypervisor();

}  // namespace cairn::arch
