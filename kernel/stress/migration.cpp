/// Threads that forbid themselves the CPU they run on, again and again.

#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "kernel/stress/stress.h"
#include "kernel/sync/preemption.h"

namespace cairn::stress {

namespace {

/// A random non-empty set of the CPUs online.
CpuSet random_cpus(Worker& worker) {
    CpuSet cpus;
    while (cpus.empty()) {
        for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
            bool online = g_kernel.online.contains({i}, Order::acquire);
            if (online && worker.random.below(2) == 0) {
                cpus.add({i});
            }
        }
    }
    return cpus;
}

void work(Worker& worker) {
    while (!worker.stopping()) {
        CpuSet allowed = random_cpus(worker);
        if (!sched::current_thread().set_affinity(allowed).ok()) {
            worker.fail("affinity: CPUs that are online were refused");
        }
        for (int i = 0; i < 8; ++i) {
            {
                PreemptionGuard guard;
                if (!allowed.contains(arch::this_cpu().index)) {
                    worker.fail("affinity: running on a forbidden CPU");
                }
            }
            sched::yield();
        }
        worker.count_operation();
    }
}

}  // namespace

constinit const WorkerKind kMigrationKind = {"migrate", 1, nullptr, work, nullptr};

}  // namespace cairn::stress
