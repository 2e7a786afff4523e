/// See power_button.h. Linux leaves the button to programs that listen for input events (acpid, logind); here the
/// kernel sees to it that a machine without such programs goes off in order.

#include "kernel/power_button.h"

#include "drivers/acpi/fixed_events.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/power.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/send.h"
#include "kernel/task/task_table.h"

namespace cairn {

namespace {

/// False: nobody listens.
bool ask_first_process() {
    Result<Ref<task::ThreadGroup>> first = g_kernel.tasks->find_process(1);
    if (!first.ok() || !first.value()->handlers->get(signal::kSigPwr).has_handler()) {
        return false;
    }
    return signal::send_to_process(*first.value(), signal::SignalInfo::from_kernel(signal::kSigPwr)).ok();
}

[[noreturn]] void switch_off() {
    log_notice("power", "powering off");
    vfs::synchronize_all();
    g_kernel.terminals->drain();
    finish_log();
    arch::power_off();
}

void wait_for_presses(void* argument) {
    acpi::FixedEvents& events = *static_cast<acpi::FixedEvents*>(argument);
    for (bool asked = false;; asked = true) {
        events.wait_for_power_button();
        log_notice("power", "the power button was pressed");
        if (asked || !ask_first_process()) {
            switch_off();
        }
    }
}

}  // namespace

Result<void> start_power_button(const arch::PlatformDescription& platform) {
    acpi::FixedEvents* events = TRY(acpi::FixedEvents::start(platform));
    Ref<sched::Thread> thread = TRY(sched::Thread::create("power_button", &wait_for_presses, events));
    thread->start();
    return {};
}

}  // namespace cairn
