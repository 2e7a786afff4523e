#pragma once
/// Cross calls: one CPU has others run a function at once and waits for them (TLB shoot-downs,
/// mostly).
///
/// Each CPU has one outgoing request at a time, since its caller waits with preemption off, and
/// one incoming set of callers: a bit per CPU whose request it has yet to run. To call is to set
/// one's bit in each target's set and to send an interrupt where that set was empty. Nothing is
/// allocated or locked, and any number of CPUs may call each other at the same time.

#include "kernel/base/atomic.h"
#include "kernel/base/cpu_set.h"

namespace cairn::sched {

/// Runs `body(argument)` once on each online CPU in `targets`, the caller's own included if it is
/// in the set, with interrupts off there, and returns when all have run it; their writes are then
/// visible here. `body` must not sleep nor call call_on_cpus(). CPUs that are not online are left
/// out: they load a fresh state when they start.
/// Interrupts must be on and the caller not in an interrupt handler, so that two CPUs that call
/// each other both get on; holding a spinlock is therefore impossible, holding preemption off fine.
void call_on_cpus(const CpuSet& targets, void (*body)(void*), void* argument);

/// The upcall for InterruptKind::CrossCall: runs what other CPUs asked of this one. Interrupts off.
void run_cross_calls();

/// One CPU's part (PerCpu::call_queue).
class CpuCallQueue {
private:
    friend void call_on_cpus(const CpuSet& targets, void (*body)(void*), void* argument);
    friend void run_cross_calls();

    /// What this CPU asks of others; on the caller's stack while it waits.
    struct Request {
        void (*body)(void*);
        void* argument;
        Atomic<u32> unfinished;
    };
    static constexpr u32 kWords = kMaxCpus / 64;

    Request* request_ = nullptr;                       // written by its own CPU before it announces itself
    alignas(kCacheLine) Atomic<u64> callers_[kWords];  // CPUs whose request is to be run here
};

}  // namespace cairn::sched
