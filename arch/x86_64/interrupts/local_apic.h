#pragma once
/// The local APIC of the calling CPU (SDM vol. 3A, chapter 11): x2APIC through MSRs where the CPU
/// has it, else xAPIC through memory. After `initialize` its state never changes, so nothing here
/// needs a lock; each CPU touches only its own registers.

#include "arch/arch.h"

namespace cairn::arch::local_apic {

/// Chooses the mode, maps the registers and sets up the boot CPU's. Once, interrupts off. Panics
/// when the CPU has no local APIC or the registers cannot be mapped: nothing works without.
void initialize(PhysicalAddress registers, MapRegisters map_registers);

/// Sets up the calling CPU's: enabled, accepts every vector, LINT0 masked (no 8259 behind it),
/// LINT1 is NMI, errors and spurious interrupts on their vectors, timer masked.
void initialize_this_cpu();

/// Whether `initialize` has run, so that orders can be sent.
bool is_ready();
/// "x2apic" or "xapic", for the log.
std::string_view mode_name();
/// The calling CPU's id.
u32 id();
/// Whether an interrupt or order can be sent to the CPU with this id: xAPIC has only 8 bits, of
/// which 255 means "all".
bool can_address(u32 id);

void end_of_interrupt();
/// Whether the calling CPU handles `vector` at the moment, i.e. owes an end of interrupt for it.
bool in_service(u8 vector);
/// The bits of the error status register that were set since the last call (11.5.3).
u32 take_errors();

/// Orders to another CPU (11.6.1). Each waits until the APIC has accepted the one before. Writes
/// made earlier by this CPU are visible to the target when it acts. Any context.
void send_fixed(u32 id, u8 vector);
void send_nmi(u32 id);
void send_init(u32 id);
/// `page` is the physical page below 1 MiB where the target begins in real mode.
void send_startup(u32 id, u8 page);

/// The timer (11.5.4). One-shot: counts down once from `count`, zero stops it.
enum class TimerMode : u8 { OneShot, Deadline };
enum class TimerDivider : u8 { By1, By128 };
/// The calling CPU's timer raises kTimerVector from now on.
void enable_timer(TimerMode mode);
void set_timer_divider(TimerDivider divider);
void set_timer_count(u32 count);
u32 timer_count();
/// Deadline mode only: a value of the time-stamp counter, zero disarms.
void set_timer_deadline(u64 counter);

}  // namespace cairn::arch::local_apic
