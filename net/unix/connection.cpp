/// UnixEndpoint: listening, connecting, shutting down, closing.
#include "net/unix/endpoint.h"

namespace cairn::net {

DyingMessages::~DyingMessages() {
    while (UnixMessage* message = list.pop_front()) {
        Own<UnixMessage>::adopt(message).reset();
    }
}

UnixEndpoint::~UnixEndpoint() {
    ASSERT(flight.references == 0);
}

// --- Listening -----------------------------------------------------------------------------------------------------

Result<void> UnixEndpoint::listen(u32 backlog, const MessageCredentials& credentials) {
    {
        sync::MutexGuard guard(mutex_);
        if (!address_ || (state_ != State::Idle && state_ != State::Listening)) {
            return fail(Errno::einval);
        }
        backlog_ = backlog;
        state_ = State::Listening;
        own_credentials_ = credentials;
    }
    queue_room_.wake_all();  // it may have grown
    return {};
}

Result<Ref<UnixEndpoint>> UnixEndpoint::accept(Nanoseconds deadline) {
    for (;;) {
        UnixEndpoint* first = nullptr;
        bool more = false;
        {
            sync::MutexGuard guard(mutex_);
            if (state_ != State::Listening) {
                return fail(Errno::einval);
            }
            first = waiting_.pop_front();
            waiting_count_ -= first != nullptr ? 1 : 0;
            more = !waiting_.empty();
            if (first == nullptr && (shut_down_ & kReading) != 0) {
                return fail(Errno::einval);
            }
        }
        if (first != nullptr) {
            queue_room_.wake_one();
            if (more) {
                readable_.wake_one();
            }
            return Ref<UnixEndpoint>::adopt(*first);
        }
        TRY(wait_readable(deadline));
    }
}

// --- Connecting ----------------------------------------------------------------------------------------------------

Result<void> UnixEndpoint::connect(UnixEndpoint& listener, const MessageCredentials& credentials,
                                   Nanoseconds deadline) {
    Ref<UnixEndpoint> connection = TRY(try_new_ref<UnixEndpoint>(type_, kDefaultSendBuffer));
    // Whoever sends before it is accepted cannot know whether SO_PASSCRED will be set.
    connection->passes_credentials.store(true, Order::relaxed);
    while (!TRY(try_connect(listener, *connection, credentials))) {
        TRY(wait_for_backlog(listener, deadline));
    }
    listener.message_arrived();
    write_pollers_.wake_all();
    return {};
}

/// False: the backlog is full. The new end becomes known only with this.
Result<bool> UnixEndpoint::try_connect(UnixEndpoint& listener, UnixEndpoint& connection,
                                       const MessageCredentials& credentials) NO_THREAD_SAFETY_ANALYSIS {
    if (&listener == this) {
        return fail(is_listening() ? Errno::einval : Errno::econnrefused);
    }
    sync::MutexPairGuard guard(mutex_, listener.mutex_);
    if (listener.state_ != State::Listening || (listener.shut_down_ & kReading) != 0) {
        return fail(Errno::econnrefused);
    }
    if (state_ == State::Connected) {
        return fail(Errno::eisconn);
    }
    if (state_ != State::Idle) {
        return fail(Errno::einval);
    }
    if (listener.waiting_count_ > listener.backlog_) {
        return false;
    }
    connection.state_ = State::Connected;
    connection.address_ = listener.address_;
    connection.peer_.emplace(*this);
    connection.peer_credentials_ = credentials;
    state_ = State::Connected;
    peer_.emplace(connection);
    peer_credentials_ = listener.own_credentials_;
    listener.waiting_.push_back(Ref<UnixEndpoint>(connection).release());
    ++listener.waiting_count_;
    return true;
}

Result<void> UnixEndpoint::wait_for_backlog(UnixEndpoint& listener, Nanoseconds deadline) {
    if (deadline.value == 0) {
        return fail(Errno::eagain);
    }
    auto room = [&listener] {
        sync::MutexGuard guard(listener.mutex_);
        return listener.state_ != State::Listening || listener.waiting_count_ <= listener.backlog_;
    };
    switch (listener.queue_room_.wait_until(room, sync::SleepKind::Interruptible, deadline)) {
        case sync::WakeReason::Condition:
            return {};
        case sync::WakeReason::Interrupted:
            return fail(Errno::eintr);
        case sync::WakeReason::TimedOut:
            break;
    }
    return fail(Errno::eagain);
}

void UnixEndpoint::connect_pair(UnixEndpoint& a, UnixEndpoint& b,
                                const MessageCredentials& credentials) NO_THREAD_SAFETY_ANALYSIS {
    // Nobody knows them yet.
    sync::MutexPairGuard guard(a.mutex_, b.mutex_);
    a.state_ = b.state_ = State::Connected;
    a.peer_.emplace(b);
    b.peer_.emplace(a);
    a.peer_credentials_ = b.peer_credentials_ = credentials;
}

Result<void> UnixEndpoint::connect_datagrams(UnixEndpoint* peer) {
    std::optional<Ref<UnixEndpoint>> wanted;
    if (peer != nullptr) {
        wanted.emplace(*peer);
        sync::MutexGuard guard(peer->mutex_);
        if (peer->state_ == State::Closed) {
            return fail(Errno::econnrefused);
        }
        if (peer->peer_ && &**peer->peer_ != this) {
            return fail(Errno::eperm);
        }
    }
    std::optional<Ref<UnixEndpoint>> before;
    {
        sync::MutexGuard guard(mutex_);
        before = std::exchange(peer_, std::move(wanted));
    }
    if (before && &**before != peer) {
        leave_starved(**before);
        datagrams_disconnected(**before);
    }
    write_pollers_.wake_all();
    return {};
}

/// Datagrams of the old peer are not for whoever connects elsewhere; a peer that was connected back learns of it.
void UnixEndpoint::datagrams_disconnected(UnixEndpoint& old_peer) {
    DyingMessages dying;
    {
        sync::MutexGuard guard(mutex_);
        dying.list.splice_back(queue_);
        queued_ = 0;
    }
    queue_room_.wake_all();
    feed_starved();
    bool told = false;
    {
        sync::MutexGuard guard(old_peer.mutex_);
        told = !dying.list.empty() && old_peer.peer_ && &**old_peer.peer_ == this && old_peer.state_ != State::Closed;
        if (told) {
            old_peer.error_ = Errno::econnreset;
        }
    }
    if (told) {
        old_peer.wake_everybody();
    }
}

// --- Ending --------------------------------------------------------------------------------------------------------

void UnixEndpoint::shut_down_here(u32 how) {
    {
        sync::MutexGuard guard(mutex_);
        shut_down_ |= how;
    }
    wake_everybody();
}

void UnixEndpoint::shut_down(Shutdown how) {
    const u32 bits = static_cast<u32>(how);
    shut_down_here(bits);
    std::optional<Ref<UnixEndpoint>> other = peer();
    if (other && is_connection()) {
        (*other)->shut_down_here(((bits & kReading) != 0 ? kWriting : 0) | ((bits & kWriting) != 0 ? kReading : 0));
    }
}

void UnixEndpoint::peer_closed(bool unread_data) {
    {
        sync::MutexGuard guard(mutex_);
        shut_down_ = kReading | kWriting;
        if (unread_data) {
            error_ = Errno::econnreset;
        }
    }
    wake_everybody();
}

void UnixEndpoint::close() {
    DyingMessages dying;
    EndpointList waiting;
    std::optional<Ref<UnixEndpoint>> other;
    {
        sync::MutexGuard guard(mutex_);
        state_ = State::Closed;
        shut_down_ = kReading | kWriting;
        other = std::exchange(peer_, std::nullopt);
        dying.list.splice_back(queue_);
        queued_ = 0;
        waiting.splice_back(waiting_);
        waiting_count_ = 0;
    }
    wake_everybody();
    feed_starved();
    if (other && is_connection()) {
        (*other)->peer_closed(!dying.list.empty() || !accepted.load(Order::relaxed));
    } else if (other) {
        leave_starved(**other);
    }
    while (UnixEndpoint* first = waiting.pop_front()) {
        Ref<UnixEndpoint> owned = Ref<UnixEndpoint>::adopt(*first);
        owned->close();
    }
}

void UnixEndpoint::wake_everybody() {
    readable_.wake_all();
    writable_.wake_all();
    queue_room_.wake_all();
    read_pollers_.wake_all();
    write_pollers_.wake_all();
    async.notify(vfs::AsyncEvent::HangUp);
}

// --- State ---------------------------------------------------------------------------------------------------------

std::optional<Ref<UnixEndpoint>> UnixEndpoint::peer() {
    sync::MutexGuard guard(mutex_);
    return peer_;
}

MessageCredentials UnixEndpoint::peer_credentials() {
    sync::MutexGuard guard(mutex_);
    return peer_credentials_;
}

std::optional<Ref<UnixAddress>> UnixEndpoint::address() {
    sync::MutexGuard guard(mutex_);
    return address_;
}

Result<void> UnixEndpoint::set_address(Ref<UnixAddress> address) {
    sync::MutexGuard guard(mutex_);
    if (address_) {
        return fail(Errno::einval);
    }
    address_.emplace(std::move(address));
    return {};
}

bool UnixEndpoint::is_listening() {
    sync::MutexGuard guard(mutex_);
    return state_ == State::Listening;
}

Errno UnixEndpoint::take_error() {
    sync::MutexGuard guard(mutex_);
    return std::exchange(error_, Errno{});
}

void UnixEndpoint::set_send_buffer(u32 size) {
    send_buffer_.store(size, Order::relaxed);
    writable_.wake_all();
    write_pollers_.wake_all();
}

}  // namespace cairn::net
