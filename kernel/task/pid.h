#pragma once
/// Pid: a number and what it names: a thread, a process, a process group, a session. The number stays taken until the
/// last of them is gone, so a group keeps its id when its leader has been reaped. Counted: a pidfd keeps the Pid, not
/// the number, and so never means a stranger.
///
/// The pointers are protected by the task table's lock (rank PidTable).

#include "kernel/base/rb_tree.h"
#include "kernel/base/ref.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::task {

class ProcessGroup;
class Session;
class Task;
class ThreadGroup;

class Pid : public RefCounted<Pid> {
public:
    i32 number() const { return number_; }
    /// Nothing is named any more: another Pid may have the number, whoever still holds this one. The table is locked.
    bool is_free_locked() const {
        return reaped && task == nullptr && process == nullptr && process_group == nullptr && session == nullptr;
    }

    Task* task = nullptr;            // the thread with this id, until it is released
    ThreadGroup* process = nullptr;  // the process, until it is reaped
    ProcessGroup* process_group = nullptr;
    Session* session = nullptr;
    bool reaped = false;  // the process was waited for
    /// pidfds: woken when the process has ended (or a thread of it that a thread pidfd means).
    sync::WaitQueue ended;

    void last_reference_dropped();
    explicit Pid(i32 number) : number_(number) {}

    RbNode tree_node;  // TaskTable's

private:
    const i32 number_;
};

/// What several processes together use, as whoever chooses some to end (kernel/out_of_memory.h) adds it up.
struct CombinedUse {
    u64 round = 0;  // in which `pages` was counted
    u64 pages = 0;
};

/// setsid(2): process groups and one controlling terminal. Counted by its groups.
class Session : public RefCounted<Session> {
public:
    explicit Session(Ref<Pid> id) : id_(std::move(id)) {}
    i32 number() const { return id_->number(); }
    Pid& id() const { return *id_; }

    ThreadGroup* leader = nullptr;  // under the task table's lock; null when it has ended
    void* terminal = nullptr;       // the controlling terminal, opaque; under the task table's lock
    CombinedUse memory;

    void last_reference_dropped();

private:
    const Ref<Pid> id_;
};

}  // namespace cairn::task
