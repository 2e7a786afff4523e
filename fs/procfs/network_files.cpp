/// /proc/PID/net: there are local sockets only, and no devices (proc_pid_net(5)).

#include <algorithm>

#include "fs/procfs/process_files.h"
#include "net/socket.h"

namespace cairn::procfs {

namespace {

Result<void> show_devices(Request&, Text& text) {
    text.append(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|"
        "bytes    packets errs drop fifo colls carrier compressed\n");
    return {};
}

// --- unix --------------------------------------------------------------------------------------------------------

constexpr usize kFamilySize = sizeof(u16);

/// Calls `visit(File&)` for each open file of each process; one that several have comes several times.
template <typename Visit>
void for_each_open_file(Visit visit) {
    ProcessInformation& processes = Request::processes();
    for (i32 id = processes.next_process(1); id != 0; id = processes.next_process(id + 1)) {
        Result<std::optional<Ref<vfs::FileDescriptorTable>>> table = processes.descriptors({id, 0});
        if (!table.ok() || !table.value()) {
            continue;
        }
        vfs::FileDescriptorTable& descriptors = **table.value();
        u32 from = 0;
        while (std::optional<vfs::Fd> next = descriptors.next_used(from)) {
            from = static_cast<u32>(next->value) + 1;
            Result<Ref<vfs::File>> file = descriptors.find(*next);
            if (file.ok()) {
                visit(*file.value());
            }
        }
    }
}

/// A name in the filesystem as it is; one outside begins with a zero, which is shown as '@', as are its other zeros.
void show_name(net::Socket& socket, Text& text) {
    net::SocketAddress address;
    if (!socket.local_address(address).ok() || address.size <= kFamilySize) {
        return;
    }
    text.append(' ');
    const bool is_path = address.bytes[kFamilySize] != std::byte{0};
    for (usize i = kFamilySize; i < address.size && !(is_path && address.bytes[i] == std::byte{0}); ++i) {
        const char c = static_cast<char>(address.bytes[i]);
        text.append(c == '\0' ? '@' : c);
    }
}

void show_local_socket(net::Socket& socket, Text& text) {
    constexpr u32 kAccepts = 0x10000;  // __SO_ACCEPTCON
    constexpr u32 kUnconnected = 1;
    constexpr u32 kConnected = 3;
    net::SocketAddress peer;
    const bool connected = socket.peer_address(peer).ok();
    text.format("{:016x}: {:08x} 00000000 {:08x} {:04x} {:02x} {:5}", 0u, 2u, socket.is_listening() ? kAccepts : 0,
                static_cast<u32>(socket.type()), connected ? kConnected : kUnconnected, socket.inode().number());
    show_name(socket, text);
    text.append('\n');
}

Result<void> show_local_sockets(Request&, Text& text) {
    text.append("Num       RefCount Protocol Flags    Type St Inode Path\n");
    usize count = 0;
    for_each_open_file([&](vfs::File& file) { count += net::find_socket(file) != nullptr ? 1 : 0; });
    // Those that come meanwhile are seen by the next reader.
    OwnArray<u64> seen = TRY(OwnArray<u64>::create(count));
    usize used = 0;
    for_each_open_file([&](vfs::File& file) {
        net::Socket* socket = net::find_socket(file);
        if (socket == nullptr || socket->domain() != net::kLocal || used == seen.size()) {
            return;
        }
        const std::span<u64> shown = seen.span().first(used);
        const u64 number = socket->inode().number();
        if (std::find(shown.begin(), shown.end(), number) == shown.end()) {
            seen[used++] = number;
            show_local_socket(*socket, text);
        }
    });
    return {};
}

constexpr Entry kEntries[] = {
    file("dev", 0444, &show_devices),
    file("unix", 0444, &show_local_sockets),
};

}  // namespace

std::span<const Entry> network_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
