#pragma once
/// Numbers that assembly and C++ share. The build turns every `constexpr` line into a %define of
/// generated/assembly_constants.inc; layout_check.cpp asserts that the offsets are the real ones.

#include "kernel/base/types.h"

namespace cairn::arch {

// Segment selectors, those of Linux: debuggers and other programs look at CS and SS.
constexpr u16 kKernelCodeSelector = 0x10;
constexpr u16 kKernelDataSelector = 0x18;
constexpr u16 kUserCode32Selector = 0x23;
constexpr u16 kUserDataSelector = 0x2b;
constexpr u16 kUserCodeSelector = 0x33;
constexpr u16 kTaskStateSelector = 0x40;
// kCpuNumberSelector (vdso/data.h) is 0x7b.

// TrapFrame.
constexpr usize kFrameR11 = 32;
constexpr usize kFrameRbp = 64;
constexpr usize kFrameRcx = 96;
constexpr usize kFrameVector = 120;
constexpr usize kFrameErrorCode = 128;
constexpr usize kFrameRip = 136;
constexpr usize kFrameCs = 144;
constexpr usize kFrameFlags = 152;
constexpr usize kFrameRsp = 160;
constexpr usize kFrameSs = 168;
constexpr usize kFrameSize = 176;

// PerCpu.
constexpr usize kPerCpuKernelStackTop = 32;
constexpr usize kPerCpuUserStackScratch = 40;

// RFLAGS (SDM vol. 1, 3.4.3).
constexpr u64 kFlagTrap = 0x100;
constexpr u64 kFlagInterrupt = 0x200;
constexpr u64 kFlagDirection = 0x400;
constexpr u64 kFlagNestedTask = 0x4000;
constexpr u64 kFlagResume = 0x10000;
constexpr u64 kFlagAlignmentCheck = 0x40000;

// The first address that user code must not have: one page below the canonical boundary, as in Linux. So what SYSCALL
// leaves in RCX is canonical, and SYSRET takes it.
constexpr u64 kUserSpaceEnd = 0x7ffffffff000;

// Model-specific registers that assembly touches (SDM vol. 4).
constexpr u32 kMsrEfer = 0xc0000080;
constexpr u32 kMsrFsBase = 0xc0000100;
constexpr u32 kMsrGsBase = 0xc0000101;
constexpr u32 kMsrKernelGsBase = 0xc0000102;

// Stacks of the boot CPU (boot/stacks.asm).
constexpr usize kBootStackSize = 0x8000;
constexpr usize kBootInterruptStackSize = 0x3000;

}  // namespace cairn::arch
