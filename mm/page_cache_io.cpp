/// PageCache: read(2), write(2), truncation and holes.
#include <algorithm>
#include <cstring>

#include "kernel/base/kernel.h"
#include "mm/page_cache.h"

namespace cairn::mm {

namespace {

/// Frames of consecutive pages, looked up together and dropped one by one or at the end.
class FrameWindow {
public:
    explicit FrameWindow(PageCache& cache) : cache_(cache) {}
    FrameWindow(const FrameWindow&) = delete;
    FrameWindow& operator=(const FrameWindow&) = delete;
    ~FrameWindow() { drop(); }

    /// Pages that lie one behind the other in memory.
    struct Run {
        FrameNumber frame;  // 0: one page, which is not there
        u64 pages;
    };
    /// Page `index` and what lies behind it, kept until the next call. `wanted` pages from it on may be asked for.
    Run find(u64 index, u64 wanted) {
        if (index < first_ || index >= first_ + count_) {
            drop();
            first_ = index;
            count_ = cache_.find_pages(index, std::span(frames_, std::min<u64>(wanted, kSize)));
        }
        const u64 at = index - first_;
        if (at >= count_ || frames_[at].value == 0) {
            return {{}, 1};
        }
        u64 pages = 1;
        while (at + pages < count_ && frames_[at + pages] == frames_[at] + pages) {
            ++pages;
        }
        return {frames_[at], pages};
    }

private:
    static constexpr u32 kSize = 16;
    void drop() {
        FrameAllocator& frames = *g_kernel.frames;
        NearFrames near = frames.near_frames();
        for (FrameNumber frame : std::span(frames_, count_)) {
            if (frame.value != 0) {
                frames.drop_one_of_many(frame.address(), near.of_allocated(frame.address()));
            }
        }
        count_ = 0;
    }

    PageCache& cache_;
    u64 first_ = 0;
    u32 count_ = 0;
    FrameNumber frames_[kSize];
};

}  // namespace

/// Holds no lock while bytes move: a page that truncation takes away meanwhile is kept by the reference.
Result<usize> PageCache::read(u64 offset, IoSink& sink) {
    const u64 present = size();
    const usize in_page = offset % kPageSize;
    if (offset < present) {
        // Most reads want bytes of one page that is there.
        const usize part = std::min<u64>(present - offset, sink.remaining());
        const FrameNumber frame = in_page + part <= kPageSize ? find_page(offset / kPageSize) : FrameNumber{};
        if (frame.value != 0) {
            Result<usize> moved = sink.put(memory_of(frame) + in_page, part);
            g_kernel.frames->drop_reference(frame);
            return moved;
        }
    }
    return read_pages(offset, sink);
}

/// The same for any number of pages, there or not.
Result<usize> PageCache::read_pages(u64 offset, IoSink& sink) {
    FrameWindow window(*this);
    usize total = 0;
    while (sink.remaining() != 0) {
        const u64 end = size();
        if (offset >= end) {
            break;
        }
        const usize in_page = offset % kPageSize;
        const u64 rest = std::min<u64>(end - offset, sink.remaining());
        const FrameWindow::Run run = window.find(offset / kPageSize, page_count(in_page + rest));
        const usize part = std::min<u64>(run.pages * kPageSize - in_page, rest);
        FrameNumber frame = run.frame;
        FrameNumber filled;
        if (frame.value == 0 && persistent_) {
            Result<FrameNumber> read = ensure_page(offset / kPageSize, PageAccess::Read, Bound::Size);
            if (!read.ok()) {
                if (total != 0 || read.error() == Errno::enxio) {
                    break;
                }
                return read.failure();
            }
            frame = filled = read.value();
        }
        Result<usize> moved = frame.value == 0 ? sink.put_zeros(part) : sink.put(memory_of(frame) + in_page, part);
        if (filled.value != 0) {
            g_kernel.frames->drop_reference(filled);
        }
        if (!moved.ok()) {
            if (total != 0) {
                break;
            }
            return moved;
        }
        total += moved.value();
        offset += moved.value();
        if (moved.value() < part) {
            break;
        }
    }
    return total;
}

Result<usize> PageCache::write(u64 offset, IoSource& source) {
    const u64 old_size = size();
    if (offset > old_size && source.remaining() != 0) {
        // What a mapping left behind the end of the last page must not become visible.
        TRY(zero_range(old_size, std::min(offset, align_up(old_size, kPageSize))));
    }
    usize total = 0;
    Result<void> result;
    while (source.remaining() != 0) {
        const usize part = std::min<u64>(kPageSize - offset % kPageSize, source.remaining());
        Result<usize> moved = write_in_page(offset, part, source);
        if (!moved.ok()) {
            result = moved.failure();
            break;
        }
        total += moved.value();
        offset += moved.value();
        if (moved.value() < part) {
            break;
        }
    }
    if (total != 0 && offset > old_size) {
        set_size(offset);
    }
    if (total == 0 && !result.ok()) {
        return result.failure();
    }
    return total;
}

/// The part of a write that lies in one page.
Result<usize> PageCache::write_in_page(u64 offset, usize size, IoSource& source) {
    const u64 index = offset / kPageSize;
    const usize in_page = offset % kPageSize;
    FrameNumber frame = persistent_ ? FrameNumber{} : find_page(index);
    if (frame.value == 0 && !persistent_) {
        return write_new_page(index, in_page, size, source);
    }
    if (persistent_) {
        Result<FrameNumber> page = ensure_page(index, PageAccess::Write, Bound::None);
        if (!page.ok()) {
            return page.failure();
        }
        frame = page.value();
    }
    Result<usize> moved = source.take(memory_of(frame) + in_page, size);
    g_kernel.frames->drop_reference(frame);
    return moved;
}

/// Fills a new page before anybody sees it, so that only what is not written need be cleared. When another was faster
/// (a fault), the bytes go into its page.
Result<usize> PageCache::write_new_page(u64 index, usize in_page, usize size, IoSource& source) {
    FrameNumber fresh = TRY(g_kernel.memory->allocate_frame(FrameFlags::None));
    std::byte* memory = memory_of(fresh);
    Result<usize> moved = source.take(memory + in_page, size);
    if (!moved.ok() || moved.value() == 0) {
        g_kernel.frames->drop_reference(fresh);
        return moved;
    }
    const usize end = in_page + moved.value();
    std::memset(memory, 0, in_page);
    std::memset(memory + end, 0, kPageSize - end);
    Result<void> added = add_page(index, fresh, 0, Bound::None);
    if (added.ok()) {
        return moved;
    }
    if (added.error() == Errno::eexist) {
        Result<FrameNumber> page = ensure_page(index, PageAccess::Write, Bound::None);
        if (page.ok()) {
            std::memcpy(memory_of(page.value()) + in_page, memory + in_page, moved.value());
            g_kernel.frames->drop_reference(page.value());
            g_kernel.frames->drop_reference(fresh);
            return moved;
        }
        added = page.failure();
    }
    g_kernel.frames->drop_reference(fresh);
    source.revert(moved.value());
    return added.failure();
}

void PageCache::set_size(u64 size) {
    sync::MutexGuard guard(mutex_);
    size_.store(size, Order::release);
}

/// Clears bytes of pages that exist.
Result<void> PageCache::zero_range(u64 start, u64 end) {
    while (start < end) {
        const u64 stop = std::min(end, align_down(start, kPageSize) + kPageSize);
        FrameNumber frame = find_page(start / kPageSize);
        if (persistent_) {
            if (frame.value != 0) {
                g_kernel.frames->drop_reference(frame);
            }
            Result<FrameNumber> page = ensure_page(start / kPageSize, PageAccess::Write, Bound::None);
            if (!page.ok()) {
                return page.failure();
            }
            frame = page.value();
        }
        if (frame.value != 0) {
            std::memset(memory_of(frame) + start % kPageSize, 0, stop - start);
            g_kernel.frames->drop_reference(frame);
        }
        start = stop;
    }
    return {};
}

Result<void> PageCache::resize(u64 new_size) {
    const u64 old_size = size();
    if (new_size >= old_size) {
        TRY(zero_range(old_size, std::min(new_size, align_up(old_size, kPageSize))));
        set_size(new_size);
        return {};
    }
    const u64 tail_end = align_up(new_size, kPageSize);
    if (persistent_) {
        TRY(zero_range(new_size, std::min(tail_end, old_size)));
    }
    set_size(new_size);
    remove_range(page_count(new_size), ~u64{0}, PrivateCopies::Zap);
    if (!persistent_) {
        TRY(zero_range(new_size, tail_end));
    }
    return {};
}

/// Reservations and frames first; what others have added meanwhile leaves some over.
[[gnu::cold]] Result<void> PageCache::allocate(u64 offset, u64 length, KeepSize keep) {
    const u64 first = offset / kPageSize;
    const u64 end = page_count(offset + length);
    FrameAllocator& frames = *g_kernel.frames;
    Result<void> result;
    if (!persistent_) {
        u64 reserved = 0;
        FrameList prepared;
        for (const u64 wanted = absent_pages(first, end); result.ok() && reserved < wanted; ++reserved) {
            result = reserve();
            if (!result.ok()) {
                break;
            }
            Result<FrameNumber> frame = g_kernel.memory->allocate_frame(FrameFlags::Zeroed);
            if (!frame.ok()) {
                result = frame.failure();
                release_reservation();
                break;
            }
            Frame& metadata = frames.frame(frame.value());
            metadata.number = frame.value().value;
            prepared.push_back(metadata);
        }
        i64 added = 0;
        for (u64 index = first; result.ok() && index < end && !prepared.empty(); ++index) {
            sync::MutexGuard guard(mutex_);
            index = tree_.next_absent(index);
            if (index >= end) {
                break;
            }
            const FrameNumber number{prepared.front()->number};
            result = tree_.insert(index, word_for(number, 0));
            if (result.ok()) {
                Frame& metadata = *prepared.pop_front();
                metadata.owner = nullptr;
                metadata.use.store(use(), Order::relaxed);
                --reserved;
                ++added;
            }
        }
        count(added);
        while (Frame* frame = prepared.pop_front()) {
            const FrameNumber number{frame->number};
            frame->owner = nullptr;
            frames.drop_reference(number);
        }
        for (; reserved != 0; --reserved) {
            release_reservation();
        }
    }
    TRY(result);
    if (keep == KeepSize::No && offset + length > size()) {
        return resize(offset + length);
    }
    return {};
}

[[gnu::cold]] Result<void> PageCache::punch_hole(u64 offset, u64 length) {
    if (persistent_) {
        return fail(Errno::eopnotsupp);
    }
    const u64 end = offset + length;
    const u64 first_whole = align_up(offset, kPageSize);
    const u64 last_whole = align_down(end, kPageSize);
    if (first_whole > last_whole) {
        return zero_range(offset, end);
    }
    TRY(zero_range(offset, first_whole));
    TRY(zero_range(last_whole, end));
    if (first_whole < last_whole) {
        remove_range(first_whole / kPageSize, last_whole / kPageSize, PrivateCopies::Keep);
    }
    return {};
}

Result<void> PageCache::remove_pages(u64 first, u64 end) {
    return punch_hole(first * kPageSize, (end - first) * kPageSize);
}

Result<u64> PageCache::seek_data(u64 offset) {
    sync::MutexGuard guard(mutex_);
    if (offset >= size()) {
        return fail(Errno::enxio);
    }
    if (persistent_) {
        return offset;
    }
    const std::optional<u64> index = tree_.next_present(offset / kPageSize);
    if (!index || *index >= page_count(size())) {
        return fail(Errno::enxio);
    }
    return std::max(offset, *index * kPageSize);
}

Result<u64> PageCache::seek_hole(u64 offset) {
    sync::MutexGuard guard(mutex_);
    if (offset >= size()) {
        return fail(Errno::enxio);
    }
    if (persistent_) {
        return size();
    }
    const u64 index = tree_.next_absent(offset / kPageSize);
    return std::min(size(), std::max(offset, index * kPageSize));
}

}  // namespace cairn::mm
