#pragma once
/// What a mapping permits, independent of a machine's bits. Every mapping can be read.

#include "kernel/base/types.h"

namespace cairn::mm {

enum class Caching : u8 {
    WriteBack,
    WriteCombining,  // framebuffers: writes are collected, and may pass each other (SDM vol. 3A, 12.3.1)
    Uncached,        // device registers: strongly uncacheable, whatever the MTRRs say (SDM vol. 3A, 12.5.2)
};

struct Protection {
    bool writable = false;
    bool executable = false;
    bool user = false;    // user mode may use it
    bool global = false;  // the same in all address spaces: survives a change of them
    Caching caching = Caching::WriteBack;

    constexpr bool operator==(const Protection&) const = default;
};

/// Kernel data and kernel device registers.
constexpr Protection kKernelData{.writable = true, .global = true};
constexpr Protection kKernelFramebuffer{.writable = true, .global = true, .caching = Caching::WriteCombining};
constexpr Protection kKernelDevice{.writable = true, .global = true, .caching = Caching::Uncached};

}  // namespace cairn::mm
