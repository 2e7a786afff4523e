#pragma once
/// What the socket calls share: finding the socket of a descriptor, and addresses in and out.

#include "kernel/syscall/sockets.h"

namespace cairn::syscall {

/// A descriptor's socket, which it keeps. EBADF, ENOTSOCK.
class SocketReference {
public:
    static Result<SocketReference> find(Caller& self, Fd fd);
    net::Socket& operator*() const { return *net::find_socket(*file_); }
    net::Socket* operator->() const { return net::find_socket(*file_); }

private:
    explicit SocketReference(Ref<vfs::File> file) : file_(std::move(file)) {}
    Ref<vfs::File> file_;
};

/// An interrupted call that had a timeout is not restarted, since nobody knows how much of it is left (signal(7)).
template <typename T>
Result<T> note_interruption(Caller& self, bool has_timeout, Result<T> result) {
    if (!result.ok() && result.error() == Errno::eintr && has_timeout) {
        self.forbid_restart();
    }
    return result;
}

/// EINVAL: no size that an address can have.
Result<net::SocketAddress> fetch_address(UserIn<std::byte> from, i32 size);
/// Value and result: the program's room goes in, the address's true size comes out. EINVAL, EFAULT.
Result<void> store_address(const net::SocketAddress& address, UserOut<std::byte> to, UserInOut<i32> size);

}  // namespace cairn::syscall
