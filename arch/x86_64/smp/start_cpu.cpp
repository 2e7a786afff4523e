/// Starting a CPU: INIT and start-up IPIs (SDM vol. 3A, 9.4.4), then a handshake through one slot.
///
///   state of the slot      by whom         meaning
///   0                      starter         nobody is awaited; a CPU that comes now halts
///   1 << 32 | APIC id      starter         this CPU is awaited
///   1                      started CPU     it was awaited and has begun (trampoline.asm)
///   2                      started CPU     it is set up and no longer needs the slot
///
/// Both "claim" and "give up" are compare-and-exchange on the awaited state, so exactly one of
/// them happens: after a time-out a late CPU finds that it is not awaited and halts without having
/// touched anything but the registers of its own.

#include <cstddef>
#include <cstring>

#include "arch/arch.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/interrupts/local_apic.h"
#include "arch/x86_64/smp/smp.h"
#include "arch/x86_64/smp/tsc_check.h"
#include "arch/x86_64/time/clock.h"
#include "arch/x86_64/time/timer.h"
#include "kernel/base/atomic.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"

namespace cairn::arch {

namespace {

constexpr PhysicalAddress kTrampoline{0x8000};  // TRAMPOLINE in trampoline.asm
constexpr u64 kNobody = 0;
constexpr u64 kClaimed = 1;
constexpr u64 kAnswered = 2;
constexpr u64 kWaiting = u64{1} << 32;

/// A real CPU answers in less than a millisecond; the second patience is for one whose hypervisor has no time for it
/// just now. (Linux waits ten seconds.)
constexpr Nanoseconds kFirstPatience = Nanoseconds::from_milliseconds(50);
constexpr Nanoseconds kSecondPatience = Nanoseconds::from_milliseconds(2000);
/// A claimed CPU only has to set itself up; when it takes this long it has died on the way.
constexpr Nanoseconds kSetupTime = Nanoseconds::from_milliseconds(2000);

}  // namespace

/// What the started CPU needs. The offsets of the first three are in trampoline.asm.
struct StartSlot {
    Atomic<u64> state;
    u64 root = 0;
    u64 stack = 0;
    PerCpu* cpu = nullptr;
    void (*entry)(PerCpu&) = nullptr;
    TscCheck* tsc_check = nullptr;
};
static_assert(offsetof(StartSlot, state) == 0 && sizeof(Atomic<u64>) == 8);
static_assert(offsetof(StartSlot, root) == 8);
static_assert(offsetof(StartSlot, stack) == 16);

extern "C" {
/// CPUs are started one at a time, so there is one.
constinit StartSlot start_slot;
extern const u8 trampoline_start[];
extern const u8 trampoline_end[];
[[noreturn]] void secondary_cpu_main();
}

namespace {

void spin_for(Nanoseconds duration) {
    Nanoseconds end = monotonic_now() + duration;
    while (monotonic_now() < end) {
        cpu_relax();
    }
}

/// Whether the slot gets to `state` or further before `deadline`.
bool wait_for_state(u64 state, Nanoseconds deadline) {
    for (;;) {
        u64 now = start_slot.state.load(Order::acquire);
        if (now == state || now == kAnswered) {
            return true;
        }
        if (monotonic_now() >= deadline) {
            return false;
        }
        cpu_relax();
    }
}

/// INIT, then two start-up IPIs, the second only if the first had no effect. The CPU is awaited from
/// the first start-up IPI on, when INIT has surely taken effect. ETIMEDOUT: the slot is free again,
/// and the CPU will halt if it comes after all.
Result<void> bring_in(u32 id, Nanoseconds after_init, Nanoseconds patience) {
    constexpr u8 kPage = kTrampoline.value >> kPageShift;
    constexpr Nanoseconds kBetween = Nanoseconds::from_microseconds(300);
    u64 awaited = kWaiting | id;
    local_apic::send_init(id);
    spin_for(after_init);
    start_slot.state.store(awaited, Order::release);
    local_apic::send_startup(id, kPage);
    if (wait_for_state(kClaimed, monotonic_now() + kBetween)) {
        return {};
    }
    local_apic::send_startup(id, kPage);
    if (wait_for_state(kClaimed, monotonic_now() + patience)) {
        return {};
    }
    if (!start_slot.state.compare_exchange(awaited, kNobody, Order::acq_rel, Order::acquire)) {
        return {};  // it came in this very moment
    }
    return fail(Errno::etimedout);
}

}  // namespace

/// On the started CPU, on its own stack, with the kernel's page table, the trampoline's GDT and no
/// IDT; interrupts off.
extern "C" [[noreturn]] void secondary_cpu_main() {
    PerCpu& cpu = *start_slot.cpu;
    void (*entry)(PerCpu&) = start_slot.entry;
    initialize_cpu(cpu);
    local_apic::initialize_this_cpu();
    initialize_timer_this_cpu();
    start_slot.tsc_check->answer();
    start_slot.state.store(kAnswered, Order::release);
    entry(cpu);
    park();
}

Result<void> start_cpu(PerCpu& cpu, void* stack_top, PhysicalAddress root, void (*entry)(PerCpu&)) {
    if (!local_apic::can_address(cpu.hardware_id)) {
        return fail(Errno::einval);
    }
    if (cpu.machine == nullptr) {
        TRY(allocate_cpu_state(cpu));
    }
    usize size = static_cast<usize>(trampoline_end - trampoline_start);
    // SAFETY: frames below 1 MiB are never handed out; the copy is the same each time, so that a
    // late CPU may run it meanwhile.
    std::memcpy(direct_map(kTrampoline), trampoline_start, size);
    TscCheck tsc_check;
    start_slot.root = root.value;
    start_slot.stack = reinterpret_cast<u64>(stack_top);
    start_slot.cpu = &cpu;
    start_slot.entry = entry;
    start_slot.tsc_check = &tsc_check;
    // First the timing that processors since 2000 need, then the SDM's 10 ms, which the older
    // ones with an APIC outside of the processor needed.
    if (!bring_in(cpu.hardware_id, Nanoseconds::from_microseconds(10), kFirstPatience).ok()) {
        TRY(bring_in(cpu.hardware_id, Nanoseconds::from_milliseconds(10), kSecondPatience));
    }

    // From here the CPU runs kernel code and owns its stack and block: it can no longer be taken
    // back, only be found dead.
    InterruptState interrupts = disable_interrupts();
    Result<u64> difference = tsc_check.ask();
    restore_interrupts(interrupts);
    if (!wait_for_state(kAnswered, monotonic_now() + kSetupTime)) {
        panic("CPU {} began to start but does not get ready", cpu.index.value);
    }
    note_cpu_running(cpu);
    note_counter_difference(cpu, difference);
    return {};
}

}  // namespace cairn::arch
