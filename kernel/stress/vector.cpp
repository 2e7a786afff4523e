/// Threads that keep a pattern in the vector registers across preemption and migration.

#include "arch/arch.h"
#include "kernel/sched/thread.h"
#include "kernel/stress/stress.h"

namespace cairn::stress {

namespace {

void work(Worker& worker) {
    while (!worker.stopping()) {
        u64 pattern = worker.random.next();
        arch::fill_vector_registers(pattern);
        for (int i = 0; i < 4; ++i) {
            sched::yield();
            if (!arch::vector_registers_hold(pattern)) {
                worker.fail("vector registers changed across a switch");
            }
        }
        worker.count_operation();
    }
}

}  // namespace

constinit const WorkerKind kVectorKind = {"vector", 1, nullptr, work, nullptr};

}  // namespace cairn::stress
