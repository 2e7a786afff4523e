#pragma once
/// Who may look into whom: ptrace(2), "Ptrace access mode checking".

#include "kernel/task/task.h"

namespace cairn::ptrace {

/// PTRACE_MODE_FSCREDS for files of /proc, PTRACE_MODE_REALCREDS for calls.
enum class WhichIds : u8 { Filesystem, Real };
/// EPERM. No lock held.
Result<void> check_access(task::Task& caller, task::Task& target, WhichIds which);
/// The memory of the program that the caller may look into, whatever the target runs by then. EPERM; ESRCH: it has
/// none any more.
Result<Ref<mm::AddressSpace>> memory_of(task::Task& caller, task::Task& target, WhichIds which);

}  // namespace cairn::ptrace
