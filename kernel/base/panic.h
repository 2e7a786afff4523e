#pragma once
/// The end of the machine: a bug of the kernel's own was found.

#include "kernel/base/format.h"

namespace cairn {

namespace arch {
struct TrapFrame;
}

/// Where a trap that nobody could handle happened. The default means: at the caller of panic.
struct PanicPlace {
    const arch::TrapFrame* registers = nullptr;
    VirtualAddress instruction;
    VirtualAddress frame_pointer;
};

/// Stops the other CPUs, prints the message, registers, a symbolised backtrace, the running
/// thread and the held locks, and halts (or reboots, `panic=N`). Callable in any context, also
/// from an NMI and from within a panic. On the simulated machine it ends the run as failed.
[[noreturn]] void panic_text(std::string_view message, const PanicPlace& place = {});

/// The same with a message that is made there, so that each place that panics is small.
[[noreturn]] void panic_formatted(std::string_view format, std::span<const FormatArgument> arguments);

template <typename... Arguments>
[[noreturn]] void panic(FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    const FormatArgument erased[sizeof...(Arguments) + 1] = {format_argument(arguments)..., FormatArgument{}};
    panic_formatted(format.text, std::span(erased, sizeof...(Arguments)));
}

/// What follows a panic, as Linux's panic=: reboot after so many seconds; 0 (the default) stays
/// as it is for ever; negative reboots at once.
void set_panic_timeout(i32 seconds);

/// A screen that shows a panic: it gets the lines that the consoles get, by what they are about, and lays them out so
/// that the parts that matter are seen. Called on the panicking CPU only, interrupts off, and possibly in the middle of
/// anything: it takes no lock and allocates nothing.
enum class PanicPart : u8 { Message, Machine, Locks, Registers, Backtrace };
struct PanicScreen {
    void (*begin)(PanicScreen& self);
    void (*line)(PanicScreen& self, PanicPart part, std::string_view text);
    /// `ending`: what happens next.
    void (*end)(PanicScreen& self, std::string_view ending);
};
/// `screen` lives for ever; null takes it back.
void set_panic_screen(PanicScreen* screen);

/// Whether some CPU panics. Drivers whose polling loops wait for interrupts give up then.
bool panicking();

/// A new simulated run starts as a machine that never panicked.
void reset_panic();

}  // namespace cairn
