#pragma once
/// NetlinkSocket: a socket that the kernel can send to; see README.md. `lock_` (rank EventCounter) protects what has
/// arrived. Thread context.

#include "kernel/base/list.h"
#include "net/socket.h"

namespace cairn::net {

/// A message for a program, made before it is needed so that sending it cannot fail.
struct NetlinkMessage {
    static constexpr usize kSize = 32;  // NOTIFY_COOKIE_LEN
    ListNode node;
    std::byte bytes[kSize] = {};
};

class NetlinkSocket final : public Socket {
public:
    using Socket::Socket;
    ~NetlinkSocket();

    void deliver(Own<NetlinkMessage> message);

    /// struct sockaddr_nl: a number for the socket, which is given if it is 0, and groups of messages.
    Result<void> bind(vfs::OperationContext& context, const SocketAddress& address) override;
    Result<void> local_address(SocketAddress& address) override;
    /// SO_ATTACH_FILTER is taken: nothing is ever sent to groups, so that there is nothing to filter.
    Result<void> set_family_option(vfs::OperationContext& context, i32 level, i32 option,
                                   std::span<const std::byte> value) override;
    Result<usize> send(vfs::OperationContext&, SendRequest&) override { return fail(Errno::econnrefused); }
    /// One message, or as much of it as there is room for. EAGAIN, EINTR.
    Result<usize> receive(vfs::OperationContext& context, ReceiveRequest& request) override;
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override;

private:
    Own<NetlinkMessage> take();
    bool is_empty();
    void destroy() override { destroy_counted(this); }
    Atomic<u32> number_{0};  // 0: not bound
    Atomic<u32> groups_{0};
    SpinLock<LockRank::EventCounter> lock_;
    List<NetlinkMessage, &NetlinkMessage::node> messages_ GUARDED_BY(lock_);
    sync::WaitQueue readers_;
};

Result<Ref<Socket>> create_netlink_socket(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags);
/// Null for another kind.
NetlinkSocket* find_netlink_socket(vfs::File& file);

}  // namespace cairn::net
