#include "kernel/task/system_names.h"

#include <algorithm>

#include "kernel/task/task_table.h"

namespace cairn::task {

namespace {

SystemNameText& text_of(SystemText which) {
    return which == SystemText::HostName ? g_kernel.tasks->host_name : g_kernel.tasks->domain_name;
}

}  // namespace

usize get_system_text(SystemText which, std::span<char, kNodeNameLimit> to) {
    const SystemNameText& text = text_of(which);
    SpinLockGuard guard(g_kernel.tasks->lock);
    std::copy_n(text.characters, text.size, to.data());
    return text.size;
}

Result<void> set_system_text(SystemText which, std::string_view name) {
    if (name.size() > kNodeNameLimit) {
        return fail(Errno::einval);
    }
    SystemNameText& text = text_of(which);
    SpinLockGuard guard(g_kernel.tasks->lock);
    std::copy_n(name.data(), name.size(), text.characters);
    text.size = name.size();
    return {};
}

}  // namespace cairn::task
