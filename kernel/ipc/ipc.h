#pragma once
/// Ipc: the three tables of System V IPC, and their limits. g_kernel.ipc; made at start-up, for ever.

#include "fs/procfs/provider.h"
#include "fs/procfs/values.h"
#include "kernel/base/kernel.h"
#include "kernel/ipc/message_queue.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/ipc/shared_memory.h"

namespace cairn::ipc {

using Limit = procfs::IpcLimit;

struct Ipc final : procfs::IpcInformation {
    Ipc();
    /// Makes g_kernel.ipc. ENOMEM.
    static Result<void> initialize();

    Atomic<u64>& limit_of(Limit which) { return limits[static_cast<usize>(which)]; }
    u64 limit(Limit which) { return limit_of(which).load(Order::relaxed); }

    Atomic<u64> limits[procfs::kIpcLimits];
    Table queues{{&MessageQueue::create, &MessageQueue::accept}, limit_of(Limit::Queues), limit_of(Limit::None)};
    Table semaphores{
        {&SemaphoreSet::create, &SemaphoreSet::accept}, limit_of(Limit::Sets), limit_of(Limit::AllSemaphores)};
    Table segments{{&Segment::create, &Segment::accept}, limit_of(Limit::Segments), limit_of(Limit::AllPages)};

    Table& table(procfs::IpcKind kind);
    void list(procfs::IpcKind kind, procfs::Text& text) override;
    procfs::Settings settings(Limit first) override;
};

}  // namespace cairn::ipc
