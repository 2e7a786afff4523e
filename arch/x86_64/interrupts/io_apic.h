#pragma once
/// The IOAPICs (Intel 82093AA data sheet): from device lines (global system interrupts) to vectors
/// of CPUs. Registers are reached through an index and a window, hence the lock.

#include "arch/arch.h"
#include "kernel/sync/spin_lock.h"

namespace cairn::arch {

class IoApics {
public:
    constexpr IoApics() = default;

    /// Maps all controllers and masks all lines. Boot CPU, once. A controller that cannot be mapped
    /// or does not answer is left out, with a log line.
    void initialize(const PlatformDescription& platform, MapRegisters map_registers);

    bool owns(u32 gsi) const { return find(gsi) != nullptr; }
    u32 count() const { return count_; }

    /// Sends `gsi` to `vector` of the CPU with local APIC `id` (physical destination) and unmasks it.
    /// owns(gsi).
    void route(u32 gsi, u8 vector, u8 id, InterruptTrigger trigger);
    /// owns(gsi).
    void mask(u32 gsi);
    void unmask(u32 gsi);

private:
    struct Controller {
        volatile u32* registers = nullptr;
        u32 first_gsi = 0;
        u32 line_count = 0;
    };

    const Controller* find(u32 gsi) const;
    void set_mask(u32 gsi, bool masked);
    void write_entry(const Controller& controller, u32 line, u64 entry) REQUIRES(lock_);

    SpinLock<LockRank::Device> lock_;  // the index/window pair of every controller
    u32 count_ = 0;                    // this and the next: constant after initialize
    Controller controllers_[PlatformDescription::kMaxIoControllers];
};

}  // namespace cairn::arch
