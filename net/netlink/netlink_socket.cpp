#include "net/netlink/netlink_socket.h"

#include "fs/anonymous/anonymous_files.h"
#include "kernel/base/kernel.h"

namespace cairn::net {

NetlinkSocket::~NetlinkSocket() {
    while (take()) {
    }
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
    if (protocol != 0) {
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
