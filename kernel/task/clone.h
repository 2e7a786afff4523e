#pragma once
/// fork, vfork, clone and clone3 (process.md F01 to F07).

#include "kernel/task/task.h"

namespace cairn::task {

/// clone(2)'s flags (linux/sched.h).
namespace clone_flags {
constexpr u64 kNewTime = 0x80, kMemory = 0x100, kFilesystem = 0x200, kFiles = 0x400, kHandlers = 0x800;
constexpr u64 kPidFd = 0x1000, kPtrace = 0x2000, kVfork = 0x4000, kParent = 0x8000, kThread = 0x10000;
constexpr u64 kNewNamespace = 0x20000, kSysVSem = 0x40000, kSetTls = 0x80000, kParentSetTid = 0x100000;
constexpr u64 kChildClearTid = 0x200000, kDetached = 0x400000, kUntraced = 0x800000, kChildSetTid = 0x1000000;
constexpr u64 kNewCgroup = 0x2000000, kNewUts = 0x4000000, kNewIpc = 0x8000000, kNewUser = 0x10000000;
constexpr u64 kNewPid = 0x20000000, kNewNet = 0x40000000, kIo = 0x80000000;
constexpr u64 kClearHandlers = 0x100000000, kIntoCgroup = 0x200000000;
constexpr u64 kNamespaces = kNewTime | kNewNamespace | kNewCgroup | kNewUts | kNewIpc | kNewUser | kNewPid | kNewNet;
}  // namespace clone_flags

struct CloneRequest {
    u64 flags = 0;
    i32 exit_signal = 0;
    u64 stack = 0;  // the child's stack pointer; 0: the parent's
    u64 tls = 0;
    u64 parent_tid = 0;  // user addresses
    u64 child_tid = 0;
    u64 pidfd = 0;
    std::span<const i32> set_tid;
};

/// Returns the child's id to the parent; with kVfork when the child has let go of the memory. `frame` is the caller's.
Result<i32> clone(Task& parent, const arch::TrapFrame& frame, const CloneRequest& request);

/// The first process: a task with empty memory that runs `body` in kernel mode, which ends in enter_user_mode. Boot
/// only.
Result<Ref<Task>> create_first_task(vfs::Path root, void (*body)());

/// unshare(2): EINVAL for what Linux refuses too.
Result<void> unshare(Task& self, u64 flags);

}  // namespace cairn::task
