#pragma once
/// UnixMessage: bytes, and what goes with them, in the queue of the end that is to receive them. It belongs to its
/// sender until it is queued, then to the queue. Dropped with no lock held: files may close and the sender is woken.

#include "net/unix/address.h"

namespace cairn::net {

class UnixEndpoint;

class UnixMessage {
public:
    /// Copies `size` bytes from the source. ENOMEM, EFAULT.
    static Result<Own<UnixMessage>> create(UnixEndpoint& sender, mm::IoSource& source, usize size);
    explicit UnixMessage(UnixEndpoint& sender);
    ~UnixMessage();

    /// Bytes not yet received.
    usize size() const { return size_; }
    /// Copies up to `limit` bytes, from `skip` bytes after the first; they stay. EFAULT when nothing was copied.
    Result<usize> copy_out(mm::IoSink& sink, usize skip, usize limit) const;
    /// Bytes were received.
    void consume(usize size);
    /// What it counts for in its sender's SO_SNDBUF.
    u32 charge() const { return charge_; }
    UnixEndpoint& sender() const { return *sender_; }

    ListNode node;
    std::optional<Ref<UnixAddress>> source_address;  // of datagrams
    MessageCredentials credentials;
    bool tells_credentials = false;
    Own<PassedFiles> files;
    Nanoseconds sent_at;  // of packets

    /// What Linux's struct sk_buff and its kin add to the bytes, which count in units of 64: programs see it in how
    /// many messages fit into SO_SNDBUF.
    static constexpr u32 kOverhead = 704;

private:
    /// A part of the bytes; none is larger than the allocator serves easily, and where it does not, they are pages.
    struct Piece {
        ListNode node;
        OwnArray<std::byte> bytes;
    };
    static constexpr usize kPieceSize = 4 * kPageSize;
    static Result<OwnArray<std::byte>> allocate_bytes(usize wanted);

    /// So few bytes are in the message itself.
    static constexpr usize kSmall = 64;

    Ref<UnixEndpoint> sender_;
    List<Piece, &Piece::node> pieces_;
    usize start_ = 0;  // in the first piece, or in small_
    usize size_ = 0;
    u32 charge_ = 0;
    std::byte small_[kSmall];  // uncleared: only what was sent is received
};

}  // namespace cairn::net
