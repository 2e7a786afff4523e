#pragma once
/// eventfd(2): a counter that write adds to and read takes from. The count is changed under `lock_` (rank EventCounter)
/// and read without; other parts of the kernel may signal it from any context.
///
/// No wake-up is lost: who waits joins a queue, or lowers its flag, and passes a fence before it reads the count; who
/// changes it passes one before it looks at the queues (WaitQueue).

#include "fs/vfs/file.h"

namespace cairn::event {

class EventCounter final : public vfs::File {
public:
    enum class Mode : u8 { Counter, Semaphore };
    EventCounter(Ref<vfs::Inode> inode, u32 flags, u32 initial, Mode mode, u64 id)
        : File(std::move(inode), flags), mode_(mode), id_(id), count_(initial) {}

    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual | vfs::transfer_flags::kNoWait; }
    /// As on Linux, where only reading goes through iterators.
    u32 known_write_flags() const override { return vfs::transfer_flags::kHighPriority; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    void describe(TextBuffer& text) override;
    void describe_link(TextBuffer& text) override { text.append("anon_inode:[eventfd]"); }
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

    /// From inside the kernel: adds one unless that would overflow.
    void signal();

private:
    static constexpr u64 kLimit = ~u64{0} - 1;  // the largest count that write(2) can make

    void destroy() override { destroy_counted(this); }
    u64 count() const { return count_.load(Order::acquire); }
    bool take(u64& value);
    bool add(u64 value);

    const Mode mode_;
    const u64 id_;
    SpinLock<LockRank::EventCounter> lock_;
    Atomic<u64> count_;  // written under lock_
    sync::WaitQueue readers_;
    sync::WaitQueue writers_;
    sync::WaitQueue pollers_;
};

/// EINVAL is the caller's to check. ENOMEM.
Result<Ref<vfs::File>> create_event_counter(u32 initial, u32 flags, EventCounter::Mode mode);

}  // namespace cairn::event
