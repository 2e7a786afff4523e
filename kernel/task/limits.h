#pragma once
/// Resource limits of a process (getrlimit(2); asm-generic/resource.h).

#include "kernel/base/types.h"

namespace cairn::task {

enum class Resource : u8 {
    CpuTime,
    FileSize,
    Data,
    Stack,
    Core,
    ResidentSet,
    Processes,
    OpenFiles,
    LockedMemory,
    AddressSpace,
    FileLocks,
    PendingSignals,
    MessageQueues,
    Nice,
    RealtimePriority,
    RealtimeTime,
};
constexpr u32 kResources = 16;
constexpr u64 kUnlimited = ~u64{0};

struct ResourceLimit {
    u64 soft = kUnlimited;
    u64 hard = kUnlimited;
};

struct ResourceLimits {
    ResourceLimit limits[kResources];

    ResourceLimit& operator[](Resource which) { return limits[static_cast<u8>(which)]; }
    const ResourceLimit& operator[](Resource which) const { return limits[static_cast<u8>(which)]; }

    /// What the first process has on Linux (INIT_RLIMITS); `threads` bounds processes and signals.
    static ResourceLimits initial(u64 threads);
};

inline ResourceLimits ResourceLimits::initial(u64 threads) {
    ResourceLimits all;
    all[Resource::Stack].soft = 8 * kMiB;
    all[Resource::Core].soft = 0;
    all[Resource::Processes] = {threads, threads};
    all[Resource::OpenFiles] = {1024, 4096};
    all[Resource::LockedMemory] = {8 * kMiB, 8 * kMiB};
    all[Resource::PendingSignals] = {threads, threads};
    all[Resource::MessageQueues] = {819200, 819200};
    all[Resource::Nice] = {0, 0};
    all[Resource::RealtimePriority] = {0, 0};
    return all;
}

}  // namespace cairn::task
