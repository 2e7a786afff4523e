#include "kernel/task/terminal_hook.h"

#include "fs/terminal/terminal.h"
#include "kernel/task/job_control.h"

namespace cairn::task {

void leave_terminal(ThreadGroup& process) {
    if (process.session_leader.load(Order::relaxed)) {
        fs::terminal::Terminal::session_leader_exits(process.session_number.load(Order::relaxed));
        hang_up_left_behind(process);
    }
}

}  // namespace cairn::task
