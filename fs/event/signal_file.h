#pragma once
/// signalfd(2): signals that are read instead of delivered. Each read and poll concerns the signals of the thread
/// that calls, whoever made the descriptor.
///
/// `mutex_` (rank EventFile) protects the list of queues; the mask is an atomic.

#include "fs/event/signal_source.h"
#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/sync/mutex.h"

namespace cairn::event {

class SignalFile final : public vfs::File {
public:
    SignalFile(Ref<vfs::Inode> inode, u32 flags, u64 mask) : File(std::move(inode), flags), mask_(mask) {}

    /// Bit n - 1: signal n.
    void set_mask(u64 mask);

    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;
    void describe(TextBuffer& text) override;
    void describe_link(TextBuffer& text) override { text.append("anon_inode:[signalfd]"); }
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

private:
    /// A queue that somebody polls through this file, and which must therefore live as long.
    struct KeptQueue {
        explicit KeptQueue(Ref<SignalQueue> queue_) : queue(std::move(queue_)) {}
        ListNode node;
        Ref<SignalQueue> queue;
    };

    void closed() override;
    void destroy() override { destroy_counted(this); }
    Result<void> keep(Ref<SignalQueue> queue);
    Result<void> take(SignalSource& source, bool may_wait, SignalRecord& record);

    Atomic<u64> mask_;
    sync::Mutex<LockRank::EventFile> mutex_;
    List<KeptQueue, &KeptQueue::node> kept_ GUARDED_BY(mutex_);
    sync::WaitQueue no_memory_;  // stands for a queue that could not be kept
};

/// SIGKILL and SIGSTOP are silently left out of `mask`. ENOMEM.
Result<Ref<vfs::File>> create_signal_file(u64 mask, u32 flags);
SignalFile* find_signal_file(vfs::File& file);

}  // namespace cairn::event
