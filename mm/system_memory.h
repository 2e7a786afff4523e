#pragma once
/// SystemMemory: what belongs to all address spaces together: the page of zeros that read faults map, and
/// the counts behind /proc/meminfo. g_kernel.memory. Counters are per CPU, so that a fault in private
/// memory writes no line that another CPU writes.

#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/sync/per_cpu_counter.h"
#include "mm/frame_allocator.h"

namespace cairn::mm {

/// /proc/meminfo and sysinfo(2), in bytes.
struct MemoryReport {
    u64 total = 0;         // MemTotal: RAM without the image, metadata and firmware's
    u64 free = 0;          // MemFree
    u64 available = 0;     // MemAvailable: free, and what can be made so at once
    u64 cached = 0;        // Cached: page cache, tmpfs included
    u64 shared = 0;        // Shmem: the part of it that is tmpfs and shared anonymous memory
    u64 anonymous = 0;     // AnonPages
    u64 slab = 0;          // Slab
    u64 kernel_stack = 0;  // KernelStack
    u64 page_tables = 0;   // PageTables
    u64 committed = 0;     // Committed_AS
    u64 commit_limit = 0;  // CommitLimit
};

/// Something that can give pages back because it can read them again: a page cache with a disk behind it.
class Reclaimable {
protected:
    friend class SystemMemory;
    Reclaimable() = default;
    ~Reclaimable() = default;
    /// Gives up to `pages` pages back; returns how many. Sleeps, but waits for no lock that the caller may hold.
    virtual u64 reclaim_pages(u64 pages) = 0;
    /// A reference that keeps it; false when it is going away.
    virtual bool try_keep() = 0;
    virtual void let_go() = 0;

private:
    ListNode reclaim_node_;
};

class SystemMemory {
    struct Counters {
        sync::PerCpuCounter anonymous, file_cache, shared_cache, page_tables, committed;
    };

public:
    /// Makes g_kernel.memory; after create_allocators, with g_kernel.cpu_count as it will be as far as known. ENOMEM.
    static Result<void> initialize();

    FrameNumber zero_frame() const { return zero_frame_; }
    MemoryReport report();

    /// One frame for a program's data: uncounted and with FrameUse::None. Reclaims page cache when memory is short, so
    /// it may sleep; no spinlock held. ENOMEM.
    Result<FrameNumber> allocate_frame(FrameFlags flags);
    /// The same, counted as anonymous until its last reference is dropped.
    Result<FrameNumber> allocate_anonymous(FrameFlags flags);

    /// Takes what it can from page caches, starting with the one that was asked longest ago; returns how many pages.
    u64 reclaim(u64 pages);
    void add(Reclaimable& cache);
    void remove(Reclaimable& cache);

    sync::PerCpuCounter anonymous;     // frames
    sync::PerCpuCounter file_cache;    // frames of page caches with a store
    sync::PerCpuCounter shared_cache;  // frames of page caches without one
    sync::PerCpuCounter page_tables;   // frames
    sync::PerCpuCounter committed;     // pages

    /// For initialize() only.
    SystemMemory(FrameNumber zero_frame, Counters&& counters);
    ~SystemMemory();

private:
    static constexpr u64 kReclaimBatch = 32;

    FrameNumber zero_frame_;
    SpinLock<LockRank::PageCaches> caches_lock_;
    List<Reclaimable, &Reclaimable::reclaim_node_> caches_ GUARDED_BY(caches_lock_);
    u32 cache_count_ GUARDED_BY(caches_lock_) = 0;
};

}  // namespace cairn::mm
