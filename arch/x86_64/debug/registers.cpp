/// The register dump of the panic screen.

#include "arch/arch.h"
#include "arch/x86_64/cpu/instructions.h"
#include "kernel/base/format.h"

namespace cairn::arch {

namespace {

using PrintLine = void (*)(std::string_view line);

template <typename... Arguments>
void print(PrintLine print_line, FormatString<std::type_identity_t<Arguments>...> format,
           const Arguments&... arguments) {
    char storage[192];
    TextBuffer line{std::span(storage)};
    format_to(line, format, arguments...);
    print_line(line.view());
}

void print_general(PrintLine out, const TrapFrame& frame) {
    print(out, "rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    print(out, "rsi {:016x}  rdi {:016x}  rbp {:016x}  r8  {:016x}", frame.rsi, frame.rdi, frame.rbp, frame.r8);
    print(out, "r9  {:016x}  r10 {:016x}  r11 {:016x}  r12 {:016x}", frame.r9, frame.r10, frame.r11, frame.r12);
    print(out, "r13 {:016x}  r14 {:016x}  r15 {:016x}", frame.r13, frame.r14, frame.r15);
}

}  // namespace

void print_registers(const TrapFrame* frame, PrintLine out) {
    if (frame != nullptr) {
        Symbol symbol = symbolize({frame->rip});
        print(out, "rip {:04x}:{:016x}  {}+{:#x}", frame->cs, frame->rip, symbol.name().empty() ? "?" : symbol.name(),
              symbol.offset);
        print(out, "rsp {:04x}:{:016x}  rflags {:08x}  vector {}  error code {:#x}", frame->ss, frame->rsp, frame->rflags,
              frame->vector, frame->error_code);
        print_general(out, *frame);
    } else {
        print(out, "rsp {:016x}", reinterpret_cast<u64>(__builtin_frame_address(0)));
    }
    print(out, "cr0 {:08x}  cr2 {:016x}  cr3 {:016x}  cr4 {:08x}", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

}  // namespace cairn::arch
