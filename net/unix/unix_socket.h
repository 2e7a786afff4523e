#pragma once
/// UnixSocket: an end of local communication as an open file; naming it, and finding others by name (unix(7)).

#include "net/unix/unix_sockets.h"

namespace cairn::net {

class UnixSocket final : public Socket {
public:
    UnixSocket(Ref<vfs::Inode> inode, u32 flags, SocketType type, Ref<UnixEndpoint> endpoint);

    UnixEndpoint& endpoint() const { return *endpoint_; }

    Result<void> bind(vfs::OperationContext& context, const SocketAddress& address) override;
    Result<void> listen(vfs::OperationContext& context, u32 backlog) override;
    Result<Ref<Socket>> accept(vfs::OperationContext& context, u32 flags) override;
    Result<void> connect(vfs::OperationContext& context, const SocketAddress& address) override;
    Result<usize> send(vfs::OperationContext& context, SendRequest& request) override;
    Result<usize> receive(vfs::OperationContext& context, ReceiveRequest& request) override;
    Result<void> shutdown(Shutdown how) override;
    Result<void> local_address(SocketAddress& address) override;
    Result<void> peer_address(SocketAddress& address) override;
    Result<usize> get_family_option(i32 level, i32 option, std::span<std::byte> value) override;
    Result<void> set_family_option(vfs::OperationContext& context, i32 level, i32 option,
                                   std::span<const std::byte> value) override;
    Errno take_error() override { return endpoint_->take_error(); }
    bool is_listening() override { return endpoint_->is_listening(); }
    void options_changed() override;

    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override { return endpoint_->poll(registrar); }
    /// FIONREAD, SIOCOUTQ.
    Result<u64> ioctl(vfs::OperationContext& context, u32 command, u64 argument) override;

private:
    void closed() override;
    void async_changed() override { endpoint_->async.update(async_watch_); }
    void destroy() override { destroy_counted(this); }
    Result<Ref<UnixEndpoint>> find_target(vfs::OperationContext& context, const UnixAddress& address);
    Result<void> bind_path(vfs::OperationContext& context, Ref<UnixAddress> address) REQUIRES(naming_mutex_);
    Result<void> bind_any_if_unnamed();
    Result<usize> send_counted(vfs::OperationContext& context, SendRequest& request);
    bool waits(u32 flags) const;

    const Ref<UnixEndpoint> endpoint_;
    vfs::AsyncWatch async_watch_{*this};
    sync::Mutex<LockRank::UnixNames> naming_mutex_;            // one bind(2) at a time
    UnixSockets::Binding binding_;                             // of an abstract name
    std::optional<vfs::Path> path_ GUARDED_BY(naming_mutex_);  // of a name in the filesystem
};

/// The end behind an open file; null when that is no local socket.
UnixEndpoint* find_unix_endpoint(vfs::File& file);

/// socket(2) and socketpair(2). EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOMEM.
Result<Ref<Socket>> create_unix_socket(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags);
Result<SocketPair> create_unix_pair(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags);

}  // namespace cairn::net
