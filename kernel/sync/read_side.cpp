#include "kernel/sync/read_side.h"

#include "kernel/base/own.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/completion.h"
#include "kernel/time/clock.h"

namespace cairn::sync {

namespace {

/// How long a grace period waits for CPUs to become quiescent by themselves before it interrupts
/// those that have not.
constexpr Nanoseconds kPatience = Nanoseconds::from_milliseconds(1);

/// How long callbacks are gathered before a grace period begins, unless so many come from one CPU or somebody waits:
/// a grace period is two switches of threads, which closing a file should not cost.
constexpr Nanoseconds kGathering = Nanoseconds::from_milliseconds(5);
constexpr u32 kBatch = 128;

template <typename Visit>
void for_each_cpu(Visit visit) {
    for (u32 i = 0; i < g_kernel.cpu_count; ++i) {
        PerCpu* cpu = g_kernel.cpus[i];
        if (cpu != nullptr && cpu->read_side != nullptr) {
            visit(*cpu);
        }
    }
}

/// All callbacks that are due on a CPU; null: none.
ReadSideHead* take_all_due(CpuReadSide& part) {
    if (part.due.load(Order::relaxed) == nullptr) {
        return nullptr;
    }
    SpinLockGuard guard(part.lock);
    return part.due.exchange(nullptr, Order::relaxed);
}

/// The first of them, so that the lock is not held for long.
ReadSideHead* take_due(CpuReadSide& part, u32 most) {
    if (part.due.load(Order::relaxed) == nullptr) {
        return nullptr;
    }
    SpinLockGuard guard(part.lock);
    ReadSideHead* const first = part.due.load(Order::relaxed);
    ReadSideHead* last = first;
    for (u32 n = 1; last != nullptr && last->next != nullptr && n < most; ++n) {
        last = last->next;
    }
    if (last != nullptr) {
        part.due.store(std::exchange(last->next, nullptr), Order::relaxed);
    }
    return first;
}

void call_all(ReadSideHead* head) {
    while (head != nullptr) {
        ReadSideHead* next = head->next;
        head->callback(*head);
        head = next;
    }
}

}  // namespace

Result<void> ReadSide::initialize() {
    Own<ReadSide> read_side = TRY(try_new<ReadSide>());
    g_kernel.read_side = read_side.release();
    return {};
}

Result<void> ReadSide::start() {
    Ref<sched::Thread> thread = TRY(
        sched::Thread::create("read-side", [](void*) { g_kernel.read_side->run(); }, nullptr, sched::kHousekeeping));
    thread->start();
    return {};
}

void ReadSide::run() {
    bool left_over = false;
    auto wanted = [&] { return wanted_.load(Order::acquire); };
    auto urgent = [&] { return urgent_.exchange(false, Order::acq_rel); };
    auto finished = [&] { return unfinished_.load(Order::acquire) == 0; };
    for (;;) {
        const Nanoseconds patience = left_over ? time::now() + kGathering : Nanoseconds::never();
        if (work_.wait_until(wanted, SleepKind::Uninterruptible, patience) == WakeReason::TimedOut) {
            left_over = hand_out(false);
            continue;
        }
        static_cast<void>(work_.wait_until(urgent, SleepKind::Uninterruptible, time::now() + kGathering));
        wanted_.store(false, Order::release);
        collect();
        begin_grace_period();
        while (finished_.wait_until(finished, SleepKind::Uninterruptible, time::now() + kPatience) ==
               WakeReason::TimedOut) {
            press_laggards();
        }
        left_over = hand_out(awaited_.exchange(false, Order::acq_rel));
    }
}

/// Takes over what all CPUs have queued.
void ReadSide::collect() {
    for_each_cpu([](PerCpu& cpu) {
        CpuReadSide& part = *cpu.read_side;
        SpinLockGuard guard(part.lock);
        part.waiting = part.first;
        part.first = nullptr;
        part.last = &part.first;
        part.count = 0;
    });
}

/// The grace period of what was taken over is over: leaves it to the CPUs that have queued it, and calls what they have
/// not got round to since the last time. True: something may be left over again.
bool ReadSide::hand_out(bool awaited) {
    bool left_over = false;
    for_each_cpu([&](PerCpu& cpu) {
        CpuReadSide& part = *cpu.read_side;
        call_all(take_all_due(part));
        ReadSideHead* const list = std::exchange(part.waiting, nullptr);
        if (list == nullptr) {
            return;
        }
        if (awaited || !leave_to(cpu, list)) {
            call_all(list);
        } else {
            left_over = true;
        }
    });
    return left_over;
}

/// False: the CPU is idle, or this is it.
bool ReadSide::leave_to(PerCpu& cpu, ReadSideHead* list) {
    PreemptionGuard guard;
    CpuReadSide& part = *cpu.read_side;
    if (&cpu == &arch::this_cpu() || part.idle.load(Order::relaxed)) {
        return false;
    }
    {
        SpinLockGuard lock(part.lock);
        part.due.store(list, Order::relaxed);
    }
    arch::send_interrupt(cpu, arch::InterprocessorInterrupt::Reschedule);
    return true;
}

void ReadSide::call_due(PerCpu& cpu) {
    // Not all at once: whoever is interrupted in between has only few of them.
    constexpr u32 kAtOnce = 32;
    while (ReadSideHead* some = take_due(*cpu.read_side, kAtOnce)) {
        call_all(some);
    }
}

void ReadSide::want_housekeeping(PerCpu& cpu) {
    cpu.housekeeping_wanted = true;
    cpu.current->set_switched();
}

void ReadSide::begin_grace_period() {
    CpuSet cpus = g_kernel.online.snapshot(Order::seq_cst);
    unfinished_.store(cpus.count(), Order::relaxed);
    cpus.for_each([](CpuIndex cpu) { g_kernel.cpus[cpu.value]->read_side->asked.store(true, Order::release); });
    // Pairs with the fences in leave_idle() and enter_idle(): either we see that the CPU is idle,
    // or it sees what the writer did before it reads anything (or sees that it is asked).
    full_fence();
    cpus.for_each([](CpuIndex cpu) {
        CpuReadSide& part = *g_kernel.cpus[cpu.value]->read_side;
        if (part.idle.load(Order::acquire)) {
            pass(part);
        }
    });
}

void ReadSide::pass(CpuReadSide& cpu) {
    ReadSide& self = *g_kernel.read_side;
    if (cpu.asked.exchange(false, Order::acq_rel) && self.unfinished_.fetch_sub(1, Order::acq_rel) == 1) {
        self.finished_.wake_all();
    }
}

void ReadSide::pass_in_interrupt(PerCpu& cpu) {
    constexpr u32 kDepthMask = ~PerCpu::kNoRescheduleBit;
    if (cpu.interrupt_depth == 1 && (arch::preempt_state() & kDepthMask) == 0) {
        pass(*cpu.read_side);  // we interrupted something that has interrupts and preemption on
    } else {
        arch::set_reschedule_wanted();  // the reader's end becomes a switch, which passes
    }
}

void ReadSide::press_laggards() {
    PreemptionGuard guard;
    PerCpu& here = arch::this_cpu();
    g_kernel.online.snapshot(Order::relaxed).for_each([&](CpuIndex index) {
        PerCpu& cpu = *g_kernel.cpus[index.value];
        if (&cpu != &here && cpu.read_side->asked.load(Order::relaxed)) {
            arch::send_interrupt(cpu, arch::InterprocessorInterrupt::Reschedule);
        }
    });
}

void ReadSide::enter_idle(PerCpu& cpu) {
    cpu.read_side->idle.store(true, Order::release);
    full_fence();  // pairs with the one in begin_grace_period()
    note_quiescent(cpu);
}

void call_after_grace_period(ReadSideHead& head, ReadSideHead::Callback callback) {
    head.next = nullptr;
    head.callback = callback;
    ReadSide& read_side = *g_kernel.read_side;
    InterruptGuard interrupts;
    CpuReadSide& part = *arch::this_cpu().read_side;
    {
        SpinLockGuard guard(part.lock);
        *part.last = &head;
        part.last = &head.next;
        // Under the lock: who has taken wanted_ back to false comes for this list afterwards.
        if (++part.count != kBatch && read_side.wanted_.load(Order::relaxed)) {
            return;
        }
        if (part.count >= kBatch) {
            read_side.urgent_.store(true, Order::release);
        }
    }
    if (!read_side.wanted_.exchange(true, Order::acq_rel) || read_side.urgent_.load(Order::acquire)) {
        read_side.work_.wake_one();
    }
}

void call_due_callbacks() {
    PerCpu* here = nullptr;
    {
        PreemptionGuard guard;
        here = &arch::this_cpu();
    }
    ReadSide::call_due(*here);
}

void hurry_grace_period() {
    ReadSide& read_side = *g_kernel.read_side;
    read_side.awaited_.store(true, Order::release);
    read_side.urgent_.store(true, Order::release);
    read_side.work_.wake_one();
}

void wait_for_readers() {
    struct Waiting {
        ReadSideHead head;
        Completion done;
    } waiting;
    call_after_grace_period(waiting.head, [](ReadSideHead& head) {
        object_of_member<Waiting, ReadSideHead, &Waiting::head>(&head)->done.complete();
    });
    hurry_grace_period();
    waiting.done.wait();
}

}  // namespace cairn::sync
