#include "arch/x86_64/vdso/publish.h"

#include <memory>

#include "arch/arch.h"
#include "arch/x86_64/vdso/data.h"
#include "kernel/base/bytes.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::arch {

// Of image.asm.
extern "C" {
extern const std::byte vdso_image_start[];
extern const std::byte vdso_image_end[];
}

namespace {

class Publisher {
public:
    template <typename Change>
    void change(Change change) {
        SpinLockGuard guard(lock_);
        change(parameters_);
        if (page_ != nullptr) {
            write();
        }
    }
    void start(VdsoData& page) {
        SpinLockGuard guard(lock_);
        page_ = &page;
        write();
    }

private:
    /// The writer's half of data.h's protocol. Release: what was written before is seen first.
    void write() REQUIRES(lock_) {
        u32 sequence = page_->sequence;
        __atomic_store_n(&page_->sequence, sequence + 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        page_->parameters = parameters_;
        __atomic_store_n(&page_->sequence, sequence + 2, __ATOMIC_RELEASE);
    }

    SpinLock<LockRank::ClockPage> lock_;
    VdsoParameters parameters_ GUARDED_BY(lock_);
    VdsoData* page_ GUARDED_BY(lock_) = nullptr;
};
constinit Publisher publisher;

/// `wall_offset` is the wall time at monotonic zero, in nanoseconds.
void set_bases(VdsoParameters& parameters, u64 monotonic, u64 wall_offset) {
    for (u32 clock : {kVdsoMonotonic, kVdsoMonotonicRaw, kVdsoMonotonicCoarse, kVdsoBoottime}) {
        parameters.base[clock] = monotonic;
    }
    for (u32 clock : {kVdsoRealtime, kVdsoRealtimeCoarse}) {
        parameters.base[clock] = monotonic + wall_offset;
    }
}
constexpr u32 kReadable = 1u << kVdsoRealtime | 1u << kVdsoMonotonic | 1u << kVdsoMonotonicRaw |
                          1u << kVdsoRealtimeCoarse | 1u << kVdsoMonotonicCoarse | 1u << kVdsoBoottime;

}  // namespace

void publish_counter_clock(u64 base_counter, Nanoseconds base_time, TickScale scale) {
    publisher.change([&](VdsoParameters& parameters) {
        const u64 wall_offset = parameters.base[kVdsoRealtime] - parameters.base[kVdsoMonotonic];
        parameters.readable = kReadable;
        parameters.base_counter = base_counter;
        parameters.scale = scale;
        set_bases(parameters, base_time.value, wall_offset);
    });
}

void publish_system_call_clock() {
    publisher.change([](VdsoParameters& parameters) { parameters.readable = 0; });
}

void set_vdso_wall_offset(Nanoseconds offset) {
    publisher.change(
        [&](VdsoParameters& parameters) { set_bases(parameters, parameters.base[kVdsoMonotonic], offset.value); });
}

void start_vdso_data(PhysicalAddress page) {
    // SAFETY: the caller gives this page away for good; all zeros is a VdsoData that says "system call".
    publisher.start(*std::construct_at(static_cast<VdsoData*>(direct_map(page))));
}

std::span<const std::byte> vdso_image() {
    return {vdso_image_start, vdso_image_end};
}

}  // namespace cairn::arch
