#include "mm/slab_allocator.h"

#include <array>
#include <memory>
#include <new>

#include "kernel/base/heap.h"

namespace cairn::mm {

namespace {

struct SizeClass {
    u16 size;
    std::string_view name;
};

/// Four steps for each doubling from 64 on, so that at most a fifth of an object is padding; all but the
/// steps between are aligned to their size.
constexpr SizeClass kSizeClasses[] = {
    {8, "size-8"},       {16, "size-16"},     {32, "size-32"},     {48, "size-48"},   {64, "size-64"},
    {96, "size-96"},     {128, "size-128"},   {160, "size-160"},   {192, "size-192"}, {256, "size-256"},
    {320, "size-320"},   {384, "size-384"},   {512, "size-512"},   {640, "size-640"}, {768, "size-768"},
    {1024, "size-1024"}, {1536, "size-1536"}, {2048, "size-2048"},
};
constexpr u32 kClassCount = sizeof(kSizeClasses) / sizeof(kSizeClasses[0]);

/// The alignment that all objects of a class have: the largest power of two that divides its size.
constexpr usize natural_alignment(usize size) {
    return size & (~size + 1);
}

/// What all classes have from this size on.
constexpr usize kCommonAlignment = 16;
static_assert([] {
    for (const SizeClass& entry : kSizeClasses) {
        if (entry.size >= kCommonAlignment && natural_alignment(entry.size) < kCommonAlignment) {
            return false;
        }
    }
    return true;
}());

/// From (size + 7) / 8 to the class.
constexpr auto kClassOfSize = [] {
    std::array<u8, SlabCache::kMaxObject / 8 + 1> table{};
    u8 index = 0;
    for (usize i = 0; i < table.size(); ++i) {
        while (kSizeClasses[index].size < i * 8) {
            ++index;
        }
        table[i] = index;
    }
    return table;
}();

}  // namespace

SlabAllocator::SlabAllocator(FrameAllocator& frames)
    : frames_(frames), magazine_cache_(*this, "magazine", sizeof(Magazine), alignof(Magazine)) {
    static_assert(kClassCount == kClasses);
    for (u32 i = 0; i < kClasses; ++i) {
        const SizeClass& entry = kSizeClasses[i];
        new (class_storage_ + i * sizeof(SlabCache))
            SlabCache(*this, entry.name, entry.size, natural_alignment(entry.size));
    }
    frames_.set_reap([](void* self) { return static_cast<SlabAllocator*>(self)->reap(); }, this);
}

SlabAllocator::~SlabAllocator() {
    frames_.set_reap(nullptr, nullptr);
    for (u32 i = kClasses; i-- > 0;) {
        std::destroy_at(&size_class(i));
    }
}

SlabCache& SlabAllocator::size_class(u32 index) {
    // SAFETY: the constructor has built a SlabCache at each of these places.
    return *std::launder(reinterpret_cast<SlabCache*>(class_storage_ + index * sizeof(SlabCache)));
}

/// The class for a request that is not large. Where the alignment asks for more than the class has, the next larger
/// ones are tried: the powers of two among them have it.
SlabCache& SlabAllocator::class_for(usize wanted, usize alignment) {
    u32 index = kClassOfSize[(wanted + 7) / 8];
    if (alignment > kCommonAlignment) {
        while (natural_alignment(kSizeClasses[index].size) < alignment) {
            ++index;
        }
    }
    return size_class(index);
}

void* SlabAllocator::allocate(usize size, usize alignment) {
    ASSERT(alignment <= kPageSize);
    const usize wanted = size < alignment ? alignment : size;
    if (wanted > SlabCache::kMaxObject) [[unlikely]] {
        return allocate_large(size);
    }
    return class_for(wanted, alignment).allocate();
}

void* SlabAllocator::allocate_large(usize size) {
    if (size > (kPageSize << kMaxOrder)) {
        return nullptr;
    }
    const u32 order = order_for(size);
    Result<FrameNumber> block = frames_.allocate(order);
    if (!block.ok()) {
        return nullptr;
    }
    large_bytes_.fetch_add(kPageSize << order, Order::relaxed);
    return arch::direct_map(block.value().address());
}

void SlabAllocator::free(void* memory, usize size, usize alignment) {
    if (memory == nullptr) {
        return;
    }
    const usize wanted = size < alignment ? alignment : size;
    if (wanted > SlabCache::kMaxObject) [[unlikely]] {
        free_large(memory, size);
        return;
    }
    class_for(wanted, alignment).free(memory);
}

void SlabAllocator::free_large(void* memory, usize size) {
    const u32 order = order_for(size);
    large_bytes_.fetch_sub(kPageSize << order, Order::relaxed);
    frames_.free(FrameNumber::containing(arch::physical_address(memory)), order);
}

Result<void> SlabAllocator::prepare_cpu(PerCpu& cpu) {
    FrameNumber block = TRY(frames_.allocate(order_for(sizeof(CpuSlabCache))));
    cpu.slab_cache = new (arch::direct_map(block.address())) CpuSlabCache;
    return {};
}

void SlabAllocator::release_cpu(PerCpu& cpu) {
    CpuSlabCache* cpu_cache = std::exchange(cpu.slab_cache, nullptr);
    if (cpu_cache == nullptr) {
        return;
    }
    {
        SpinLockGuard guard(caches_lock_);
        for (SlabCache& cache : caches_) {
            cache.drain_cpu(cpu_cache->magazines[cache.id_]);
        }
    }
    std::destroy_at(cpu_cache);
    frames_.free(FrameNumber::containing(arch::physical_address(cpu_cache)), order_for(sizeof(CpuSlabCache)));
}

void SlabAllocator::drain_this_cpu() {
    SpinLockGuard guard(caches_lock_);
    if (CpuSlabCache* cpu_cache = arch::this_cpu().slab_cache) {
        for (SlabCache& cache : caches_) {
            cache.drain_cpu(cpu_cache->magazines[cache.id_]);
            cache.release_empty_slabs(0);
        }
    }
    magazine_cache_.release_empty_slabs(0);
}

bool SlabAllocator::reap() {
    SpinLockGuard guard(caches_lock_);
    bool freed = false;
    for (SlabCache& cache : caches_) {
        freed = cache.reap() || freed;
    }
    return magazine_cache_.reap() || freed;
}

u64 SlabAllocator::objects_in_use() {
    u64 sum = 0;
    for_each_cache([&](const SlabStatistics& cache) { sum += cache.name == "magazine" ? 0 : cache.in_use; });
    return sum;
}

void SlabAllocator::add_cache(SlabCache& cache) {
    SpinLockGuard guard(caches_lock_);
    u32 id = 0;
    while (id < kMaxCaches && ((used_ids_[id / 64] >> (id % 64)) & 1) != 0) {
        ++id;
    }
    ASSERT(id < kMaxCaches);
    used_ids_[id / 64] |= u64{1} << (id % 64);
    cache.id_ = id;
    caches_.push_back(cache);
}

void SlabAllocator::remove_cache(SlabCache& cache) {
    SpinLockGuard guard(caches_lock_);
    for_each_cpu(cache.id_, [&](CpuMagazines& cpu) { cache.drain_cpu(cpu); });
    used_ids_[cache.id_ / 64] &= ~(u64{1} << (cache.id_ % 64));
    caches_.remove(cache);
}

CpuMagazines* SlabAllocator::magazines_of_this_cpu(u32 cache_id) {
    CpuSlabCache* cpu = arch::this_cpu().slab_cache;
    return cpu == nullptr ? nullptr : &cpu->magazines[cache_id];
}

Magazine* SlabAllocator::allocate_magazine() {
    void* memory = magazine_cache_.allocate();
    return memory == nullptr ? nullptr : new (memory) Magazine;
}

void SlabAllocator::free_magazine(Magazine* magazine) {
    std::destroy_at(magazine);
    magazine_cache_.free(magazine);
}

}  // namespace cairn::mm

namespace cairn {

void* heap_allocate(usize size, usize alignment) {
    return g_kernel.slab->allocate(size, alignment);
}

void heap_free(void* memory, usize size, usize alignment) {
    g_kernel.slab->free(memory, size, alignment);
}

}  // namespace cairn
