/// Signal frames: what a handler gets on the user's stack, and the way back (sigreturn(2)).

#include <cstring>

#include "arch/arch.h"
#include "arch/long_mode/signal_frame_layout.h"
#include "arch/long_mode/user_state.h"

namespace cairn::arch {

namespace {

constexpr u64 kFlagTrap = 0x100;
constexpr u64 kFlagDirection = 0x400;
constexpr u64 kFlagResume = 0x1'0000;
static_assert((kSignalFlags & (kFlagTrap | kFlagDirection | kFlagResume)) ==
              (kFlagTrap | kFlagDirection | kFlagResume));

constexpr u64 kVectorAlignment = 64;
constexpr u64 kStackAlignment = 16;

/// Bytes of the XSAVE area in a frame.
u64 vector_area_size() {
    return vector_state_size() + (has_extended_vector_state() ? kMagic2Size : 0);
}

/// Where the two parts of a frame lie. Addresses that wrapped round are found by the copies.
struct Placement {
    u64 frame;
    u64 vector_area;
};

Placement place_frame(const TrapFrame& frame, const SignalFrameRequest& request) {
    u64 stack = request.enter_alternate_stack ? request.alternate_stack.base + request.alternate_stack.size
                                              : frame.rsp - kRedZone;
    u64 vector_area = align_down(stack - vector_area_size(), kVectorAlignment);
    // A handler's stack pointer is that of a function that was just called.
    u64 start = align_down(vector_area - sizeof(SignalFrame), kStackAlignment) - 8;
    return {start, vector_area};
}

bool lies_on(const SignalStack& stack, u64 address) {
    return address > stack.base && address - stack.base <= stack.size;
}

bool write_object(u64 to, const void* object, usize size) {
    return copy_to_user({to}, object, size) == 0;
}

Result<void> write_vector_area(u64 area) {
    TRY(save_vector_state_to_user({area}));
    if (!has_extended_vector_state()) {
        return {};
    }
    u32 size = vector_state_size();
    SoftwareBytes software{.magic1 = kVectorMagic1,
                           .extended_size = static_cast<u32>(size + kMagic2Size),
                           .features = vector_features(),
                           .state_size = size,
                           .padding = {}};
    bool written = write_object(area + kSoftwareBytesOffset, &software, sizeof software) &&
                   write_object(area + size, &kVectorMagic2, kMagic2Size);
    return written ? Result<void>() : fail(Errno::efault);
}

void fill_context(SignalContext& context, const TrapFrame& frame, const SignalFrameRequest& request) {
    context = {.r8 = frame.r8,
               .r9 = frame.r9,
               .r10 = frame.r10,
               .r11 = frame.r11,
               .r12 = frame.r12,
               .r13 = frame.r13,
               .r14 = frame.r14,
               .r15 = frame.r15,
               .rdi = frame.rdi,
               .rsi = frame.rsi,
               .rbp = frame.rbp,
               .rbx = frame.rbx,
               .rdx = frame.rdx,
               .rax = frame.rax,
               .rcx = frame.rcx,
               .rsp = frame.rsp,
               .rip = frame.rip,
               .rflags = frame.rflags,
               .cs = static_cast<u16>(frame.cs),
               .gs = 0,
               .fs = 0,
               .ss = static_cast<u16>(frame.ss),
               .error_code = request.trap_error_code,
               .trap_number = request.trap_number,
               .old_mask = request.mask,
               .fault_address = request.fault_address,
               .vector_state = 0,
               .reserved = {}};
}

void restore_registers(TrapFrame& frame, const SignalContext& context) {
    note_changed(frame);
    frame.r8 = context.r8;
    frame.r9 = context.r9;
    frame.r10 = context.r10;
    frame.r11 = context.r11;
    frame.r12 = context.r12;
    frame.r13 = context.r13;
    frame.r14 = context.r14;
    frame.r15 = context.r15;
    frame.rdi = context.rdi;
    frame.rsi = context.rsi;
    frame.rbp = context.rbp;
    frame.rbx = context.rbx;
    frame.rdx = context.rdx;
    frame.rax = context.rax;
    frame.rcx = context.rcx;
    frame.rsp = context.rsp;
    frame.rip = context.rip;
    frame.rflags = (frame.rflags & ~kSignalFlags) | (context.rflags & kSignalFlags);
    frame.cs = kUserCodeSegment;
    frame.ss = kUserDataSegment;
}

/// What the program says about the XSAVE area, or "legacy only" if it says nothing credible
/// (Linux: check_xstate_in_sigframe).
Result<void> restore_vector_area(u64 area) {
    if (area == 0) {
        reset_vector_registers();
        return {};
    }
    if (!has_extended_vector_state()) {
        return load_vector_state_from_user({area}, kLegacyFeatures, false);
    }
    SoftwareBytes software;
    if (copy_from_user(&software, {area + kSoftwareBytesOffset}, sizeof software) != 0) {
        return fail(Errno::efault);
    }
    bool credible = software.magic1 == kVectorMagic1 && software.state_size >= kLegacyVectorSize + kXsaveHeaderSize &&
                    software.state_size <= vector_state_size() && software.state_size <= software.extended_size;
    u32 magic2 = 0;
    if (credible && copy_from_user(&magic2, {area + software.state_size}, kMagic2Size) != 0) {
        return fail(Errno::efault);
    }
    if (!credible || magic2 != kVectorMagic2) {
        return load_vector_state_from_user({area}, kLegacyFeatures, false);
    }
    return load_vector_state_from_user({area}, software.features & vector_features(), true);
}

}  // namespace

Result<void> push_signal_frame(TrapFrame& frame, const SignalFrameRequest& request) {
    Placement place = place_frame(frame, request);
    if (request.restorer == 0 || (request.confine_to_alternate && !lies_on(request.alternate_stack, place.frame))) {
        return fail(Errno::efault);
    }
    TRY(write_vector_area(place.vector_area));

    SignalFrame image;
    image.return_address = request.restorer;
    image.context = {.flags = kContextHasSs | kContextStrictSs | (has_extended_vector_state() ? kContextHasXsave : 0),
                     .link = 0,
                     .stack = request.alternate_stack,
                     .registers = {},
                     .mask = request.mask};
    fill_context(image.context.registers, frame, request);
    image.context.registers.vector_state = place.vector_area;
    std::memcpy(image.siginfo, request.siginfo, sizeof image.siginfo);
    if (!write_object(place.frame, &image, sizeof image)) {
        return fail(Errno::efault);
    }

    // From here nothing fails. Linux gives a handler initial vector registers as well.
    reset_vector_registers();
    note_changed(frame);
    frame.rdi = static_cast<u64>(static_cast<i64>(request.signal));
    frame.rsi = place.frame + offsetof(SignalFrame, siginfo);
    frame.rdx = place.frame + offsetof(SignalFrame, context);
    frame.rax = 0;
    frame.rip = request.handler;
    frame.rsp = place.frame;
    frame.cs = kUserCodeSegment;
    frame.ss = kUserDataSegment;
    frame.rflags &= ~(kFlagDirection | kFlagTrap | kFlagResume);
    note_signal_frame();
    return {};
}

Result<SignalReturn> pop_signal_frame(TrapFrame& frame) {
    // The handler's return took the return address off the stack.
    u64 start = frame.rsp - offsetof(SignalFrame, context);
    UserContext context;
    if (copy_from_user(&context, {start + offsetof(SignalFrame, context)}, sizeof context) != 0) {
        return fail(Errno::efault);
    }
    // There is only one code segment of user mode. Linux would fault on the way out.
    if ((context.registers.cs | 3u) != kUserCodeSegment) {
        return fail(Errno::efault);
    }
    TRY(restore_vector_area(context.registers.vector_state));
    restore_registers(frame, context.registers);
    forget_syscall(frame);
    return SignalReturn{context.mask, context.stack};
}

u32 minimum_signal_stack() {
    // As Linux sums it up: whatever alignment costs is counted in full.
    u64 size = sizeof(SignalFrame) + (kStackAlignment - 1) + vector_area_size() + (kVectorAlignment - 1);
    return static_cast<u32>(align_up(size, kStackAlignment));
}

}  // namespace cairn::arch
