#include "kernel/base/log.h"

#include "arch/arch.h"

namespace cairn {

void log_write(LogLevel, std::string_view subsystem, std::string_view text) {
    arch::early_console_write(subsystem);
    arch::early_console_write(": ");
    arch::early_console_write(text);
    arch::early_console_write("\n");
}

}  // namespace cairn
