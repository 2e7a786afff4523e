#pragma once
/// The monotonic clock of a PC. arch::monotonic_now and arch::initialize_clock are the contract's;
/// this is what the rest of arch/x86_64 needs besides.

#include "arch/arch.h"

namespace cairn::arch {

/// Frequency of the time-stamp counter; zero before initialize_clock.
u64 counter_hertz();

/// The CPU `cpu` has been started and `difference` is what TscCheck::ask() said. When the counters
/// do not agree the HPET becomes the clock, if there is one; else the clock may jump between CPUs,
/// with a warning. Called by the starting CPU only; the others may read the clock meanwhile.
void note_counter_difference(const PerCpu& cpu, Result<u64> difference);

}  // namespace cairn::arch
