#include "mm/system_memory.h"

#include "kernel/base/kernel.h"
#include "mm/kernel_space.h"
#include "mm/slab_allocator.h"

namespace cairn::mm {

Result<void> SystemMemory::initialize() {
    sync::PerCpuCounter anonymous = TRY(sync::PerCpuCounter::create());
    sync::PerCpuCounter file_cache = TRY(sync::PerCpuCounter::create());
    sync::PerCpuCounter shared_cache = TRY(sync::PerCpuCounter::create());
    sync::PerCpuCounter page_tables = TRY(sync::PerCpuCounter::create());
    sync::PerCpuCounter committed = TRY(sync::PerCpuCounter::create());
    FrameNumber zero = TRY(g_kernel.frames->allocate(0, FrameFlags::Zeroed));
    Result<Own<SystemMemory>> memory =
        try_new<SystemMemory>(zero, Counters{std::move(anonymous), std::move(file_cache), std::move(shared_cache),
                                             std::move(page_tables), std::move(committed)});
    if (!memory.ok()) {
        g_kernel.frames->free(zero, 0);
        return memory.failure();
    }
    g_kernel.memory = std::move(memory).value().release();
    return {};
}

SystemMemory::SystemMemory(FrameNumber zero_frame, Counters&& counters)
    : anonymous(std::move(counters.anonymous)),
      file_cache(std::move(counters.file_cache)),
      shared_cache(std::move(counters.shared_cache)),
      page_tables(std::move(counters.page_tables)),
      committed(std::move(counters.committed)),
      zero_frame_(zero_frame) {}

SystemMemory::~SystemMemory() {
    g_kernel.frames->free(zero_frame_, 0);
}

Result<FrameNumber> SystemMemory::allocate_frame(FrameFlags flags) {
    Result<FrameNumber> frame = g_kernel.frames->allocate(0, flags);
    if (frame.ok()) [[likely]] {
        return frame;
    }
    // What is in the page cache and also on a disk can be read again.
    while (reclaim(kReclaimBatch) != 0) {
        Result<FrameNumber> again = g_kernel.frames->allocate(0, flags);
        if (again.ok()) {
            return again;
        }
    }
    return fail(Errno::enomem);
}

Result<FrameNumber> SystemMemory::allocate_anonymous(FrameFlags flags) {
    FrameNumber number = TRY(allocate_frame(flags));
    g_kernel.frames->frame(number).use.store(FrameUse::Anonymous, Order::relaxed);
    anonymous.add(1);
    return number;
}

void SystemMemory::add(Reclaimable& cache) {
    SpinLockGuard guard(caches_lock_);
    caches_.push_back(cache);
    ++cache_count_;
}

void SystemMemory::remove(Reclaimable& cache) {
    SpinLockGuard guard(caches_lock_);
    caches_.remove(cache);
    --cache_count_;
}

u64 SystemMemory::reclaim(u64 pages) {
    if (!sleep_allowed()) {
        return 0;
    }
    u32 count = 0;
    {
        SpinLockGuard guard(caches_lock_);
        count = cache_count_;
    }
    u64 freed = 0;
    for (u32 i = 0; i < count && freed < pages; ++i) {
        Reclaimable* cache = nullptr;
        {
            SpinLockGuard guard(caches_lock_);
            cache = caches_.pop_front();
            if (cache == nullptr) {
                break;
            }
            caches_.push_back(*cache);
            if (!cache->try_keep()) {
                continue;
            }
        }
        freed += cache->reclaim_pages(pages - freed);
        cache->let_go();
    }
    if (freed < pages && g_kernel.kernel_space != nullptr) {
        freed += g_kernel.kernel_space->trim_stacks(0);
    }
    return freed;
}

namespace {

u64 bytes(sync::PerCpuCounter& pages) {
    const i64 sum = pages.sum();
    return sum > 0 ? static_cast<u64>(sum) * kPageSize : 0;
}

}  // namespace

MemoryReport SystemMemory::report() {
    const FrameStatistics frames = g_kernel.frames->statistics();
    MemoryReport result;
    result.total = frames.free + frames.cached + frames.allocated;
    result.free = frames.free + frames.cached;
    result.shared = bytes(shared_cache);
    const u64 file = bytes(file_cache);
    result.cached = result.shared + file;
    // As Linux, not all of the page cache counts: a program that loses its text again and again does not get on.
    result.available = result.free + file - file / 4;
    result.anonymous = bytes(anonymous);
    result.page_tables = bytes(page_tables);
    result.committed = bytes(committed);
    result.commit_limit = result.total / 2;
    result.slab = g_kernel.slab->large_bytes();
    g_kernel.slab->for_each_cache([&](const SlabStatistics& cache) { result.slab += cache.bytes; });
    result.kernel_stack = g_kernel.kernel_space == nullptr ? 0 : g_kernel.kernel_space->stack_bytes();
    return result;
}

}  // namespace cairn::mm
