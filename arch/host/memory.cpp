/// Physical memory: one reservation of host memory for the whole process, of which each run uses
/// the first part. Runs start with zeroed memory; only what the run before used is cleared.
/// A bit per frame says whether it is freed (memory_poison) and one whether it was used.

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "arch/host/live_objects.h"
#include "arch/host/sanitizer.h"
#include "arch/host/simulator.h"

namespace cairn::arch {
namespace host {

namespace {

constexpr usize kLargestMemory = 4 * kGiB;  // reserved address space, not memory
constexpr usize kFrames = kLargestMemory / kPageSize;

/// A bit per frame.
class FrameBits {
public:
    bool test(u64 frame) const { return (words_[frame / 64] >> (frame % 64)) & 1; }
    void assign(u64 first, u64 end, bool value) {
        while (first < end) {
            u64 bits = std::min<u64>(end - first, 64 - first % 64);
            u64 mask = (bits == 64 ? ~u64{0} : (u64{1} << bits) - 1) << (first % 64);
            u64& word = words_[first / 64];
            word = value ? word | mask : word & ~mask;
            first += bits;
        }
    }
    template <typename Visit>
    void for_each(u64 end, Visit visit) const {
        for (u64 i = 0; i < (end + 63) / 64; ++i) {
            for (u64 word = words_[i]; word != 0; word &= word - 1) {
                visit(i * 64 + static_cast<u64>(std::countr_zero(word)));
            }
        }
    }

private:
    u64 words_[kFrames / 64] = {};
};

constinit FrameBits freed;
constinit FrameBits used;
constinit u8* reservation = nullptr;

bool inside(const void* memory) {
    const u8* byte = static_cast<const u8*>(memory);
    return g_current.simulating && byte >= g_current.memory && byte < g_current.memory + g_current.memory_size;
}

}  // namespace

void memory_begin_run(usize size) {
    if (reservation == nullptr) {
        void* memory =
            mmap(nullptr, kLargestMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            std::abort();
        }
        reservation = static_cast<u8*>(memory);
    }
    g_current.memory = reservation;
    g_current.memory_size = std::min(size, kLargestMemory);
    watch_live_objects(false);
}

void memory_end_run() {
    u64 frames = g_current.memory_size / kPageSize;
    sanitizer_unpoison(reservation, g_current.memory_size);
    used.for_each(frames, [](u64 frame) { std::memset(reservation + frame * kPageSize, 0, kPageSize); });
    used.assign(0, frames, false);
    freed.assign(0, frames, false);
}

bool frame_is_freed(FrameNumber frame) {
    return frame.value < kFrames && freed.test(frame.value);
}

void note_memory_used(PhysicalRange range) {
    used.assign(range.start.value / kPageSize, align_up(range.end.value, kPageSize) / kPageSize, true);
}

}  // namespace host

void memory_poison(void* memory, usize size) {
    host::sanitizer_poison(memory, size);
    host::note_freed(memory, size);
    if (host::inside(memory)) {
        u64 start = physical_address(memory).value;
        host::freed.assign(align_up(start, kPageSize) / kPageSize, (start + size) / kPageSize, true);
    }
}

void memory_unpoison(void* memory, usize size) {
    host::sanitizer_unpoison(memory, size);
    host::note_allocated(memory, size);
    if (host::inside(memory)) {
        u64 first = physical_address(memory).value / kPageSize;
        u64 end = align_up(physical_address(memory).value + size, kPageSize) / kPageSize;
        host::freed.assign(first, end, false);
        host::used.assign(first, end, true);
    }
}

}  // namespace cairn::arch
