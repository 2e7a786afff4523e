#pragma once
/// From a frame's number to its metadata, for physical memory with holes of any size.
///
/// Memory is divided into blocks of 4 MiB and sections of 32 blocks. A section in which there is
/// memory has an array of Frames from its first to its last block that has any; a directory of
/// two levels finds it, so a hole costs at most one pointer per 64 GiB.
///
///     directory_[n / 64 GiB] -> Leaf: 512 sections -> Section: frames, present, ...
///
/// Metadata is not written when the map is built: a block's 32 KiB are cleared when the first
/// frame of it is needed (initialize_block). That keeps start-up independent of the size of
/// memory. A block that is entirely free and has not been touched is only a bit in `untouched`.

#include "kernel/base/result.h"
#include "mm/early_memory.h"
#include "mm/frame.h"

namespace cairn::mm {

constexpr u32 kBlocksPerSection = 32;
constexpr u64 kSectionFrames = kBlockFrames * kBlocksPerSection;

struct Section {
    Frame* frames = nullptr;     // of the section's frame 0, which need not be present
    u32 present = 0;             // bit per block: some of it is memory; fixed once built
    u32 untouched = 0;           // bit per block: free, not initialised; the zone's lock
    Atomic<u32> initialized{0};  // bit per block: the metadata was cleared
};

class FrameMap {
    static constexpr u64 kSectionsPerLeaf = 512;
    struct Leaf {
        Section sections[kSectionsPerLeaf];
    };

public:
    constexpr FrameMap() = default;
    FrameMap(const FrameMap&) = delete;
    FrameMap& operator=(const FrameMap&) = delete;

    /// Makes room for the metadata of all of `memory`'s pieces, taken from it. ENOMEM.
    Result<void> build(EarlyMemory& memory);

    /// The metadata of a frame; nullptr if there is no such memory or its block is untouched.
    Frame* find(FrameNumber number) const {
        Section* section = find_section(number);
        if (section == nullptr || (section->initialized.load(Order::acquire) & block_bit(number)) == 0) {
            return nullptr;
        }
        return section->frames + number.value % kSectionFrames;
    }

    /// The metadata of a frame that has been allocated: it exists.
    Frame& of_allocated(FrameNumber number) const {
        DEBUG_ASSERT(find(number) != nullptr);
        const u64 section = number.value / kSectionFrames;
        return directory_[section / kSectionsPerLeaf]
            ->sections[section % kSectionsPerLeaf]
            .frames[number.value % kSectionFrames];
    }

    /// The section of a frame; nullptr in a hole.
    Section* find_section(FrameNumber number) const {
        const u64 section = number.value / kSectionFrames;
        if (section / kSectionsPerLeaf >= leaf_count_) {
            return nullptr;
        }
        Leaf* leaf = directory_[section / kSectionsPerLeaf];
        return leaf == nullptr ? nullptr : &leaf->sections[section % kSectionsPerLeaf];
    }
    /// The first section at or after `index` (frame number / kSectionFrames) that has an untouched
    /// block, below `end`; `index` becomes its index. nullptr, and `index` = `end`, if none.
    Section* next_untouched(u64& index, u64 end) const;

    /// Clears the metadata of the block around `number`, once.
    void initialize_block(Section& section, FrameNumber number);

    /// Sections up to the end of memory.
    u64 section_count() const { return leaf_count_ * kSectionsPerLeaf; }

    static constexpr u32 block_bit(FrameNumber number) {
        return u32{1} << (number.value / kBlockFrames % kBlocksPerSection);
    }

private:
    Result<void> mark_present(EarlyMemory& memory, const PhysicalRange& range);
    Result<void> add_metadata(EarlyMemory& memory);

    Leaf** directory_ = nullptr;
    u64 leaf_count_ = 0;
};

/// FrameMap::of_allocated for many frames, one after the other, which are mostly near each other.
class NearFrames {
public:
    explicit NearFrames(const FrameMap& map) : map_(map) {}

    /// `page` is the frame's address.
    Frame& of_allocated(PhysicalAddress page) {
        if (page.value - first_ >= kSectionFrames * kPageSize) [[unlikely]] {
            first_ = align_down(page.value, kSectionFrames * kPageSize);
            frames_ = map_.find_section(FrameNumber::containing(page))->frames;
        }
        return frames_[(page.value - first_) >> kPageShift];
    }

private:
    const FrameMap& map_;
    u64 first_ = u64{1} << 63;  // address of the last one's section; behind all at first
    Frame* frames_ = nullptr;
};

}  // namespace cairn::mm
