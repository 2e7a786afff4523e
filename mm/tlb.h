#pragma once
/// Which CPU has which address space in its TLB, and how a change of a page table reaches them.
/// g_kernel.tlb. The protocol, with the argument for its memory order, is at the head of tlb.cpp
/// and in docs/memory.md.

#include "kernel/base/cpu_set.h"
#include "kernel/base/per_cpu.h"
#include "kernel/base/result.h"
#include "kernel/sync/preemption.h"
#include "mm/tlb_flush.h"

namespace cairn::mm {

/// What the TLB protocol knows of an address space; a member of it.
struct TlbContext {
    u64 id = 0;                 // never used twice; 0 is nobody
    PhysicalAddress root;       // of the page table
    Atomic<u64> generation{1};  // raised by each change that other CPUs must learn of
    AtomicCpuSet active;        // CPUs that have it loaded
};

/// One CPU's part (PerCpu::tlb). Its own CPU only, interrupts off.
struct CpuTlb {
    /// Address spaces whose translations a CPU keeps under a tag of their own (PCID). A handful
    /// serves the few processes that take turns on a CPU; more would only age.
    static constexpr u32 kSlots = 6;
    struct Slot {
        u64 context_id = 0;
        u64 generation = 0;  // changes up to this one are known to this CPU's TLB
    };
    Slot slots[kSlots];
    u32 next_victim = 0;
    u32 current = 0;               // slot of `loaded`
    u32 previous = 0;              // slot of what was loaded before; two take turns most often
    TlbContext* loaded = nullptr;  // null: the kernel's own root
};

class TlbDirectory {
public:
    /// sched::call_on_cpus, or a test's stand-in.
    using CallOnCpus = void (*)(const CpuSet& targets, void (*body)(void*), void* argument);

    /// Beyond this many pages flushing everything is cheaper than page by page (as Linux,
    /// tlb_single_page_flush_ceiling).
    static constexpr u64 kMaxSinglePages = 32;

    /// `tag_count` is arch::address_space_tag_count(), `kernel_root` the kernel's page table.
    TlbDirectory(CallOnCpus call_on_cpus, u32 tag_count, PhysicalAddress kernel_root);
    TlbDirectory(const TlbDirectory&) = delete;
    TlbDirectory& operator=(const TlbDirectory&) = delete;

    /// Sets up the block of a CPU that does not run yet. ENOMEM.
    static Result<void> prepare_cpu(PerCpu& cpu);
    static void release_cpu(PerCpu& cpu);

    u64 new_context_id() { return next_id_.fetch_add(1, Order::relaxed); }

    /// Loads an address space on this CPU. The caller keeps it alive until another is loaded.
    /// Any context; does nothing if it is loaded.
    void activate(TlbContext& context) {
        InterruptGuard guard;
        activate_interrupts_off(context);
    }
    void activate_interrupts_off(TlbContext& context);
    /// Loads the kernel's own page table: for idle and kernel threads, see docs/memory.md.
    void activate_kernel();

    /// Makes a change of `context`'s page table known to all CPUs that use it. Interrupts on,
    /// unless no other CPU uses it; may wait for other CPUs, so no spinlock is held.
    [[nodiscard]] FlushDone flush(TlbContext& context, const TlbFlush& change);
    /// The same for a change of the kernel's half: on all online CPUs. Every CPU calls
    /// arch::flush_all() once after it has entered g_kernel.online.
    [[nodiscard]] FlushDone flush_kernel(const TlbFlush& change);

private:
    struct FlushRequest {
        TlbContext* context;  // null: the kernel's half
        u64 generation;
        VirtualAddress start;
        u64 page_size;
        u64 pages;  // 0: all
    };
    static FlushRequest make_request(TlbContext* context, u64 generation, const TlbFlush& change);
    static void flush_this_cpu(void* request);
    static void flush_kernel_this_cpu(const FlushRequest& request);
    void run_on(CpuSet targets, FlushRequest& request);
    u32 choose_slot(CpuTlb& tlb, u64 context_id) const;

    const CallOnCpus call_on_cpus_;
    const u32 slots_;
    const bool tagged_;
    const PhysicalAddress kernel_root_;
    Atomic<u64> next_id_{1};
};

}  // namespace cairn::mm
