/// Asserts that what assembly, inline assembly and the linker script believe about layouts is so.

#include <cstddef>

#include "arch/arch.h"
#include "arch/x86_64/cpu/assembly_constants.h"

namespace cairn::arch {

static_assert(offsetof(PerCpu, self) == kPerCpuSelf);
static_assert(offsetof(PerCpu, current) == kPerCpuCurrent);
static_assert(offsetof(PerCpu, preempt_state) == kPerCpuPreemptState);
static_assert(offsetof(PerCpu, kernel_stack_top) == kPerCpuKernelStackTop);
static_assert(offsetof(PerCpu, user_stack_scratch) == kPerCpuUserStackScratch);
static_assert(offsetof(PerCpu, guards_user_memory) == kPerCpuGuardsUserMemory);
static_assert(PerCpu::kNoRescheduleBit == 0x8000'0000);  // machine.h: set_reschedule_wanted

static_assert(offsetof(TrapFrame, r15) == 0);
static_assert(offsetof(TrapFrame, r11) == kFrameR11);
static_assert(offsetof(TrapFrame, rbp) == kFrameRbp);
static_assert(offsetof(TrapFrame, rcx) == kFrameRcx);
static_assert(offsetof(TrapFrame, vector) == kFrameVector);
static_assert(offsetof(TrapFrame, error_code) == kFrameErrorCode);
static_assert(offsetof(TrapFrame, rip) == kFrameRip);
static_assert(offsetof(TrapFrame, cs) == kFrameCs);
static_assert(offsetof(TrapFrame, rflags) == kFrameFlags);
static_assert(offsetof(TrapFrame, rsp) == kFrameRsp);
static_assert(offsetof(TrapFrame, ss) == kFrameSs);
static_assert(sizeof(TrapFrame) == kFrameSize);
static_assert(kFrameSize % 16 == 0);  // the frame keeps the stack aligned for calls

static_assert(kUserCodeSegment == kUserCodeSelector && kUserDataSegment == kUserDataSelector);
static_assert(kSystemCallMark == ~u64{0} && kRestoredMark == ~u64{1});  // entry.asm

// kernel.ld writes the table of segments.
static_assert(offsetof(ImageSegment, start) == 0);
static_assert(offsetof(ImageSegment, physical) == 8);
static_assert(offsetof(ImageSegment, size) == 16);
static_assert(offsetof(ImageSegment, writable) == 24);
static_assert(offsetof(ImageSegment, executable) == 25);
static_assert(sizeof(ImageSegment) == 32);

// boot/entry.asm passes these numbers.
static_assert(static_cast<u8>(BootProtocol::Multiboot2) == 0);
static_assert(static_cast<u8>(BootProtocol::Pvh) == 1);

}  // namespace cairn::arch
