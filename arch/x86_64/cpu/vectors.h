#pragma once
/// Interrupt vectors, and what interrupts/ and smp/ implement for the trap entries.
///
///   0x00-0x1f  exceptions (SDM vol. 3A, table 6-1)
///   0x20-0x2f  the legacy PICs, masked; only their spurious interrupts arrive
///   0x30-0xdf  devices
///   0xf0-0xf2  timer and interrupts between CPUs
///   0xfe-0xff  local APIC error and spurious

#include "arch/arch.h"

namespace cairn::arch {

constexpr u32 kVectorCount = 256;
constexpr u32 kDebugException = 1;
constexpr u32 kNonMaskableInterrupt = 2;
constexpr u32 kBreakpoint = 3;
constexpr u32 kOverflow = 4;
constexpr u32 kDoubleFault = 8;
constexpr u32 kGeneralProtection = 13;
constexpr u32 kPageFault = 14;
constexpr u32 kMachineCheck = 18;

constexpr u32 kFirstInterruptVector = 0x20;
constexpr u8 kLegacyPicVector = 0x20;
constexpr u8 kFirstDeviceVector = 0x30;
constexpr u8 kLastDeviceVector = 0xdf;
constexpr u8 kTimerVector = 0xf0;
constexpr u8 kRescheduleVector = 0xf1;
constexpr u8 kCrossCallVector = 0xf2;
constexpr u8 kApicErrorVector = 0xfe;
constexpr u8 kSpuriousVector = 0xff;

/// An interrupt arrived (`frame.vector`, from kFirstInterruptVector up). Tells the controller and
/// calls kernel_interrupt. Interrupts off, interrupt_depth already raised; threads are switched
/// after it has returned. Implemented in interrupts/.
void handle_interrupt_vector(TrapFrame& frame);

/// A non-maskable interrupt arrived: if it is the order to stop (stop_other_cpus), parks this CPU and
/// does not return; false when it is something else. On the NMI's own stack, takes no lock.
/// Implemented in smp/.
bool handle_stop_nmi();

}  // namespace cairn::arch
