#pragma once
/// EventFiles: what eventfd, timerfd, signalfd and epoll have in common in the whole system. g_kernel.event_files.

#include "fs/event/signal_source.h"
#include "fs/event/timer_file.h"
#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/sync/mutex.h"

namespace cairn::event {

class EventFiles {
public:
    /// At start-up, after AnonymousFiles. ENOMEM.
    static Result<void> initialize();
    /// The counterpart, for machines that are torn down in tests: no such file is left.
    static void shut_down();

    /// The signals of the calling thread, for signalfd; set by start-up once there are processes.
    SignalSource& (*current_signals)() = nullptr;

    /// The graph of epoll instances that watch one another.
    sync::Mutex<LockRank::EpollNesting> epoll_nesting;
    u64 epoll_walks = 0;  // through that graph so far; under its lock

    /// Timers on the wall clock, which move when it is set.
    SpinLock<LockRank::WallTimers> wall_timers_lock;
    List<TimerFile, &TimerFile::wall_node> wall_timers GUARDED_BY(wall_timers_lock);

    /// Of eventfds, as /proc/PID/fdinfo shows it.
    Atomic<u64> next_id{0};

    EventFiles() = default;
};

}  // namespace cairn::event
