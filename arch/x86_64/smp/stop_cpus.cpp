/// Stopping the other CPUs for good, by NMI: also one that spins with interrupts off must stop.
/// No locks; one CPU wins the right to stop the others and every other one parks.

#include "arch/x86_64/cpu/vectors.h"
#include "arch/x86_64/interrupts/local_apic.h"
#include "arch/x86_64/smp/smp.h"
#include "kernel/base/atomic.h"
#include "kernel/base/kernel.h"

namespace cairn::arch {

namespace {

constexpr u32 kNobody = ~u32{0};
constexpr Nanoseconds kParkingTime = Nanoseconds::from_milliseconds(100);

struct Stop {
    Atomic<u32> owner{kNobody};  // index of the CPU that stops the others
    AtomicCpuSet running;
    AtomicCpuSet parked;
};
constinit Stop stop;

[[noreturn]] void park_stopped() {
    stop.parked.add(this_cpu().index, Order::release);
    park();
}

bool all_others_parked(CpuIndex self) {
    bool all = true;
    stop.running.snapshot(Order::acquire).for_each([&](CpuIndex cpu) {
        all = all && (cpu == self || stop.parked.contains(cpu, Order::acquire));
    });
    return all;
}

}  // namespace

void note_cpu_running(const PerCpu& cpu) {
    stop.running.add(cpu.index, Order::release);
}

bool handle_stop_nmi() {
    u32 owner = stop.owner.load(Order::acquire);
    if (owner == kNobody || owner == this_cpu().index.value) {
        return false;
    }
    park_stopped();
}

void stop_other_cpus() {
    if (!local_apic::is_ready()) {
        return;  // so early that there is no other CPU
    }
    disable_interrupts();
    CpuIndex self = this_cpu().index;
    u32 owner = kNobody;
    if (!stop.owner.compare_exchange(owner, self.value, Order::acq_rel, Order::acquire)) {
        if (owner == self.value) {
            return;  // a panic within a panic: done already
        }
        park_stopped();
    }
    stop.running.snapshot(Order::acquire).for_each([&](CpuIndex cpu) {
        const PerCpu* target = g_kernel.cpus[cpu.value];
        if (cpu != self && target != nullptr) {
            local_apic::send_nmi(target->hardware_id);
        }
    });
    Nanoseconds deadline = monotonic_now() + kParkingTime;
    while (!all_others_parked(self) && monotonic_now() < deadline) {
        cpu_relax();
    }
}

}  // namespace cairn::arch
