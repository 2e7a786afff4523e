#pragma once
/// UnixSockets: what local sockets have in common in the whole system. g_kernel.unix_sockets.
///
/// Abstract names are in a tree under a spinlock (rank AbstractNames). Open files that are on their way in messages
/// (SCM_RIGHTS) are counted per user, and those that are themselves local sockets are known one by one, under
/// `garbage_mutex` (rank UnixGarbage): such sockets may reach one another in a circle that no program can reach any
/// more (garbage.cpp).

#include "net/unix/endpoint.h"

namespace cairn::net {

class UnixSockets {
public:
    /// At start-up. ENOMEM.
    static Result<void> initialize();
    /// The counterpart, for machines that are torn down in tests: no local socket is left.
    static void shut_down();

    // --- Abstract names (names.cpp) ----------------------------------------------------------------------------------
    struct Binding {
        RbNode node;
        UnixEndpoint* endpoint = nullptr;
        std::optional<Ref<UnixAddress>> address;
    };
    /// Makes the name lead to the endpoint. EADDRINUSE.
    Result<void> bind(Binding& binding, UnixEndpoint& endpoint, Ref<UnixAddress> address);
    void unbind(Binding& binding);
    /// ECONNREFUSED.
    Result<Ref<UnixEndpoint>> find(SocketType type, const UnixAddress& address);
    /// Autobind: a name of five hexadecimal digits that nobody has. ENOSPC, ENOMEM.
    Result<Ref<UnixAddress>> bind_any(Binding& binding, UnixEndpoint& endpoint);

    // --- Files in flight (garbage.cpp) -------------------------------------------------------------------------------
    /// Counts the files as sent by the user. ETOOMANYREFS: more than `limit` are in flight; ENOMEM.
    Result<void> take_off(PassedFiles& files, u32 user, u64 limit);
    /// They have arrived, or are dropped.
    void land(PassedFiles& files);
    /// Drops files with no lock held; those that are sockets one after the other, not one inside the other.
    void drop(Own<PassedFiles> files);
    /// Finds sockets that nothing but messages refers to, and drops those messages.
    void collect_garbage();
    bool any_in_flight() const { return sockets_in_flight_.load(Order::relaxed) != 0; }

    UnixSockets() = default;

private:
    struct ByName {
        static bool less(const Binding& a, const Binding& b) {
            return a.endpoint->type() != b.endpoint->type() ? a.endpoint->type() < b.endpoint->type()
                                                            : (*a.address)->name() < (*b.address)->name();
        }
    };
    Binding* find_binding(SocketType type, std::string_view name) REQUIRES(names_lock_);

    /// How many files a user has in flight.
    struct UserCount {
        RbNode node;
        u32 user = 0;
        u64 files = 0;
    };
    struct ByUser {
        static bool less(const UserCount& a, const UserCount& b) { return a.user < b.user; }
    };
    UserCount* find_user(u32 user) REQUIRES(garbage_mutex_);

    using FlightList = List<UnixEndpoint::Flight, &UnixEndpoint::Flight::node>;
    using ReachedList = List<UnixEndpoint::Flight, &UnixEndpoint::Flight::reached_node>;
    static UnixEndpoint& endpoint_of(UnixEndpoint::Flight& flight) {
        return *object_of_member<UnixEndpoint, UnixEndpoint::Flight, &UnixEndpoint::flight>(&flight);
    }
    void mark_candidates() REQUIRES(garbage_mutex_);
    void explain_references() REQUIRES(garbage_mutex_);
    void clear_reachable() REQUIRES(garbage_mutex_);
    void take_garbage(UnixMessageList& garbage) REQUIRES(garbage_mutex_);

    SpinLock<LockRank::AbstractNames> names_lock_;
    RbTree<Binding, &Binding::node, ByName> names_ GUARDED_BY(names_lock_);
    Atomic<u32> next_any_{0};

    sync::Mutex<LockRank::UnixGarbage> garbage_mutex_;
    FlightList in_flight_ GUARDED_BY(garbage_mutex_);
    RbTree<UserCount, &UserCount::node, ByUser> users_ GUARDED_BY(garbage_mutex_);
    Atomic<u32> sockets_in_flight_{0};  // written under garbage_mutex_
    bool dropping_ GUARDED_BY(garbage_mutex_) = false;
    List<PassedFiles, &PassedFiles::node> to_drop_ GUARDED_BY(garbage_mutex_);
};

/// UnixSockets::drop on g_kernel's.
void drop_passed_files(Own<PassedFiles> files);

}  // namespace cairn::net
