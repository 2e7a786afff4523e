/// Frames and heap objects of random sizes, stamped and checked: no two owners of one byte.

#include "arch/arch.h"
#include "kernel/base/heap.h"
#include "kernel/base/kernel.h"
#include "kernel/stress/stress.h"
#include "mm/frame_allocator.h"

namespace cairn::stress {

namespace {

/// One allocation, of whole frames or from the heap.
struct Holding {
    u64* words = nullptr;
    usize size = 0;  // bytes
    u32 order = 0;   // of frames
    bool of_frames = false;
    u64 stamp = 0;
};

constexpr u32 kHoldings = 24;
constexpr u32 kLargestOrder = 3;
constexpr usize kLargestObject = 3000;
constexpr usize kObjectAlignment = 16;

void stamp(Holding& holding, u64 value) {
    holding.stamp = value;
    for (usize i = 0; i < holding.size / sizeof(u64); ++i) {
        holding.words[i] = value + i;
    }
}

bool intact(const Holding& holding) {
    for (usize i = 0; i < holding.size / sizeof(u64); ++i) {
        if (holding.words[i] != holding.stamp + i) {
            return false;
        }
    }
    return true;
}

void give_back(Worker& worker, Holding& holding) {
    if (!intact(holding)) {
        worker.fail("allocated memory was changed by somebody else");
    }
    if (holding.of_frames) {
        g_kernel.frames->free(FrameNumber::containing(arch::physical_address(holding.words)), holding.order);
    } else {
        heap_free(holding.words, holding.size, kObjectAlignment);
    }
    holding = Holding{};
}

/// Running out of memory is legal here; the holding then stays empty.
void take(Worker& worker, Holding& holding) {
    if (worker.random.below(3) == 0) {
        u32 order = static_cast<u32>(worker.random.below(kLargestOrder + 1));
        Result<FrameNumber> frames = g_kernel.frames->allocate(order);
        if (frames.ok()) {
            void* memory = arch::direct_map(frames.value().address());
            holding = {static_cast<u64*>(memory), kPageSize << order, order, true, 0};
        }
    } else {
        usize size = sizeof(u64) * (1 + worker.random.below(kLargestObject / sizeof(u64)));
        void* memory = heap_allocate(size, kObjectAlignment);
        if (memory != nullptr) {
            holding = {static_cast<u64*>(memory), size, 0, false, 0};
        }
    }
    if (holding.words != nullptr) {
        stamp(holding, worker.random.next());
    }
}

void work(Worker& worker) {
    Holding holdings[kHoldings];
    while (!worker.stopping()) {
        Holding& holding = holdings[worker.random.below(kHoldings)];
        if (holding.words != nullptr) {
            give_back(worker, holding);
        } else {
            take(worker, holding);
        }
        worker.count_operation();
    }
    for (Holding& holding : holdings) {
        if (holding.words != nullptr) {
            give_back(worker, holding);
        }
    }
}

}  // namespace

constinit const WorkerKind kAllocationKind = {"allocate", 1, nullptr, work, nullptr};

}  // namespace cairn::stress
