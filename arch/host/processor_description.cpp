/// The simulated processor has nothing to tell.

#include "arch/arch.h"
#include "arch/processor.h"

namespace cairn::arch {

void describe_processor(const PerCpu& cpu, TextBuffer& text) {
    format_to(text, "processor\t: {}\nmodel name\t: simulated\n", cpu.index.value);
}

CpuTopology cpu_topology(const PerCpu& cpu) {
    return {.core = cpu.index.value};
}

std::optional<CpuCache> cpu_cache(u32) {
    return std::nullopt;
}

std::optional<CpuWeakness> cpu_weakness(u32) {
    return std::nullopt;
}

}  // namespace cairn::arch
