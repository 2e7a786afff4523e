/// UnixSockets: open files in flight, and local sockets that only messages refer to.
///
/// A socket whose every reference is in a message is a candidate. References that lie in the queues of candidates prove
/// nothing; a candidate with any other reference can be received by a program, and so can whatever its own queue
/// leads to. The candidates that remain are garbage, and their messages that carry garbage are dropped.
///
/// The counts change only under garbage_mutex_: before a message is queued, and after it was taken out. A message that
/// is in between lies in no queue but is counted, so its files count as reachable.
#include "kernel/base/kernel.h"
#include "net/unix/unix_socket.h"
#include "net/unix/unix_sockets.h"

namespace cairn::net {

Result<void> UnixSockets::initialize() {
    g_kernel.unix_sockets = TRY(try_new<UnixSockets>()).release();
    return {};
}

void UnixSockets::shut_down() {
    Own<UnixSockets>::adopt(std::exchange(g_kernel.unix_sockets, nullptr)).reset();
}

void drop_passed_files(Own<PassedFiles> files) {
    g_kernel.unix_sockets->drop(std::move(files));
}

// --- Counting ------------------------------------------------------------------------------------------------------

UnixSockets::UserCount* UnixSockets::find_user(u32 user) {
    UserCount* count = users_.partition_point([&](const UserCount& other) { return other.user < user; });
    return count != nullptr && count->user == user ? count : nullptr;
}

Result<void> UnixSockets::take_off(PassedFiles& files, u32 user, u64 limit) {
    Own<UserCount> created = TRY(try_new<UserCount>());
    sync::MutexGuard guard(garbage_mutex_);
    UserCount* count = find_user(user);
    if (count != nullptr && count->files > limit) {
        return fail(Errno::etoomanyrefs);
    }
    if (count == nullptr) {
        count = created.release();
        count->user = user;
        users_.insert(*count);
    }
    count->files += files.count();
    files.counted = true;
    files.sender = user;
    for (u32 i = 0; i < files.count(); ++i) {
        if (UnixEndpoint* endpoint = find_unix_endpoint(files.file(i))) {
            if (endpoint->flight.references++ == 0) {
                endpoint->flight.file = &files.file(i);
                in_flight_.push_back(endpoint->flight);
            }
            sockets_in_flight_.fetch_add(1, Order::relaxed);
        }
    }
    return {};
}

void UnixSockets::land(PassedFiles& files) {
    Own<UserCount> unused;
    sync::MutexGuard guard(garbage_mutex_);
    if (!std::exchange(files.counted, false)) {
        return;
    }
    UserCount* count = find_user(files.sender);
    count->files -= files.count();
    if (count->files == 0) {
        users_.remove(*count);
        unused = Own<UserCount>::adopt(count);
    }
    for (u32 i = 0; i < files.count(); ++i) {
        if (UnixEndpoint* endpoint = find_unix_endpoint(files.file(i))) {
            sockets_in_flight_.fetch_sub(1, Order::relaxed);
            if (--endpoint->flight.references == 0) {
                endpoint->flight.node.unlink();
            }
        }
    }
}

/// A socket that closes drops what is in its queue, which may be sockets with queues … : only the outermost call
/// closes anything, so the stack does not grow with the chain.
void UnixSockets::drop(Own<PassedFiles> files) {
    land(*files);
    {
        sync::MutexGuard guard(garbage_mutex_);
        to_drop_.push_back(*files.release());
        if (std::exchange(dropping_, true)) {
            return;
        }
    }
    for (;;) {
        Own<PassedFiles> next;
        {
            sync::MutexGuard guard(garbage_mutex_);
            next = Own<PassedFiles>::adopt(to_drop_.pop_front());
            if (!next) {
                dropping_ = false;
                return;
            }
        }
    }
}

// --- Collecting ----------------------------------------------------------------------------------------------------

void UnixSockets::mark_candidates() {
    for (UnixEndpoint::Flight& flight : in_flight_) {
        flight.candidate = flight.file->reference_count() == flight.references;
        flight.unexplained = flight.references;
    }
}

void UnixSockets::explain_references() {
    for (UnixEndpoint::Flight& flight : in_flight_) {
        if (!flight.candidate) {
            continue;
        }
        endpoint_of(flight).visit_passed_files([](PassedFiles& files) {
            for (u32 i = 0; i < files.count(); ++i) {
                if (UnixEndpoint* endpoint = find_unix_endpoint(files.file(i))) {
                    ASSERT(endpoint->flight.unexplained != 0);
                    --endpoint->flight.unexplained;
                }
            }
        });
    }
}

/// Candidates with a reference from elsewhere are none, nor is what they lead to.
void UnixSockets::clear_reachable() {
    ReachedList reached;
    for (UnixEndpoint::Flight& flight : in_flight_) {
        if (flight.candidate && flight.unexplained != 0) {
            flight.candidate = false;
            reached.push_back(flight);
        }
    }
    while (UnixEndpoint::Flight* flight = reached.pop_front()) {
        endpoint_of(*flight).visit_passed_files([&reached](PassedFiles& files) {
            for (u32 i = 0; i < files.count(); ++i) {
                UnixEndpoint* endpoint = find_unix_endpoint(files.file(i));
                if (endpoint != nullptr && endpoint->flight.candidate) {
                    endpoint->flight.candidate = false;
                    reached.push_back(endpoint->flight);
                }
            }
        });
    }
}

void UnixSockets::take_garbage(UnixMessageList& garbage) {
    for (UnixEndpoint::Flight& flight : in_flight_) {
        if (!flight.candidate) {
            continue;
        }
        endpoint_of(flight).take_messages(
            [](PassedFiles& files) {
                for (u32 i = 0; i < files.count(); ++i) {
                    UnixEndpoint* endpoint = find_unix_endpoint(files.file(i));
                    if (endpoint != nullptr && endpoint->flight.candidate) {
                        return true;
                    }
                }
                return false;
            },
            garbage);
    }
}

void UnixSockets::collect_garbage() {
    DyingMessages garbage;
    sync::MutexGuard guard(garbage_mutex_);
    mark_candidates();
    explain_references();
    clear_reachable();
    take_garbage(garbage.list);
}

}  // namespace cairn::net
