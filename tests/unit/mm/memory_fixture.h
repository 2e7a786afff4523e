#pragma once
/// A small machine for the tests of mm: an arena, the allocators on it, and one CPU or several
/// among which the test switches by hand.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "arch/host/sanitizer.h"
#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "mm/frame_allocator.h"
#include "mm/slab_allocator.h"
#include "mm/system_memory.h"
#include "tests/support/arena.h"

namespace cairn::mm {

class MemoryMachine {
public:
    /// Memory from 1 MiB to `end`, or what `ranges` says.
    explicit MemoryMachine(u64 end, std::vector<PhysicalRange> ranges = {}) : arena(end), early_(new EarlyMemory) {
        if (ranges.empty()) {
            ranges.push_back({{0}, {end}});
        }
        for (const PhysicalRange& range : ranges) {
            early_->add(range, MemoryPurpose::Free);
        }
        early_->reserve({{0}, {kMiB}}, MemoryPurpose::Firmware);
        previous_cpu_ = arch::host::g_current.cpu;
    }
    ~MemoryMachine() {
        if (g_kernel.memory != nullptr) {
            Own<SystemMemory>::adopt(g_kernel.memory).reset();
            g_kernel.memory = nullptr;
            *arch::host::g_current.thread = nullptr;
        }
        if (slab_) {
            for (auto& cpu : cpus_) {
                use(*cpu);
                slab_->release_cpu(*cpu);
            }
            g_kernel.slab = nullptr;
            slab_.reset();
        }
        if (frames_) {
            for (auto& cpu : cpus_) {
                use(*cpu);
                frames_->release_cpu(*cpu);
            }
            g_kernel.frames = nullptr;
            frames_.reset();
        }
        arch::host::g_current.cpu = previous_cpu_;
        g_kernel.cpu_count = 0;
        for (PerCpu*& cpu : g_kernel.cpus) {
            cpu = nullptr;
        }
    }

    EarlyMemory& early() { return *early_; }
    FrameAllocator& frames() {
        if (!frames_) {
            frames_ = std::make_unique<FrameAllocator>(*early_);
            EXPECT_TRUE(frames_->initialize().ok());
            g_kernel.frames = frames_.get();
        }
        return *frames_;
    }
    SlabAllocator& slab() {
        if (!slab_) {
            slab_ = std::make_unique<SlabAllocator>(frames());
            g_kernel.slab = slab_.get();
        }
        return *slab_;
    }
    /// A further CPU with caches; the first one becomes the running one.
    PerCpu& add_cpu() {
        cpus_.push_back(std::make_unique<PerCpu>());
        PerCpu& cpu = *cpus_.back();
        cpu.self = &cpu;
        cpu.index = {static_cast<u32>(cpus_.size() - 1)};
        cpu.current = previous_cpu_->current;
        g_kernel.cpus[cpu.index.value] = &cpu;
        g_kernel.cpu_count = static_cast<u32>(cpus_.size());
        EXPECT_TRUE(frames().prepare_cpu(cpu).ok());
        EXPECT_TRUE(slab().prepare_cpu(cpu).ok());
        if (cpus_.size() == 1) {
            use(cpu);
        }
        return cpu;
    }
    /// g_kernel.memory, for what programs' memory needs. After the CPUs.
    SystemMemory& system_memory() {
        if (g_kernel.memory == nullptr) {
            // Mutexes note their owner: zeros are as good a thread as any for that.
            alignas(sched::Thread) static std::byte thread[sizeof(sched::Thread)];
            *arch::host::g_current.thread = reinterpret_cast<sched::Thread*>(thread);
            EXPECT_TRUE(SystemMemory::initialize().ok());
        }
        return *g_kernel.memory;
    }
    void use(PerCpu& cpu) { arch::host::g_current.cpu = &cpu; }

    /// Everything that is not handed out, in bytes.
    u64 available() {
        FrameStatistics s = frames().statistics();
        return s.free + s.cached;
    }

    test::Arena arena;

private:
    std::unique_ptr<EarlyMemory> early_;
    std::unique_ptr<FrameAllocator> frames_;
    std::unique_ptr<SlabAllocator> slab_;
    std::vector<std::unique_ptr<PerCpu>> cpus_;
    PerCpu* previous_cpu_;
};

/// The figures of FrameStatistics add up to the byte.
inline void expect_consistent(const FrameStatistics& s) {
    EXPECT_EQ(s.total, s.free + s.cached + s.allocated + s.kernel_image + s.metadata + s.early + s.boot + s.firmware);
    u64 in_lists = 0;
    for (u32 order = 0; order < kOrders; ++order) {
        in_lists += s.free_blocks[order] * (kPageSize << order);
    }
    EXPECT_EQ(in_lists, s.free);
}

}  // namespace cairn::mm
