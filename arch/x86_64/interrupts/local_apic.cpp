#include "arch/x86_64/interrupts/local_apic.h"

#include "arch/x86_64/cpu/instructions.h"
#include "arch/x86_64/cpu/vectors.h"
#include "arch/x86_64/interrupts/registers.h"
#include "kernel/base/panic.h"

namespace cairn::arch::local_apic {

namespace {

/// Byte offsets in xAPIC mode (table 11-1); in x2APIC mode the MSR is 0x800 + offset / 16.
enum class Register : u32 {
    Id = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    SpuriousVector = 0xf0,
    InService = 0x100,  // eight registers, 16 bytes apart
    ErrorStatus = 0x280,
    CommandLow = 0x300,  // the whole command in x2APIC mode
    CommandHigh = 0x310,
    LocalTimer = 0x320,
    Lint0 = 0x350,
    Lint1 = 0x360,
    LocalError = 0x370,
    TimerInitialCount = 0x380,
    TimerCurrentCount = 0x390,
    TimerDivide = 0x3e0,
};

constexpr u32 kMsrApicBase = 0x1b;
constexpr u64 kApicBaseEnable = 1 << 11;
constexpr u64 kApicBaseX2 = 1 << 10;
constexpr u64 kApicBaseAddress = 0x000f'ffff'ffff'f000;
constexpr u32 kMsrX2First = 0x800;
constexpr u32 kMsrTscDeadline = 0x6e0;
constexpr u32 kCpuidX2Apic = 1u << 21;  // leaf 1, ECX
constexpr u32 kCpuidApic = 1u << 9;     // leaf 1, EDX

constexpr u32 kSoftwareEnable = 1 << 8;  // of the spurious vector register
constexpr u32 kMasked = 1 << 16;         // of the local vector table
constexpr u32 kDeliverNmi = 4 << 8;
constexpr u32 kDeliverInit = 5 << 8;
constexpr u32 kDeliverStartup = 6 << 8;
constexpr u32 kSendPending = 1 << 12;
constexpr u32 kAssert = 1 << 14;
constexpr u32 kTimerDeadlineMode = 2 << 17;

constexpr u32 kXapicBroadcast = 0xff;
/// An accepted command leaves "pending" within microseconds; this many reads take much longer.
constexpr u32 kSendPollLimit = 1'000'000;

struct State {
    volatile u32* registers = nullptr;  // null in x2APIC mode
    PhysicalAddress address;
    bool x2apic = false;
    bool ready = false;
};
/// Written once by `initialize`.
constinit State state;

u32 x2_msr(Register index) {
    return kMsrX2First + static_cast<u32>(index) / 16;
}

u32 read(Register index, u32 offset = 0) {
    if (state.x2apic) {
        return static_cast<u32>(read_msr(x2_msr(index) + offset / 16));
    }
    return state.registers[(static_cast<u32>(index) + offset) / 4];
}

void write(Register index, u32 value) {
    if (state.x2apic) {
        write_msr(x2_msr(index), value);
    } else {
        state.registers[static_cast<u32>(index) / 4] = value;
    }
}

/// In xAPIC mode two registers make one command, so an interrupt must not come between them.
void send(u32 id, u32 command) {
    if (state.x2apic) {
        // SAFETY: fences only. Unlike a store to uncached memory, WRMSR to the x2APIC range may
        // pass earlier stores (SDM vol. 3A, 11.12.3).
        asm volatile("mfence\n\tlfence" : : : "memory");
        write_msr(x2_msr(Register::CommandLow), static_cast<u64>(id) << 32 | command);
        return;
    }
    InterruptState interrupts = disable_interrupts();
    for (u32 i = 0; i < kSendPollLimit && (read(Register::CommandLow) & kSendPending) != 0; ++i) {
        cpu_relax();
    }
    write(Register::CommandHigh, id << 24);
    write(Register::CommandLow, command);
    restore_interrupts(interrupts);
}

void enable_mode() {
    u64 base = read_msr(kMsrApicBase);
    if (state.x2apic) {
        // From disabled, xAPIC comes first: the direct way is a #GP (11.12.5, figure 11-27).
        write_msr(kMsrApicBase, base | kApicBaseEnable);
        write_msr(kMsrApicBase, base | kApicBaseEnable | kApicBaseX2);
        return;
    }
    u64 flags = base & ~kApicBaseAddress;
    write_msr(kMsrApicBase, flags | state.address.value | kApicBaseEnable);
}

}  // namespace

void initialize(PhysicalAddress registers, MapRegisters map_registers) {
    CpuidResult features = cpuid(1);
    if ((features.edx & kCpuidApic) == 0) {
        panic("this processor has no local APIC");
    }
    state.x2apic = (features.ecx & kCpuidX2Apic) != 0;
    state.address = registers;
    if (!state.x2apic) {
        constexpr usize kRegisterBytes = 0x400;
        state.registers = map_register_block<u32>(map_registers, registers, kRegisterBytes);
        if (state.registers == nullptr) {
            panic("no address space for the local APIC's registers");
        }
    }
    initialize_this_cpu();
    state.ready = true;
}

void initialize_this_cpu() {
    enable_mode();
    write(Register::SpuriousVector, kSoftwareEnable | kSpuriousVector);
    write(Register::LocalTimer, kMasked | kTimerVector);
    write(Register::Lint0, kMasked);
    write(Register::Lint1, kDeliverNmi);
    write(Register::LocalError, kApicErrorVector);
    take_errors();
    write(Register::TaskPriority, 0);
    // What was in service when the firmware or an earlier kernel let go would block its priority
    // for ever; every write ends one.
    constexpr u32 kMostInService = kVectorCount;
    for (u32 i = 0; i < kMostInService; ++i) {
        bool any = false;
        for (u32 word = 0; word < kVectorCount / 32; ++word) {
            any = any || read(Register::InService, word * 16) != 0;
        }
        if (!any) {
            break;
        }
        end_of_interrupt();
    }
}

std::string_view mode_name() {
    return state.x2apic ? "x2apic" : "xapic";
}

bool is_ready() {
    return state.ready;
}

u32 id() {
    u32 value = read(Register::Id);
    return state.x2apic ? value : value >> 24;
}

bool can_address(u32 id) {
    return state.x2apic || id < kXapicBroadcast;
}

void end_of_interrupt() {
    write(Register::EndOfInterrupt, 0);
}

bool in_service(u8 vector) {
    return (read(Register::InService, vector / 32u * 16) >> (vector % 32) & 1) != 0;
}

u32 take_errors() {
    write(Register::ErrorStatus, 0);  // makes the register show what was collected
    return read(Register::ErrorStatus);
}

void send_fixed(u32 id, u8 vector) {
    send(id, kAssert | vector);
}
void send_nmi(u32 id) {
    send(id, kAssert | kDeliverNmi);
}
void send_init(u32 id) {
    send(id, kAssert | kDeliverInit);
}
void send_startup(u32 id, u8 page) {
    send(id, kAssert | kDeliverStartup | page);
}

void enable_timer(TimerMode mode) {
    write(Register::LocalTimer, kTimerVector | (mode == TimerMode::Deadline ? kTimerDeadlineMode : 0));
    // SAFETY: a fence only; the write of the mode must come before the first deadline (11.5.4.1).
    asm volatile("mfence" : : : "memory");
}

void set_timer_divider(TimerDivider divider) {
    constexpr u32 kBy1 = 0xb;  // figure 11-10
    constexpr u32 kBy128 = 0xa;
    write(Register::TimerDivide, divider == TimerDivider::By1 ? kBy1 : kBy128);
}

void set_timer_count(u32 count) {
    write(Register::TimerInitialCount, count);
}
u32 timer_count() {
    return read(Register::TimerCurrentCount);
}
void set_timer_deadline(u64 counter) {
    write_msr(kMsrTscDeadline, counter);
}

}  // namespace cairn::arch::local_apic
