#pragma once
/// The whole contract between the kernel and a machine. arch/x86_64 keeps it on a PC and
/// arch/host inside a test process; whatever can be written once stands above it.
///
/// machine/machine.h (one per machine, chosen by the include path) holds the inline part:
///
///   PerCpu& this_cpu()                 the calling CPU's block; stable while preemption is off
///   sched::Thread* current_thread()    valid in any thread context, no preemption needed
///   u32 preempt_state()                this CPU's PerCpu::preempt_state
///   bool preempt_state_is_zero()       the cheapest question about it
///   void preempt_depth_increment() / bool preempt_depth_decrement()   whether the new state is zero
///   void set_reschedule_wanted() / void clear_reschedule_wanted()    on this CPU
///   InterruptState disable_interrupts(); void restore_interrupts(InterruptState);
///   void forbid_interrupts()           disable_interrupts() for who does not ask how it was before
///   void enable_interrupts(); bool interrupts_enabled();
///   void cpu_relax()                   in a spin loop; another simulated CPU runs
///   void interleave()                  a point at which another simulated CPU may run; else nothing
///   void* direct_map(PhysicalAddress); PhysicalAddress physical_address(const void*)
///   void memory_poison(void*, usize); void memory_unpoison(void*, usize)   freed memory, for ASan
///   Nanoseconds monotonic_now()        since boot, never backwards on one CPU or across CPUs
///   u64 tick_counter()                 cheap, of this CPU: for differences that are to be statistics
///   Moment moment()                    both, for the price of one where they are one
///   Nanoseconds time_of_ticks(u64)     how long so many ticks of it are
///   struct ThreadContext, struct TrapFrame (arch/long_mode/frame.h), struct PageTableFormat
///   constexpr bool kKernelMappingsWork whether an address mapped in the kernel's page table can
///                                      be dereferenced (false on the simulated machine, which
///                                      translates user addresses only)

#include <optional>
#include <span>
#include <string_view>

#include "arch/platform.h"
#include "arch/user_mode.h"
#include "kernel/base/address.h"
#include "kernel/base/format.h"
#include "kernel/base/per_cpu.h"
#include "kernel/base/result.h"
#include "machine/machine.h"

namespace cairn::arch {

/// Maps a device's registers uncached, for good; null when there is no address space left. mm's
/// mapper, handed in because a machine cannot know mm.
using MapRegisters = void* (*)(PhysicalRange registers);

// --- CPUs -------------------------------------------------------------------------------------

/// Makes `cpu` the block of the calling CPU and sets up the CPU's own tables (GDT, IDT, TSS with
/// IST stacks, control registers, local interrupt controller when its address is known).
/// Called once on each CPU, interrupts off. The block stays for ever.
void initialize_cpu(PerCpu& cpu);

/// Starts the CPU whose hardware id is in `cpu` and has it call `entry(cpu)` on `stack_top` with
/// interrupts off. ETIMEDOUT when it does not answer within 200 ms. `root` is the kernel's
/// page-table root.
Result<void> start_cpu(PerCpu& cpu, void* stack_top, PhysicalAddress root, void (*entry)(PerCpu&));

/// What one CPU can say to another.
enum class InterprocessorInterrupt : u8 { Reschedule, CrossCall };

/// Delivers an interrupt to another CPU; the upcall `kernel_interrupt` runs there soon. Orders all
/// earlier writes of this CPU before it. Any context.
void send_interrupt(const PerCpu& target, InterprocessorInterrupt what);

/// Ends the other CPUs' work for good (NMI); waits briefly for them to park. For panic.
void stop_other_cpus();

/// This CPU does nothing any more. After a panic or a halt.
[[noreturn]] void park();

/// With interrupts off: atomically enables them and sleeps until one arrives; returns, after its
/// handler ran, with interrupts enabled.
void wait_for_interrupt();

/// A number from the processor's own generator; nothing when it has none. Any context.
std::optional<u64> hardware_random();

/// What this machine says of a CPU in /proc/cpuinfo, lines of "name\t: value". All CPUs are alike but for
/// their numbers. Thread context.
void describe_processor(const PerCpu& cpu, TextBuffer& text);

// --- Time -------------------------------------------------------------------------------------

/// Finds the best clock and timer of the machine and calibrates them. Boot CPU, once, interrupts
/// off, after initialize_interrupts (the timer may be part of the interrupt controller) and before
/// other CPUs start. Returns their name for the log ("tsc (hpet-calibrated, 2400.012 MHz),
/// tsc-deadline"), which stays valid.
std::string_view initialize_clock(const PlatformDescription& platform, MapRegisters map_registers);

/// Asks for the upcall kernel_interrupt(Timer) on this CPU at or shortly after `deadline` of
/// monotonic_now(); replaces an earlier request; never() takes it back. A deadline in the past
/// fires at once. Interrupts off.
void arm_timer(Nanoseconds deadline);

/// The battery clock: nanoseconds since 1970-01-01 UTC, to the second; zero if there is none.
Nanoseconds read_wall_clock();

// --- Interrupt lines --------------------------------------------------------------------------

/// Sets up the interrupt controllers of the platform (all lines masked), which makes it possible
/// to send interrupts and start CPUs, and remembers how the platform is switched off. Boot CPU,
/// once, interrupts off.
void initialize_interrupts(const PlatformDescription& platform, MapRegisters map_registers);

/// Routes a global system interrupt to a CPU; from then on `kernel_interrupt(Device, gsi)` is
/// called there. A line that is routed already moves. ENODEV if no controller owns the line, ENOSPC
/// when all vectors are taken, EINVAL if the controller cannot address that CPU. For the line of an
/// ISA device see isa_interrupt_line (platform.h). Any context.
Result<void> route_interrupt(u32 gsi, CpuIndex cpu, InterruptTrigger trigger);
void mask_interrupt(u32 gsi);
/// Undoes mask_interrupt of a routed line. Any context.
void unmask_interrupt(u32 gsi);

/// What a device writes where to signal an interrupt by a message (MSI, MSI-X), and the line as which
/// `kernel_interrupt(Device, line)` reports it, beyond all GSIs.
struct MessageInterrupt {
    u32 line;
    u32 data;
    u64 address;
};
/// A line that is the caller's alone, aimed at `cpu`. ENOSPC when all vectors are taken, EINVAL if a message cannot
/// address that CPU. Any context.
Result<MessageInterrupt> allocate_message_interrupt(CpuIndex cpu);
/// What the device is to write so that the line's interrupts go to another CPU from then on. EINVAL as above, ENOENT:
/// the line is none of allocate_message_interrupt's. Any context.
Result<MessageInterrupt> aim_message_interrupt(u32 line, CpuIndex cpu);
/// The device no longer writes: the line may become somebody else's. Any context.
void free_message_interrupt(u32 line);

// --- I/O ports, for drivers -------------------------------------------------------------------

/// Any context. A port that nobody answers for reads as all ones.
u8 io_read8(u16 port);
u16 io_read16(u16 port);
u32 io_read32(u16 port);
void io_write8(u16 port, u8 value);
void io_write16(u16 port, u16 value);
void io_write32(u16 port, u32 value);

// --- Threads ----------------------------------------------------------------------------------

/// Prepares `context` so that the first switch to it calls `entry(argument)` on the stack whose
/// highest address is `stack_top`, interrupts off. `entry` never returns. On the simulated
/// machine `stack_size` bytes below `stack_top` are what the stack may use.
void context_initialize(ThreadContext& context, void* stack_top, usize stack_size, void (*entry)(void*),
                        void* argument);
/// Gives a context user registers of its own (FPU/SSE/AVX in the ABI's default state, FS and GS bases
/// zero); without them the thread must not touch these, nor go to user mode. ENOMEM.
Result<void> context_add_vector_state(ThreadContext& context);
/// For tests: fills all vector registers that this CPU has (XMM, YMM, ZMM) with numbers derived from
/// `pattern`, and tells whether they still hold them. The calling thread owns vector state.
void fill_vector_registers(u64 pattern);
bool vector_registers_hold(u64 pattern);
/// Frees what the context owns. It must not run any more.
void context_destroy(ThreadContext& context);
/// Saves this thread's kernel and vector registers and resumes `to`. Interrupts off. Returns when
/// another CPU or this one switches back to `from`.
void context_switch(ThreadContext& from, ThreadContext& to);

// --- Address translation ----------------------------------------------------------------------

/// Tags by which the TLB tells address spaces apart (PCIDs): valid ones are 0 … count-1, tag 0 is
/// the kernel's own. 1 when the machine has none.
u32 address_space_tag_count();

enum class TagContents : u8 { Keep, Flush };
/// Makes `root` the page table of this CPU. `Flush` drops what the TLB still holds under `tag`.
/// Preemption off.
void load_address_space(PhysicalAddress root, u16 tag, TagContents contents);

/// Drops this CPU's translation of one page in the loaded address space (global ones too).
void flush_page(VirtualAddress address);
/// Drops all of this CPU's translations of the loaded address space, except global ones.
void flush_address_space();
/// Drops everything, global translations of the kernel included.
void flush_all();

/// Copy between kernel memory and user addresses of the loaded address space. Returns how many
/// bytes could NOT be copied (0 is success); faults are resolved by the upcall kernel_trap.
/// May sleep in that fault unless preemption is off.
usize copy_from_user(void* to, VirtualAddress from, usize size);
usize copy_to_user(VirtualAddress to, const void* from, usize size);
/// Copies one 16-bit field of each of `count` records of eight bytes to the same field of the program's records: `to`
/// and `from` are the first ones. False: some could not be copied. Otherwise like copy_to_user.
bool copy_field_to_user(VirtualAddress to, const u16* from, usize count);

/// A part of the kernel's image and how it is to be mapped (W^X).
struct ImageSegment {
    VirtualAddress start;
    PhysicalAddress physical;
    usize size;
    bool writable;
    bool executable;
};
/// The image as the linker laid it out, page-aligned; empty on the simulated machine.
std::span<const ImageSegment> kernel_image();
/// Physical memory that the image and its boot page tables occupy.
PhysicalRange kernel_image_range();
/// The end of physical memory that boot-time page tables already map at direct_map.
PhysicalAddress boot_mapped_limit();
/// Where the kernel may map things dynamically (stacks, devices).
struct VirtualRange {
    VirtualAddress start;
    VirtualAddress end;
};
VirtualRange kernel_mapping_area();
/// First address beyond user space.
VirtualAddress user_space_end();

// --- The code that the kernel gives to programs (vdso(7)) --------------------------------------

/// An ELF shared object for programs, without relocations, whose functions tell the time without a
/// system call. Every program gets it mapped readable and executable from a page boundary on
/// (AT_SYSINFO_EHDR), and directly below it, readable only, the page of start_vdso_data. Empty on a
/// machine that has none.
std::span<const std::byte> vdso_image();
/// Gives the machine a zeroed page that it keeps up to date from now on, for ever. Once, before the
/// first program.
void start_vdso_data(PhysicalAddress page);
/// How far wall time is ahead of monotonic_now(). Spinlocks of rank ClockPage and inner.
void set_vdso_wall_offset(Nanoseconds offset);

// --- Console, debugging, power ----------------------------------------------------------------

/// Writes to the first serial port (or the test's log) by polling. Any context; no lock.
void early_console_write(std::string_view text);

/// Return addresses of the calling kernel stack, innermost first, at most `out.size()`; returns
/// how many. `frame_pointer` zero starts at the caller. Any context; stops at the first address
/// that is not on a kernel stack.
usize backtrace(std::span<VirtualAddress> out, VirtualAddress frame_pointer);

/// A function of the kernel's image and the distance from its start; an empty name if unknown.
struct Symbol {
    /// Longer names are cut where the table is made.
    static constexpr usize kLongestName = 127;

    std::string_view name() const { return {text, length}; }

    char text[kLongestName];
    usize length = 0;
    usize offset = 0;
};
Symbol symbolize(VirtualAddress address);

/// The registers of `frame`, or of the caller when null, line by line, none longer than 80 characters unless a name is.
void print_registers(const TrapFrame* frame, void (*print)(std::string_view line));

[[noreturn]] void power_off();
[[noreturn]] void reboot();

}  // namespace cairn::arch
