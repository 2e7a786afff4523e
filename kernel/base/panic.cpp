#include "kernel/base/panic.h"

#include "arch/arch.h"
#include "kernel/base/assert.h"
#include "kernel/base/log.h"

namespace cairn {

void panic_text(std::string_view message) {
    arch::early_console_write("panic: ");
    arch::early_console_write(message);
    arch::early_console_write("\n");
    arch::park();
}

void assertion_failed(const char* what, const char* file, int line) { panic("{}:{}: {}", file, line, what); }

}  // namespace cairn
