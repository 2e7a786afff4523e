/// The register dump of the panic screen.

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"
#include "kernel/base/format.h"

namespace cairn::arch {

namespace {

template <typename... Arguments>
void print(FormatString<std::type_identity_t<Arguments>...> format, const Arguments&... arguments) {
    char storage[160];
    TextBuffer line{std::span(storage)};
    format_to(line, format, arguments...);
    early_console_write(line.view());
}

void print_general(const TrapFrame& frame) {
    print("rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}\n", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    print("rsi {:016x}  rdi {:016x}  rbp {:016x}  r8  {:016x}\n", frame.rsi, frame.rdi, frame.rbp, frame.r8);
    print("r9  {:016x}  r10 {:016x}  r11 {:016x}  r12 {:016x}\n", frame.r9, frame.r10, frame.r11, frame.r12);
    print("r13 {:016x}  r14 {:016x}  r15 {:016x}\n", frame.r13, frame.r14, frame.r15);
}

}  // namespace

void print_registers(const TrapFrame* frame) {
    if (frame != nullptr) {
        Symbol symbol = symbolize({frame->rip});
        print("rip {:04x}:{:016x}  {}+{:#x}\n", frame->cs, frame->rip, symbol.name().empty() ? "?" : symbol.name(),
              symbol.offset);
        print("rsp {:04x}:{:016x}  rflags {:08x}  vector {}  error code {:#x}\n", frame->ss, frame->rsp, frame->rflags,
              frame->vector, frame->error_code);
        print_general(*frame);
    } else {
        print("rsp {:016x}\n", reinterpret_cast<u64>(__builtin_frame_address(0)));
    }
    print("cr0 {:08x}  cr2 {:016x}  cr3 {:016x}  cr4 {:08x}\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

}  // namespace cairn::arch
