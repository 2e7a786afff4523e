#include "mm/frame_allocator.h"

#include <algorithm>
#include <memory>

#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "mm/system_memory.h"

namespace cairn::mm {

namespace {

/// Some commands' worth, as a part of all memory and at most.
constexpr u64 kReservePart = 32;
constexpr u64 kMostReserve = 64 * kMiB / kPageSize;

}  // namespace

FrameAllocator::FrameAllocator(EarlyMemory& memory)
    : memory_(memory), low_(map_, FrameNumber{0}, kEndBelow4G), high_(map_, kEndBelow4G, kEndOfMemory) {}

Result<void> FrameAllocator::initialize() {
    TRY(map_.build(memory_));
    for (const EarlyMemory::Piece& piece : memory_.pieces()) {
        if (piece.purpose == MemoryPurpose::Free) {
            add_free(piece.range);
        }
    }
    // What lies in caches is out of reach of the other CPUs: at most 1/512 of memory for each.
    cache_limit_ = static_cast<u32>(std::clamp<u64>(managed_frames_ / 512, 2, CpuFrameCache::kCapacity));
    reserve_ = std::min(managed_frames_ / kReservePart, kMostReserve);
    return {};
}

void FrameAllocator::add_free(const PhysicalRange& range) {
    FrameNumber start = FrameNumber::containing(range.start);
    const FrameNumber end = FrameNumber::containing(range.end);
    managed_frames_ += end - start;
    while (start < end) {
        FrameNumber stop = start < kEndBelow4G ? std::min(end, kEndBelow4G) : end;
        zone_of(start).add_range(start, stop);
        start = stop;
    }
}

u64 FrameAllocator::reclaim_boot_memory(PhysicalRange part) {
    part = {{align_up(part.start.value, kPageSize)}, {align_down(part.end.value, kPageSize)}};
    u64 bytes = 0;
    for (const EarlyMemory::Piece& piece : memory_.pieces()) {
        const PhysicalRange range{std::max(part.start, piece.range.start), std::min(part.end, piece.range.end)};
        if (piece.purpose == MemoryPurpose::Boot && range.start < range.end) {
            add_free(range);
            bytes += range.size();
        }
    }
    if (bytes != 0) {
        memory_.relabel(part, MemoryPurpose::Boot, MemoryPurpose::Free);
    }
    reclaimed_ += bytes;
    return bytes;
}

void FrameAllocator::set_reap(ReapFunction reap, void* context) {
    reap_context_ = context;
    reap_ = reap;
}

Result<FrameNumber> FrameAllocator::allocate(u32 order, FrameFlags flags) {
    ASSERT(order <= kMaxOrder);
    if (injector_.should_fail()) {
        return fail(Errno::enomem);
    }
    std::optional<FrameNumber> number;
    if (order == 0 && !has_flag(flags, FrameFlags::Below4G)) {
        number = allocate_cached();
    }
    if (!number) {
        number = TRY(allocate_slowly(order, flags));
    }
    Frame& first = frame(*number);
    first.owner = nullptr;
    first.references.store(1, Order::relaxed);
    void* memory = arch::direct_map(number->address());
    arch::memory_unpoison(memory, kPageSize << order);
    if (has_flag(flags, FrameFlags::Zeroed)) {
        __builtin_memset(memory, 0, kPageSize << order);
    }
    return *number;
}

std::optional<FrameNumber> FrameAllocator::allocate_cached() {
    InterruptGuard guard;
    CpuFrameCache* cache = arch::this_cpu().frame_cache;
    if (cache == nullptr) {
        return std::nullopt;
    }
    if (must_leave_reserve()) [[unlikely]] {
        return std::nullopt;
    }
    u32 count = cache->count.load(Order::relaxed);
    if (count == 0) {
        count = refill(*cache);
        if (count == 0) {
            return std::nullopt;
        }
    }
    FrameNumber number = cache->frames[count - 1];
    cache->count.store(count - 1, Order::relaxed);
    frame(number).store_block({FrameState::Allocated, 0});
    return number;
}

/// Whether memory is short and the calling thread of those that leave what there is to others.
bool FrameAllocator::must_leave_reserve() const {
    return restraint_until_.load(Order::relaxed) != 0 && is_low() && arch::current_thread() != nullptr &&
           arch::current_thread()->restrained();
}

/// Half a cache of frames; returns how many there are then.
u32 FrameAllocator::refill(CpuFrameCache& cache) {
    std::span<FrameNumber> wanted(cache.frames, cache_limit_ / 2);
    if (const u64 until = restraint_until_.load(Order::relaxed); until != 0) [[unlikely]] {
        if (arch::monotonic_now().value >= until) {
            restraint_until_.store(0, Order::relaxed);
        } else if (is_low()) {
            wanted = wanted.first(1);  // the others are not for this CPU's next thread
        }
    }
    u32 count = high_.allocate_batch(wanted);
    if (count == 0) {
        count = low_.allocate_batch(wanted);
    }
    cache.count.store(count, Order::relaxed);
    return count;
}

Result<FrameNumber> FrameAllocator::allocate_from_zones(u32 order, FrameFlags flags) {
    if (must_leave_reserve()) [[unlikely]] {
        return fail(Errno::enomem);
    }
    if (!has_flag(flags, FrameFlags::Below4G)) {
        Result<FrameNumber> number = high_.allocate(order, FrameState::Allocated);
        if (number.ok()) {
            return number;
        }
    }
    return low_.allocate(order, FrameState::Allocated);
}

/// Tries in order of cost: the zones; then with this CPU's cache back in them, which may complete
/// a block; then with what the slab allocator can spare.
Result<FrameNumber> FrameAllocator::allocate_slowly(u32 order, FrameFlags flags) {
    Result<FrameNumber> number = allocate_from_zones(order, flags);
    if (number.ok()) {
        return number;
    }
    drain_this_cpu();
    Result<FrameNumber> second = allocate_from_zones(order, flags);
    if (second.ok()) {
        return second;
    }
    if (reap_ != nullptr && reap_(reap_context_)) {
        drain_this_cpu();
        Result<FrameNumber> third = allocate_from_zones(order, flags);
        if (third.ok()) {
            return third;
        }
    }
    const bool worth_room = order <= kMaxOrderWorthRoom || has_flag(flags, FrameFlags::WorthRoom);
    if (worth_room && arch::current_thread() != nullptr) {
        arch::current_thread()->note_shortage_of_memory();
    }
    return fail(Errno::enomem);
}

void FrameAllocator::free(FrameNumber number, u32 order) {
    ASSERT(order <= kMaxOrder && is_aligned(number.value, u64{1} << order));
    Frame& first = frame(number);
    ASSERT((first.load_block() == FrameBlock{FrameState::Allocated, static_cast<u8>(order)}));
    // Somebody who looks the frame up in a stale place may hold a reference for a moment (try_add_reference).
    const u32 before = first.references.fetch_sub(1, Order::acq_rel);
    ASSERT(before != 0);
    if (before == 1) {
        release(number, first, order);
    }
}

void FrameAllocator::release(FrameNumber number, Frame& first, u32 order) {
    DEBUG_ASSERT(!first.node.linked());
    if (const FrameUse use = first.use.load(Order::relaxed); use != FrameUse::None) {
        if (use == FrameUse::Anonymous) {
            g_kernel.memory->anonymous.add(-1);
        }
        first.use.store(FrameUse::None, Order::relaxed);
    }
    arch::memory_poison(arch::direct_map(number.address()), kPageSize << order);
    if (order == 0) {
        InterruptGuard guard;
        if (CpuFrameCache* cache = arch::this_cpu().frame_cache) {
            free_cached(*cache, number, first);
            return;
        }
    }
    zone_of(number).free(number, order, FrameState::Allocated);
}

/// Interrupts are off.
void FrameAllocator::free_cached(CpuFrameCache& cache, FrameNumber number, Frame& frame) {
    if (cache.count.load(Order::relaxed) == cache_limit_) {
        drain(cache, cache_limit_ / 2);
    }
    frame.store_block({FrameState::Cached, 0});
    const u32 count = cache.count.load(Order::relaxed);
    cache.frames[count] = number;
    cache.count.store(count + 1, Order::relaxed);
}

/// Interrupts are off. The oldest frames, which are least likely in this CPU's data cache, go.
void FrameAllocator::drain(CpuFrameCache& cache, u32 keep) {
    const u32 count = cache.count.load(Order::relaxed);
    if (count <= keep) {
        return;
    }
    FrameNumber* const drained_end = cache.frames + (count - keep);
    FrameNumber* const middle =
        std::partition(cache.frames, drained_end, [](FrameNumber n) { return n < kEndBelow4G; });
    if (middle != cache.frames) {
        low_.free_batch({cache.frames, middle});
    }
    if (middle != drained_end) {
        high_.free_batch({middle, drained_end});
    }
    std::move(drained_end, cache.frames + count, cache.frames);
    cache.count.store(keep, Order::relaxed);
}

void FrameAllocator::drain_this_cpu() {
    InterruptGuard guard;
    if (CpuFrameCache* cache = arch::this_cpu().frame_cache) {
        drain(*cache, 0);
    }
}

void FrameAllocator::add_reference(FrameNumber number) {
    const u32 before = frame(number).references.fetch_add(1, Order::relaxed);
    ASSERT(before != 0);
}

void FrameAllocator::drop_reference(FrameNumber number) {
    Frame& first = frame(number);
    const u32 before = first.references.fetch_sub(1, Order::acq_rel);
    ASSERT(before != 0);
    if (before == 1) {
        release(number, first, first.load_block().order);
    }
}

bool FrameAllocator::try_freeze(FrameNumber number) {
    u32 expected = 1;
    return frame(number).references.compare_exchange(expected, 0, Order::acquire, Order::relaxed);
}

void FrameAllocator::unfreeze(FrameNumber number) {
    frame(number).references.store(1, Order::release);
}

Result<void> FrameAllocator::prepare_cpu(PerCpu& cpu) {
    constexpr u32 kOrder = order_for(sizeof(CpuFrameCache));
    FrameNumber number = TRY(allocate(kOrder, FrameFlags::Zeroed));
    cpu.frame_cache = std::construct_at(static_cast<CpuFrameCache*>(arch::direct_map(number.address())));
    return {};
}

void FrameAllocator::release_cpu(PerCpu& cpu) {
    CpuFrameCache* cache = std::exchange(cpu.frame_cache, nullptr);
    if (cache == nullptr) {
        return;
    }
    {
        InterruptGuard guard;
        drain(*cache, 0);
    }
    std::destroy_at(cache);
    free(FrameNumber::containing(arch::physical_address(cache)), order_for(sizeof(CpuFrameCache)));
}

FrameStatistics FrameAllocator::statistics() const {
    FrameStatistics result;
    for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
        const PerCpu* cpu = g_kernel.cpus[i];
        if (cpu != nullptr && cpu->frame_cache != nullptr) {
            result.cached += cpu->frame_cache->count.load(Order::relaxed) * kPageSize;
        }
    }
    result.free = (low_.free_frames() + high_.free_frames()) * kPageSize;
    const u64 managed = managed_frames_ * kPageSize;
    result.allocated = managed - std::min(managed, result.free + result.cached);
    result.kernel_image = memory_.bytes(MemoryPurpose::KernelImage);
    result.metadata = memory_.bytes(MemoryPurpose::Metadata);
    result.early = memory_.bytes(MemoryPurpose::Early);
    result.boot = memory_.bytes(MemoryPurpose::Boot);
    result.firmware = memory_.bytes(MemoryPurpose::Firmware);
    result.total = managed + result.kernel_image + result.metadata + result.early + result.boot + result.firmware;
    result.reclaimed = reclaimed_;
    low_.count_blocks(result.free_blocks);
    high_.count_blocks(result.free_blocks);
    return result;
}

}  // namespace cairn::mm
