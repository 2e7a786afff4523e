#pragma once
/// What each machine does for the shared code of this folder: user registers that are not in the frame.
/// Each ThreadContext has a member `UserState user`, which is out of date while its thread runs.

#include <span>

#include "arch/arch.h"
#include "arch/user_words.h"

namespace cairn::arch {

/// Makes context.user current, if it is the calling thread's.
void fetch_user_state(ThreadContext& context);
/// Makes what stands in context.user valid at once, if it is the calling thread's.
void apply_user_state(ThreadContext& context);

/// Whether vector registers are saved by XSAVE (else FXSAVE), and the features enabled in XCR0.
bool has_extended_vector_state();
u64 vector_features();
/// Bits of MXCSR that exist.
u32 mxcsr_mask();

constexpr usize kLegacyVectorSize = 512;
constexpr usize kXsaveHeaderSize = 64;
constexpr u64 kLegacyFeatures = 3;  // x87 and SSE
/// Places in the XSAVE area (SDM vol. 1, 10.5.1 and 13.4.2).
constexpr usize kMxcsrOffset = 24;
constexpr usize kSoftwareBytesOffset = 464;

/// Writes the calling thread's vector registers to vector_state_size() bytes of user memory (a multiple of
/// 64), without the software's bytes. False: there is no memory.
bool save_vector_state_to_user(const UserWords& words, usize offset);
/// The other way: registers of `features` from there, all others initial. Without `has_header` only the
/// legacy area is looked at. EFAULT for a bad address and for contents that the processor refuses; the
/// registers are initial then.
Result<void> load_vector_state_from_user(VirtualAddress from, u64 features, bool has_header);
/// The calling thread's vector registers in the ABI's initial state.
void reset_vector_registers();

/// The calling thread's frame leads into a signal handler now. The simulated machine has to know, since
/// it calls handlers as functions.
void note_signal_frame();

/// What stands in the calling thread's floating-point status registers.
struct FloatingPointStatus {
    u16 control = 0;
    u16 status = 0;
    u32 mxcsr = 0;
};
FloatingPointStatus floating_point_status();

/// The si_code that the status means, zero if no exception is unmasked; for classify_fault.
int floating_point_code(u32 vector, const FloatingPointStatus& status);

/// Whether an image of the standard format may be loaded: only enabled features, no reserved bits.
bool vector_image_is_valid(std::span<const std::byte> image);

}  // namespace cairn::arch
