/// UnixEndpoint: receiving.
#include <algorithm>

#include "net/unix/endpoint.h"
#include "net/unix/unix_sockets.h"

namespace cairn::net {

/// Waits for something that may be beyond the first `seen` bytes, which the caller only peeked at.
Result<void> UnixEndpoint::wait_readable(Nanoseconds deadline, usize seen) {
    if (deadline.value == 0) {
        return fail(Errno::eagain);
    }
    auto something = [this, seen] {
        sync::MutexGuard guard(mutex_);
        return queued_beyond(seen) || !waiting_.empty() || error_ != Errno{} || (shut_down_ & kReading) != 0;
    };
    switch (readable_.wait_for_next_look(something, sync::SleepKind::Interruptible, deadline)) {
        case sync::WakeReason::Condition:
            return {};
        case sync::WakeReason::Interrupted:
            return fail(Errno::eintr);
        case sync::WakeReason::TimedOut:
            break;
    }
    return fail(Errno::eagain);
}

bool UnixEndpoint::queued_beyond(usize seen) {
    for (const UnixMessage& message : queue_) {
        if (seen == 0 || message.size() > seen) {
            return true;
        }
        seen -= message.size();
    }
    return false;
}

/// A message's files go to whoever receives its first byte; who only peeks gets further references.
Result<void> UnixEndpoint::hand_over_files(UnixMessage& message, ReceiveRequest& request) {
    if (!message.files) {
        return {};
    }
    if ((request.flags & message_flags::kPeek) != 0) {
        request.files = TRY(message.files->duplicate());
    } else {
        request.files = std::move(message.files);
    }
    return {};
}

// --- Streams -------------------------------------------------------------------------------------------------------

/// Where a call that receives from a stream has got to.
struct UnixEndpoint::StreamProgress {
    usize skip = 0;          // to peek from, counted from the first byte in the queue
    bool described = false;  // who sent the bytes is known
    MessageCredentials credentials;
    bool tells_credentials = false;
    bool complete = false;  // nothing that comes later belongs to this call
    Result<void> result;
};

namespace {

bool same_sender(const UnixMessage& message, bool tells, const MessageCredentials& credentials) {
    return message.tells_credentials == tells &&
           (!tells || (message.credentials.process == credentials.process &&
                       message.credentials.uid == credentials.uid && message.credentials.gid == credentials.gid));
}

}  // namespace

/// Copies what is there. Bytes of different senders are not mixed when the receiver wants to know them, and those that
/// come with files end the call.
void UnixEndpoint::copy_from_stream(ReceiveRequest& request, const ReceiveOptions& options, StreamProgress& progress,
                                    UnixMessageList& done) {
    const bool peek = (request.flags & message_flags::kPeek) != 0;
    usize skip = progress.skip;
    for (UnixMessage* message = queue_.front(); message != nullptr && !progress.complete;) {
        UnixMessage* const next = queue_.next(*message);
        if (skip != 0 && skip >= message->size()) {
            skip -= message->size();
            message = next;
            continue;
        }
        if (progress.described && options.wants_credentials &&
            !same_sender(*message, progress.tells_credentials, progress.credentials)) {
            progress.complete = true;
            return;
        }
        progress.described = true;
        progress.credentials = message->credentials;
        progress.tells_credentials = message->tells_credentials;

        const usize wanted = std::min(message->size() - skip, request.data.remaining());
        const Result<usize> copied = message->copy_out(request.data, skip, wanted);
        const usize moved = copied.ok() ? copied.value() : 0;
        if (moved < wanted) {
            // What of a message could not be delivered as wanted stays.
            request.data.revert(moved);
            progress.result = fail(Errno::efault);
            progress.complete = true;
            return;
        }
        progress.result = hand_over_files(*message, request);
        progress.complete = !progress.result.ok() || request.files || request.data.remaining() == 0;
        skip = 0;
        if (peek) {
            progress.skip += moved;
        } else {
            message->consume(moved);
            if (message->size() == 0) {
                queue_.remove(*message);
                --queued_;
                done.push_back(*message);
            }
        }
        message = next;
    }
}

Result<usize> UnixEndpoint::receive_stream(ReceiveRequest& request, const ReceiveOptions& options) {
    const bool peek = (request.flags & message_flags::kPeek) != 0;
    const usize before = request.data.moved();
    const bool wait_for_all = (request.flags & message_flags::kWaitAll) != 0;
    const usize target = wait_for_all ? std::max<usize>(request.data.remaining(), 1) : 1;
    const i32 offset = peek_offset.load(Order::relaxed);
    StreamProgress progress;
    progress.skip = peek && offset > 0 ? static_cast<usize>(offset) : 0;
    for (;;) {
        bool over = false;
        bool more = false;
        const usize peeked = progress.skip;
        {
            DyingMessages dying;  // behind the lock, and before a wait: they make room for what is waited for
            sync::MutexGuard guard(mutex_);
            if (state_ != State::Connected) {
                return fail(Errno::einval);
            }
            copy_from_stream(request, options, progress, dying.list);
            if (!progress.complete && request.data.moved() - before < target) {
                if (error_ != Errno{}) {
                    progress.result = fail(std::exchange(error_, Errno{}));
                    over = true;
                }
                over = over || (shut_down_ & kReading) != 0;
            }
            more = !queue_.empty();
        }
        const usize moved = request.data.moved() - before;
        Result<void> waited;
        if (!progress.complete && !over && moved < target) {
            if (more && progress.skip != peeked) {
                readable_.wake_one();  // it is still there for others
            }
            waited = wait_readable(options.deadline, progress.skip);
            if (waited.ok()) {
                continue;
            }
        }
        if (more) {
            readable_.wake_one();
        }
        const bool failed = !progress.result.ok() || !waited.ok();
        if (moved == 0 && failed && !request.files) {
            return progress.result.ok() ? waited.failure() : progress.result.failure();
        }
        if (progress.described && options.wants_credentials) {
            request.credentials = progress.tells_credentials ? progress.credentials : kUnknownSender;
        }
        if (offset >= 0) {
            const i32 change = static_cast<i32>(moved);
            peek_offset.store(peek ? offset + change : std::max(offset - change, 0), Order::relaxed);
        }
        return moved;
    }
}

// --- Packets -------------------------------------------------------------------------------------------------------

/// Copies a packet, cut to what the program has room for. The number of bytes that the call returns.
Result<usize> UnixEndpoint::copy_packet(UnixMessage& message, usize skip, ReceiveRequest& request,
                                        const ReceiveOptions& options) {
    const usize size = message.size() - skip;
    const usize wanted = std::min(size, request.data.remaining());
    const usize copied = TRY(message.copy_out(request.data, skip, wanted));
    if (copied < wanted) {
        return fail(Errno::efault);
    }
    TRY(hand_over_files(message, request));
    if (copied < size) {
        request.result_flags |= message_flags::kTruncated;
    }
    if (message.source_address) {
        request.address = (*message.source_address)->encode();
    }
    if (options.wants_credentials) {
        request.credentials = message.tells_credentials ? message.credentials : kUnknownSender;
    }
    if (options.wants_time) {
        request.sent_at = message.sent_at;
    }
    return (request.flags & message_flags::kTruncated) != 0 ? size : copied;
}

Result<usize> UnixEndpoint::receive_packet(ReceiveRequest& request, const ReceiveOptions& options) {
    const bool peek = (request.flags & message_flags::kPeek) != 0;
    const i32 offset = peek_offset.load(Order::relaxed);
    for (;;) {
        Own<UnixMessage> message;
        std::optional<Result<usize>> result;
        bool more = false;
        {
            sync::MutexGuard guard(mutex_);
            if (type_ == SocketType::SequencedPackets && state_ != State::Connected) {
                return fail(Errno::enotconn);
            }
            UnixMessage* first = queue_.front();
            usize skip = peek && offset > 0 ? static_cast<usize>(offset) : 0;
            while (first != nullptr && skip != 0 && skip >= first->size()) {
                skip -= first->size();
                first = queue_.next(*first);
            }
            if (first != nullptr) {
                result.emplace(copy_packet(*first, skip, request, options));
                if (!peek) {  // even if it could not be copied
                    queue_.remove(*first);
                    --queued_;
                    message = Own<UnixMessage>::adopt(first);
                }
            } else if (error_ != Errno{}) {
                return fail(std::exchange(error_, Errno{}));
            } else if ((shut_down_ & kReading) != 0 &&
                       (type_ == SocketType::SequencedPackets || options.deadline.value != 0)) {
                return usize{0};
            }
            more = !queue_.empty();
        }
        if (!result) {
            TRY(wait_readable(options.deadline, peek && offset > 0 ? static_cast<usize>(offset) : 0));
            continue;
        }
        if (message) {
            queue_room_.wake_one();
            feed_starved();
        }
        if (more) {
            readable_.wake_one();
        }
        if (offset >= 0 && result->ok()) {
            const i32 change = static_cast<i32>(result->value());
            peek_offset.store(peek ? offset + change : std::max(offset - change, 0), Order::relaxed);
        }
        return std::move(*result);
    }
}

Result<u64> UnixEndpoint::readable_bytes() {
    sync::MutexGuard guard(mutex_);
    if (state_ == State::Listening) {
        return fail(Errno::einval);
    }
    u64 sum = 0;
    for (const UnixMessage& message : queue_) {
        sum += message.size();
        if (type_ == SocketType::Datagram) {
            break;  // the next datagram's
        }
    }
    return sum;
}

}  // namespace cairn::net
