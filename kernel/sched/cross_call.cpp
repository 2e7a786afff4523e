#include "kernel/sched/cross_call.h"

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "kernel/sync/preemption.h"

namespace cairn::sched {

void call_on_cpus(const CpuSet& targets, void (*body)(void*), void* argument) {
    PreemptionGuard guard;
    PerCpu& self = arch::this_cpu();
    ASSERT(arch::interrupts_enabled() && self.interrupt_depth == 0);
    CpuSet others = targets & g_kernel.online.snapshot(Order::seq_cst);
    bool here = others.contains(self.index);
    others.remove(self.index);

    CpuCallQueue::Request request{body, argument, Atomic<u32>(others.count())};
    self.call_queue->request_ = &request;
    u32 word = self.index.value / 64;
    u64 bit = u64{1} << (self.index.value % 64);
    others.for_each([&](CpuIndex cpu) {
        PerCpu& target = *g_kernel.cpus[cpu.value];
        // The first caller of an empty word interrupts; the target empties whole words.
        if (target.call_queue->callers_[word].fetch_or(bit, Order::acq_rel) == 0) {
            arch::send_interrupt(target, arch::InterprocessorInterrupt::CrossCall);
        }
    });
    if (here) {
        arch::InterruptState state = arch::disable_interrupts();
        body(argument);
        arch::restore_interrupts(state);
    }
    while (request.unfinished.load(Order::acquire) != 0) {
        arch::cpu_relax();
    }
}

void run_cross_calls() {
    CpuCallQueue& queue = *arch::this_cpu().call_queue;
    for (u32 word = 0; word < CpuCallQueue::kWords; ++word) {
        if (queue.callers_[word].load(Order::relaxed) == 0) {
            continue;
        }
        u64 callers = queue.callers_[word].exchange(0, Order::acq_rel);
        for (; callers != 0; callers &= callers - 1) {
            u32 caller = word * 64 + static_cast<u32>(__builtin_ctzll(callers));
            CpuCallQueue::Request& request = *g_kernel.cpus[caller]->call_queue->request_;
            request.body(request.argument);
            // The request is on the stack of a caller that may now return.
            request.unfinished.fetch_sub(1, Order::release);
        }
    }
}

}  // namespace cairn::sched
