#pragma once
/// User registers that lie in no frame, moved between the CPU and a thread's context. All functions act on
/// the calling CPU's registers; where they belong to the calling thread, it may be preempted.

#include "arch/arch.h"
#include "arch/x86_64/cpu/features.h"

namespace cairn::arch {

constexpr usize kVectorAlignment = 64;  // of XSAVE; FXSAVE wants 16

/// The area as context_add_vector_state allocates it, in the ABI's default state.
void initialize_vector_area(void* area);

void save_vector_state(void* area, const CpuFeatures& features);
void load_vector_state(const void* area, const CpuFeatures& features);

/// Hardware breakpoints; a state without any turns those of the CPU off. Interrupts off.
void load_debug_state(const DebugState& state);

/// Segment selectors and bases. Interrupts off.
void save_user_state(UserState& state);
void load_user_state(const UserState& state);
/// Both, for a switch between two threads of programs.
void exchange_user_state(UserState& from, const UserState& to, const CpuFeatures& features);

}  // namespace cairn::arch
