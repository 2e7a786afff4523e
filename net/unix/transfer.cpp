/// UnixEndpoint: sending, and what poll(2) sees.
#include <algorithm>

#include "kernel/time/clock.h"
#include "net/unix/endpoint.h"
#include "net/unix/unix_sockets.h"

namespace cairn::net {

namespace {

Result<void> check_wait(sync::WakeReason reason) {
    switch (reason) {
        case sync::WakeReason::Condition:
            return {};
        case sync::WakeReason::Interrupted:
            return fail(Errno::eintr);
        case sync::WakeReason::TimedOut:
            break;
    }
    return fail(Errno::eagain);
}

}  // namespace

// --- Common --------------------------------------------------------------------------------------------------------

/// Waits until something may be sent. EPIPE, EAGAIN, EINTR, a pending error.
Result<void> UnixEndpoint::wait_for_room(Nanoseconds deadline) {
    for (;;) {
        {
            sync::MutexGuard guard(mutex_);
            if (error_ != Errno{}) {
                return fail(std::exchange(error_, Errno{}));
            }
            if ((shut_down_ & kWriting) != 0) {
                return fail(Errno::epipe);
            }
        }
        if (has_room()) {
            return {};
        }
        if (deadline.value == 0) {
            lacked_room_.store(true, Order::relaxed);
            return fail(Errno::eagain);
        }
        auto room_or_end = [this] {
            sync::MutexGuard guard(mutex_);
            return has_room() || error_ != Errno{} || (shut_down_ & kWriting) != 0;
        };
        TRY(check_wait(writable_.wait_for_next_look(room_or_end, sync::SleepKind::Interruptible, deadline)));
    }
}

void UnixEndpoint::uncharge(u32 amount) {
    sent_.fetch_sub(amount, Order::relaxed);
    if (has_room()) {
        sync::WaitQueue::wake_one_of_each(writable_, write_pollers_);
        if (lacked_room_.load(Order::relaxed) && lacked_room_.exchange(false, Order::relaxed)) {
            async.notify(vfs::AsyncEvent::Writable);
        }
    }
}

/// The next `size` bytes as a message, with the request's files if it still has them.
Result<Own<UnixMessage>> UnixEndpoint::create_message(SendRequest& request, const SendOptions& options,
                                                      UnixEndpoint& target, usize size) {
    Own<UnixMessage> message = TRY(UnixMessage::create(*this, request.data, size));
    message->credentials = options.credentials;
    message->tells_credentials = options.tells_credentials || passes_credentials.load(Order::relaxed) ||
                                 target.passes_credentials.load(Order::relaxed);
    message->files = std::move(request.files);
    return message;
}

void UnixEndpoint::message_arrived() {
    sync::WaitQueue::wake_one_of_each(readable_, read_pollers_);
    async.notify(vfs::AsyncEvent::Readable);
}

// --- Streams -------------------------------------------------------------------------------------------------------

Result<usize> UnixEndpoint::send_stream(SendRequest& request, const SendOptions& options) {
    std::optional<Ref<UnixEndpoint>> target;
    usize sent = 0;
    Result<void> result;
    {
        sync::MutexGuard guard(mutex_);
        if (!peer_) {
            return fail(Errno::enotconn);
        }
        target = peer_;
        if ((shut_down_ & kWriting) != 0) {
            result = fail(Errno::epipe);
        }
    }
    while (result.ok() && request.data.remaining() != 0) {
        result = wait_for_room(options.deadline);
        if (!result.ok()) {
            break;
        }
        // Half of the buffer at most, so that sender and receiver work at the same time.
        const usize limit = std::min<usize>(send_buffer_.load(Order::relaxed) / 2 - 64, kLargestPart);
        const usize size = std::min(request.data.remaining(), limit);
        Result<Own<UnixMessage>> message = create_message(request, options, **target, size);
        result = message.ok() ? deliver_to_stream(**target, std::move(message).value()) : message.failure();
        sent += result.ok() ? size : 0;
    }
    if (has_room()) {
        writable_.wake_one();  // another thread that waits to send here
    }
    if (result.ok() || sent != 0) {
        return sent;
    }
    request.raises_signal = result.error() == Errno::epipe && (request.flags & message_flags::kNoSignal) == 0;
    return result.failure();
}

Result<void> UnixEndpoint::deliver_to_stream(UnixEndpoint& target, Own<UnixMessage> message) {
    {
        sync::MutexGuard guard(target.mutex_);
        if (target.state_ != State::Closed && (target.shut_down_ & kReading) == 0) {
            target.queue_.push_back(*message.release());
            ++target.queued_;
        }
    }
    if (message) {
        return fail(Errno::epipe);
    }
    target.message_arrived();
    return {};
}

// --- Packets -------------------------------------------------------------------------------------------------------

Result<usize> UnixEndpoint::send_packet(SendRequest& request, const SendOptions& options, UnixEndpoint* target) {
    const usize size = request.data.remaining();
    if (type_ == SocketType::SequencedPackets) {
        sync::MutexGuard guard(mutex_);
        if (state_ != State::Connected) {
            return fail(Errno::enotconn);
        }
    }
    std::optional<Ref<UnixEndpoint>> connected;
    if (target == nullptr) {
        connected = peer();
        if (!connected) {
            return fail(Errno::enotconn);
        }
        target = &**connected;
    }
    if (size > send_buffer_.load(Order::relaxed) - 32) {
        return fail(Errno::emsgsize);
    }
    TRY(wait_for_room(options.deadline));
    Own<UnixMessage> message = TRY(create_message(request, options, *target, size));
    message->source_address = address();
    message->sent_at = time::wall_now();
    Result<void> result = deliver_or_wait(*target, message, options.deadline);
    // Whatever became of it: others may find room now that this call no longer waits for it.
    target->queue_room_.wake_one();
    if (has_room()) {
        writable_.wake_one();
    }
    if (!result.ok()) {
        return result.failure();
    }
    target->message_arrived();
    return size;
}

Result<void> UnixEndpoint::deliver_or_wait(UnixEndpoint& target, Own<UnixMessage>& message, Nanoseconds deadline) {
    while (TRY(deliver_packet(target, message)) == Delivery::QueueFull) {
        TRY(wait_for_queue_room(target, deadline));
    }
    return {};
}

/// Puts the message into the target's queue, unless that is full and the target does not send back.
Result<UnixEndpoint::Delivery> UnixEndpoint::deliver_packet(UnixEndpoint& target, Own<UnixMessage>& message) {
    bool gone = false;
    {
        sync::MutexGuard guard(target.mutex_);
        gone = target.state_ == State::Closed;
        if (!gone) {
            const bool one_way = one_way_to(target);
            if (one_way && target.peer_) {
                return fail(Errno::eperm);
            }
            if ((target.shut_down_ & kReading) != 0) {
                return fail(Errno::epipe);
            }
            if (one_way && &target != this && target.queue_full()) {
                return Delivery::QueueFull;
            }
            target.queue_.push_back(*message.release());
            ++target.queued_;
        }
    }
    if (gone) {
        TRY(target_is_gone(target));
    }
    return Delivery::Done;
}

/// A closed target is no peer any more.
Result<void> UnixEndpoint::target_is_gone(UnixEndpoint& target) {
    std::optional<Ref<UnixEndpoint>> before;
    {
        sync::MutexGuard guard(mutex_);
        if (type_ == SocketType::Datagram && peer_ && &**peer_ == &target) {
            before = std::exchange(peer_, std::nullopt);
        }
    }
    if (before) {
        datagrams_disconnected(target);
    }
    return fail(type_ == SocketType::Datagram ? Errno::econnrefused : Errno::epipe);
}

Result<void> UnixEndpoint::wait_for_queue_room(UnixEndpoint& target, Nanoseconds deadline) {
    if (deadline.value == 0) {
        return fail(Errno::eagain);
    }
    auto room = [&target] {
        sync::MutexGuard guard(target.mutex_);
        return !target.queue_full() || target.shut_down_ != 0 || target.state_ == State::Closed;
    };
    return check_wait(target.queue_room_.wait_until(room, sync::SleepKind::Interruptible, deadline));
}

// --- Ends that poll while their peer's queue is full -----------------------------------------------------------------

/// Whether the peer's queue is full; then this end is told when it no longer is.
bool UnixEndpoint::starves_at_peer() NO_THREAD_SAFETY_ANALYSIS {
    std::optional<Ref<UnixEndpoint>> target = peer();
    if (!target || &**target == this) {
        return false;
    }
    sync::MutexPairGuard guard(mutex_, (*target)->mutex_);
    if (!peer_ || &**peer_ != &**target || !one_way_to(**target) || (*target)->state_ == State::Closed ||
        !(*target)->queue_full()) {
        return false;
    }
    if (!starved_node.linked()) {
        (*target)->starved_.push_back(Ref<UnixEndpoint>(*this).release());
    }
    return true;
}

/// `target` is no longer the peer.
void UnixEndpoint::leave_starved(UnixEndpoint& target) {
    bool listed = false;
    if (&target != this) {
        sync::MutexGuard guard(target.mutex_);
        listed = starved_node.linked();
        if (listed) {
            starved_node.unlink();
        }
    }
    if (listed) {
        release_reference();
    }
}

void UnixEndpoint::feed_starved() {
    for (;;) {
        UnixEndpoint* starved = nullptr;
        {
            sync::MutexGuard guard(mutex_);
            starved = starved_.pop_front();
        }
        if (starved == nullptr) {
            return;
        }
        Ref<UnixEndpoint> owned = Ref<UnixEndpoint>::adopt(*starved);
        owned->write_pollers_.wake_all();
    }
}

vfs::PollEvents UnixEndpoint::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(read_pollers_,
                         vfs::kPollIn | vfs::kPollReadNormal | vfs::kPollReadHup | vfs::kPollHup | vfs::kPollErr);
        registrar->watch(write_pollers_, vfs::kPollOut | vfs::kPollWriteNormal | vfs::kPollWriteBand);
    }
    vfs::PollEvents events = 0;
    bool writable = false;
    {
        sync::MutexGuard guard(mutex_);
        const bool reading_over = (shut_down_ & kReading) != 0;
        events |= error_ != Errno{} ? vfs::kPollErr : 0;
        events |= reading_over && (shut_down_ & kWriting) != 0 ? vfs::kPollHup : 0;
        events |= reading_over ? vfs::kPollReadHup | vfs::kPollIn | vfs::kPollReadNormal : 0;
        events |= !queue_.empty() || !waiting_.empty() ? vfs::kPollIn | vfs::kPollReadNormal : 0;
        events |= is_connection() && state_ == State::Idle ? vfs::kPollHup : 0;
        // A quarter full is as full as it may be to count as writable.
        writable = state_ != State::Listening && u64{sent_bytes()} * 4 <= send_buffer_.load(Order::relaxed);
    }
    if (writable && type_ == SocketType::Datagram) {
        writable = !starves_at_peer();
    }
    return events | (writable ? vfs::kPollOut | vfs::kPollWriteNormal | vfs::kPollWriteBand : 0);
}

}  // namespace cairn::net
