#include "mm/frame_map.h"

#include <memory>

#include "arch/arch.h"

namespace cairn::mm {

namespace {

/// Cleared memory for the map's own tables, for good.
Result<void*> allocate_cleared(EarlyMemory& memory, u64 size) {
    PhysicalAddress address = TRY(memory.allocate(size, kPageSize, MemoryPurpose::Metadata));
    void* pointer = arch::direct_map(address);
    arch::memory_unpoison(pointer, size);
    __builtin_memset(pointer, 0, size);
    return pointer;
}

}  // namespace

Result<void> FrameMap::build(EarlyMemory& memory) {
    const u64 end = FrameNumber::containing(memory.end()).value;
    const u64 frames_per_leaf = kSectionFrames * kSectionsPerLeaf;
    leaf_count_ = (end + frames_per_leaf - 1) / frames_per_leaf;
    void* directory = TRY(allocate_cleared(memory, leaf_count_ * sizeof(Leaf*)));
    directory_ = static_cast<Leaf**>(directory);

    // Allocation changes the pieces' purposes but not what they cover together.
    PhysicalAddress done{};
    while (const EarlyMemory::Piece* piece = memory.find_piece_after(done)) {
        const PhysicalRange range = piece->range;
        TRY(mark_present(memory, range));
        done = range.end;
    }
    return add_metadata(memory);
}

Result<void> FrameMap::mark_present(EarlyMemory& memory, const PhysicalRange& range) {
    const u64 first = FrameNumber::containing(range.start).value / kBlockFrames;
    const u64 last = (FrameNumber::containing(range.end).value - 1) / kBlockFrames;
    for (u64 block = first; block <= last; ++block) {
        const u64 section = block / kBlocksPerSection;
        Leaf*& leaf = directory_[section / kSectionsPerLeaf];
        if (leaf == nullptr) {
            void* storage = TRY(allocate_cleared(memory, sizeof(Leaf)));
            leaf = std::construct_at(static_cast<Leaf*>(storage));
        }
        leaf->sections[section % kSectionsPerLeaf].present |= u32{1} << (block % kBlocksPerSection);
    }
    return {};
}

Result<void> FrameMap::add_metadata(EarlyMemory& memory) {
    for (u64 i = 0; i < leaf_count_; ++i) {
        for (u64 j = 0; directory_[i] != nullptr && j < kSectionsPerLeaf; ++j) {
            Section& section = directory_[i]->sections[j];
            if (section.present == 0) {
                continue;
            }
            const u32 first = static_cast<u32>(__builtin_ctz(section.present));
            const u32 last = 31 - static_cast<u32>(__builtin_clz(section.present));
            const u64 size = (last - first + 1) * kBlockFrames * sizeof(Frame);
            PhysicalAddress array = TRY(memory.allocate(size, kPageSize, MemoryPurpose::Metadata));
            // SAFETY: only frames of blocks first ... last are ever addressed through the pointer.
            uptr of_block_zero = reinterpret_cast<uptr>(arch::direct_map(array)) - first * kBlockFrames * sizeof(Frame);
            section.frames = reinterpret_cast<Frame*>(of_block_zero);
        }
    }
    return {};
}

Section* FrameMap::next_untouched(u64& index, u64 end) const {
    while (index < end && index < section_count()) {
        Leaf* leaf = directory_[index / kSectionsPerLeaf];
        if (leaf == nullptr) {
            index = (index / kSectionsPerLeaf + 1) * kSectionsPerLeaf;
            continue;
        }
        Section& section = leaf->sections[index % kSectionsPerLeaf];
        if (section.untouched != 0) {
            return &section;
        }
        ++index;
    }
    index = end;
    return nullptr;
}

void FrameMap::initialize_block(Section& section, FrameNumber number) {
    const u32 bit = block_bit(number);
    ASSERT((section.present & bit) != 0);
    if ((section.initialized.load(Order::relaxed) & bit) != 0) {
        return;
    }
    const u64 first = align_down(number.value, kBlockFrames) % kSectionFrames;
    // SAFETY: a Frame whose bytes are zero is a Frame in state None (frame.h).
    void* metadata = section.frames + first;
    arch::memory_unpoison(metadata, kBlockFrames * sizeof(Frame));
    __builtin_memset(metadata, 0, kBlockFrames * sizeof(Frame));
    section.initialized.fetch_or(bit, Order::release);
}

}  // namespace cairn::mm
