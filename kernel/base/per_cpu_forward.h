#pragma once
/// Names that machine.h needs before kernel/base/per_cpu.h can be complete (whose Atomic needs
/// machine.h in turn).

namespace cairn {
struct PerCpu;
namespace sched {
class Thread;
}
}  // namespace cairn
