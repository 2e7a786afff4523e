#include "kernel/task/running_process.h"

#include <algorithm>

#include "kernel/task/task.h"
#include "mm/user_memory.h"

namespace cairn::task {

namespace {

/// As /proc/PID/cmdline, with blanks. Interrupts are off: what is not in memory is not fetched, and stays unsaid.
void append_arguments(const Task& task, TextBuffer& text) {
    char arguments[128];
    const mm::SpaceLayout& layout = task.address_space().layout_unlocked();
    const u64 size = std::min<u64>(layout.arguments_end.value - layout.arguments_start.value, sizeof arguments);
    if (layout.arguments_end < layout.arguments_start || !mm::copy_in(arguments, layout.arguments_start, size).ok()) {
        return;
    }
    text.append(": ");
    for (u64 i = 0; i < size; ++i) {
        const char character = arguments[i];
        const bool printable = character > ' ' && character < '\x7f';
        text.append({printable ? &character : " ", 1});
    }
}

/// The thread runs on this CPU, so nothing of its task goes away; what is changing just now may be half changed.
void describe(const sched::Thread& thread, TextBuffer& text) {
    const Task* task = thread.task();
    if (task == nullptr || &thread != arch::current_thread()) {
        return;
    }
    format_to(text, "process {} ({})", task->process_number(), task->name().view());
    if (task->has_address_space() && thread.address_space() != nullptr) {
        append_arguments(*task, text);
    }
}

}  // namespace

void install_process_description() {
    g_kernel.describe_process = &describe;
}

}  // namespace cairn::task
