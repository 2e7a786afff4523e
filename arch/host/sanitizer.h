#pragma once
/// Whether AddressSanitizer is part of this build, and the part of its interface that the machine
/// uses; empty functions without it.

#include "kernel/base/types.h"

#if defined(__SANITIZE_ADDRESS__)
#define CAIRN_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAIRN_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef CAIRN_ADDRESS_SANITIZER
#define CAIRN_ADDRESS_SANITIZER 0
#endif

#if CAIRN_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace cairn::arch::host {

inline void sanitizer_poison([[maybe_unused]] void* memory, [[maybe_unused]] usize size) {
#if CAIRN_ADDRESS_SANITIZER
    __asan_poison_memory_region(memory, size);
#endif
}
inline void sanitizer_unpoison([[maybe_unused]] void* memory, [[maybe_unused]] usize size) {
#if CAIRN_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(memory, size);
#endif
}

}  // namespace cairn::arch::host
