#pragma once
/// A kernel of a few lines, for tests of the machine's user mode without the real one: one user program in demand-paged
/// memory, a child at most, signals with one handler for all, and system calls that test the machine.

#include <gtest/gtest.h>

#include <cstring>

#include "arch/host/user_program.h"
#include "arch/long_mode/signal_frame_layout.h"
#include "arch/upcalls.h"

namespace cairn::sim::small {

using arch::ThreadContext;
using arch::TrapFrame;
using arch::host::register_user_function;
using arch::host::RunResult;
using arch::host::UserMachine;
using Format = arch::LongModeFormat;

constexpr PhysicalAddress kRoot{0x10'0000};
constexpr PhysicalAddress kTables[3] = {{0x10'1000}, {0x10'2000}, {0x10'3000}};  // of levels 2, 1, 0
constexpr u64 kPages = 0x11'0000;                                                // one behind the other
constexpr VirtualAddress kUser{0x0000'1234'5660'0000};                           // a table's worth of pages
constexpr u64 kMappable = 64;                                                    // come on demand
constexpr VirtualAddress kStackTop = kUser + kMappable * kPageSize;
constexpr VirtualAddress kData = kUser;
constexpr VirtualAddress kForbidden = kUser + 256 * kPageSize;
constexpr u64 kAll = Format::kPresent | Format::kWritable | Format::kUser;

enum Call : u64 {
    kAdd = 1000,
    kRestartTwice,
    kRaise,
    kRaiseTwo,
    kFork,
    kWait,
    kExec,
    kExit,
    kFinish,
    kSetHandler,
    kAltStack,
    kSigreturn = 15
};

struct Thread {
    ThreadContext context;
    u64 vector_pattern = 0;
    alignas(16) u8 stack[64 * kKiB];
};

struct TestKernel {
    PerCpu cpu;
    ThreadContext boot;
    Thread threads[2];
    Thread* current = nullptr;
    u64 handler = 0;
    u32 pending = 0;  // signals to deliver, by number
    u64 mask = 0;
    arch::SignalStack alternate;
    bool allow_forbidden = false;
    u32 restarts = 0;
    u32 bad_frames = 0;
    bool signal_on_interrupt = false;
    VirtualAddress child_entry;
};
extern TestKernel* kernel;

/// Fails the run.
void check(bool condition, const char* what);

/// One run of the kernel with `function` as its program. `prepare` may set the kernel up.
RunResult run_once(void (*function)(UserMachine&), u64 seed, void (*prepare)() = nullptr);

/// Runs with many seeds, each of which must end with a call of kFinish.
void expect_finished(void (*function)(UserMachine&), void (*prepare)() = nullptr);

}  // namespace cairn::sim::small
