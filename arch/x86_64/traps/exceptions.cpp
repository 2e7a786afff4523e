#include "arch/x86_64/traps/exceptions.h"

#include "arch/upcalls.h"
#include "arch/x86_64/traps/fixup.h"
#include "kernel/base/panic.h"

namespace cairn::arch {

namespace {

constexpr std::string_view kNames[] = {
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid task state",
    "segment not present",
    "stack segment fault",
    "general protection",
    "page fault",
    "reserved exception",
    "floating-point error",
    "alignment check",
    "machine check",
    "vector floating-point error",
    "virtualization exception",
    "control protection",
};

// Error code of page faults (SDM vol. 3A, 4.7).
constexpr u64 kFaultPresent = 1 << 0;
constexpr u64 kFaultWrite = 1 << 1;
constexpr u64 kFaultReservedBit = 1 << 3;
constexpr u64 kFaultExecute = 1 << 4;

void describe_page_fault(TextBuffer& text, const TrapDetails& details) {
    std::string_view access = "read of";
    if ((details.error_code & kFaultExecute) != 0) {
        access = "execution at";
    } else if ((details.error_code & kFaultWrite) != 0) {
        access = "write to";
    }
    std::string_view reason = (details.error_code & kFaultPresent) != 0 ? "forbidden by its page" : "not mapped";
    if ((details.error_code & kFaultReservedBit) != 0) {
        reason = "page table damaged";
    }
    format_to(text, "page fault: {} {} ({})", access, details.fault_address, reason);
}

[[noreturn]] void panic_exception(const TrapFrame& frame, const TrapDetails& details) {
    char storage[160];
    TextBuffer text{std::span(storage)};
    if (details.number == kPageFault) {
        describe_page_fault(text, details);
    } else if (details.number == kDoubleFault) {
        // The CPU reports no cause. A stack that ran into its guard page is by far the most frequent one.
        format_to(text, "double fault (kernel stack overflow?), stack pointer {:#x}", frame.rsp);
    } else {
        format_to(text, "{} (error code {:#x})", exception_name(details.number), details.error_code);
    }
    Symbol symbol = symbolize({frame.rip});
    format_to(text, " in {}+{:#x}", symbol.name(), symbol.offset);
    const u64 place = CAIRN_FRAME_POINTERS == 0 ? frame.rsp : frame.rbp;
    panic_text(text.view(), {.registers = &frame, .instruction = {frame.rip}, .frame_pointer = {place}});
}

}  // namespace

std::string_view exception_name(u32 vector) {
    return vector < std::size(kNames) ? kNames[vector] : std::string_view("reserved exception");
}

void resolve_exception(TrapFrame& frame, const TrapDetails& details) {
    // A fault on a kernel address that code is prepared for (a backtrace over a damaged stack) is no
    // business of the memory manager.
    bool probing = details.number == kPageFault && !details.from_user && details.fault_address >= user_space_end();
    if (probing && apply_fixup(frame)) {
        return;
    }
    if (kernel_trap(frame, details) == TrapOutcome::Resume) {
        return;
    }
    if (!details.from_user && apply_fixup(frame)) {
        return;
    }
    panic_exception(frame, details);
}

}  // namespace cairn::arch
