#pragma once
/// Physical memory: hands out blocks of 2^order frames. g_kernel.frames.
///
/// Two zones, below 4 GiB and above; requests are served from above first, so that the lower
/// zone stays available for devices. Single frames come from a cache of the calling CPU, which
/// is filled and emptied in batches: the usual allocation takes no lock and writes nothing that
/// another CPU reads. Never sleeps; usable with interrupts off and in interrupt handlers, under
/// any lock of a rank lower than SlabCaches (when memory is short the slab allocator is asked to
/// give back what it does not need).
///
/// On the simulated machine free frames are poisoned: an access is reported.

#include <optional>

#include "kernel/base/per_cpu.h"
#include "mm/failure_injection.h"
#include "mm/zone.h"

namespace cairn::mm {

/// The free single frames that one CPU keeps. Its own CPU only, interrupts off; `count` is read
/// by others for the statistics.
class CpuFrameCache {
public:
    static constexpr u32 kCapacity = 64;

private:
    friend class FrameAllocator;
    Atomic<u32> count{0};
    FrameNumber frames[kCapacity];
};

class FrameAllocator {
public:
    /// `memory` keeps describing who has which memory; it must outlive the allocator.
    explicit FrameAllocator(EarlyMemory& memory);
    FrameAllocator(const FrameAllocator&) = delete;
    FrameAllocator& operator=(const FrameAllocator&) = delete;

    /// Takes over all free memory. All of it must be in the direct map. Once, boot CPU. ENOMEM if
    /// the metadata does not fit.
    Result<void> initialize();

    /// A block of 2^order frames aligned to its size, order at most kMaxOrder; uncleared unless
    /// asked. The reference count of its first frame is one. ENOMEM.
    Result<FrameNumber> allocate(u32 order, FrameFlags flags = FrameFlags::None);
    /// Gives back exactly what allocate() returned; panics on a double or bad free.
    void free(FrameNumber number, u32 order);

    /// One more owner of a block (its first frame), and one less; the last one frees it.
    void add_reference(FrameNumber number);
    void drop_reference(FrameNumber number);
    /// The same, for loops over many single frames: without a call where others own the frame, too.
    void drop_one_of_many(PhysicalAddress page, Frame& first) {
        const u32 before = first.references.fetch_sub(1, Order::acq_rel);
        if (before <= 1) [[unlikely]] {
            ASSERT(before != 0);
            release(FrameNumber::containing(page), first, 0);
        }
    }
    /// For lookups that hold no reference: one more owner unless the frame is free. What it was found by is looked at
    /// again afterwards, since the frame may have become another's meanwhile. It was in use once, so that its metadata
    /// exists.
    [[nodiscard]] static bool try_add_reference(Frame& frame) {
        u32 seen = frame.references.load(Order::relaxed);
        while (seen != 0) {
            if (frame.references.compare_exchange(seen, seen + 1, Order::acquire, Order::relaxed)) {
                return true;
            }
        }
        return false;
    }
    /// If the caller's reference is the only one: nobody can add one until unfreeze().
    [[nodiscard]] bool try_freeze(FrameNumber number);
    void unfreeze(FrameNumber number);

    /// The metadata of a frame; nullptr where there is no memory or none was ever used.
    Frame* find_frame(FrameNumber number) const { return map_.find(number); }
    /// The metadata of a frame that the caller owns.
    Frame& frame(FrameNumber number) const { return map_.of_allocated(number); }
    /// For loops over many.
    NearFrames near_frames() const { return NearFrames(map_); }

    /// Frees memory that EarlyMemory holds for the boot loader: the information structure,
    /// modules, ACPI tables; or the whole frames of them in `part`. Nobody may use them any more.
    /// Returns how many bytes. One caller at a time.
    u64 reclaim_boot_memory(PhysicalRange part = {{0}, {~u64{0}}});

    /// Makes the cache of a CPU that does not run yet. ENOMEM.
    Result<void> prepare_cpu(PerCpu& cpu);
    /// The counterpart, for a CPU that does not run any more.
    void release_cpu(PerCpu& cpu);
    /// Gives this CPU's cached frames back to the zones.
    void drain_this_cpu();

    /// Called (any context, ranks below SlabCaches) when a request cannot be met; it gives back what it can
    /// and says whether that was anything.
    using ReapFunction = bool (*)(void* context);
    void set_reap(ReapFunction reap, void* context);

    /// Until then some threads are restrained (sched::Thread::restrain_until). Any context.
    void expect_restrained(Nanoseconds until) { restraint_until_.store(until.value, Order::relaxed); }

    /// All that it ever had to hand out: free, cached and allocated.
    u64 managed_frames() const { return managed_frames_; }
    FrameStatistics statistics() const;
    FailureInjector& failure_injector() { return injector_; }

private:
    static constexpr FrameNumber kEndBelow4G{4 * kGiB / kPageSize};
    static constexpr FrameNumber kEndOfMemory{u64{1} << (52 - kPageShift)};

    std::optional<FrameNumber> allocate_cached();
    Result<FrameNumber> allocate_from_zones(u32 order, FrameFlags flags);
    Result<FrameNumber> allocate_slowly(u32 order, FrameFlags flags);
    void release(FrameNumber number, Frame& first, u32 order);
    void free_cached(CpuFrameCache& cache, FrameNumber number, Frame& frame);
    void drain(CpuFrameCache& cache, u32 keep);
    u32 refill(CpuFrameCache& cache);
    bool is_low() const { return high_.free_frames() + low_.free_frames() <= reserve_; }
    bool must_leave_reserve() const;
    void add_free(const PhysicalRange& range);
    Zone& zone_of(FrameNumber number) { return number < kEndBelow4G ? low_ : high_; }

    EarlyMemory& memory_;
    FrameMap map_;
    Zone low_;
    Zone high_;
    FailureInjector injector_;
    ReapFunction reap_ = nullptr;
    void* reap_context_ = nullptr;
    u32 cache_limit_ = CpuFrameCache::kCapacity;  // fixed after initialize()
    Atomic<u64> restraint_until_{0};              // 0: nobody is restrained
    u64 reserve_ = 0;                             // likewise: frames that sched::Thread::restrained() leaves to others
    u64 managed_frames_ = 0;                      // given to the zones so far; boot CPU
    u64 reclaimed_ = 0;                           // bytes; boot CPU
};

}  // namespace cairn::mm
