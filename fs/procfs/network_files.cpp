/// /proc/PID/net: there are local sockets only, and no devices (proc_pid_net(5)).

#include "fs/procfs/process_files.h"

namespace cairn::procfs {

namespace {

Result<void> show_devices(Request&, Text& text) {
    text.append(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|"
        "bytes    packets errs drop fifo colls carrier compressed\n");
    return {};
}

constexpr Entry kEntries[] = {
    file("dev", 0444, &show_devices),
};

}  // namespace

std::span<const Entry> network_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
