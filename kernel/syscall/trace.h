#pragma once
/// Lines as strace(1) prints them, into the kernel's log.

#include "kernel/syscall/table.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

void trace_entry(task::Task& task, const Call& call, const arch::TrapFrame& frame);
void trace_exit(task::Task& task, const Call& call, const arch::TrapFrame& frame, const Result<u64>& result);

}  // namespace cairn::syscall
