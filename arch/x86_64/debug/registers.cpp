/// The register dump of the panic screen.

#include <iterator>

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

/// Three a line: four would be wider than 80 columns.
void print_general(PrintLine out, const TrapFrame& frame) {
    struct Named {
        std::string_view name;
        u64 value;
    };
    const Named registers[] = {
        {"rax", frame.rax}, {"rbx", frame.rbx}, {"rcx", frame.rcx}, {"rdx", frame.rdx}, {"rsi", frame.rsi},
        {"rdi", frame.rdi}, {"rbp", frame.rbp}, {"r8", frame.r8},   {"r9", frame.r9},   {"r10", frame.r10},
        {"r11", frame.r11}, {"r12", frame.r12}, {"r13", frame.r13}, {"r14", frame.r14}, {"r15", frame.r15},
    };
    static_assert(std::size(registers) % 3 == 0);
    for (usize i = 0; i < std::size(registers); i += 3) {
        print(out, "{:<3} {:016x}  {:<3} {:016x}  {:<3} {:016x}", registers[i].name, registers[i].value,
              registers[i + 1].name, registers[i + 1].value, registers[i + 2].name, registers[i + 2].value);
    }
}

}  // namespace

void print_registers(const TrapFrame* frame, PrintLine out) {
    if (frame != nullptr) {
        Symbol symbol = symbolize({frame->rip});
        print(out, "rip {:04x}:{:016x}  {}+{:#x}", frame->cs, frame->rip, symbol.name().empty() ? "?" : symbol.name(),
              symbol.offset);
        print(out, "rsp {:04x}:{:016x}  rflags {:08x}  vector {}  error code {:#x}", frame->ss, frame->rsp,
              frame->rflags, frame->vector, frame->error_code);
        print_general(out, *frame);
    } else {
        print(out, "rsp {:016x}", reinterpret_cast<u64>(__builtin_frame_address(0)));
    }
    print(out, "cr0 {:08x}  cr2 {:016x}  cr3 {:016x}  cr4 {:08x}", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

}  // namespace cairn::arch
