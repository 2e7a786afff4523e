#include "net/socket.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/format.h"
#include "kernel/time/clock.h"

namespace cairn::net {

namespace {

constexpr u64 kPerSecond = 1'000'000'000;
/// socket(7): net.core.wmem_max and rmem_max, doubled for the kernel's own needs; and the least that is granted.
constexpr i32 kBufferLimit = 212992;
constexpr u32 kLeastSendBuffer = 4608;
constexpr u32 kLeastReceiveBuffer = 2304;

/// What getsockopt(2) returns, cut to the program's buffer.
template <typename T>
Result<usize> put_value(const T& value, std::span<std::byte> to) {
    const usize size = std::min(sizeof value, to.size());
    std::memcpy(to.data(), &value, size);
    return size;
}

/// EINVAL: too short.
Result<i32> get_integer(std::span<const std::byte> from) {
    i32 value = 0;
    if (from.size() < sizeof value) {
        return fail(Errno::einval);
    }
    std::memcpy(&value, from.data(), sizeof value);
    return value;
}

/// struct __kernel_old_timeval; of the "new" options too, on a 64-bit machine.
struct Timeout {
    i64 seconds;
    i64 microseconds;
};

}  // namespace

Result<void> Socket::bind(vfs::OperationContext&, const SocketAddress&) {
    return fail(Errno::eopnotsupp);
}

Result<void> Socket::listen(vfs::OperationContext&, u32) {
    return fail(Errno::eopnotsupp);
}

Result<Ref<Socket>> Socket::accept(vfs::OperationContext&, u32) {
    return fail(Errno::eopnotsupp);
}

Result<void> Socket::connect(vfs::OperationContext&, const SocketAddress&) {
    return fail(Errno::eopnotsupp);
}

Result<void> Socket::shutdown(Shutdown) {
    return fail(Errno::eopnotsupp);
}

Result<void> Socket::local_address(SocketAddress&) {
    return fail(Errno::eopnotsupp);
}

Result<void> Socket::peer_address(SocketAddress&) {
    return fail(Errno::eopnotsupp);
}

Result<usize> Socket::get_family_option(i32 level, i32, std::span<std::byte>) {
    return fail(level == kSocketLevel ? Errno::enoprotoopt : Errno::eopnotsupp);
}

Result<void> Socket::set_family_option(vfs::OperationContext&, i32 level, i32, std::span<const std::byte>) {
    return fail(level == kSocketLevel ? Errno::enoprotoopt : Errno::eopnotsupp);
}

Result<usize> Socket::read(vfs::OperationContext& context, mm::IoSink& sink, u64&) {
    ReceiveRequest request(sink);
    request.flags = non_blocking(context) ? message_flags::kDontWait : 0;
    return receive(context, request);
}

Result<usize> Socket::write(vfs::OperationContext& context, mm::IoSource& source, u64&) {
    SendRequest request(source);
    request.flags = non_blocking(context) ? message_flags::kDontWait : 0;
    return send(context, request);
}

void Socket::describe_link(TextBuffer& text) {
    format_to(text, "socket:[{}]", inode().number());
}

// --- Options -------------------------------------------------------------------------------------------------------

Nanoseconds Socket::deadline(const Atomic<u64>& timeout) {
    const u64 length = timeout.load(Order::relaxed);
    return length == 0 ? Nanoseconds::never() : time::now() + Nanoseconds{length};
}

Result<usize> Socket::get_timeout(const Atomic<u64>& timeout, std::span<std::byte> value) {
    const u64 length = timeout.load(Order::relaxed);
    return put_value(Timeout{static_cast<i64>(length / kPerSecond), static_cast<i64>(length % kPerSecond / 1000)},
                     value);
}

/// Zero: none; a negative one does not wait at all (one nanosecond is as good).
Result<void> Socket::set_timeout(Atomic<u64>& timeout, std::span<const std::byte> value) {
    Timeout given{};
    if (value.size() < sizeof given) {
        return fail(Errno::einval);
    }
    std::memcpy(&given, value.data(), sizeof given);
    if (given.microseconds < 0 || given.microseconds >= 1'000'000) {
        return fail(Errno::edom);
    }
    if (given.seconds < 0) {
        timeout.store(1, Order::relaxed);
        return {};
    }
    const u64 seconds = std::min<u64>(static_cast<u64>(given.seconds), ~u64{0} / kPerSecond - 1);
    timeout.store(seconds * kPerSecond + static_cast<u64>(given.microseconds) * 1000, Order::relaxed);
    return {};
}

Result<void> Socket::set_buffer(vfs::OperationContext& context, SocketOption option, i32 value) {
    const bool sending = option == SocketOption::SendBuffer || option == SocketOption::SendBufferForce;
    if (option == SocketOption::SendBufferForce || option == SocketOption::ReceiveBufferForce) {
        if (!context.credentials.has(vfs::Capability::NetAdmin)) {
            return fail(Errno::eperm);
        }
        value = std::clamp(value, 0, 0x3fffffff);
    } else {
        // Compared as unsigned there too: a negative size is a very large one.
        value = static_cast<u32>(value) > static_cast<u32>(kBufferLimit) ? kBufferLimit : value;
    }
    const u32 doubled = static_cast<u32>(value) * 2;
    if (sending) {
        send_buffer_.store(std::max(doubled, kLeastSendBuffer), Order::relaxed);
        options_changed();
    } else {
        receive_buffer_.store(std::max(doubled, kLeastReceiveBuffer), Order::relaxed);
    }
    return {};
}

Atomic<u32>* Socket::find_plain_option(SocketOption option) {
    constexpr SocketOption kPlain[] = {
        SocketOption::Debug,     SocketOption::ReuseAddress,    SocketOption::DontRoute, SocketOption::Broadcast,
        SocketOption::KeepAlive, SocketOption::OutOfBandInline, SocketOption::Priority,  SocketOption::ReusePort,
    };
    static_assert(std::size(kPlain) == std::size(decltype(plain_options_){}));
    const auto* found = std::ranges::find(kPlain, option);
    return found == std::end(kPlain) ? nullptr : &plain_options_[found - kPlain];
}

Result<usize> Socket::get_option(i32 level, i32 number, std::span<std::byte> value) {
    if (level != kSocketLevel) {
        return get_family_option(level, number, value);
    }
    const SocketOption option{number};
    if (const Atomic<u32>* plain = find_plain_option(option)) {
        return put_value(static_cast<i32>(plain->load(Order::relaxed)), value);
    }
    switch (option) {
        case SocketOption::Type:
            return put_value(static_cast<i32>(type_), value);
        case SocketOption::Domain:
            return put_value(i32{domain_}, value);
        case SocketOption::Protocol:
            return put_value(protocol_, value);
        case SocketOption::Error:
            return put_value(static_cast<i32>(take_error()), value);
        case SocketOption::AcceptsConnections:
            return put_value(i32{is_listening()}, value);
        case SocketOption::SendBuffer:
            return put_value(static_cast<i32>(send_buffer()), value);
        case SocketOption::ReceiveBuffer:
            return put_value(static_cast<i32>(receive_buffer_.load(Order::relaxed)), value);
        case SocketOption::PassCredentials:
            return put_value(i32{passes_credentials()}, value);
        case SocketOption::Timestamp:
            return put_value(i32{tells_time()}, value);
        case SocketOption::Linger:
            return put_value(linger_.load(Order::relaxed), value);
        case SocketOption::ReceiveLowWater:
            return put_value(static_cast<i32>(receive_low_water_.load(Order::relaxed)), value);
        case SocketOption::SendLowWater:
            return put_value(i32{1}, value);
        case SocketOption::ReceiveTimeout:
        case SocketOption::ReceiveTimeoutNew:
            return get_timeout(receive_timeout_, value);
        case SocketOption::SendTimeout:
        case SocketOption::SendTimeoutNew:
            return get_timeout(send_timeout_, value);
        default:
            return get_family_option(level, number, value);
    }
}

Result<void> Socket::set_option(vfs::OperationContext& context, i32 level, i32 number,
                                std::span<const std::byte> value) {
    if (level != kSocketLevel) {
        return set_family_option(context, level, number, value);
    }
    const SocketOption option{number};
    const i32 integer = TRY(get_integer(value));
    if (Atomic<u32>* plain = find_plain_option(option)) {
        const bool is_number = option == SocketOption::Priority;
        plain->store(is_number ? static_cast<u32>(integer) : static_cast<u32>(integer != 0), Order::relaxed);
        return {};
    }
    switch (option) {
        case SocketOption::SendBuffer:
        case SocketOption::SendBufferForce:
        case SocketOption::ReceiveBuffer:
        case SocketOption::ReceiveBufferForce:
            return set_buffer(context, option, integer);
        case SocketOption::PassCredentials:
            pass_credentials_.store(integer != 0, Order::relaxed);
            options_changed();
            return {};
        case SocketOption::Timestamp:
            timestamp_.store(integer != 0, Order::relaxed);
            return {};
        case SocketOption::Linger: {
            u64 linger = 0;
            if (value.size() < sizeof linger) {
                return fail(Errno::einval);
            }
            std::memcpy(&linger, value.data(), sizeof linger);
            linger_.store(linger, Order::relaxed);
            return {};
        }
        case SocketOption::ReceiveLowWater:
            receive_low_water_.store(integer <= 0 ? 1 : static_cast<u32>(integer), Order::relaxed);
            return {};
        case SocketOption::ReceiveTimeout:
        case SocketOption::ReceiveTimeoutNew:
            return set_timeout(receive_timeout_, value);
        case SocketOption::SendTimeout:
        case SocketOption::SendTimeoutNew:
            return set_timeout(send_timeout_, value);
        default:
            return set_family_option(context, level, number, value);
    }
}

Socket* find_socket(vfs::File& file) {
    return file.kind() == &Socket::kKind ? static_cast<Socket*>(&file) : nullptr;
}

}  // namespace cairn::net
