#pragma once
/// Sockets: socket(2) and everything that is done with one.

#include "kernel/syscall/polling.h"
#include "net/socket.h"

namespace cairn::syscall {

/// struct user_msghdr, and struct mmsghdr.
struct MessageHeader {
    u64 name;
    i32 name_size;
    u32 padding;
    u64 segments;
    u64 segment_count;
    u64 control;
    u64 control_size;
    u32 flags;
    u32 padding_at_end;
};
struct MultipleMessageHeader {
    MessageHeader header;
    u32 size;
    u32 padding;
};
static_assert(sizeof(MessageHeader) == 56 && sizeof(MultipleMessageHeader) == 64);

Result<Fd> sys_socket(Caller& self, i32 family, i32 type, i32 protocol);
Result<void> sys_socketpair(Caller& self, i32 family, i32 type, i32 protocol, UserOut<i32> descriptors);
Result<void> sys_bind(Caller& self, Fd fd, UserIn<std::byte> address, i32 size);
Result<void> sys_listen(Caller& self, Fd fd, i32 backlog);
Result<Fd> sys_accept(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size);
Result<Fd> sys_accept4(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size, u32 flags);
Result<void> sys_connect(Caller& self, Fd fd, UserIn<std::byte> address, i32 size);
Result<void> sys_shutdown(Caller& self, Fd fd, i32 how);
Result<void> sys_getsockname(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size);
Result<void> sys_getpeername(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size);
Result<void> sys_getsockopt(Caller& self, Fd fd, i32 level, i32 option, UserOut<std::byte> value, UserInOut<i32> size);
Result<void> sys_setsockopt(Caller& self, Fd fd, i32 level, i32 option, UserIn<std::byte> value, i32 size);

Result<u64> sys_sendto(Caller& self, Fd fd, UserIn<std::byte> from, usize size, u32 flags, UserIn<std::byte> address,
                       i32 address_size);
Result<u64> sys_recvfrom(Caller& self, Fd fd, UserOut<std::byte> to, usize size, u32 flags, UserOut<std::byte> address,
                         UserInOut<i32> address_size);
Result<u64> sys_sendmsg(Caller& self, Fd fd, UserIn<MessageHeader> message, u32 flags);
Result<u64> sys_recvmsg(Caller& self, Fd fd, UserInOut<MessageHeader> message, u32 flags);
Result<u64> sys_sendmmsg(Caller& self, Fd fd, UserInOut<MultipleMessageHeader> messages, u32 count, u32 flags);
Result<u64> sys_recvmmsg(Caller& self, Fd fd, UserInOut<MultipleMessageHeader> messages, u32 count, u32 flags,
                         UserInOut<TimeSpecification> timeout);

}  // namespace cairn::syscall
