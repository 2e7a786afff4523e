#include "fs/event/event_files.h"

#include "kernel/base/kernel.h"

namespace cairn::event {

Result<void> EventFiles::initialize() {
    g_kernel.event_files = TRY(try_new<EventFiles>()).release();
    return {};
}

void EventFiles::shut_down() {
    Own<EventFiles>::adopt(std::exchange(g_kernel.event_files, nullptr)).reset();
}

}  // namespace cairn::event
