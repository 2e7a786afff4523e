#pragma once
/// UnixEndpoint: one end of local communication. It belongs to an open socket, or, not yet accepted, to the queue of
/// the listener that it was made for; its peer and messages on their way keep it longer, closed.
///
/// `mutex_` (rank Socket) protects state, peer and queue; it is held while bytes are copied to user memory. Two ends
/// are locked together only to connect them. What is in the queue was sent by others and counts in
/// their send buffers (`sent_`, an atomic), so that a full one makes its sender wait.
///
/// Wake-ups go on as in a pipe: whoever leaves something for another of its kind wakes the next.

#include "kernel/sync/mutex.h"
#include "net/unix/message.h"

namespace cairn::net {

class UnixSocket;
using UnixMessageList = List<UnixMessage, &UnixMessage::node>;

/// Messages that were taken out of a queue and go when no lock is held.
class DyingMessages {
public:
    DyingMessages() = default;
    ~DyingMessages();
    UnixMessageList list;
};

class UnixEndpoint : public RefCounted<UnixEndpoint> {
public:
    static constexpr u32 kDefaultSendBuffer = 212992;  // net.core.wmem_default

    UnixEndpoint(SocketType type, u32 send_buffer) : type_(type), send_buffer_(send_buffer) {}
    ~UnixEndpoint();

    SocketType type() const { return type_; }
    bool is_connection() const { return type_ != SocketType::Datagram; }

    // --- Connections (connection.cpp) ----------------------------------------------------------------------------
    /// listen(2). EINVAL.
    Result<void> listen(u32 backlog, const MessageCredentials& credentials);
    /// The oldest connection that waits. EINVAL, EAGAIN, EINTR.
    Result<Ref<UnixEndpoint>> accept(Nanoseconds deadline);
    /// Of a stream, to a listener. ECONNREFUSED, EAGAIN, EINTR, EISCONN, EINVAL, ENOMEM.
    Result<void> connect(UnixEndpoint& listener, const MessageCredentials& credentials, Nanoseconds deadline);
    /// Of datagrams: sets where they go; null: nowhere. EPERM: `peer` has another peer.
    Result<void> connect_datagrams(UnixEndpoint* peer);
    /// socketpair(2).
    static void connect_pair(UnixEndpoint& a, UnixEndpoint& b, const MessageCredentials& credentials);
    void shut_down(Shutdown how);
    /// The socket is closed. Not under any lock.
    void close();

    std::optional<Ref<UnixEndpoint>> peer();
    MessageCredentials peer_credentials();
    std::optional<Ref<UnixAddress>> address();
    /// EINVAL: it has one.
    Result<void> set_address(Ref<UnixAddress> address);
    bool is_listening();
    Errno take_error();

    // --- Messages (transfer.cpp, receive.cpp) ------------------------------------------------------------------------
    struct SendOptions {
        MessageCredentials credentials;
        bool tells_credentials = false;
        Nanoseconds deadline;
    };
    Result<usize> send_stream(SendRequest& request, const SendOptions& options);
    /// `target`: where to; the peer when null.
    Result<usize> send_packet(SendRequest& request, const SendOptions& options, UnixEndpoint* target);

    struct ReceiveOptions {
        bool wants_credentials = false;
        bool wants_time = false;
        Nanoseconds deadline;
    };
    Result<usize> receive_stream(ReceiveRequest& request, const ReceiveOptions& options);
    Result<usize> receive_packet(ReceiveRequest& request, const ReceiveOptions& options);

    vfs::PollEvents poll(vfs::PollRegistrar* registrar);
    /// FIONREAD. EINVAL: it listens.
    Result<u64> readable_bytes();
    /// SIOCOUTQ.
    u32 sent_bytes() const { return sent_.load(Order::relaxed); }
    void set_send_buffer(u32 size);
    /// Open files that want SIGIO.
    vfs::AsyncList async;
    /// SO_PEEK_OFF; -1: off.
    Atomic<i32> peek_offset{-1};
    /// SO_PASSCRED, as its peers look at it when they send.
    Atomic<bool> passes_credentials{false};

    // --- For messages -----------------------------------------------------------------------------------------------
    void charge(u32 amount) { sent_.fetch_add(amount, Order::relaxed); }
    void uncharge(u32 amount);

    // --- For the search for garbage (garbage.cpp); under UnixSockets::garbage_mutex ----------------------------------
    struct Flight {
        ListNode node;              // of UnixSockets::in_flight; linked while `references` is not zero
        u32 references = 0;         // to the open file that are in messages
        vfs::File* file = nullptr;  // the open file, while there is one
        ListNode reached_node;      // of the ends whose messages are still to be followed
        bool candidate = false;     // all references are in messages
        u32 unexplained = 0;        // references that are in no candidate's messages
    };
    Flight flight;
    /// Calls `visit` with the files of each message in the queue, and in those of connections not yet accepted.
    template <typename Visit>
    void visit_passed_files(Visit visit);
    /// Takes out the messages of which `wanted` says so.
    template <typename Wanted>
    void take_messages(Wanted wanted, UnixMessageList& taken);
    /// Has a socket (false: still in a listener's queue).
    Atomic<bool> accepted{false};

    ListNode accept_node;   // of a listener's queue, under its mutex
    ListNode starved_node;  // of its peer's list, under the peer's mutex

private:
    enum class State : u8 { Idle, Listening, Connected, Closed };
    static constexpr u32 kReading = static_cast<u32>(Shutdown::Reading);
    static constexpr u32 kWriting = static_cast<u32>(Shutdown::Writing);
    using EndpointList = List<UnixEndpoint, &UnixEndpoint::accept_node>;
    using StarvedList = List<UnixEndpoint, &UnixEndpoint::starved_node>;

    Result<bool> try_connect(UnixEndpoint& listener, UnixEndpoint& connection, const MessageCredentials& credentials);
    Result<void> wait_for_backlog(UnixEndpoint& listener, Nanoseconds deadline);
    void peer_closed(bool unread_data);
    void datagrams_disconnected(UnixEndpoint& old_peer);
    void shut_down_here(u32 how);
    void leave_starved(UnixEndpoint& target);
    bool starves_at_peer();
    void feed_starved();

    Result<void> wait_for_room(Nanoseconds deadline);
    Result<void> wait_for_queue_room(UnixEndpoint& target, Nanoseconds deadline);
    Result<Own<UnixMessage>> create_message(SendRequest& request, const SendOptions& options, UnixEndpoint& target,
                                            usize size);
    enum class Delivery : u8 { Done, QueueFull };
    Result<Delivery> deliver_packet(UnixEndpoint& target, Own<UnixMessage>& message);
    Result<void> deliver_or_wait(UnixEndpoint& target, Own<UnixMessage>& message, Nanoseconds deadline);
    Result<void> deliver_to_stream(UnixEndpoint& target, Own<UnixMessage> message);
    Result<void> target_is_gone(UnixEndpoint& target);
    void message_arrived();
    bool has_room() const { return sent_bytes() < send_buffer_.load(Order::relaxed); }
    bool queue_full() REQUIRES(mutex_) { return queued_ > kQueueLimit; }
    bool one_way_to(UnixEndpoint& target) REQUIRES(target.mutex_) { return !target.peer_ || &**target.peer_ != this; }

    struct StreamProgress;
    void copy_from_stream(ReceiveRequest& request, const ReceiveOptions& options, StreamProgress& progress,
                          UnixMessageList& done) REQUIRES(mutex_);
    Result<usize> copy_packet(UnixMessage& message, usize skip, ReceiveRequest& request, const ReceiveOptions& options)
        REQUIRES(mutex_);
    Result<void> hand_over_files(UnixMessage& message, ReceiveRequest& request) REQUIRES(mutex_);
    Result<void> wait_readable(Nanoseconds deadline, usize seen = 0);
    bool queued_beyond(usize seen) REQUIRES(mutex_);
    void wake_everybody();

    /// net.unix.max_dgram_qlen.
    static constexpr u32 kQueueLimit = 10;
    /// Of a write to a stream, what becomes one message at most.
    static constexpr usize kLargestPart = 32 * kKiB;
    /// For messages whose sender did not say and was not asked (SO_PASSCRED came later): overflowuid(5).
    static constexpr MessageCredentials kUnknownSender{0, 65534, 65534};

    const SocketType type_;
    sync::Mutex<LockRank::Socket> mutex_;
    State state_ GUARDED_BY(mutex_) = State::Idle;
    u32 shut_down_ GUARDED_BY(mutex_) = 0;  // bits of Shutdown
    Errno error_ GUARDED_BY(mutex_) = Errno{};
    std::optional<Ref<UnixAddress>> address_ GUARDED_BY(mutex_);
    std::optional<Ref<UnixEndpoint>> peer_ GUARDED_BY(mutex_);
    MessageCredentials own_credentials_ GUARDED_BY(mutex_);  // a listener's, of whoever called listen(2)
    MessageCredentials peer_credentials_ GUARDED_BY(mutex_);
    UnixMessageList queue_ GUARDED_BY(mutex_);
    u32 queued_ GUARDED_BY(mutex_) = 0;        // messages in queue_
    EndpointList waiting_ GUARDED_BY(mutex_);  // connections to accept; the queue holds a reference to each
    u32 waiting_count_ GUARDED_BY(mutex_) = 0;
    u32 backlog_ GUARDED_BY(mutex_) = 0;
    StarvedList starved_ GUARDED_BY(mutex_);  // ends that found the queue full in poll, and are told; counted
    Atomic<u32> sent_{0};
    Atomic<u32> send_buffer_;
    Atomic<bool> lacked_room_{false};  // a send failed for want of it: tell who wants SIGIO

    sync::WaitQueue readable_;    // something to receive or accept
    sync::WaitQueue writable_;    // room in the send buffer
    sync::WaitQueue queue_room_;  // room in this end's queue, or backlog
    sync::WaitQueue read_pollers_;
    sync::WaitQueue write_pollers_;
};

// A connection that is not accepted yet has no other lock order than this: its listener's mutex, then its own.
template <typename Visit>
void UnixEndpoint::visit_passed_files(Visit visit) NO_THREAD_SAFETY_ANALYSIS {
    mutex_.lock(RankUse::SecondOfPair);
    for (UnixMessage& message : queue_) {
        if (message.files) {
            visit(*message.files);
        }
    }
    for (UnixEndpoint& connection : waiting_) {
        connection.visit_passed_files(visit);
    }
    mutex_.unlock();
}

template <typename Wanted>
void UnixEndpoint::take_messages(Wanted wanted, UnixMessageList& taken) NO_THREAD_SAFETY_ANALYSIS {
    mutex_.lock(RankUse::SecondOfPair);
    for (UnixMessage* message = queue_.front(); message != nullptr;) {
        UnixMessage* next = queue_.next(*message);
        if (message->files && wanted(*message->files)) {
            queue_.remove(*message);
            --queued_;
            taken.push_back(*message);
        }
        message = next;
    }
    for (UnixEndpoint& connection : waiting_) {
        connection.take_messages(wanted, taken);
    }
    mutex_.unlock();
}

}  // namespace cairn::net
