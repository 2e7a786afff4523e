/// The lowest layer of a cache: slabs and the objects in them.
#include <algorithm>
#include <memory>
#include <new>

#include "mm/slab_allocator.h"
#include "mm/slab_cache.h"

namespace cairn::mm {

namespace {

struct ObjectPlace {
    u32 word;
    u64 bit;
};

ObjectPlace place_in(const Slab& slab, const void* object, u32 object_size) {
    const u64 offset = static_cast<u64>(static_cast<const u8*>(object) - slab.objects);
    const u64 index = offset / object_size;
    ASSERT(offset % object_size == 0 && index / 64 < slab.words);
    return {static_cast<u32>(index / 64), u64{1} << (index % 64)};
}

}  // namespace

/// The slab around an object; panics for memory that is not this cache's.
Slab& SlabCache::slab_of(const void* object) const {
    Frame* frame = allocator_.frames().find_frame(FrameNumber::containing(arch::physical_address(object)));
    ASSERT(frame != nullptr && frame->owner != nullptr);
    Slab& slab = *static_cast<Slab*>(frame->owner);
    ASSERT(slab.cache == this);
    return slab;
}

void SlabCache::mark_live([[maybe_unused]] void* object) {
#if CAIRN_CHECKS
    Slab& slab = slab_of(object);
    const ObjectPlace place = place_in(slab, object, layout_.object_size);
    const u64 before = slab.live[place.word].fetch_or(place.bit, Order::relaxed);
    ASSERT((before & place.bit) == 0);
#endif
}

void SlabCache::mark_dead([[maybe_unused]] void* object) {
#if CAIRN_CHECKS
    Slab& slab = slab_of(object);
    const ObjectPlace place = place_in(slab, object, layout_.object_size);
    const u64 before = slab.live[place.word].fetch_and(~place.bit, Order::relaxed);
    ASSERT((before & place.bit) != 0);  // otherwise: freed twice
#endif
}

/// Interrupts are off. `cpu` may be null.
void* SlabCache::allocate_from_slabs(CpuMagazines* cpu) {
    {
        SpinLockGuard guard(lock_);
        if (void* object = take_object()) {
            fill_loaded(cpu);
            return object;
        }
    }
    // Not under the lock: a frame allocator that is short of memory reaps every cache.
    Slab* slab = create_slab();
    SpinLockGuard guard(lock_);
    if (slab != nullptr) {
        empty_slabs_.push_front(*slab);
        ++empty_slab_count_;
        ++slab_count_;
    }
    void* object = take_object();
    fill_loaded(cpu);
    return object;
}

/// A CPU whose magazines are empty gets some objects more of the slab that is partly used in any case, so that it can
/// take the next ones without the lock.
void SlabCache::fill_loaded(CpuMagazines* cpu) {
    Slab* slab = partial_.front();
    if (cpu == nullptr || cpu->loaded == nullptr || cpu->loaded_count.load(Order::relaxed) != 0 || slab == nullptr) {
        return;
    }
    const u32 count = std::min(magazine_capacity_ / 2, layout_.objects - slab->in_use);
    take_objects(*slab, count, cpu->loaded->objects + count);  // the last is handed out first
    cpu->loaded_count.store(count, Order::relaxed);
}

void SlabCache::free_to_slabs(void* object) {
    {
        SpinLockGuard guard(lock_);
        return_object(object);
    }
    release_empty_slabs(kSpareSlabs);
}

void* SlabCache::take_object() {
    Slab* slab = partial_.front();
    if (slab == nullptr) {
        slab = empty_slabs_.pop_front();
        if (slab == nullptr) {
            return nullptr;
        }
        --empty_slab_count_;
        partial_.push_front(*slab);
    }
    void* object = nullptr;
    take_objects(*slab, 1, &object + 1);
    return object;
}

/// The first `count` free objects of a partial slab that has so many, the first one just before `end`.
void SlabCache::take_objects(Slab& slab, u32 count, void** end) {
    slab.in_use += count;
    taken_objects_ += count;
    if (slab.in_use == layout_.objects) {
        partial_.remove(slab);
    }
    const usize size = layout_.object_size;
    for (u32 word = 0; count != 0; ++word) {
        u64 free = ~slab.taken[word];
        u8* first = slab.objects + word * 64 * size;
        for (; free != 0 && count != 0; free &= free - 1, --count) {
            *--end = first + static_cast<u32>(__builtin_ctzll(free)) * size;
        }
        slab.taken[word] = ~free;
    }
}

void SlabCache::return_object(void* object) {
    Slab& slab = slab_of(object);
    const ObjectPlace place = place_in(slab, object, layout_.object_size);
    ASSERT((slab.taken[place.word] & place.bit) != 0);
    slab.taken[place.word] &= ~place.bit;
    if (slab.in_use == layout_.objects) {
        partial_.push_front(slab);
    }
    --slab.in_use;
    --taken_objects_;
    if (slab.in_use == 0) {
        partial_.remove(slab);
        empty_slabs_.push_front(slab);
        ++empty_slab_count_;
    }
}

/// Empties a magazine that nobody else uses.
void SlabCache::return_objects(Magazine& magazine) {
    SpinLockGuard guard(lock_);
    while (magazine.count != 0) {
        return_object(magazine.objects[--magazine.count]);
    }
}

Slab* SlabCache::create_slab() {
    FrameAllocator& frames = allocator_.frames();
    Result<FrameNumber> block = frames.allocate(layout_.order);
    if (!block.ok()) {
        return nullptr;
    }
    u8* memory = static_cast<u8*>(arch::direct_map(block.value().address()));
    u8* header = memory + layout_.header_offset();
    Slab* slab = new (header) Slab{};
    slab->cache = this;
    slab->objects = memory;
    slab->words = layout_.words;
    slab->taken = new (header + sizeof(Slab)) u64[layout_.words];
    std::fill_n(slab->taken, layout_.words, u64{0});
    if (const u32 rest = layout_.objects % 64; rest != 0) {
        slab->taken[layout_.words - 1] = ~u64{0} << rest;
    }
    if constexpr (SlabLayout::kBitmaps == 2) {
        slab->live = new (header + sizeof(Slab) + layout_.words * sizeof(u64)) Atomic<u64>[layout_.words];
    }
    for (u64 i = 0; i < (u64{1} << layout_.order); ++i) {
        frames.frame(block.value() + i).owner = slab;
    }
    arch::memory_poison(memory, layout_.objects * usize{layout_.object_size});
    return slab;
}

void SlabCache::destroy_slab(Slab& slab) {
    FrameAllocator& frames = allocator_.frames();
    const FrameNumber block = FrameNumber::containing(arch::physical_address(slab.objects));
    for (u64 i = 0; i < (u64{1} << layout_.order); ++i) {
        frames.frame(block + i).owner = nullptr;
    }
    std::destroy_at(&slab);
    frames.free(block, layout_.order);
}

void SlabCache::release_empty_slabs(u32 keep) {
    for (;;) {
        Slab* slab = nullptr;
        {
            SpinLockGuard guard(lock_);
            if (empty_slab_count_ <= keep) {
                return;
            }
            slab = empty_slabs_.pop_front();
            --empty_slab_count_;
            --slab_count_;
        }
        destroy_slab(*slab);
    }
}

}  // namespace cairn::mm
