#pragma once
/// The kernel's heap: a cache per size class, named caches, and blocks of frames for what is
/// larger. g_kernel.slab; heap_allocate() and heap_free() of kernel/base/heap.h end here.
///
/// When the frame allocator runs short it calls reap(), which gives back what lies in depots and
/// empty slabs. What lies in the CPUs' own magazines stays there until drain_this_cpu().

#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"
#include "mm/slab_cache.h"

namespace cairn::mm {

class SlabAllocator {
public:
    static constexpr u32 kMaxCaches = 128;

    explicit SlabAllocator(FrameAllocator& frames);
    ~SlabAllocator();
    SlabAllocator(const SlabAllocator&) = delete;
    SlabAllocator& operator=(const SlabAllocator&) = delete;

    /// As heap_allocate(): `alignment` is a power of two, at most kPageSize; nullptr when memory is
    /// exhausted. A `size` of zero counts as one.
    [[nodiscard]] void* allocate(usize size, usize alignment);
    /// With the size and alignment of the allocation.
    void free(void* memory, usize size, usize alignment);

    /// Makes the magazines of a CPU that does not run yet. ENOMEM.
    Result<void> prepare_cpu(PerCpu& cpu);
    /// The counterpart, for a CPU that does not run any more.
    void release_cpu(PerCpu& cpu);
    /// Gives the objects in this CPU's magazines back to their slabs, and empty slabs to the frames.
    void drain_this_cpu();
    /// Gives the depots' objects and every empty slab back; true if that freed any frame. Any
    /// context that may take a lock of rank SlabCaches.
    bool reap();

    /// Calls `visit(const SlabStatistics&)` for each cache, under the lock of rank SlabCaches.
    template <typename Visit>
    void for_each_cache(Visit visit) {
        SpinLockGuard guard(caches_lock_);
        for (SlabCache& cache : caches_) {
            visit(cache.statistics());
        }
    }
    /// Bytes of allocations that are larger than SlabCache::kMaxObject.
    u64 large_bytes() const { return large_bytes_.load(Order::relaxed); }
    /// Objects that callers own, in all caches but the allocator's own.
    u64 objects_in_use();

    FrameAllocator& frames() { return frames_; }

private:
    friend class SlabCache;

    void add_cache(SlabCache& cache);
    void remove_cache(SlabCache& cache);
    CpuMagazines* magazines_of_this_cpu(u32 cache_id);
    bool is_for_magazines(const SlabCache& cache) const { return &cache == &magazine_cache_; }
    /// Calls `visit(CpuMagazines&)` for each CPU that has magazines.
    template <typename Visit>
    static void for_each_cpu(u32 cache_id, Visit visit);
    Magazine* allocate_magazine();
    void free_magazine(Magazine* magazine);
    SlabCache& class_for(usize wanted, usize alignment);
    [[gnu::noinline]] void* allocate_large(usize size);
    [[gnu::noinline]] void free_large(void* memory, usize size);

    FrameAllocator& frames_;
    SpinLock<LockRank::SlabCaches> caches_lock_;
    List<SlabCache, &SlabCache::all_node_> caches_ GUARDED_BY(caches_lock_);
    u64 used_ids_[kMaxCaches / 64] GUARDED_BY(caches_lock_) = {};
    Atomic<u64> large_bytes_{0};
    SlabCache magazine_cache_;
    static constexpr u32 kClasses = 18;
    /// The classes in raw storage, built by the constructor one by one: a cache can be neither
    /// copied nor moved.
    alignas(SlabCache) u8 class_storage_[kClasses * sizeof(SlabCache)];
    SlabCache& size_class(u32 index);
};

/// The magazines of one CPU, by cache (PerCpu::slab_cache). Its own CPU only, interrupts off; what is of the depot
/// under the depot's lock.
class CpuSlabCache {
public:
    CpuMagazines magazines[SlabAllocator::kMaxCaches];
};

template <typename Visit>
void SlabAllocator::for_each_cpu(u32 cache_id, Visit visit) {
    for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
        PerCpu* cpu = g_kernel.cpus[i];
        if (cpu != nullptr && cpu->slab_cache != nullptr) {
            visit(cpu->slab_cache->magazines[cache_id]);
        }
    }
}

}  // namespace cairn::mm
