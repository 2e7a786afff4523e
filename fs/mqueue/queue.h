#pragma once
/// Queue: one POSIX message queue. `lock_` (rank IpcObject) protects messages, waiters and the notification. A sender
/// hands its message straight to who waits for one, and a receiver lets in the message of who waits for room, so that
/// neither can be overtaken. The more urgent threads come first, and first come first among equals.

#include "fs/mqueue/mqueue.h"
#include "fs/tmpfs/inode.h"
#include "fs/vfs/file.h"

namespace cairn::mqueue {

class QueueSuperblock;

class Queue final : public fs::tmpfs::TmpfsInode {
public:
    Queue(QueueSuperblock& superblock, const vfs::InodeAttributes& attributes, const Attributes& size, void* account,
          u64 charged);
    ~Queue();

    u64 message_size() const { return message_size_; }
    Attributes figures();

    /// EAGAIN, ETIMEDOUT, EINTR.
    Result<void> send(Own<Message> message, bool no_wait, Nanoseconds deadline);
    Result<Own<Message>> receive(bool no_wait, Nanoseconds deadline);
    /// EBUSY: somebody has asked already.
    Result<void> set_notification(Ref<Notification> fresh);
    /// If it is the process's.
    void take_back_notification(i32 process);

    Result<Ref<vfs::File>> open(vfs::OperationContext& context, const vfs::OpenRequest& request) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar);
    void describe(TextBuffer& text);

private:
    struct Waiter {
        Waiter();
        ListNode node;
        const i32 urgency;
        sync::Parking parking;
        Own<Message> message;  // to be sent, or what was received
    };
    using Waiters = List<Waiter, &Waiter::node>;

    void insert_locked(Own<Message> message) REQUIRES(lock_);
    void join_locked(Waiters& waiters, Waiter& waiter) REQUIRES(lock_);
    /// Sleeps until somebody took the waiter out.
    Result<void> wait(Waiter& waiter, Nanoseconds deadline);
    static void wake_locked(Waiter& waiter);
    void destroy() override { destroy_counted(this); }

    const u64 most_messages_, message_size_;
    void* const account_;
    const u64 charged_;
    SpinLock<LockRank::IpcObject> lock_;
    MessageList messages_ GUARDED_BY(lock_);  // by priority
    u64 count_ GUARDED_BY(lock_) = 0;
    u64 bytes_ GUARDED_BY(lock_) = 0;
    Waiters senders_ GUARDED_BY(lock_);
    Waiters receivers_ GUARDED_BY(lock_);
    std::optional<Ref<Notification>> notification_ GUARDED_BY(lock_);
    sync::WaitQueue changed_;
};

/// All queues, and their limits.
class QueueSuperblock final : public fs::tmpfs::TmpfsSuperblock {
public:
    using TmpfsSuperblock::make_root;
    vfs::FilesystemStatistics statistics() override;
    Result<Ref<vfs::Inode>> make_file(const vfs::InodeAttributes& attributes,
                                      const vfs::CreateRequest& request) override;
    Result<void> check_more_than_files() const override { return fail(Errno::eperm); }
    Result<void> check_attributes() const override { return fail(Errno::eopnotsupp); }
    void describe_options(TextBuffer&) override {}

    // In the order of Limit: linux/ipc_namespace.h.
    Atomic<u64> limits[5]{Atomic<u64>(256), Atomic<u64>(10), Atomic<u64>(8192), Atomic<u64>(10), Atomic<u64>(8192)};
    Atomic<u64> count{0};
    Payers* payers = nullptr;

    explicit QueueSuperblock(const fs::tmpfs::Options& options) : TmpfsSuperblock(options, "mqueue") {}

private:
    u64 limit(Limit which) const { return limits[static_cast<usize>(which)].load(Order::relaxed); }
    Result<void> check(const Attributes& wanted, bool privileged) const;
    void destroy() override { destroy_counted(this); }
};

}  // namespace cairn::mqueue
