#pragma once
/// POSIX message queues (mq_overview(7)): regular files of a filesystem of their own, which mq_open(3) reaches without
/// a mount, and mount(2) shows. A queue is an inode; its messages live as long as that.

#include "fs/mqueue/message.h"
#include "fs/procfs/values.h"
#include "fs/vfs/mount.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::mqueue {

/// What one process asked to be told of (mq_notify(3)): once, when a message comes into an empty queue. Dropped, and
/// its functions called, without a lock.
class Notification : public RefCounted<Notification> {
public:
    enum class Method : i32 { Signal = 0, None = 1, Thread = 2 };
    Notification(Method its_method, i32 its_signal, i32 its_process)
        : method(its_method), signal(its_signal), process(its_process) {}
    const Method method;
    const i32 signal;
    const i32 process;
    virtual void message_came() {}
    /// Taken back by its process, which closed the queue or asked for it.
    virtual void taken_back() {}
    void last_reference_dropped() { destroy(); }

protected:
    ~Notification() = default;
    virtual void destroy() = 0;
};

/// /proc/sys/fs/mqueue.
enum class Limit : u8 { Queues, Messages, Size, DefaultMessages, DefaultSize };
procfs::Settings settings(Limit which);

/// What a queue takes of its creator's RLIMIT_MSGQUEUE; kernel/ipc implements it.
class Payers {
public:
    /// The calling process's: an account, which refund() gets back. EMFILE.
    virtual Result<void*> charge(u64 bytes) = 0;
    virtual void refund(void* account, u64 bytes) = 0;
    /// CAP_SYS_RESOURCE: the limits on queues do not bind it.
    virtual bool is_privileged() = 0;

protected:
    ~Payers() = default;
};
void set_payers(Payers& payers);

/// struct mq_attr.
struct Attributes {
    i64 flags = 0, most_messages = 0, message_size = 0, messages = 0;
    i64 reserved[4] = {};
};

/// mq_open(2); `wanted` null: the usual size. The flags are open(2)'s. ENOENT, EEXIST, EACCES, EINVAL, ENOSPC, EMFILE …
Result<Ref<vfs::File>> open(vfs::OperationContext& context, std::string_view name, u32 flags, u16 permissions,
                            const Attributes* wanted);
/// mq_unlink(2).
Result<void> unlink(vfs::OperationContext& context, std::string_view name);

class Queue;
/// EBADF for what is no queue.
Result<Queue*> find_queue(vfs::File& file);

/// Start-up. ENOMEM.
Result<void> initialize();
/// A row of the table of filesystems.
Result<Ref<vfs::Superblock>> mount(vfs::OperationContext& context, std::string_view source, std::string_view options);

}  // namespace cairn::mqueue
