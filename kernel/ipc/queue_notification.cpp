#include "kernel/ipc/queue_notification.h"

#include <algorithm>

#include "kernel/base/own.h"
#include "kernel/signal/send.h"
#include "kernel/task/task.h"
#include "net/netlink/netlink_socket.h"

namespace cairn::ipc {

using mqueue::Notification;

namespace {

class SignalNotification final : public Notification {
public:
    SignalNotification(const task::Task& caller, const NotificationRequest& request)
        : Notification(request.method, request.signal, caller.process_number()),
          target_(caller.group()),
          value_(request.value) {}

    void message_came() override {
        const task::Task* sender = task::find_current_task();
        if (method != Method::Signal || signal == 0 || sender == nullptr) {
            return;
        }
        signal::SignalInfo info = signal::SignalInfo::from_process(signal, signal::kCodeMessageQueue,
                                                                   sender->process_number(), sender->credentials().uid);
        info.words[1] = value_;
        static_cast<void>(signal::send_to_process(*target_, info));
    }

private:
    void destroy() override { destroy_counted(this); }
    const Ref<task::ThreadGroup> target_;
    const u64 value_;
};

class ThreadNotification final : public Notification {
public:
    ThreadNotification(const task::Task& caller, Ref<vfs::File> socket, Own<net::NetlinkMessage> cookie)
        : Notification(Method::Thread, 0, caller.process_number()),
          socket_(std::move(socket)),
          cookie_(std::move(cookie)) {}

    void message_came() override { send(1); }
    void taken_back() override { send(2); }

private:
    /// NOTIFY_WOKENUP or NOTIFY_REMOVED, in the cookie's last byte.
    void send(u8 what) {
        cookie_->bytes[net::NetlinkMessage::kSize - 1] = std::byte{what};
        net::find_netlink_socket(*socket_)->deliver(std::move(cookie_));
    }
    void destroy() override { destroy_counted(this); }
    const Ref<vfs::File> socket_;
    Own<net::NetlinkMessage> cookie_;
};

template <typename T>
Result<Ref<Notification>> as_notification(Result<Ref<T>> made) {
    if (!made.ok()) {
        return made.failure();
    }
    return Ref<Notification>::adopt(made.value().release());
}

/// Charges the calling process's user.
class UserPayers final : public mqueue::Payers {
public:
    Result<void*> charge(u64 bytes) override {
        task::Task& caller = task::current_task();
        u64 limit = 0;
        {
            SpinLockGuard guard(caller.group().lock);
            limit = caller.group().limits[task::Resource::MessageQueues].soft;
        }
        task::UserAccount& account = caller.account();
        if (account.queued_bytes.fetch_add(bytes, Order::relaxed) + bytes > limit) {
            account.queued_bytes.fetch_sub(bytes, Order::relaxed);
            return fail(Errno::emfile);
        }
        return static_cast<void*>(&Ref<task::UserAccount>(account).release());
    }
    void refund(void* account, u64 bytes) override {
        Ref<task::UserAccount> payer = Ref<task::UserAccount>::adopt(*static_cast<task::UserAccount*>(account));
        payer->queued_bytes.fetch_sub(bytes, Order::relaxed);
    }
    bool is_privileged() override { return task::current_task().credentials().has(vfs::Capability::SysResource); }
};

}  // namespace

Result<Ref<Notification>> create_notification(task::Task& caller, const NotificationRequest& request) {
    return as_notification(try_new_ref<SignalNotification>(caller, request));
}

Result<Ref<Notification>> create_thread_notification(task::Task& caller, Ref<vfs::File> socket,
                                                     std::span<const std::byte, 32> cookie) {
    if (net::find_socket(*socket) == nullptr) {
        return fail(Errno::enotsock);
    }
    if (net::find_netlink_socket(*socket) == nullptr) {
        return fail(Errno::einval);
    }
    Own<net::NetlinkMessage> message = TRY(try_new<net::NetlinkMessage>());
    std::ranges::copy(cookie, message->bytes);
    return as_notification(try_new_ref<ThreadNotification>(caller, std::move(socket), std::move(message)));
}

void install_queue_payers() {
    static constinit UserPayers payers;
    mqueue::set_payers(payers);
}

}  // namespace cairn::ipc
