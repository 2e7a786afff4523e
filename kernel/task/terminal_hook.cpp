#include "kernel/task/terminal_hook.h"

#include "fs/terminal/terminal.h"

namespace cairn::task {

void leave_terminal(ThreadGroup& process) {
    if (process.session_leader.load(Order::relaxed)) {
        fs::terminal::Terminal::session_leader_exits(process.session_number.load(Order::relaxed));
    }
}

}  // namespace cairn::task
