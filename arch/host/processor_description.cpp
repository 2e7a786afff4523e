/// The simulated processor has nothing to tell.

#include "arch/arch.h"

namespace cairn::arch {

void describe_processor(const PerCpu& cpu, TextBuffer& text) {
    format_to(text, "processor\t: {}\nmodel name\t: simulated\n", cpu.index.value);
}

}  // namespace cairn::arch
