/// The table of /proc itself.

#include "fs/procfs/system_files.h"

namespace cairn::procfs {

namespace {

Result<void> show_self(Request& request, Text& text) {
    const ProcessId caller = request.processes().caller();
    text.format("{}", caller.process);
    return {};
}

Result<void> show_thread_self(Request& request, Text& text) {
    const ProcessId caller = request.processes().caller();
    text.format("{}/task/{}", caller.process, caller.thread);
    return {};
}

constexpr Entry kEntries[] = {
    link("self", &show_self),
    link("thread-self", &show_thread_self),
    link("mounts",
         [](Request&, Text& text) -> Result<void> {
             text.append("self/mounts");
             return {};
         }),
    file("filesystems", 0444, &show_filesystems),
    file("meminfo", 0444, &show_memory_information),
    file("uptime", 0444, &show_uptime),
};

}  // namespace

std::span<const Entry> root_entries() {
    return kEntries;
}

}  // namespace cairn::procfs
