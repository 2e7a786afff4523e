/// Threads that start and end threads, several at a time.

#include "kernel/sched/thread.h"

#include <optional>

#include "kernel/stress/stress.h"

namespace cairn::stress {

namespace {

constexpr u32 kChildren = 4;

struct Child {
    Atomic<u32> ran{0};
    std::optional<Ref<sched::Thread>> thread;
};

void child_entry(void* argument) {
    sched::yield();
    static_cast<Child*>(argument)->ran.fetch_add(1, Order::release);
}

void work(Worker& worker) {
    while (!worker.stopping()) {
        Child children[kChildren];
        for (Child& child : children) {
            Result<Ref<sched::Thread>> thread = sched::Thread::create("stress-child", child_entry, &child);
            if (thread.ok()) {  // running out of memory is legal
                child.thread.emplace(std::move(thread).value());
                (*child.thread)->start();
            }
        }
        for (Child& child : children) {
            if (!child.thread) {
                continue;
            }
            (*child.thread)->join();
            if (child.ran.load(Order::acquire) != 1) {
                worker.fail("a joined thread did not run once");
            }
        }
        worker.count_operation();
    }
}

}  // namespace

constinit const WorkerKind kThreadKind = {"thread", 1, nullptr, work, nullptr};

}  // namespace cairn::stress
