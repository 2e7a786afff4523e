#pragma once
/// What fs/mqueue asks of processes: who pays for a queue, and how one is told of a message (mq_notify(3)).

#include "fs/mqueue/mqueue.h"

namespace cairn::task {
class Task;
}

namespace cairn::ipc {

/// What mq_notify(2) was given.
struct NotificationRequest {
    mqueue::Notification::Method method;
    i32 signal;
    u64 value;
};
/// By a signal, or not at all. ENOMEM.
Result<Ref<mqueue::Notification>> create_notification(task::Task& caller, const NotificationRequest& request);
/// The cookie comes through a socket of AF_NETLINK, where a thread of the C library waits for it. ENOTSOCK, EINVAL,
/// ENOMEM.
Result<Ref<mqueue::Notification>> create_thread_notification(task::Task& caller, Ref<vfs::File> socket,
                                                             std::span<const std::byte, 32> cookie);

/// Start-up, after the filesystems.
void install_queue_payers();

}  // namespace cairn::ipc
