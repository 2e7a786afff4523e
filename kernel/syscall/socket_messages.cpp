/// send(2), recv(2) and their kin.

#include <algorithm>

#include "kernel/syscall/socket_address.h"
#include "kernel/syscall/socket_control.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

constexpr i32 kSigPipe = 13;
constexpr u64 kMostSegments = 1024;             // UIO_MAXIOV
constexpr u32 kMostMessages = 1024;             // likewise
constexpr usize kLargestTransfer = 0x7ffff000;  // MAX_RW_COUNT

Result<u64> send(Caller& self, net::Socket& socket, net::SendRequest& request) {
    request.descriptor_limit = self.descriptor_limit();
    vfs::OperationContext context = self.context();
    Result<usize> sent = note_interruption(self, socket.sends_with_timeout(), socket.send(context, request));
    if (!sent.ok() && request.raises_signal) {
        self.signal_self(kSigPipe);
    }
    return sent;
}

Result<u64> send_message(Caller& self, net::Socket& socket, const MessageHeader& header, u32 flags) {
    if (header.name_size < 0) {
        return fail(Errno::einval);
    }
    if (header.segment_count > kMostSegments) {
        return fail(Errno::emsgsize);
    }
    net::SocketAddress address;
    if (header.name != 0) {
        const i32 size = std::min(header.name_size, i32{net::SocketAddress::kCapacity});
        address = TRY(fetch_address(UserIn<std::byte>(header.name), size));
    }
    IoVector vector = TRY(IoVector::fetch(UserIn<mm::IoSegment>(header.segments), header.segment_count));
    mm::IoSource source = vector.source();
    net::SendRequest request(source);
    request.flags = flags;
    request.address = &address;
    if (header.control != 0) {
        TRY(fetch_control(self, UserIn<std::byte>(header.control), header.control_size, request));
    }
    return send(self, socket, request);
}

/// Receives one message and fills in what the header tells; the header itself is the caller's to store.
Result<u64> receive_message(Caller& self, net::Socket& socket, MessageHeader& header, u32 flags) {
    if (header.name_size < 0) {
        return fail(Errno::einval);
    }
    if (header.segment_count > kMostSegments) {
        return fail(Errno::emsgsize);
    }
    IoVector vector = TRY(IoVector::fetch(UserIn<mm::IoSegment>(header.segments), header.segment_count));
    mm::IoSink sink = vector.sink();
    net::ReceiveRequest request(sink);
    request.flags = flags;
    request.wants_address = header.name != 0;
    vfs::OperationContext context = self.context();
    const usize received =
        TRY(note_interruption(self, socket.receives_with_timeout(), socket.receive(context, request)));
    if (header.name != 0) {
        const u32 part = std::min(request.address.size, static_cast<u32>(header.name_size));
        TRY(UserOut<std::byte>(header.name).store(std::span<const std::byte>(request.address.bytes, part)));
        header.name_size = static_cast<i32>(request.address.size);
    }
    header.control_size = store_control(self, request, UserOut<std::byte>(header.control), header.control_size,
                                        (flags & net::message_flags::kCloseOnExec) != 0);
    header.flags = request.result_flags | (flags & net::message_flags::kCloseOnExec);
    return received;
}

/// The fields that recvmsg(2) changes.
Result<void> store_header(VirtualAddress to, const MessageHeader& header) {
    if (header.name != 0) {
        TRY(mm::copy_out(to + offsetof(MessageHeader, name_size), &header.name_size, sizeof header.name_size));
    }
    TRY(mm::copy_out(to + offsetof(MessageHeader, flags), &header.flags, sizeof header.flags));
    return mm::copy_out(to + offsetof(MessageHeader, control_size), &header.control_size, sizeof header.control_size);
}

}  // namespace

/// sendto(2), send(2).
Result<u64> sys_sendto(Caller& self, Fd fd, UserIn<std::byte> from, usize size, u32 flags, UserIn<std::byte> address,
                       i32 address_size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    mm::IoSource source = mm::IoSource::from_user(from.address(), std::min(size, kLargestTransfer));
    net::SocketAddress target;
    if (!address.is_null()) {
        target = TRY(fetch_address(address, address_size));
    }
    net::SendRequest request(source);
    request.flags = flags;
    request.address = &target;
    return send(self, *socket, request);
}

/// recvfrom(2), recv(2).
Result<u64> sys_recvfrom(Caller& self, Fd fd, UserOut<std::byte> to, usize size, u32 flags, UserOut<std::byte> address,
                         UserInOut<i32> address_size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    mm::IoSink sink = mm::IoSink::to_user(to.address(), std::min(size, kLargestTransfer));
    net::ReceiveRequest request(sink);
    request.flags = flags;
    request.wants_address = !address.is_null();
    vfs::OperationContext context = self.context();
    const usize received =
        TRY(note_interruption(self, socket->receives_with_timeout(), socket->receive(context, request)));
    if (!address.is_null()) {
        TRY(store_address(request.address, address, address_size));
    }
    return received;
}

/// sendmsg(2).
Result<u64> sys_sendmsg(Caller& self, Fd fd, UserIn<MessageHeader> message, u32 flags) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    const MessageHeader header = TRY(message.fetch());
    return send_message(self, *socket, header, flags);
}

/// recvmsg(2).
Result<u64> sys_recvmsg(Caller& self, Fd fd, UserInOut<MessageHeader> message, u32 flags) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    MessageHeader header = TRY(message.fetch());
    const u64 received = TRY(receive_message(self, *socket, header, flags));
    TRY(store_header(message.address(), header));
    return received;
}

/// sendmmsg(2): an error after the first message only ends the call.
Result<u64> sys_sendmmsg(Caller& self, Fd fd, UserInOut<MultipleMessageHeader> messages, u32 count, u32 flags) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    count = std::min(count, kMostMessages);
    for (u32 i = 0; i < count; ++i) {
        const VirtualAddress place = messages.address() + u64{i} * sizeof(MultipleMessageHeader);
        auto send_one = [&]() -> Result<u64> {
            const MessageHeader header = TRY(UserIn<MessageHeader>(place.value).fetch());
            const u64 sent = TRY(send_message(self, *socket, header, flags));
            const u32 size = static_cast<u32>(sent);
            TRY(mm::copy_out(place + offsetof(MultipleMessageHeader, size), &size, sizeof size));
            return sent;
        };
        Result<u64> sent = send_one();
        if (!sent.ok()) {
            return i != 0 ? Result<u64>(i) : sent;
        }
    }
    return u64{count};
}

/// recvmmsg(2): the timeout is looked at between messages, so one that never comes is waited for all the same.
Result<u64> sys_recvmmsg(Caller& self, Fd fd, UserInOut<MultipleMessageHeader> messages, u32 count, u32 flags,
                         UserInOut<TimeSpecification> timeout) {
    const Nanoseconds deadline = TRY(fetch_deadline(timeout));
    SocketReference socket = TRY(SocketReference::find(self, fd));
    count = std::min(count, kMostMessages);
    u32 done = 0;
    while (done < count) {
        const VirtualAddress place = messages.address() + u64{done} * sizeof(MultipleMessageHeader);
        auto receive_one = [&]() -> Result<u64> {
            MessageHeader header = TRY(UserIn<MessageHeader>(place.value).fetch());
            const u64 size = TRY(receive_message(self, *socket, header, flags & ~net::message_flags::kWaitForOne));
            TRY(store_header(place, header));
            const u32 size_told = static_cast<u32>(size);
            TRY(mm::copy_out(place + offsetof(MultipleMessageHeader, size), &size_told, sizeof size_told));
            return size;
        };
        Result<u64> one = receive_one();
        if (!one.ok()) {
            if (done == 0) {
                return one;
            }
            break;
        }
        ++done;
        if ((flags & net::message_flags::kWaitForOne) != 0) {
            flags |= net::message_flags::kDontWait;
        }
        if (time::now() >= deadline) {
            break;
        }
    }
    TRY(store_time_left(timeout, deadline));
    return u64{done};
}

}  // namespace cairn::syscall
