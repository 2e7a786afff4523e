#include "mm/zone.h"

#include <algorithm>

namespace cairn::mm {

Zone::Zone(FrameMap& map, FrameNumber first, FrameNumber end)
    : map_(map), first_(first), end_(end), next_section_(first.value / kSectionFrames) {
    ASSERT(is_aligned(first.value, kSectionFrames) && is_aligned(end.value, kSectionFrames));
}

/// The metadata goes away with the memory that the zone describes; lists only have to be left.
Zone::~Zone() {
    SpinLockGuard guard(lock_);
    for (FrameList& list : free_) {
        while (list.pop_front() != nullptr) {
        }
    }
}

Frame& Zone::frame(FrameNumber number) const {
    Frame* frame = map_.find(number);
    ASSERT(frame != nullptr);
    return *frame;
}

Result<FrameNumber> Zone::allocate(u32 order, FrameState owned_as) {
    SpinLockGuard guard(lock_);
    Frame* first = take_locked(order, owned_as);
    if (first == nullptr) {
        return fail(Errno::enomem);
    }
    return FrameNumber{first->number};
}

/// The frames that taking them one by one would find, but whole blocks of them in one go.
u32 Zone::allocate_batch(std::span<FrameNumber> out) {
    SpinLockGuard guard(lock_);
    u32 count = 0;
    while (count < out.size()) {
        u32 order = smallest_free_order();
        while ((usize{1} << order) > out.size() - count) {
            --order;
        }
        Frame* first = take_locked(order, FrameState::Cached);
        if (first == nullptr) {
            break;
        }
        // Lowest last: it is the first one to be handed out.
        const FrameNumber start{first->number};
        const u32 size = u32{1} << order;
        for (u32 i = 0; i < size; ++i) {
            first[i].store_block({FrameState::Cached, 0});
            out[count + size - 1 - i] = start + i;
        }
        count += size;
    }
    return count;
}

void Zone::free(FrameNumber number, u32 order, FrameState owned_as) {
    Frame& first = frame(number);
    SpinLockGuard guard(lock_);
    ASSERT((first.load_block() == FrameBlock{owned_as, static_cast<u8>(order)}));
    release_locked(first, number, order);
}

void Zone::free_batch(std::span<const FrameNumber> frames) {
    SpinLockGuard guard(lock_);
    for (FrameNumber number : frames) {
        Frame& first = frame(number);
        ASSERT((first.load_block() == FrameBlock{FrameState::Cached, 0}));
        release_locked(first, number, 0);
    }
}

void Zone::add_range(FrameNumber start, FrameNumber end) {
    ASSERT(contains(start) && start < end && end <= end_);
    while (start < end) {
        SpinLockGuard guard(lock_);
        if (is_aligned(start.value, kBlockFrames) && end - start >= kBlockFrames) {
            add_block(start);
            start = start + kBlockFrames;
            continue;
        }
        // The largest block that is aligned and fits.
        u32 order = kMaxOrder - 1;
        while (!is_aligned(start.value, u64{1} << order) || end - start < (u64{1} << order)) {
            --order;
        }
        map_.initialize_block(*map_.find_section(start), start);
        Frame& first = frame(start);
        ASSERT(first.load_block().state == FrameState::None);
        arch::memory_poison(arch::direct_map(start.address()), kPageSize << order);
        release_locked(first, start, order);
        start = start + (u64{1} << order);
    }
}

/// A whole block becomes free: just a bit, unless some of its frames have been in use already.
void Zone::add_block(FrameNumber number) {
    Section& section = *map_.find_section(number);
    const u32 bit = FrameMap::block_bit(number);
    if ((section.initialized.load(Order::relaxed) & bit) != 0) {
        arch::memory_poison(arch::direct_map(number.address()), kPageSize << kMaxOrder);
        release_locked(frame(number), number, kMaxOrder);
        return;
    }
    ASSERT((section.untouched & bit) == 0);
    section.untouched |= bit;
    ++untouched_blocks_;
    next_section_ = std::min(next_section_, number.value / kSectionFrames);
    free_frames_.store(free_frames() + kBlockFrames, Order::relaxed);
}

void Zone::count_blocks(u64 (&counts)[kOrders]) const {
    SpinLockGuard guard(lock_);
    for (u32 order = 0; order < kOrders; ++order) {
        counts[order] += free_blocks_[order];
    }
    counts[kMaxOrder] += untouched_blocks_;
}

Frame* Zone::take_locked(u32 order, FrameState owned_as) {
    Frame* first = take_block(order);
    if (first == nullptr && touch_block()) {
        first = take_block(order);
    }
    if (first != nullptr) {
        first->store_block({owned_as, static_cast<u8>(order)});
        free_frames_.store(free_frames() - (u64{1} << order), Order::relaxed);
    }
    return first;
}

/// kMaxOrder if there is no block in the lists.
u32 Zone::smallest_free_order(u32 at_least) const {
    while (at_least < kMaxOrder && free_[at_least].empty()) {
        ++at_least;
    }
    return at_least;
}

/// Takes a block from the lists, splitting a larger one if need be; the lower half is kept.
Frame* Zone::take_block(u32 order) {
    u32 from = smallest_free_order(order);
    if (free_[from].empty()) {
        return nullptr;
    }
    Frame* first = free_[from].pop_front();
    --free_blocks_[from];
    while (from > order) {
        --from;
        const u64 half = u64{1} << from;
        push_free(*(first + half), FrameNumber{first->number + half}, from);
    }
    return first;
}

/// Moves one untouched block to the lists; false if there is none.
bool Zone::touch_block() {
    if (untouched_blocks_ == 0) {
        return false;
    }
    Section* section = map_.next_untouched(next_section_, end_.value / kSectionFrames);
    ASSERT(section != nullptr);
    const u32 block = static_cast<u32>(__builtin_ctz(section->untouched));
    section->untouched &= ~(u32{1} << block);
    --untouched_blocks_;
    const FrameNumber number{next_section_ * kSectionFrames + block * kBlockFrames};
    map_.initialize_block(*section, number);
    arch::memory_poison(arch::direct_map(number.address()), kPageSize << kMaxOrder);
    push_free(frame(number), number, kMaxOrder);
    return true;
}

/// Joins the block with its buddies as far as they are free. Buddies are in the same 4 MiB block,
/// hence in one array of Frames.
void Zone::release_locked(Frame& block, FrameNumber number, u32 order) {
    free_frames_.store(free_frames() + (u64{1} << order), Order::relaxed);
    Frame* first = &block;
    while (order < kMaxOrder) {
        const u64 size = u64{1} << order;
        const bool is_upper = (number.value & size) != 0;
        Frame* buddy = is_upper ? first - size : first + size;
        if (buddy->load_block() != FrameBlock{FrameState::Free, static_cast<u8>(order)}) {
            break;
        }
        free_[order].remove(*buddy);
        --free_blocks_[order];
        Frame* upper = is_upper ? first : buddy;
        upper->store_block({});
        first = is_upper ? buddy : first;
        number.value &= ~size;
        ++order;
    }
    push_free(*first, number, order);
}

void Zone::push_free(Frame& first, FrameNumber number, u32 order) {
    first.store_block({FrameState::Free, static_cast<u8>(order)});
    first.number = number.value;
    free_[order].push_front(first);
    ++free_blocks_[order];
}

}  // namespace cairn::mm
