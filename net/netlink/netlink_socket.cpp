#include "net/netlink/netlink_socket.h"

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/kernel.h"

namespace cairn::net {

namespace {

constexpr i32 kRoute = 0, kDeviceEvents = 15;  // NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT

/// struct sockaddr_nl.
struct NetlinkAddress {
    u16 family = kNetlink;
    u16 unused = 0;
    u32 number = 0;
    u32 groups = 0;
};

}  // namespace

NetlinkSocket::~NetlinkSocket() {
    while (take()) {
    }
}

Result<void> NetlinkSocket::bind(vfs::OperationContext& context, const SocketAddress& address) {
    if (protocol() != kDeviceEvents) {
        return Socket::bind(context, address);
    }
    NetlinkAddress wanted;
    if (address.size < sizeof wanted || address.family() != kNetlink) {
        return fail(Errno::einval);
    }
    __builtin_memcpy(&wanted, address.bytes, sizeof wanted);
    const u32 bound = number_.load(Order::relaxed);
    if (bound != 0 && wanted.number != bound) {
        return fail(Errno::einval);
    }
    static constinit Atomic<u32> next_number{0x8000'0000};
    number_.store(wanted.number != 0 ? wanted.number : next_number.fetch_add(1, Order::relaxed), Order::relaxed);
    groups_.store(wanted.groups, Order::relaxed);
    return {};
}

Result<void> NetlinkSocket::local_address(SocketAddress& address) {
    const NetlinkAddress own{.number = number_.load(Order::relaxed), .groups = groups_.load(Order::relaxed)};
    __builtin_memcpy(address.bytes, &own, sizeof own);
    address.size = sizeof own;
    return {};
}

Result<void> NetlinkSocket::set_family_option(vfs::OperationContext& context, i32 level, i32 option,
                                              std::span<const std::byte> value) {
    constexpr i32 kAttachFilter = 26, kDetachFilter = 27;
    constexpr usize kProgramSize = 16;  // struct sock_fprog
    if (level != kSocketLevel || (option != kAttachFilter && option != kDetachFilter)) {
        return Socket::set_family_option(context, level, option, value);
    }
    return option == kAttachFilter && value.size() != kProgramSize ? Result<void>(fail(Errno::einval)) : Result<void>();
}

Own<NetlinkMessage> NetlinkSocket::take() {
    SpinLockGuard guard(lock_);
    return Own<NetlinkMessage>::adopt(messages_.pop_front());
}

void NetlinkSocket::deliver(Own<NetlinkMessage> message) {
    {
        SpinLockGuard guard(lock_);
        messages_.push_back(*message.release());
    }
    readers_.wake_all();
}

bool NetlinkSocket::is_empty() {
    SpinLockGuard guard(lock_);
    return messages_.empty();
}

Result<usize> NetlinkSocket::receive(vfs::OperationContext&, ReceiveRequest& request) {
    const bool waits = !non_blocking() && (request.flags & message_flags::kDontWait) == 0;
    const Nanoseconds deadline = waits ? receive_deadline() : Nanoseconds{};
    for (;;) {
        if (Own<NetlinkMessage> message = take()) {
            const usize size = request.data.remaining();
            const bool cut = size < NetlinkMessage::kSize;
            request.result_flags |= cut ? message_flags::kTruncated : 0;
            const usize done = TRY(request.data.put(message->bytes, cut ? size : NetlinkMessage::kSize));
            if ((request.flags & message_flags::kPeek) != 0) {
                SpinLockGuard guard(lock_);
                messages_.push_front(*message.release());
            }
            return done;
        }
        const auto reason =
            readers_.wait_until([this] { return !is_empty(); }, sync::SleepKind::Interruptible, deadline);
        if (reason != sync::WakeReason::Condition) {
            return fail(reason == sync::WakeReason::TimedOut ? Errno::eagain : Errno::eintr);
        }
    }
}

vfs::PollEvents NetlinkSocket::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(readers_);
    }
    return vfs::kPollOut | vfs::kPollWriteNormal | (is_empty() ? 0 : vfs::kPollIn | vfs::kPollReadNormal);
}

Result<Ref<Socket>> create_netlink_socket(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags) {
    if (type != SocketType::Raw && type != SocketType::Datagram) {
        return fail(Errno::esocktnosupport);
    }
    if (protocol != kRoute && protocol != kDeviceEvents) {
        return fail(Errno::eprotonosupport);
    }
    Ref<vfs::Inode> inode = TRY(g_kernel.anonymous_files->create_socket_inode(context.credentials));
    Ref<NetlinkSocket> socket = TRY(
        try_new_ref<NetlinkSocket>(std::move(inode), flags | vfs::open_flags::kReadWrite, kNetlink, type, protocol));
    return Ref<Socket>::adopt(socket.release());
}

NetlinkSocket* find_netlink_socket(vfs::File& file) {
    Socket* socket = find_socket(file);
    return socket != nullptr && socket->domain() == kNetlink ? static_cast<NetlinkSocket*>(socket) : nullptr;
}

}  // namespace cairn::net
