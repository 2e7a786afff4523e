#pragma once
/// EventFile: an open /dev/input/eventN, which gives the events of one device as struct input_event (evdev).
///
/// Lock: `lock_` (spinlock InputQueue) around the ring, which the device fills under its own lock. Programs see whole
/// packets only, as on Linux: a reader finds what is before the last kSync.

#include "drivers/input/input_device.h"
#include "fs/vfs/file.h"
#include "mm/user_memory.h"

namespace cairn::fs::input {

class EventFile final : public vfs::File, private drivers::InputClient {
public:
    EventFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path, Ref<drivers::InputDevice> device)
        : File(std::move(inode), flags, path), device_(std::move(device)) {
        device_->add_client(*this);
    }

    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;

private:
    static constexpr usize kRingSize = 64;
    static constexpr i32 kRealtimeClock = 0, kMonotonicClock = 1, kBootTimeClock = 7;

    void destroy() override { destroy_counted(this); }
    void closed() override { device_->remove_client(*this); }
    void event(const drivers::InputEvent& event) override;
    void unplugged() override;
    void push_locked(const drivers::InputEvent& event) REQUIRES(lock_);
    bool take(drivers::InputEvent& event);
    bool readable_now();
    bool is_gone() const { return gone_.load(Order::acquire); }
    /// EVIOCG…(length): copies as much as fits.
    Result<u64> give(u64 argument, u32 length, std::span<const u8> bytes);
    Result<u64> give_text(u64 argument, u32 length, std::string_view text);
    Result<u64> give_codes(u64 argument, u32 length, u32 type);
    Result<u64> sized_ioctl(u32 number, u32 length, u64 argument);

    const Ref<drivers::InputDevice> device_;
    Atomic<bool> gone_{false};  // unplugged, or EVIOCREVOKE
    Atomic<i32> clock_{kRealtimeClock};
    sync::WaitQueue readers_;

    SpinLock<LockRank::InputQueue> lock_;
    drivers::InputEvent ring_[kRingSize] GUARDED_BY(lock_);
    usize first_ GUARDED_BY(lock_) = 0;
    usize size_ GUARDED_BY(lock_) = 0;
    usize whole_ GUARDED_BY(lock_) = 0;  // of these, how many are in finished packets
};

}  // namespace cairn::fs::input
