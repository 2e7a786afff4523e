#pragma once
/// The one thing that mm is told by the scheduler: which thread a CPU changes to. A thread carries
/// an opaque pointer to its address space (null: a kernel thread, which runs in whatever is
/// loaded); `sched` never looks behind it.

namespace cairn::mm {
class AddressSpace;
}

namespace cairn::sched {

class Thread;

/// Implemented by mm, which registers it in Scheduler::set_address_space_switch at start-up. Called
/// on the CPU that switches, interrupts off, no lock held, before the stack is changed, and only
/// when the two threads' address-space pointers differ. It must not sleep, wake or allocate.
using AddressSpaceSwitch = void (*)(mm::AddressSpace* from, mm::AddressSpace* to);

}  // namespace cairn::sched
