#pragma once
/// How a fault on a user address ends, and the call by which kernel_trap has it resolved.

#include "arch/arch.h"
#include "kernel/base/address.h"
#include "kernel/base/types.h"

namespace cairn::mm {

class AddressSpace;

enum class FaultAccess : u8 { Read, Write, Execute };

enum class FaultResult : u8 {
    Resolved,     // try the access again
    SegvMaperr,   // SIGSEGV, SEGV_MAPERR: nothing is mapped there
    SegvAccerr,   // SIGSEGV, SEGV_ACCERR: what is mapped does not permit it
    BusAdrerr,    // SIGBUS, BUS_ADRERR: beyond the end of the object, or it cannot be read
    OutOfMemory,  // the caller ends a process, or the access fails with EFAULT
};

/// Handles a page fault (`details` of vector 14) of the calling thread, also one in a copy to or from user memory.
/// `space` is the thread's; null gives SegvMaperr. Where the context may not sleep nothing is resolved (SegvMaperr), so
/// that the machine's fix-up makes the copy fail. Interrupts as they were; the caller has turned them on for a
/// fault from user mode.
FaultResult resolve_user_fault(AddressSpace* space, const arch::TrapDetails& details);

}  // namespace cairn::mm
