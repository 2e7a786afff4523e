#pragma once
/// A cache of objects of one size (Bonwick, "The Slab Allocator", 1994; Bonwick and Adams,
/// "Magazines and Vmem", 2001). Three layers, asked in turn:
///
///   magazines  two small stacks of objects for each CPU, used with interrupts off and no lock
///   depot      full and empty magazines for all CPUs, one lock; a CPU takes those first that it has filled itself,
///              since the objects are still in its data cache
///   slabs      blocks of frames cut into objects, the same lock
///
/// Allocation and freeing never sleep and are legal in every context that may take a lock of rank
/// SlabDepot. Freed objects are poisoned: on the simulated machine an access is reported.

#include <string_view>

#include "kernel/base/per_cpu.h"
#include "kernel/base/result.h"
#include "kernel/sync/spin_lock.h"
#include "mm/slab.h"

namespace cairn::mm {

class FrameAllocator;
class SlabAllocator;

/// A stack of free objects; 256 bytes.
struct Magazine {
    static constexpr u32 kCapacity = 30;
    Magazine* next = nullptr;  // in the depot
    u32 count = 0;             // meaningless while it is a CPU's
    void* objects[kCapacity];
};

/// One CPU's magazines for one cache: both or neither is there. How many objects they have is written here by the owner
/// and read by others for statistics.
struct CpuMagazines {
    Magazine* loaded = nullptr;
    Magazine* previous = nullptr;  // full or empty: what makes alternating bursts cheap
    Atomic<u32> loaded_count{0};
    Atomic<u32> previous_count{0};
    // In the depot, under its lock: the full ones that come from this CPU.
    Magazine* full = nullptr;
    u32 full_count = 0;
};

struct SlabStatistics {
    std::string_view name;
    u64 object_size = 0;  // bytes, with padding
    u64 in_use = 0;       // objects that callers own
    u64 cached = 0;       // free objects in magazines
    u64 slabs = 0;
    u64 bytes = 0;  // of the slabs
};

class SlabCache {
public:
    /// Larger objects come straight from the frame allocator.
    static constexpr usize kMaxObject = 2048;

    /// Objects of `size` bytes, 1 ... kMaxObject, aligned to `alignment`, a power of two that is at most
    /// kMaxObject. `name` must outlive the cache. Caches belong to subsystems and are made at
    /// start-up (at most SlabAllocator::kMaxCaches), never on behalf of a program.
    SlabCache(SlabAllocator& allocator, std::string_view name, usize size, usize alignment);
    /// No object is allocated any more, and no CPU uses the cache.
    ~SlabCache();
    SlabCache(const SlabCache&) = delete;
    SlabCache& operator=(const SlabCache&) = delete;

    /// An uncleared object; nullptr when memory is exhausted.
    [[nodiscard]] void* allocate();
    /// Gives back what allocate() of this cache returned; panics otherwise (checked builds).
    void free(void* object);

    const SlabLayout& layout() const { return layout_; }
    SlabStatistics statistics();

private:
    friend class SlabAllocator;

    void* allocate_object();
    [[gnu::noinline]] void* allocate_slowly(CpuMagazines* cpu);
    [[gnu::noinline]] void free_slowly(CpuMagazines* cpu, void* object);
    void* take_cached(CpuMagazines& cpu);
    void free_cached(CpuMagazines& cpu, void* object);
    static void swap_magazines(CpuMagazines& cpu);
    bool load_full(CpuMagazines& cpu);
    bool make_room(CpuMagazines& cpu);
    Magazine* take_full(CpuMagazines& cpu) REQUIRES(lock_);
    void push_full(CpuMagazines& cpu, Magazine* empty) REQUIRES(lock_);
    void give_back_full(CpuMagazines& cpu);
    bool add_magazines(CpuMagazines& cpu);

    void* allocate_from_slabs(CpuMagazines* cpu);
    void fill_loaded(CpuMagazines* cpu) REQUIRES(lock_);
    void free_to_slabs(void* object);
    void* take_object() REQUIRES(lock_);
    void take_objects(Slab& slab, u32 count, void** end) REQUIRES(lock_);
    void return_object(void* object) REQUIRES(lock_);
    void return_objects(Magazine& magazine);
    Slab* create_slab();
    void destroy_slab(Slab& slab);
    void release_empty_slabs(u32 keep);
    Slab& slab_of(const void* object) const;
    void mark_live(void* object);
    void mark_dead(void* object);

    // For SlabAllocator.
    void drain_cpu(CpuMagazines& cpu);
    bool reap();

    /// Empty slabs kept for the next burst, and full magazines kept from each CPU.
    static constexpr u32 kSpareSlabs = 1;
    static constexpr u32 kSpareMagazines = 16;

    SlabAllocator& allocator_;
    const std::string_view name_;
    const SlabLayout layout_;
    const u32 magazine_capacity_;
    u32 id_ = 0;         // this cache's place in CpuSlabCache
    ListNode all_node_;  // in SlabAllocator::caches_

    SpinLock<LockRank::SlabDepot> lock_;
    Magazine* empty_ GUARDED_BY(lock_) = nullptr;
    u64 depot_objects_ GUARDED_BY(lock_) = 0;
    SlabList partial_ GUARDED_BY(lock_);
    SlabList empty_slabs_ GUARDED_BY(lock_);
    u32 empty_slab_count_ GUARDED_BY(lock_) = 0;
    u64 slab_count_ GUARDED_BY(lock_) = 0;
    u64 taken_objects_ GUARDED_BY(lock_) = 0;  // given out by the slab layer
};

}  // namespace cairn::mm
