#pragma once
/// The one table of system calls: number, name, handler with typed parameters, and what becomes of an interrupted
/// call. From it come the dispatcher, the tracer (trace=syscalls), and docs/syscalls.md. Adding a call is one row, one
/// handler, one test.

#include <span>

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// How the tracer shows a parameter.
enum class ArgumentKind : u8 { None, Number, Unsigned, Address, Descriptor, Text };
constexpr u32 kArguments = 6;

/// One call, with its types erased.
struct Call {
    const char* name = nullptr;
    Result<u64> (*run)(Caller& self) = nullptr;
    Restart restart = Restart::No;
    ArgumentKind arguments[kArguments] = {};
};

/// The highest number with a row, plus one.
usize call_limit();
/// Null for a number without a row.
const Call* find_call(u64 number);
/// The same for whoever makes the call; one without a row has no name, and is ENOSYS with a line in the log. As on
/// Linux, the upper half of the register is not looked at.
const Call& call_of(u64 number);

}  // namespace cairn::syscall
