/// The upper layers of a cache: magazines and depot. The slab layer is in slab_layer.cpp.
#include "mm/slab_cache.h"

#include <memory>
#include <utility>

#include "mm/slab_allocator.h"

namespace cairn::mm {

namespace {

/// Large objects are cached in small numbers, so that magazines do not hide much memory.
constexpr u32 choose_magazine_capacity(u32 object_size) {
    if (object_size <= 256) {
        return Magazine::kCapacity;
    }
    return object_size <= 1024 ? 14 : 6;
}

}  // namespace

SlabCache::SlabCache(SlabAllocator& allocator, std::string_view name, usize size, usize alignment)
    : allocator_(allocator),
      name_(name),
      layout_(SlabLayout::choose(size, alignment)),
      magazine_capacity_(choose_magazine_capacity(layout_.object_size)) {
    ASSERT(size != 0 && size <= kMaxObject && alignment != 0 && alignment <= kMaxObject &&
           (alignment & (alignment - 1)) == 0);
    allocator_.add_cache(*this);
}

SlabCache::~SlabCache() {
    allocator_.remove_cache(*this);
    reap();
    SpinLockGuard guard(lock_);
    ASSERT(taken_objects_ == 0 && slab_count_ == 0);
}

void* SlabCache::allocate() {
    if (allocator_.frames().failure_injector().should_fail()) {
        return nullptr;
    }
    void* object = allocate_object();
    if (object != nullptr) {
        mark_live(object);
        arch::memory_unpoison(object, layout_.object_size);
    }
    return object;
}

void* SlabCache::allocate_object() {
    InterruptGuard guard;
    CpuMagazines* cpu = allocator_.magazines_of_this_cpu(id_);
    if (cpu != nullptr && cpu->loaded_count.load(Order::relaxed) != 0) [[likely]] {
        return take_cached(*cpu);
    }
    return allocate_slowly(cpu);
}

/// Interrupts are off; there is nothing in the loaded magazine, if there are magazines at all.
void* SlabCache::allocate_slowly(CpuMagazines* cpu) {
    if (cpu != nullptr && cpu->loaded != nullptr && load_full(*cpu)) {
        return take_cached(*cpu);
    }
    return allocate_from_slabs(cpu);
}

void SlabCache::free(void* object) {
    mark_dead(object);
    arch::memory_poison(object, layout_.object_size);
    InterruptGuard guard;
    CpuMagazines* cpu = allocator_.magazines_of_this_cpu(id_);
    if (cpu != nullptr && cpu->loaded != nullptr && cpu->loaded_count.load(Order::relaxed) < magazine_capacity_)
        [[likely]] {
        free_cached(*cpu, object);
        return;
    }
    free_slowly(cpu, object);
}

/// Interrupts are off; the loaded magazine has no room, if there are magazines at all.
void SlabCache::free_slowly(CpuMagazines* cpu, void* object) {
    if (cpu != nullptr && (cpu->loaded != nullptr || add_magazines(*cpu)) &&
        (cpu->loaded_count.load(Order::relaxed) < magazine_capacity_ || make_room(*cpu))) {
        free_cached(*cpu, object);
        return;
    }
    free_to_slabs(object);
}

void* SlabCache::take_cached(CpuMagazines& cpu) {
    const u32 left = cpu.loaded_count.load(Order::relaxed) - 1;
    cpu.loaded_count.store(left, Order::relaxed);
    return cpu.loaded->objects[left];
}

void SlabCache::free_cached(CpuMagazines& cpu, void* object) {
    const u32 count = cpu.loaded_count.load(Order::relaxed);
    cpu.loaded->objects[count] = object;
    cpu.loaded_count.store(count + 1, Order::relaxed);
}

void SlabCache::swap_magazines(CpuMagazines& cpu) {
    std::swap(cpu.loaded, cpu.previous);
    const u32 loaded = cpu.loaded_count.load(Order::relaxed);
    cpu.loaded_count.store(cpu.previous_count.load(Order::relaxed), Order::relaxed);
    cpu.previous_count.store(loaded, Order::relaxed);
}

/// The loaded magazine is empty: takes the previous one if that is full, else one of the depot's.
bool SlabCache::load_full(CpuMagazines& cpu) {
    if (cpu.previous_count.load(Order::relaxed) != 0) {
        swap_magazines(cpu);
        return true;
    }
    SpinLockGuard guard(lock_);
    Magazine* full = take_full(cpu);
    if (full == nullptr) {
        return false;
    }
    cpu.loaded->next = empty_;
    empty_ = cpu.loaded;
    cpu.loaded = full;
    cpu.loaded_count.store(full->count, Order::relaxed);
    return true;
}

/// A full magazine of the depot, nullptr if there is none: one of this CPU's if possible.
Magazine* SlabCache::take_full(CpuMagazines& cpu) {
    if (depot_objects_ == 0) {
        return nullptr;
    }
    CpuMagazines* from = &cpu;
    allocator_.for_each_cpu(id_, [&](CpuMagazines& other) {
        if (from->full == nullptr) {
            from = &other;
        }
    });
    Magazine* full = from->full;
    if (full != nullptr) {
        from->full = full->next;
        --from->full_count;
        depot_objects_ -= full->count;
    }
    return full;
}

/// The loaded magazine is full: takes the previous one if that is empty, else exchanges it for an
/// empty one. A depot that has enough is not filled further: the objects go back to their slabs.
bool SlabCache::make_room(CpuMagazines& cpu) {
    if (cpu.previous_count.load(Order::relaxed) == 0) {
        swap_magazines(cpu);
        return true;
    }
    bool depot_has_room = false;
    {
        SpinLockGuard guard(lock_);
        depot_has_room = cpu.full_count < kSpareMagazines;
        if (depot_has_room && empty_ != nullptr) {
            push_full(cpu, std::exchange(empty_, empty_->next));
            return true;
        }
    }
    Magazine* fresh = depot_has_room ? allocator_.allocate_magazine() : nullptr;
    if (fresh != nullptr) {
        SpinLockGuard guard(lock_);
        push_full(cpu, fresh);
        return true;
    }
    cpu.loaded->count = cpu.loaded_count.load(Order::relaxed);
    cpu.loaded_count.store(0, Order::relaxed);
    return_objects(*cpu.loaded);
    release_empty_slabs(kSpareSlabs);
    return true;
}

/// Puts the loaded magazine into the depot and an empty one in its place.
void SlabCache::push_full(CpuMagazines& cpu, Magazine* empty) {
    Magazine* full = std::exchange(cpu.loaded, empty);
    empty->next = nullptr;
    full->count = cpu.loaded_count.load(Order::relaxed);
    full->next = cpu.full;
    cpu.full = full;
    ++cpu.full_count;
    depot_objects_ += full->count;
    cpu.loaded_count.store(0, Order::relaxed);
}

/// Gives a CPU its two magazines when it frees its first object.
bool SlabCache::add_magazines(CpuMagazines& cpu) {
    if (allocator_.is_for_magazines(*this)) {
        return false;  // they are not kept in magazines
    }
    Magazine* loaded = allocator_.allocate_magazine();
    Magazine* previous = loaded == nullptr ? nullptr : allocator_.allocate_magazine();
    if (previous == nullptr) {
        if (loaded != nullptr) {
            allocator_.free_magazine(loaded);
        }
        return false;
    }
    cpu.loaded = loaded;
    cpu.previous = previous;
    return true;
}

/// Interrupts are off, or the CPU does not run any more. Its objects go back to their slabs and
/// the magazines to their cache.
void SlabCache::drain_cpu(CpuMagazines& cpu) {
    if (cpu.loaded == nullptr) {
        return;
    }
    cpu.loaded->count = cpu.loaded_count.load(Order::relaxed);
    cpu.previous->count = cpu.previous_count.load(Order::relaxed);
    cpu.loaded_count.store(0, Order::relaxed);
    cpu.previous_count.store(0, Order::relaxed);
    for (Magazine* magazine : {std::exchange(cpu.loaded, nullptr), std::exchange(cpu.previous, nullptr)}) {
        return_objects(*magazine);
        allocator_.free_magazine(magazine);
    }
    give_back_full(cpu);
}

/// Gives back what the depot has from a CPU.
void SlabCache::give_back_full(CpuMagazines& cpu) {
    Magazine* full = nullptr;
    {
        SpinLockGuard guard(lock_);
        full = std::exchange(cpu.full, nullptr);
        for (Magazine* magazine = full; magazine != nullptr; magazine = magazine->next) {
            depot_objects_ -= magazine->count;
        }
        cpu.full_count = 0;
    }
    while (full != nullptr) {
        Magazine* next = full->next;
        return_objects(*full);
        allocator_.free_magazine(full);
        full = next;
    }
}

/// Gives back the depot and every empty slab; true if that freed any frame.
bool SlabCache::reap() {
    Magazine* empty = nullptr;
    u64 slabs_before = 0;
    {
        SpinLockGuard guard(lock_);
        empty = std::exchange(empty_, nullptr);
        slabs_before = slab_count_;
    }
    allocator_.for_each_cpu(id_, [&](CpuMagazines& cpu) { give_back_full(cpu); });
    while (empty != nullptr) {
        allocator_.free_magazine(std::exchange(empty, empty->next));
    }
    release_empty_slabs(0);
    SpinLockGuard guard(lock_);
    return slab_count_ < slabs_before;
}

SlabStatistics SlabCache::statistics() {
    SlabStatistics result;
    result.name = name_;
    result.object_size = layout_.object_size;
    allocator_.for_each_cpu(id_, [&](const CpuMagazines& cpu) {
        result.cached += cpu.loaded_count.load(Order::relaxed) + cpu.previous_count.load(Order::relaxed);
    });
    SpinLockGuard guard(lock_);
    result.cached += depot_objects_;
    result.in_use = taken_objects_ - (result.cached < taken_objects_ ? result.cached : taken_objects_);
    result.slabs = slab_count_;
    result.bytes = slab_count_ * layout_.block_size();
    return result;
}

}  // namespace cairn::mm
