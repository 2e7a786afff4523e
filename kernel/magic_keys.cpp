#include "kernel/magic_keys.h"

#include "drivers/input/magic_keys.h"
#include "fs/vfs/mount.h"
#include "kernel/base/log.h"
#include "kernel/out_of_memory.h"
#include "kernel/sched/scheduler.h"
#include "kernel/signal/send.h"
#include "mm/frame_allocator.h"

namespace cairn {

namespace {

using task::ThreadGroup;

template <typename Visit>
void for_each_process(Visit visit) {
    i32 from = 1;
    while (std::optional<Ref<ThreadGroup>> process = g_kernel.tasks->next_process(from)) {
        from = (*process)->number() + 1;
        visit(**process);
    }
}

std::string_view state_name(sched::ThreadState state) {
    switch (state) {
        case sched::ThreadState::Running:
            return "running";
        case sched::ThreadState::Interruptible:
            return "sleeping";
        case sched::ThreadState::Killable:
        case sched::ThreadState::Uninterruptible:
            return "blocked";
        case sched::ThreadState::New:
        case sched::ThreadState::Dead:
            break;
    }
    return "gone";
}

class Actions final : public drivers::MagicActions {
public:
    ~Actions() = default;

    void signal_all(Signal which) override {
        const i32 number = which == Signal::Kill ? signal::kSigKill : signal::kSigTerm;
        for_each_process([number](ThreadGroup& process) {
            if (!process.is_init) {
                static_cast<void>(signal::send_to_process(process, signal::SignalInfo::from_kernel(number)));
            }
        });
    }
    void synchronize() override {
        vfs::synchronize_all();
        log_notice("sysrq", "synchronized");
    }
    /// As on Linux this is for filesystems on disks.
    void remount_read_only() override { log_notice("sysrq", "no filesystem is on a disk: nothing to remount"); }
    void list_tasks(Tasks which) override {
        for_each_process([which](ThreadGroup& process) {
            SpinLockGuard guard(process.lock);
            task::for_each_thread(process, [&](task::Task& thread) {
                const sched::ThreadState state = thread.thread().state();
                const std::string_view name = state_name(state);
                if (which == Tasks::All || name == "blocked") {
                    log_notice("sysrq", "{} {}/{} {}, CPU {}", thread.thread().name(), process.number(),
                               thread.number(), name, thread.thread().cpu().value);
                }
            });
        });
    }
    void list_memory() override {
        const mm::FrameStatistics statistics = g_kernel.frames->statistics();
        log_notice("sysrq", "memory: {} KiB, free {} KiB", statistics.total / kKiB, statistics.free / kKiB);
    }
    void list_processors() override {
        for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
            const bool idle = g_kernel.scheduler->idle_cpus.contains(CpuIndex{i}, Order::relaxed);
            log_notice("sysrq", "CPU {}: {}", i, idle ? "idle" : "busy");
        }
    }
    void end_largest_process() override {
        if (!cairn::end_largest_process()) {
            log_notice("sysrq", "there is no process to end");
        }
    }
    void interrupt_first_program() override {
        if (g_kernel.tasks->init != nullptr) {
            static_cast<void>(
                signal::send_to_process(*g_kernel.tasks->init, signal::SignalInfo::from_kernel(signal::kSigInt)));
        }
    }
};

}  // namespace

Result<void> install_magic_keys() {
    Own<Actions> actions = TRY(try_new<Actions>());
    drivers::set_magic_actions(*actions.release());
    return {};
}

}  // namespace cairn
