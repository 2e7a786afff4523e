#pragma once
/// The in-kernel stress (boot option stress=SECONDS): kernel threads on every CPU allocate, map and
/// unmap with shoot-downs, lock, wait, migrate, use vector registers, sleep and come and go, all at
/// once, and check each other. Whatever goes wrong is a log line of level error, or a panic.

#include "kernel/base/atomic.h"
#include "kernel/base/own.h"
#include "kernel/base/pseudo_random.h"
#include "kernel/base/types.h"

namespace cairn::stress {

/// Runs all kinds of workers for `duration` of guest time, after a first run of length `warm_up` that
/// brings every cache into being; logs progress and, at the end, one line "stress: passed …" or
/// "stress: FAILED …". Returns whether everything held, including that all memory came back.
/// Thread context.
bool run(Nanoseconds duration, Nanoseconds warm_up = Nanoseconds::from_milliseconds(300));

/// One worker thread's view of the run.
struct Worker {
    u32 number;      // among the workers of its kind, from 0
    u32 group_size;  // workers of its kind
    void* shared;    // what the kind's `prepare` made; the same for all its workers
    PseudoRandom random;
    const Atomic<bool>& stop;
    Atomic<u64>& operations;
    Atomic<u32>& failures;

    bool stopping() const { return stop.load(Order::relaxed); }
    void count_operation() { operations.fetch_add(1, Order::relaxed); }
    /// Logs what broke (rate-limited by failing the run at the first few).
    void fail(const char* what);
};

/// A kind of worker: one row of the table in stress.cpp, one file next to it.
struct WorkerKind {
    const char* name;
    u32 threads_per_cpu;
    /// Makes what the workers share, or null when there is nothing (then `shared` is null).
    void* (*prepare)();
    void (*work)(Worker& worker);  // until stopping()
    void (*discard)(void* shared);
};

/// `prepare` and `discard` of kinds whose workers share a default-constructed T.
template <typename T>
void* prepare_shared() {
    Result<Own<T>> shared = try_new<T>();
    return shared.ok() ? std::move(shared).value().release() : nullptr;
}
template <typename T>
void discard_shared(void* shared) {
    Own<T>::adopt(static_cast<T*>(shared)).reset();
}

extern const WorkerKind kAllocationKind;
extern const WorkerKind kTranslationKind;
extern const WorkerKind kLockKind;
extern const WorkerKind kWaitKind;
extern const WorkerKind kMigrationKind;
extern const WorkerKind kVectorKind;
extern const WorkerKind kTimeKind;
extern const WorkerKind kThreadKind;

}  // namespace cairn::stress
