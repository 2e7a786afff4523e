/// UnixSockets: names outside the filesystem (unix(7), "abstract", and "Autobind feature").
#include <tuple>

#include "kernel/base/format.h"
#include "net/unix/unix_sockets.h"

namespace cairn::net {

UnixSockets::Binding* UnixSockets::find_binding(SocketType type, std::string_view name) {
    Binding* binding = names_.partition_point([&](const Binding& other) {
        return std::tuple(other.endpoint->type(), (*other.address)->name()) < std::tuple(type, name);
    });
    const bool found = binding != nullptr && binding->endpoint->type() == type && (*binding->address)->name() == name;
    return found ? binding : nullptr;
}

Result<void> UnixSockets::bind(Binding& binding, UnixEndpoint& endpoint, Ref<UnixAddress> address) {
    SpinLockGuard guard(names_lock_);
    if (find_binding(endpoint.type(), address->name()) != nullptr) {
        return fail(Errno::eaddrinuse);
    }
    binding.endpoint = &endpoint;
    binding.address.emplace(address);  // the parameter keeps it, should this be undone
    names_.insert(binding);
    return {};
}

void UnixSockets::unbind(Binding& binding) {
    SpinLockGuard guard(names_lock_);
    if (binding.node.linked()) {
        names_.remove(binding);
    }
}

Result<Ref<UnixEndpoint>> UnixSockets::find(SocketType type, const UnixAddress& address) {
    SpinLockGuard guard(names_lock_);
    Binding* binding = find_binding(type, address.name());
    if (binding == nullptr) {
        return fail(Errno::econnrefused);
    }
    return Ref<UnixEndpoint>(*binding->endpoint);
}

Result<Ref<UnixAddress>> UnixSockets::bind_any(Binding& binding, UnixEndpoint& endpoint) {
    constexpr u32 kNames = 1u << 20;
    for (u32 tries = 0; tries < kNames; ++tries) {
        char digits[5];
        TextBuffer text(digits);
        format_to(text, "{:05x}", next_any_.fetch_add(1, Order::relaxed) % kNames);
        Ref<UnixAddress> address = TRY(UnixAddress::create_abstract(text.view()));
        Result<void> bound = bind(binding, endpoint, address);
        if (bound.ok()) {
            return address;
        }
    }
    return fail(Errno::enospc);
}

}  // namespace cairn::net
