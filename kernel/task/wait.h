#pragma once
/// wait4(2), waitid(2): X03.

#include "kernel/task/task.h"

namespace cairn::task {

struct WaitRequest {
    enum class Which : u8 { Any, Process, Group };
    Which which = Which::Any;
    i32 id = 0;  // of the process or group
    bool exited = true, stopped = false, continued = false;
    bool no_hang = false;
    bool no_reap = false;            // WNOWAIT
    bool own_children_only = false;  // __WNOTHREAD
    bool clone_children = false;     // __WCLONE: those that end with another signal than SIGCHLD, only
    bool all_children = false;       // __WALL
};

struct WaitResult {
    i32 pid = 0;  // 0: WNOHANG and nothing has happened
    u32 uid = 0;
    i32 code = 0;          // CLD_…
    i32 status = 0;        // as wait4(2) encodes it
    i32 child_status = 0;  // si_status
    ProcessTimes times;
};

/// ECHILD, EINTR.
Result<WaitResult> wait_for_child(Task& caller, const WaitRequest& request);

}  // namespace cairn::task
