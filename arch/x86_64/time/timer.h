#pragma once
/// The one-shot timer of each CPU: TSC deadline where the CPU has it, else the local APIC's counter.
/// arch::arm_timer is the contract's part.

#include "arch/arch.h"

namespace cairn::arch {

/// From initialize_clock: `timer_hertz` is the frequency of the APIC's counter undivided, not used
/// with the deadline timer. Sets up the boot CPU's.
void initialize_timer(u64 timer_hertz);
/// On each further CPU.
void initialize_timer_this_cpu();
std::string_view timer_name();

/// From the timer interrupt: whether the deadline has come; then it is forgotten. False if it was
/// taken back, or if the counter did not reach that far, in which case it is armed again: so that
/// the kernel never sees a timer fire early.
bool timer_expired();

}  // namespace cairn::arch
