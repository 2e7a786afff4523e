#pragma once
/// Socket: an open file with the operations of socket(7). Families derive from it; family.cpp has the table of
/// them. Operations that a family leaves alone fail as Linux's do (EOPNOTSUPP).
///
/// The options that mean the same everywhere are kept here, as atomics.

#include <span>

#include "net/message.h"

namespace cairn::net {

enum class SocketType : u8 { Stream = 1, Datagram = 2, Raw = 3, SequencedPackets = 5 };

constexpr u16 kUnspecified = 0;  // AF_UNSPEC
constexpr u16 kLocal = 1;        // AF_UNIX
constexpr u16 kNetlink = 16;     // AF_NETLINK

/// SOL_SOCKET and SO_* (asm-generic/socket.h).
constexpr i32 kSocketLevel = 1;
enum class SocketOption : i32 {
    Debug = 1,
    ReuseAddress = 2,
    Type = 3,
    Error = 4,
    DontRoute = 5,
    Broadcast = 6,
    SendBuffer = 7,
    ReceiveBuffer = 8,
    KeepAlive = 9,
    OutOfBandInline = 10,
    NoChecksum = 11,
    Priority = 12,
    Linger = 13,
    ReusePort = 15,
    PassCredentials = 16,
    PeerCredentials = 17,
    ReceiveLowWater = 18,
    SendLowWater = 19,
    ReceiveTimeout = 20,
    SendTimeout = 21,
    Timestamp = 29,
    AcceptsConnections = 30,
    PeerSecurity = 31,
    SendBufferForce = 32,
    ReceiveBufferForce = 33,
    Mark = 36,
    Protocol = 38,
    Domain = 39,
    PeekOffset = 42,
    PeerGroups = 59,
    ReceiveTimeoutNew = 66,
    SendTimeoutNew = 67,
};

enum class Shutdown : u8 { Reading = 1, Writing = 2, Both = 3 };

class Socket : public vfs::File {
public:
    Socket(Ref<vfs::Inode> inode, u32 flags, u16 domain, SocketType type, i32 protocol)
        : File(std::move(inode), flags), domain_(domain), type_(type), protocol_(protocol) {}

    u16 domain() const { return domain_; }
    SocketType type() const { return type_; }
    i32 protocol() const { return protocol_; }
    bool is_stream() const { return type_ == SocketType::Stream; }

    // --- What a family overrides --------------------------------------------------------------------------------
    virtual Result<void> bind(vfs::OperationContext& context, const SocketAddress& address);
    virtual Result<void> listen(vfs::OperationContext& context, u32 backlog);
    /// The connected socket; `flags`: O_NONBLOCK for it.
    virtual Result<Ref<Socket>> accept(vfs::OperationContext& context, u32 flags);
    virtual Result<void> connect(vfs::OperationContext& context, const SocketAddress& address);
    virtual Result<usize> send(vfs::OperationContext& context, SendRequest& request) = 0;
    virtual Result<usize> receive(vfs::OperationContext& context, ReceiveRequest& request) = 0;
    virtual Result<void> shutdown(Shutdown how);
    virtual Result<void> local_address(SocketAddress& address);
    /// ENOTCONN.
    virtual Result<void> peer_address(SocketAddress& address);
    /// What is not in the table of common options. `value` is as long as the program's; returns how much was written.
    virtual Result<usize> get_family_option(i32 level, i32 option, std::span<std::byte> value);
    virtual Result<void> set_family_option(vfs::OperationContext& context, i32 level, i32 option,
                                           std::span<const std::byte> value);
    /// SO_ERROR: takes the pending error.
    virtual Errno take_error() { return Errno{}; }
    virtual bool is_listening() { return false; }
    /// A common option was set that the family goes by: SO_SNDBUF, SO_PASSCRED.
    virtual void options_changed() {}

    // --- Common ------------------------------------------------------------------------------------------------
    /// getsockopt(2), setsockopt(2).
    Result<usize> get_option(i32 level, i32 option, std::span<std::byte> value);
    Result<void> set_option(vfs::OperationContext& context, i32 level, i32 option, std::span<const std::byte> value);

    u32 send_buffer() const { return send_buffer_.load(Order::relaxed); }
    /// When a call that begins now gives up; SO_RCVTIMEO, SO_SNDTIMEO.
    Nanoseconds receive_deadline() const { return deadline(receive_timeout_); }
    Nanoseconds send_deadline() const { return deadline(send_timeout_); }
    bool receives_with_timeout() const { return receive_timeout_.load(Order::relaxed) != 0; }
    bool sends_with_timeout() const { return send_timeout_.load(Order::relaxed) != 0; }
    bool passes_credentials() const { return pass_credentials_.load(Order::relaxed); }
    bool tells_time() const { return timestamp_.load(Order::relaxed); }

    u32 known_transfer_flags() const override { return vfs::transfer_flags::kUsual | vfs::transfer_flags::kNoWait; }
    Result<usize> read(vfs::OperationContext& context, mm::IoSink& sink, u64& offset) override;
    Result<usize> write(vfs::OperationContext& context, mm::IoSource& source, u64& offset) override;
    void describe_link(TextBuffer& text) override;
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

protected:
    ~Socket() = default;

private:
    static Nanoseconds deadline(const Atomic<u64>& timeout);
    Result<usize> get_timeout(const Atomic<u64>& timeout, std::span<std::byte> value);
    Result<void> set_timeout(Atomic<u64>& timeout, std::span<const std::byte> value);
    Result<void> set_buffer(vfs::OperationContext& context, SocketOption option, i32 value);
    Atomic<u32>* find_plain_option(SocketOption option);

    const u16 domain_;
    const SocketType type_;
    const i32 protocol_;
    Atomic<u32> send_buffer_{212992};  // net.core.wmem_default
    Atomic<u32> receive_buffer_{212992};
    Atomic<u64> receive_timeout_{0};  // nanoseconds; 0: none
    Atomic<u64> send_timeout_{0};
    Atomic<bool> pass_credentials_{false};
    Atomic<bool> timestamp_{false};
    Atomic<u64> linger_{0};  // struct linger
    Atomic<u32> receive_low_water_{1};
    Atomic<u32> plain_options_[8] = {};  // those that are kept and told, but mean nothing to any family yet
};

/// The file as a socket; null for another kind.
Socket* find_socket(vfs::File& file);

struct SocketPair {
    Ref<Socket> first;
    Ref<Socket> second;
};

/// A row of the table of families.
struct AddressFamily {
    u16 number;
    Result<Ref<Socket>> (*create)(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags);
    /// Null: socketpair(2) fails with EOPNOTSUPP.
    Result<SocketPair> (*create_pair)(vfs::OperationContext& context, SocketType type, i32 protocol, u32 flags);
};

/// EAFNOSUPPORT.
Result<const AddressFamily*> find_family(i32 number);

}  // namespace cairn::net
