#pragma once
/// The end of the machine: a bug of the kernel's own was found.

#include "kernel/base/format.h"

namespace cairn {

/// Stops the other CPUs, prints the message, registers, a symbolised backtrace, the running
/// thread and the held locks, and halts (or reboots, `panic=N`). Callable in any context, also
/// from an NMI and from within a panic. On the simulated machine it ends the run as failed.
[[noreturn]] void panic_text(std::string_view message);

template <typename... Arguments>
[[noreturn]] void panic(FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char storage[256];
    TextBuffer buffer{std::span(storage)};
    format_to(buffer, format, arguments...);
    panic_text(buffer.view());
}

}  // namespace cairn
