#include "kernel/base/panic.h"

#include "arch/arch.h"
#include "kernel/base/assert.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/thread_identity.h"

namespace cairn {

namespace {

/// Like the log's, this state has to work when nothing else does; reset_panic() renews it.
struct PanicState {
    Atomic<u32> owner{0};  // 0 none, else the panicking CPU's index + 1
    Atomic<u32> depth{0};  // panics within the panic
    Atomic<i32> timeout_seconds{0};
    Atomic<PanicScreen*> screen{nullptr};
};
constinit PanicState g_panic;

PanicScreen* panic_screen() {
    return g_panic.screen.load(Order::acquire);
}

void print_line(PanicPart part, std::string_view text) {
    write_to_consoles(text);
    write_to_consoles("\n");
    if (PanicScreen* screen = panic_screen()) {
        screen->line(*screen, part, text);
    }
}

template <typename... Arguments>
void print(PanicPart part, FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char storage[320];
    TextBuffer line{std::span(storage)};
    format_to(line, format, arguments...);
    print_line(part, line.view());
}

/// Returns only on the first CPU that panics, the first time.
void claim_panic(std::string_view message) {
    const PerCpu* cpu = find_this_cpu();
    u32 self = cpu == nullptr ? 1 : cpu->index.value + 1;
    u32 owner = 0;
    if (g_panic.owner.compare_exchange(owner, self, Order::acq_rel, Order::acquire)) {
        return;
    }
    // Printing may be what failed: say it once on the simplest console, then stop.
    if (owner == self && g_panic.depth.fetch_add(1, Order::relaxed) == 0) {
        arch::early_console_write("\npanic within the panic: ");
        arch::early_console_write(message);
        arch::early_console_write("\n");
    }
    arch::park();
}

void print_locks(std::string_view whose, const HeldLocks& held) {
    // Read without a lock and after a bug: the count may be anything.
    u32 count = held.count < HeldLocks::kDepth ? held.count : HeldLocks::kDepth;
    for (u32 i = 0; i < count; ++i) {
        print(PanicPart::Locks, "  {} holds {} ({})", whose, describe_lock_rank(held.entries[i].rank),
              held.entries[i].lock);
    }
}

/// `address` is shown; `inside` lies in the instruction that it is about.
void print_frame(u32 number, VirtualAddress address, VirtualAddress inside) {
    arch::Symbol symbol = arch::symbolize(inside);
    if (symbol.name().empty()) {
        print(PanicPart::Backtrace, "  #{:<2} {}", number, address);
    } else {
        print(PanicPart::Backtrace, "  #{:<2} {} {}+{:#x}", number, address, symbol.name(), symbol.offset);
    }
}

void print_backtrace(const PanicPlace& place) {
    constexpr usize kMostFrames = 32;
    VirtualAddress addresses[kMostFrames];
    usize count = arch::backtrace(addresses, place.frame_pointer);
    print_line(PanicPart::Backtrace, "backtrace:");
    u32 number = 0;
    if (place.registers != nullptr) {
        print_frame(number++, place.instruction, place.instruction);
    }
    for (usize i = 0; i < count; ++i) {
        // A return address may be the first of the next function, when the call never returns.
        print_frame(number++, addresses[i], {addresses[i].value - 1});
    }
}

/// The process that runs, if any; the kernel's arguments otherwise.
void print_process(const PerCpu& cpu) {
    char storage[256];
    TextBuffer text{std::span(storage)};
    if (cpu.current != nullptr && g_kernel.describe_process != nullptr) {
        g_kernel.describe_process(*cpu.current, text);
    }
    if (!text.view().empty()) {
        print_line(PanicPart::Machine, text.view());
    }
    print(PanicPart::Machine, "kernel command line: {}", g_kernel.command_line);
}

[[noreturn]] void end() {
    i32 seconds = g_panic.timeout_seconds.load(Order::relaxed);
    char storage[64];
    TextBuffer ending{std::span(storage)};
    if (seconds == 0) {
        format_to(ending, "the machine stays as it is; switch it off or reset it");
    } else if (seconds > 0) {
        format_to(ending, "rebooting in {} s", seconds);
        write_to_consoles(ending.view());
        write_to_consoles("\n");
    } else {
        format_to(ending, "rebooting");
    }
    if (PanicScreen* screen = panic_screen()) {
        screen->end(*screen, ending.view());
    }
    if (seconds == 0) {
        arch::park();
    }
    if (seconds > 0) {
        Nanoseconds deadline = arch::monotonic_now() + Nanoseconds::from_seconds(static_cast<u64>(seconds));
        while (arch::monotonic_now() < deadline) {
            arch::cpu_relax();
        }
    }
    arch::reboot();
}

}  // namespace

void panic_formatted(std::string_view format, std::span<const FormatArgument> arguments) {
    char storage[256];
    TextBuffer buffer{std::span(storage)};
    format_arguments_to(buffer, format, arguments);
    panic_text(buffer.view());
}

void panic_text(std::string_view message, const PanicPlace& place) {
    arch::forbid_interrupts();
    claim_panic(message);
    const PerCpu* cpu = find_this_cpu();
    if (cpu != nullptr) {
        arch::stop_other_cpus();
    }
    flush_log_for_panic();

    if (PanicScreen* screen = panic_screen()) {
        screen->begin(*screen);
    }
    write_to_consoles("\n");
    print(PanicPart::Message, "panic: {}", message);
    if (cpu != nullptr) {
        ThreadIdentity thread = identify_thread(cpu->current);
        print(PanicPart::Machine, "CPU {}, thread {} ({}), interrupt depth {}", cpu->index.value, thread.id,
              thread.name.empty() ? std::string_view("none") : thread.name, cpu->interrupt_depth);
        print_process(*cpu);
        print_locks("the CPU", cpu->held_spin_locks);
        if (thread.held != nullptr) {
            print_locks("the thread", *thread.held);
        }
    }
    arch::print_registers(place.registers, [](std::string_view line) { print_line(PanicPart::Registers, line); });
    print_backtrace(place);
    end();
}

void assertion_failed(const char* what, const char* file, int line) {
    panic("{}:{}: {}", file, line, what);
}

void set_panic_timeout(i32 seconds) {
    g_panic.timeout_seconds.store(seconds, Order::relaxed);
}

void set_panic_screen(PanicScreen* screen) {
    g_panic.screen.store(screen, Order::release);
}

bool panicking() {
    return g_panic.owner.load(Order::relaxed) != 0;
}

void reset_panic() {
    g_panic.owner.store(0, Order::relaxed);
    g_panic.depth.store(0, Order::relaxed);
    g_panic.timeout_seconds.store(0, Order::relaxed);
    g_panic.screen.store(nullptr, Order::relaxed);
}

}  // namespace cairn
