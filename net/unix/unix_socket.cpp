#include "net/unix/unix_socket.h"

#include <algorithm>
#include <cstring>

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/kernel.h"
#include "mm/user_memory.h"

namespace cairn::net {

namespace {

constexpr u32 kFionread = 0x541B;
constexpr u32 kSiocoutq = 0x5411;
constexpr u32 kSocketMode = static_cast<u32>(vfs::FileType::Socket) | 0777;
constexpr u32 kMostBacklog = 4096;  // net.core.somaxconn

/// As SO_PEERCRED tells them.
MessageCredentials effective_credentials(const vfs::OperationContext& context) {
    return {context.process(), context.credentials.euid, context.credentials.egid};
}

/// As SCM_CREDENTIALS tells them unless the sender gave others.
MessageCredentials real_credentials(const vfs::OperationContext& context) {
    return {context.process(), context.credentials.uid, context.credentials.gid};
}

Result<Ref<UnixSocket>> create_socket(vfs::OperationContext& context, SocketType type, u32 flags,
                                      Ref<UnixEndpoint> endpoint) {
    Ref<vfs::Inode> inode = TRY(g_kernel.anonymous_files->create_socket_inode(context.credentials));
    const u32 status = vfs::open_flags::kReadWrite | (flags & vfs::open_flags::kNonBlock);
    return try_new_ref<UnixSocket>(std::move(inode), status, type, std::move(endpoint));
}

Result<SocketType> check_type(SocketType type, i32 protocol) {
    if (protocol != 0 && protocol != kLocal) {
        return fail(Errno::eprotonosupport);
    }
    switch (type) {
        case SocketType::Stream:
        case SocketType::Datagram:
        case SocketType::SequencedPackets:
            return type;
        case SocketType::Raw:
            return SocketType::Datagram;  // so does Linux, for programs of the last century
    }
    return fail(Errno::esocktnosupport);
}

Result<Ref<UnixSocket>> create_idle(vfs::OperationContext& context, SocketType type, u32 flags) {
    Ref<UnixEndpoint> endpoint = TRY(try_new_ref<UnixEndpoint>(type, UnixEndpoint::kDefaultSendBuffer));
    return create_socket(context, type, flags, std::move(endpoint));
}

}  // namespace

UnixSocket::UnixSocket(Ref<vfs::Inode> inode, u32 flags, SocketType type, Ref<UnixEndpoint> endpoint)
    : Socket(std::move(inode), flags, kLocal, type, 0), endpoint_(std::move(endpoint)) {
    endpoint_->accepted.store(true, Order::relaxed);
}

Result<Ref<Socket>> create_unix_socket(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags) {
    const SocketType checked = TRY(check_type(type, protocol));
    Ref<UnixSocket> socket = TRY(create_idle(context, checked, flags));
    return Ref<Socket>::adopt(socket.release());
}

Result<SocketPair> create_unix_pair(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags) {
    const SocketType checked = TRY(check_type(type, protocol));
    Ref<UnixSocket> first = TRY(create_idle(context, checked, flags));
    Ref<UnixSocket> second = TRY(create_idle(context, checked, flags));
    UnixEndpoint::connect_pair(first->endpoint(), second->endpoint(), effective_credentials(context));
    return SocketPair{Ref<Socket>::adopt(first.release()), Ref<Socket>::adopt(second.release())};
}

UnixEndpoint* find_unix_endpoint(vfs::File& file) {
    Socket* socket = find_socket(file);
    return socket != nullptr && socket->domain() == kLocal ? &static_cast<UnixSocket*>(socket)->endpoint() : nullptr;
}

void UnixSocket::closed() NO_THREAD_SAFETY_ANALYSIS {
    endpoint_->async.remove(async_watch_);
    g_kernel.unix_sockets->unbind(binding_);
    if (path_) {
        vfs::Inode& inode = path_->inode();
        SpinLockGuard guard(inode.attribute_lock);
        if (inode.attachment == &*endpoint_) {
            inode.attachment = nullptr;
        }
    }
    path_.reset();
    endpoint_->close();
    if (g_kernel.unix_sockets->any_in_flight()) {
        // Perhaps this was the last way to a circle of sockets.
        g_kernel.unix_sockets->collect_garbage();
    }
}

// --- Names ---------------------------------------------------------------------------------------------------------

Result<void> UnixSocket::bind(vfs::OperationContext& context, const SocketAddress& address) {
    if (address.size == UnixAddress::kFamilySize && address.family() == kLocal) {
        return bind_any_if_unnamed();
    }
    Ref<UnixAddress> name = TRY(UnixAddress::parse(address));
    sync::MutexGuard guard(naming_mutex_);
    if (endpoint_->address()) {
        return fail(Errno::einval);
    }
    if (!name->is_abstract()) {
        return bind_path(context, std::move(name));
    }
    TRY(g_kernel.unix_sockets->bind(binding_, *endpoint_, name));
    return endpoint_->set_address(std::move(name));
}

Result<void> UnixSocket::bind_path(vfs::OperationContext& context, Ref<UnixAddress> address) {
    Result<void> made = vfs::make_node(context, address->name(), kSocketMode, 0);
    if (!made.ok()) {
        return fail(made.error() == Errno::eexist ? Errno::eaddrinuse : made.error());
    }
    vfs::WalkOptions options;
    options.follow_last_link = false;
    vfs::Path path = TRY(vfs::walk(context, address->name(), options));
    vfs::Inode& inode = path.inode();
    {
        SpinLockGuard guard(inode.attribute_lock);
        if (inode.type() != vfs::FileType::Socket || inode.attachment != nullptr) {
            return fail(Errno::eaddrinuse);  // somebody was quick to put another file there
        }
        inode.attachment = &*endpoint_;
    }
    path_.emplace(std::move(path));
    return endpoint_->set_address(std::move(address));
}

Result<void> UnixSocket::bind_any_if_unnamed() {
    sync::MutexGuard guard(naming_mutex_);
    if (endpoint_->address()) {
        return {};
    }
    Ref<UnixAddress> address = TRY(g_kernel.unix_sockets->bind_any(binding_, *endpoint_));
    return endpoint_->set_address(std::move(address));
}

/// The end with that name. ECONNREFUSED, EACCES, EPROTOTYPE, and what the walk says.
Result<Ref<UnixEndpoint>> UnixSocket::find_target(vfs::OperationContext& context, const UnixAddress& address) {
    if (address.is_abstract()) {
        return g_kernel.unix_sockets->find(type(), address);
    }
    vfs::Path path = TRY(vfs::walk(context, address.name()));
    vfs::Inode& inode = path.inode();
    TRY(vfs::check_permission(context.credentials, inode, static_cast<u32>(vfs::Access::Write)));
    if (inode.type() != vfs::FileType::Socket) {
        return fail(Errno::econnrefused);
    }
    UnixEndpoint* found = nullptr;
    {
        SpinLockGuard guard(inode.attribute_lock);
        found = static_cast<UnixEndpoint*>(inode.attachment);
        if (found == nullptr || !found->try_acquire_reference()) {
            return fail(Errno::econnrefused);
        }
    }
    Ref<UnixEndpoint> target = Ref<UnixEndpoint>::adopt(*found);
    if (target->type() != type()) {
        return fail(Errno::eprototype);
    }
    inode.touch_access_time();
    return target;
}

Result<void> UnixSocket::local_address(SocketAddress& address) {
    std::optional<Ref<UnixAddress>> name = endpoint_->address();
    address = name ? (*name)->encode() : UnixAddress::encode_unnamed();
    return {};
}

Result<void> UnixSocket::peer_address(SocketAddress& address) {
    std::optional<Ref<UnixEndpoint>> peer = endpoint_->peer();
    if (!peer) {
        return fail(Errno::enotconn);
    }
    std::optional<Ref<UnixAddress>> name = (*peer)->address();
    address = name ? (*name)->encode() : UnixAddress::encode_unnamed();
    return {};
}

// --- Connections ---------------------------------------------------------------------------------------------------

Result<void> UnixSocket::listen(vfs::OperationContext& context, u32 backlog) {
    if (type() == SocketType::Datagram) {
        return fail(Errno::eopnotsupp);
    }
    return endpoint_->listen(std::min(backlog, kMostBacklog), effective_credentials(context));
}

Result<Ref<Socket>> UnixSocket::accept(vfs::OperationContext& context, u32 flags) {
    if (type() == SocketType::Datagram) {
        return fail(Errno::eopnotsupp);
    }
    // The socket comes first: a connection that was taken out of the queue cannot be put back.
    Ref<vfs::Inode> new_inode = TRY(g_kernel.anonymous_files->create_socket_inode(context.credentials));
    Ref<UnixEndpoint> connection = TRY(endpoint_->accept(non_blocking() ? Nanoseconds{} : receive_deadline()));
    const u32 status = vfs::open_flags::kReadWrite | (flags & vfs::open_flags::kNonBlock);
    Result<Ref<UnixSocket>> socket = try_new_ref<UnixSocket>(std::move(new_inode), status, type(), connection);
    if (!socket.ok()) {
        connection->close();
        return socket.failure();
    }
    connection->passes_credentials.store(false, Order::relaxed);
    if (passes_credentials()) {
        const i32 on = 1;
        TRY(socket.value()->set_option(context, kSocketLevel, static_cast<i32>(SocketOption::PassCredentials),
                                       std::as_bytes(std::span(&on, 1))));
    }
    return Ref<Socket>::adopt(std::move(socket).value().release());
}

Result<void> UnixSocket::connect(vfs::OperationContext& context, const SocketAddress& address) {
    if (address.size < UnixAddress::kFamilySize) {
        return fail(Errno::einval);
    }
    if (type() == SocketType::Datagram && address.family() == kUnspecified) {
        return endpoint_->connect_datagrams(nullptr);
    }
    Ref<UnixAddress> name = TRY(UnixAddress::parse(address));
    if (passes_credentials()) {
        TRY(bind_any_if_unnamed());
    }
    Ref<UnixEndpoint> target = TRY(find_target(context, *name));
    if (type() == SocketType::Datagram) {
        return endpoint_->connect_datagrams(&*target);
    }
    return endpoint_->connect(*target, effective_credentials(context),
                              non_blocking() ? Nanoseconds{} : send_deadline());
}

Result<void> UnixSocket::shutdown(Shutdown how) {
    endpoint_->shut_down(how);
    return {};
}

// --- Messages ------------------------------------------------------------------------------------------------------

bool UnixSocket::waits(u32 flags) const {
    return (flags & message_flags::kDontWait) == 0 && !non_blocking();
}

Result<usize> UnixSocket::send(vfs::OperationContext& context, SendRequest& request) {
    if ((request.flags & message_flags::kOutOfBand) != 0) {
        return fail(Errno::eopnotsupp);
    }
    if (request.files) {
        const bool unlimited =
            context.credentials.has(vfs::Capability::SysResource) || context.credentials.has(vfs::Capability::SysAdmin);
        TRY(g_kernel.unix_sockets->take_off(*request.files, context.credentials.uid,
                                            unlimited ? ~u64{0} : request.descriptor_limit));
    }
    Result<usize> sent = send_counted(context, request);
    if (request.files) {
        drop_passed_files(std::move(request.files));
    }
    return sent;
}

Result<usize> UnixSocket::send_counted(vfs::OperationContext& context, SendRequest& request) {
    UnixEndpoint::SendOptions options;
    options.tells_credentials = request.credentials.has_value();
    options.credentials = request.credentials.value_or(real_credentials(context));
    options.deadline = waits(request.flags) ? send_deadline() : Nanoseconds{};
    const bool addressed = request.address != nullptr && request.address->size != 0;
    if (type() == SocketType::Stream) {
        if (addressed) {
            return fail(endpoint_->peer() ? Errno::eisconn : Errno::eopnotsupp);
        }
        return endpoint_->send_stream(request, options);
    }
    if (type() == SocketType::SequencedPackets || !addressed) {
        if (passes_credentials() && type() == SocketType::Datagram) {
            TRY(bind_any_if_unnamed());
        }
        return endpoint_->send_packet(request, options, nullptr);
    }
    Ref<UnixAddress> name = TRY(UnixAddress::parse(*request.address));
    if (passes_credentials()) {
        TRY(bind_any_if_unnamed());
    }
    Ref<UnixEndpoint> target = TRY(find_target(context, *name));
    return endpoint_->send_packet(request, options, &*target);
}

Result<usize> UnixSocket::receive(vfs::OperationContext&, ReceiveRequest& request) {
    if ((request.flags & message_flags::kOutOfBand) != 0) {
        // There is never any; only a stream could have some.
        return fail(type() == SocketType::Stream ? Errno::einval : Errno::eopnotsupp);
    }
    UnixEndpoint::ReceiveOptions options;
    options.wants_credentials = passes_credentials();
    options.wants_time = tells_time();
    options.deadline = waits(request.flags) ? receive_deadline() : Nanoseconds{};
    Result<usize> received = type() == SocketType::Stream ? endpoint_->receive_stream(request, options)
                                                          : endpoint_->receive_packet(request, options);
    if (request.files) {
        // Also for a peek: a search for garbage that is under way may not have seen these references.
        g_kernel.unix_sockets->land(*request.files);
    }
    if (received.ok() && type() == SocketType::Stream && request.wants_address) {
        std::optional<Ref<UnixEndpoint>> peer = endpoint_->peer();
        std::optional<Ref<UnixAddress>> name = peer ? (*peer)->address() : std::nullopt;
        request.address = name ? (*name)->encode() : SocketAddress();
    }
    return received;
}

Result<u64> UnixSocket::ioctl(vfs::OperationContext&, u32 command, u64 argument) {
    i32 value = 0;
    switch (command) {
        case kFionread:
            value = static_cast<i32>(TRY(endpoint_->readable_bytes()));
            break;
        case kSiocoutq:
            value = static_cast<i32>(endpoint_->sent_bytes());
            break;
        default:
            return fail(Errno::enotty);
    }
    TRY(mm::UserOut<i32>(argument).store(value));
    return u64{0};
}

// --- Options -------------------------------------------------------------------------------------------------------

void UnixSocket::options_changed() {
    endpoint_->set_send_buffer(send_buffer());
    endpoint_->passes_credentials.store(passes_credentials(), Order::relaxed);
}

Result<usize> UnixSocket::get_family_option(i32 level, i32 option, std::span<std::byte> value) {
    if (level != kSocketLevel) {
        return fail(Errno::eopnotsupp);
    }
    switch (SocketOption{option}) {
        case SocketOption::PeerCredentials: {
            const MessageCredentials credentials = endpoint_->peer_credentials();
            const usize size = std::min(sizeof credentials, value.size());
            std::memcpy(value.data(), &credentials, size);
            return size;
        }
        case SocketOption::PeekOffset: {
            const i32 offset = endpoint_->peek_offset.load(Order::relaxed);
            const usize size = std::min(sizeof offset, value.size());
            std::memcpy(value.data(), &offset, size);
            return size;
        }
        default:
            return fail(Errno::enoprotoopt);
    }
}

Result<void> UnixSocket::set_family_option(vfs::OperationContext&, i32 level, i32 option,
                                           std::span<const std::byte> value) {
    if (level != kSocketLevel) {
        return fail(Errno::eopnotsupp);
    }
    if (SocketOption{option} != SocketOption::PeekOffset) {
        return fail(Errno::enoprotoopt);
    }
    i32 offset = 0;
    std::memcpy(&offset, value.data(), sizeof offset);
    endpoint_->peek_offset.store(offset < 0 ? -1 : offset, Order::relaxed);
    return {};
}

}  // namespace cairn::net
