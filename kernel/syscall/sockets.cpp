#include "kernel/syscall/sockets.h"

#include <algorithm>

#include "kernel/syscall/socket_address.h"

namespace cairn::syscall {

namespace {

/// socket(2): the type's upper bits; SOCK_CLOEXEC and SOCK_NONBLOCK are O_*.
constexpr u32 kTypeMask = 0xf;
constexpr u32 kFlags = vfs::open_flags::kCloseOnExec | vfs::open_flags::kNonBlock;
constexpr u32 kTypes = 11;     // SOCK_MAX
constexpr i32 kFamilies = 46;  // AF_MAX
constexpr i32 kLargestOption = 256;

struct Kind {
    net::SocketType type;
    u32 flags;
    bool close_on_exec() const { return (flags & vfs::open_flags::kCloseOnExec) != 0; }
};

Result<Kind> kind_of(i32 type) {
    const u32 bits = static_cast<u32>(type);
    const u32 flags = bits & ~kTypeMask;
    if ((flags & ~kFlags) != 0 || (bits & kTypeMask) >= kTypes) {
        return fail(Errno::einval);
    }
    return Kind{static_cast<net::SocketType>(bits & kTypeMask), flags};
}

Result<const net::AddressFamily*> family_of(i32 number) {
    if (number < 0 || number >= kFamilies) {
        return fail(Errno::eafnosupport);
    }
    return net::find_family(number);
}

Ref<vfs::File> as_file(Ref<net::Socket> socket) {
    return Ref<vfs::File>::adopt(socket.release());
}

}  // namespace

Result<SocketReference> SocketReference::find(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    if (net::find_socket(*file) == nullptr) {
        return fail(Errno::enotsock);
    }
    return SocketReference(std::move(file));
}

Result<net::SocketAddress> fetch_address(UserIn<std::byte> from, i32 size) {
    if (size < 0 || static_cast<u32>(size) > net::SocketAddress::kCapacity) {
        return fail(Errno::einval);
    }
    net::SocketAddress address;
    address.size = static_cast<u32>(size);
    TRY(from.fetch(std::span(address.bytes, address.size)));
    return address;
}

Result<void> store_address(const net::SocketAddress& address, UserOut<std::byte> to, UserInOut<i32> size) {
    const i32 room = TRY(size.fetch());
    if (room < 0) {
        return fail(Errno::einval);
    }
    const u32 part = std::min(static_cast<u32>(room), address.size);
    TRY(to.store(std::span<const std::byte>(address.bytes, part)));
    return size.store(static_cast<i32>(address.size));
}

/// socket(2).
Result<Fd> sys_socket(Caller& self, i32 family, i32 type, i32 protocol) {
    const Kind kind = TRY(kind_of(type));
    const net::AddressFamily* row = TRY(family_of(family));
    vfs::OperationContext context = self.context();
    Ref<net::Socket> socket = TRY(row->create(context, kind.type, protocol, kind.flags));
    return self.install(as_file(std::move(socket)), kind.close_on_exec());
}

/// socketpair(2).
Result<void> sys_socketpair(Caller& self, i32 family, i32 type, i32 protocol, UserOut<i32> descriptors) {
    const Kind kind = TRY(kind_of(type));
    const net::AddressFamily* row = TRY(family_of(family));
    if (row->create_pair == nullptr) {
        return fail(Errno::eopnotsupp);
    }
    auto first = TRY(self.descriptors().reserve(self.descriptor_limit(), kind.close_on_exec()));
    auto second = TRY(self.descriptors().reserve(self.descriptor_limit(), kind.close_on_exec()));
    const i32 numbers[2] = {first.fd().value, second.fd().value};
    TRY(descriptors.store(std::span<const i32>(numbers)));
    vfs::OperationContext context = self.context();
    net::SocketPair pair = TRY(row->create_pair(context, kind.type, protocol, kind.flags));
    std::move(first).install(as_file(std::move(pair.first)));
    std::move(second).install(as_file(std::move(pair.second)));
    return {};
}

/// bind(2).
Result<void> sys_bind(Caller& self, Fd fd, UserIn<std::byte> address, i32 size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    const net::SocketAddress wanted = TRY(fetch_address(address, size));
    vfs::OperationContext context = self.context();
    return socket->bind(context, wanted);
}

/// listen(2): a negative backlog is a very large one.
Result<void> sys_listen(Caller& self, Fd fd, i32 backlog) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    vfs::OperationContext context = self.context();
    return socket->listen(context, static_cast<u32>(backlog));
}

/// accept(2).
Result<Fd> sys_accept(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size) {
    return sys_accept4(self, fd, address, size, 0);
}

/// accept4(2): everything that can fail comes before the descriptor exists.
Result<Fd> sys_accept4(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size, u32 flags) {
    if ((flags & ~kFlags) != 0) {
        return fail(Errno::einval);
    }
    SocketReference socket = TRY(SocketReference::find(self, fd));
    const bool close_on_exec = (flags & vfs::open_flags::kCloseOnExec) != 0;
    auto reservation = TRY(self.descriptors().reserve(self.descriptor_limit(), close_on_exec));
    vfs::OperationContext context = self.context();
    Ref<net::Socket> accepted =
        TRY(note_interruption(self, socket->receives_with_timeout(), socket->accept(context, flags)));
    if (!address.is_null()) {
        net::SocketAddress peer;
        if (!accepted->peer_address(peer).ok()) {
            return fail(Errno::econnaborted);
        }
        TRY(store_address(peer, address, size));
    }
    return std::move(reservation).install(as_file(std::move(accepted)));
}

/// connect(2).
Result<void> sys_connect(Caller& self, Fd fd, UserIn<std::byte> address, i32 size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    const net::SocketAddress peer = TRY(fetch_address(address, size));
    vfs::OperationContext context = self.context();
    return note_interruption(self, socket->sends_with_timeout(), socket->connect(context, peer));
}

/// shutdown(2).
Result<void> sys_shutdown(Caller& self, Fd fd, i32 how) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    if (how < 0 || how > 2) {
        return fail(Errno::einval);
    }
    return socket->shutdown(static_cast<net::Shutdown>(how + 1));
}

/// getsockname(2).
Result<void> sys_getsockname(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    net::SocketAddress local;
    TRY(socket->local_address(local));
    return store_address(local, address, size);
}

/// getpeername(2).
Result<void> sys_getpeername(Caller& self, Fd fd, UserOut<std::byte> address, UserInOut<i32> size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    net::SocketAddress peer;
    TRY(socket->peer_address(peer));
    return store_address(peer, address, size);
}

/// getsockopt(2).
Result<void> sys_getsockopt(Caller& self, Fd fd, i32 level, i32 option, UserOut<std::byte> value, UserInOut<i32> size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    const i32 room = TRY(size.fetch());
    if (room < 0) {
        return fail(Errno::einval);
    }
    std::byte buffer[kLargestOption] = {};
    const usize part = static_cast<usize>(std::min(room, kLargestOption));
    const usize written = TRY(socket->get_option(level, option, std::span(buffer, part)));
    TRY(value.store(std::span<const std::byte>(buffer, written)));
    return size.store(static_cast<i32>(written));
}

/// setsockopt(2).
Result<void> sys_setsockopt(Caller& self, Fd fd, i32 level, i32 option, UserIn<std::byte> value, i32 size) {
    SocketReference socket = TRY(SocketReference::find(self, fd));
    if (size < 0) {
        return fail(Errno::einval);
    }
    std::byte buffer[kLargestOption] = {};
    const std::span<std::byte> part(buffer, static_cast<usize>(std::min(size, kLargestOption)));
    TRY(value.fetch(part));
    vfs::OperationContext context = self.context();
    return socket->set_option(context, level, option, part);
}

}  // namespace cairn::syscall
