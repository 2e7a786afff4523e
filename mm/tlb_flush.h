#pragma once
/// TlbFlush: the obligation that an edit of a page table leaves behind. While it is open, other
/// CPUs may still use the translations that were removed, so the frames behind them and the
/// tables that led there are kept here; they go back only through settle(), which asks for the
/// proof (FlushDone) that TlbDirectory gives after it has flushed every CPU concerned.
///
/// A local value of whoever edits, under no lock of its own. clang's -Wconsumed reports one that
/// is forgotten or settled twice; the destructor asserts it in checked builds.

#include "kernel/base/assert.h"
#include "kernel/base/thread_annotations.h"
#include "mm/frame_allocator.h"

namespace cairn::mm {

/// For parameters: an open obligation goes in and, still open, comes out.
#define OPEN_OBLIGATION PARAM_TYPESTATE(unconsumed) RETURN_TYPESTATE(unconsumed)

/// Proof that a flush has been done. Only TlbDirectory makes one (and tests of the page table).
class FlushDone {
private:
    friend class TlbDirectory;
    friend struct FlushDoneForTest;
    constexpr FlushDone() = default;
};

class CONSUMABLE(unconsumed) TlbFlush {
public:
    /// `frames` takes the retired frames back.
    explicit TlbFlush(FrameAllocator& frames) RETURN_TYPESTATE(unconsumed);
    TlbFlush(const TlbFlush&) = delete;
    TlbFlush& operator=(const TlbFlush&) = delete;
    ~TlbFlush() CALLABLE_WHEN("consumed", "unknown") { DEBUG_ASSERT(settled_); }

    /// A translation of `size` bytes at `start`, a page of `level`, was changed or removed.
    void note(VirtualAddress start, u64 size, u32 level);
    /// The same for some or all of `count` pages of 4 KiB.
    void note_pages(VirtualAddress start, u64 count);
    /// A table was taken out of the hierarchy; it is empty. `link` is what settle() follows.
    PhysicalAddress retire_table(PhysicalAddress table);
    /// The reference of a block of frames that was mapped is to be dropped. has_room() was true.
    void retire_frame(FrameNumber number);
    /// Whether so many more frames (at most kInline) can be kept. When not: flush, settle, and go on with a new one.
    /// A new one has room for kInline.
    static constexpr u32 kInline = 16;
    bool has_room(u32 frames = 1);

    /// Nothing was changed: there is nothing to flush.
    bool empty() const { return start_ >= end_; }
    VirtualAddress start() const { return start_; }
    VirtualAddress end() const { return end_; }
    /// Of the smallest page that was changed.
    u64 page_size() const { return page_size_; }
    /// Page flushes that the range takes.
    u64 page_count() const { return empty() ? 0 : (end_ - start_) / page_size_; }

    /// Every CPU has been flushed: frees the tables through `memory` and drops the frames.
    template <typename Memory>
    void settle(Memory& memory, FlushDone) SET_TYPESTATE(consumed) CALLABLE_WHEN("unconsumed") {
        for (PhysicalAddress table = tables_; table.value != 0;) {
            PhysicalAddress next = memory.removed_link(table);
            memory.free_table(table);
            table = next;
        }
        tables_ = {};
        drop_frames();
        settled_ = true;
    }

private:
    /// A page of frame numbers, for edits that remove many.
    struct Gathered {
        static constexpr u32 kCapacity = kPageSize / sizeof(u64) - 2;
        Gathered* next;
        u64 count;
        FrameNumber frames[kCapacity];
    };
    /// 16 pages of numbers are 8160 frames: one flush for 32 MiB.
    static constexpr u32 kMaxGathered = 16;

    void drop_frames();

    FrameAllocator& frames_;
    VirtualAddress start_{~u64{0}};
    VirtualAddress end_{0};
    u64 page_size_ = ~u64{0};
    PhysicalAddress tables_;  // chained through their first entries
    FrameNumber inline_[kInline];
    u32 inline_count_ = 0;
    u32 gathered_count_ = 0;
    Gathered* gathered_ = nullptr;
    bool settled_ = false;
};

}  // namespace cairn::mm
