/// Signal frames: what a handler gets on the user's stack, and the way back (sigreturn(2)).

#include <cstring>
#include <utility>

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

/// What lies behind the XSAVE area in a frame.
u32 magic2_size() {
    return has_extended_vector_state() ? kMagic2Size : 0;
}

/// Where the two parts of a frame lie, and where both end. Addresses that wrapped round are no user space.
struct Placement {
    u64 frame;
    u64 vector_area;
    u64 end;
};

Placement place_frame(const TrapFrame& frame, const SignalFrameRequest& request) {
    const u64 stack = request.enter_alternate_stack ? request.alternate_stack.base + request.alternate_stack.size
                                                    : frame.rsp - kRedZone;
    const u64 size = vector_state_size() + magic2_size();
    const u64 vector_area = align_down(stack - size, kVectorAlignment);
    // A handler's stack pointer is that of a function that was just called.
    const u64 start = align_down(vector_area - sizeof(SignalFrame), kStackAlignment) - 8;
    return {start, vector_area, vector_area + size};
}

bool lies_on(const SignalStack& stack, u64 address) {
    return address > stack.base && address - stack.base <= stack.size;
}

/// Two fields of 32 bits as the word that they are.
u64 word_of(u32 low, u32 high) {
    return low | u64{high} << 32;
}

/// The XSAVE area, which begins at `at`, with what Linux says about it where the processor leaves room.
bool write_vector_area(const UserWords& words, usize at) {
    if (!save_vector_state_to_user(words, at)) {
        return false;
    }
    if (!has_extended_vector_state()) {
        return true;
    }
    const u32 size = vector_state_size();
    const usize software = at + kSoftwareBytesOffset;
    static_assert(sizeof(SoftwareBytes) == 6 * sizeof(u64));
    return words.store(software, word_of(kVectorMagic1, static_cast<u32>(size + kMagic2Size))) &&
           words.store(software + offsetof(SoftwareBytes, features), vector_features()) &&
           words.store(software + offsetof(SoftwareBytes, state_size), u64{size}) &&
           words.store(software + 3 * sizeof(u64), u64{0}) && words.store(software + 4 * sizeof(u64), u64{0}) &&
           words.store(software + 5 * sizeof(u64), u64{0}) && words.store(at + size, kVectorMagic2);
}

/// Like Linux, without the reserved words.
bool write_registers(const UserWords& words, const TrapFrame& frame, const SignalFrameRequest& request,
                     u64 vector_area) {
    constexpr usize kAt = offsetof(SignalFrame, context) + offsetof(UserContext, registers);
    static_assert(offsetof(SignalContext, ss) == offsetof(SignalContext, cs) + 6);
    const u64 segments = u64{static_cast<u16>(frame.cs)} | u64{static_cast<u16>(frame.ss)} << 48;  // gs and fs: zero
    return words.store(kAt + offsetof(SignalContext, r8), frame.r8) &&
           words.store(kAt + offsetof(SignalContext, r9), frame.r9) &&
           words.store(kAt + offsetof(SignalContext, r10), frame.r10) &&
           words.store(kAt + offsetof(SignalContext, r11), frame.r11) &&
           words.store(kAt + offsetof(SignalContext, r12), frame.r12) &&
           words.store(kAt + offsetof(SignalContext, r13), frame.r13) &&
           words.store(kAt + offsetof(SignalContext, r14), frame.r14) &&
           words.store(kAt + offsetof(SignalContext, r15), frame.r15) &&
           words.store(kAt + offsetof(SignalContext, rdi), frame.rdi) &&
           words.store(kAt + offsetof(SignalContext, rsi), frame.rsi) &&
           words.store(kAt + offsetof(SignalContext, rbp), frame.rbp) &&
           words.store(kAt + offsetof(SignalContext, rbx), frame.rbx) &&
           words.store(kAt + offsetof(SignalContext, rdx), frame.rdx) &&
           words.store(kAt + offsetof(SignalContext, rax), frame.rax) &&
           words.store(kAt + offsetof(SignalContext, rcx), frame.rcx) &&
           words.store(kAt + offsetof(SignalContext, rsp), frame.rsp) &&
           words.store(kAt + offsetof(SignalContext, rip), frame.rip) &&
           words.store(kAt + offsetof(SignalContext, rflags), frame.rflags) &&
           words.store(kAt + offsetof(SignalContext, cs), segments) &&
           words.store(kAt + offsetof(SignalContext, error_code), request.trap_error_code) &&
           words.store(kAt + offsetof(SignalContext, trap_number), request.trap_number) &&
           words.store(kAt + offsetof(SignalContext, old_mask), request.mask) &&
           words.store(kAt + offsetof(SignalContext, fault_address), request.fault_address) &&
           words.store(kAt + offsetof(SignalContext, vector_state), vector_area);
}

/// What surrounds the registers.
bool write_context(const UserWords& words, const SignalFrameRequest& request) {
    constexpr usize kAt = offsetof(SignalFrame, context);
    constexpr usize kStack = kAt + offsetof(UserContext, stack);
    const SignalStack& stack = request.alternate_stack;
    const u64 flags = kContextHasSs | kContextStrictSs | (has_extended_vector_state() ? kContextHasXsave : 0);
    return words.store(offsetof(SignalFrame, return_address), request.restorer) &&
           words.store(kAt + offsetof(UserContext, flags), flags) &&
           words.store(kAt + offsetof(UserContext, link), u64{0}) &&
           words.store(kStack + offsetof(SignalStack, base), stack.base) &&
           words.store(kStack + offsetof(SignalStack, flags), u64{static_cast<u32>(stack.flags)}) &&
           words.store(kStack + offsetof(SignalStack, size), stack.size) &&
           words.store(kAt + offsetof(UserContext, mask), request.mask);
}

/// The words that there are, then zeros.
template <usize... kWords>
bool write_siginfo(const UserWords& words, const SignalFrameRequest& request, std::index_sequence<kWords...>) {
    static_assert(sizeof...(kWords) * sizeof(u64) == sizeof(SignalFrame::siginfo));
    const auto word = [&](usize index) {
        u64 value = 0;
        if (index * sizeof(u64) < kSignalInfoBytes) {
            std::memcpy(&value, &request.siginfo[index * sizeof(u64)], sizeof value);
        }
        return value;
    };
    return (words.store(offsetof(SignalFrame, siginfo) + kWords * sizeof(u64), word(kWords)) && ...);
}

bool write_frame(const Placement& place, const TrapFrame& frame, const SignalFrameRequest& request) {
    if (!UserWords::may_open({place.frame}, place.end - place.frame)) {
        return false;
    }
    const UserWords words({place.frame}, place.end - place.frame);
    return write_vector_area(words, place.vector_area - place.frame) && write_context(words, request) &&
           write_registers(words, frame, request, place.vector_area) &&
           write_siginfo(words, request, std::make_index_sequence<sizeof(SignalFrame::siginfo) / (sizeof(u64))>());
}

/// What the program says about the XSAVE area.
struct VectorAreaNote {
    bool readable = false;
    bool credible = false;  // else it says nothing, and is taken for a legacy one
    u64 features = 0;
};

/// Linux: check_xstate_in_sigframe.
VectorAreaNote read_vector_area_note(u64 area) {
    if (!UserWords::may_open({area}, kLegacyVectorSize)) {
        return {};
    }
    const UserWords words({area}, kLegacyVectorSize);
    u32 failed = 0;
    const u64 magic1_and_size = words.load<u64>(kSoftwareBytesOffset, failed);
    const u64 features = words.load<u64>(kSoftwareBytesOffset + offsetof(SoftwareBytes, features), failed);
    const u32 size = words.load<u32>(kSoftwareBytesOffset + offsetof(SoftwareBytes, state_size), failed);
    const bool credible = static_cast<u32>(magic1_and_size) == kVectorMagic1 &&
                          size >= kLegacyVectorSize + kXsaveHeaderSize && size <= vector_state_size() &&
                          size <= magic1_and_size >> 32;
    u32 magic2 = 0;
    if (credible) {
        failed |= UserWords::may_open({area}, size + kMagic2Size) ? 0 : 1;
        magic2 = failed == 0 ? words.load<u32>(size, failed) : 0;
    }
    if (failed != 0) {
        return {};
    }
    return {true, credible && magic2 == kVectorMagic2, features};
}

Result<void> restore_vector_area(u64 area) {
    if (area == 0) {
        reset_vector_registers();
        return {};
    }
    if (!has_extended_vector_state()) {
        return load_vector_state_from_user({area}, kLegacyFeatures, false);
    }
    const VectorAreaNote note = read_vector_area_note(area);
    if (!note.readable) {
        return fail(Errno::efault);
    }
    return note.credible ? load_vector_state_from_user({area}, note.features & vector_features(), true)
                         : load_vector_state_from_user({area}, kLegacyFeatures, false);
}

/// Zeros where there is no memory, as `failed` tells then.
void restore_registers(TrapFrame& frame, const UserWords& words, u32& failed) {
    note_changed(frame);
    const auto load = [&](usize offset) { return words.load<u64>(offsetof(UserContext, registers) + offset, failed); };
    frame.r8 = load(offsetof(SignalContext, r8));
    frame.r9 = load(offsetof(SignalContext, r9));
    frame.r10 = load(offsetof(SignalContext, r10));
    frame.r11 = load(offsetof(SignalContext, r11));
    frame.r12 = load(offsetof(SignalContext, r12));
    frame.r13 = load(offsetof(SignalContext, r13));
    frame.r14 = load(offsetof(SignalContext, r14));
    frame.r15 = load(offsetof(SignalContext, r15));
    frame.rdi = load(offsetof(SignalContext, rdi));
    frame.rsi = load(offsetof(SignalContext, rsi));
    frame.rbp = load(offsetof(SignalContext, rbp));
    frame.rbx = load(offsetof(SignalContext, rbx));
    frame.rdx = load(offsetof(SignalContext, rdx));
    frame.rax = load(offsetof(SignalContext, rax));
    frame.rcx = load(offsetof(SignalContext, rcx));
    frame.rsp = load(offsetof(SignalContext, rsp));
    frame.rip = load(offsetof(SignalContext, rip));
    frame.rflags = (frame.rflags & ~kSignalFlags) | (load(offsetof(SignalContext, rflags)) & kSignalFlags);
    frame.cs = kUserCodeSegment;
    frame.ss = kUserDataSegment;
}

}  // namespace

Result<void> push_signal_frame(TrapFrame& frame, const SignalFrameRequest& request) {
    Placement place = place_frame(frame, request);
    if (request.restorer == 0 || (request.confine_to_alternate && !lies_on(request.alternate_stack, place.frame))) {
        return fail(Errno::efault);
    }
    if (!write_frame(place, frame, request)) {
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
    constexpr usize kRegisters = offsetof(UserContext, registers), kStack = offsetof(UserContext, stack);
    const u64 start = frame.rsp;  // the handler's return took the return address off the stack
    if (!UserWords::may_open({start}, sizeof(UserContext))) {
        return fail(Errno::efault);
    }
    u32 failed = 0;
    u64 vector_area = 0;
    SignalReturn result;
    {
        const UserWords words({start}, sizeof(UserContext));
        // From both ends first: without its memory the registers stay as they are, for the handler of SIGSEGV.
        result.mask = words.load<u64>(offsetof(UserContext, mask), failed);
        static_cast<void>(words.load<u64>(offsetof(UserContext, flags), failed));
        // There is only one code segment of user mode. Linux would fault on the way out.
        const u64 segments = words.load<u64>(kRegisters + offsetof(SignalContext, cs), failed);
        if (failed != 0 || (static_cast<u16>(segments) | 3u) != kUserCodeSegment) {
            return fail(Errno::efault);
        }
        restore_registers(frame, words, failed);
        vector_area = words.load<u64>(kRegisters + offsetof(SignalContext, vector_state), failed);
        result.alternate_stack.base = words.load<u64>(kStack + offsetof(SignalStack, base), failed);
        result.alternate_stack.flags = static_cast<i32>(words.load<u32>(kStack + offsetof(SignalStack, flags), failed));
        result.alternate_stack.size = words.load<u64>(kStack + offsetof(SignalStack, size), failed);
    }
    if (failed != 0) {
        return fail(Errno::efault);
    }
    TRY(restore_vector_area(vector_area));
    forget_syscall(frame);
    return result;
}

u32 minimum_signal_stack() {
    // As Linux sums it up: whatever alignment costs is counted in full.
    u64 size =
        sizeof(SignalFrame) + (kStackAlignment - 1) + vector_state_size() + magic2_size() + (kVectorAlignment - 1);
    return static_cast<u32>(align_up(size, kStackAlignment));
}

}  // namespace cairn::arch
