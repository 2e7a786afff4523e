/// TLB shoot-down. After the idea of Linux's arch/x86/mm/tlb.c: every address space has a
/// generation that each change raises, and every CPU remembers, for each tag, up to which
/// generation its TLB is clean. CPUs that have the space loaded are interrupted; the others find
/// out by comparing generations when they load it the next time.
///
/// Why no CPU can miss a change:
///
///     changing CPU                            activating CPU
///     C1  write the page table                A1  enter context.active        (seq_cst)
///     C2  raise context.generation (seq_cst)  A2  read context.generation     (seq_cst)
///     C3  read context.active      (seq_cst)  A3  flush the tag if its generation is older
///                                             A4  load the root; from now on walks fill the TLB
///
/// C2, C3, A1 and A2 are in one total order. If A1 comes before C3, then C3 sees the CPU, which is
/// interrupted; it runs the handler after A4 at the latest, because interrupts are off from A1 to
/// A4, and flushes. Otherwise C3 is before A1, so C2 is before A2: A2 sees the new generation and
/// flushes, and its walks see C1, which C2 (release) made visible to A2 (acquire). In both cases
/// the frames are freed after the flush.
///
/// Leaving works the other way round: a CPU leaves context.active only after another root is
/// loaded, so while it can still walk the old tables it is still interrupted. The handler then
/// finds another space loaded and does nothing; what the TLB holds under the old tag is stale, but
/// its generation is too.
///
/// The handler may flush page by page only when its own generation is exactly one behind;
/// otherwise it has missed another change (whose interrupt is on its way) and flushes all.
#include "mm/tlb.h"

#include <algorithm>

#include "kernel/base/kernel.h"
#include "kernel/base/own.h"

namespace cairn::mm {

TlbDirectory::TlbDirectory(CallOnCpus call_on_cpus, u32 tag_count, PhysicalAddress kernel_root)
    : call_on_cpus_(call_on_cpus),
      slots_(std::clamp(tag_count - 1, 1u, CpuTlb::kSlots)),
      tagged_(tag_count > 1),
      kernel_root_(kernel_root) {}

Result<void> TlbDirectory::prepare_cpu(PerCpu& cpu) {
    Own<CpuTlb> tlb = TRY(try_new<CpuTlb>());
    cpu.tlb = tlb.release();
    return {};
}

void TlbDirectory::release_cpu(PerCpu& cpu) {
    Own<CpuTlb>::adopt(std::exchange(cpu.tlb, nullptr)).reset();
}

void TlbDirectory::activate_interrupts_off(TlbContext& context) {
    PerCpu& cpu = arch::this_cpu();
    CpuTlb& tlb = *cpu.tlb;
    if (tlb.loaded == &context) {
        return;
    }
    TlbContext* const before = tlb.loaded;
    context.active.add(cpu.index, Order::seq_cst);
    const u64 generation = context.generation.load(Order::seq_cst);

    const u32 index = choose_slot(tlb, context.id);
    CpuTlb::Slot& slot = tlb.slots[index];
    // Without tags a load drops everything anyway, and with them the loaded slot is not reused.
    const bool clean = tagged_ && slot.context_id == context.id && slot.generation == generation;
    slot = {context.id, generation};
    tlb.previous = std::exchange(tlb.current, index);
    tlb.loaded = &context;
    const u16 tag = static_cast<u16>(tagged_ ? index + 1 : 0);
    arch::load_address_space(context.root, tag, clean ? arch::TagContents::Keep : arch::TagContents::Flush);
    if (before != nullptr) {
        before->active.remove(cpu.index, Order::seq_cst);
    }
}

void TlbDirectory::activate_kernel() {
    InterruptGuard guard;
    PerCpu& cpu = arch::this_cpu();
    if (cpu.tlb == nullptr || cpu.tlb->loaded == nullptr) {
        return;
    }
    TlbContext* const before = std::exchange(cpu.tlb->loaded, nullptr);
    // Tag 0 holds translations of the kernel only; without tags the machine drops the user's.
    arch::load_address_space(kernel_root_, 0, tagged_ ? arch::TagContents::Keep : arch::TagContents::Flush);
    before->active.remove(cpu.index, Order::seq_cst);
}

/// The slot of the context, or the one that was filled longest ago.
u32 TlbDirectory::choose_slot(CpuTlb& tlb, u64 context_id) const {
    if (tlb.slots[tlb.previous].context_id == context_id) [[likely]] {
        return tlb.previous;
    }
    for (u32 i = 0; i < slots_; ++i) {
        if (tlb.slots[i].context_id == context_id) {
            return i;
        }
    }
    return std::exchange(tlb.next_victim, (tlb.next_victim + 1) % slots_);
}

TlbDirectory::FlushRequest TlbDirectory::make_request(TlbContext* context, u64 generation, const TlbFlush& change) {
    const u64 pages = change.page_count();
    return {context, generation, change.start(), change.page_size(), pages <= kMaxSinglePages ? pages : 0};
}

FlushDone TlbDirectory::flush(TlbContext& context, const TlbFlush& change) {
    if (!change.empty()) {
        PreemptionGuard guard;
        const u64 generation = context.generation.fetch_add(1, Order::seq_cst) + 1;
        FlushRequest request = make_request(&context, generation, change);
        run_on(context.active.snapshot(Order::seq_cst), request);
    }
    return {};
}

FlushDone TlbDirectory::flush_kernel(const TlbFlush& change) {
    if (!change.empty()) {
        PreemptionGuard guard;
        full_fence();  // the change is visible before the set is read
        FlushRequest request = make_request(nullptr, 0, change);
        CpuSet targets = g_kernel.online.snapshot(Order::seq_cst);
        targets.add(arch::this_cpu().index);
        run_on(targets, request);
    }
    return {};
}

/// Preemption is off. This CPU does its part without an interrupt.
void TlbDirectory::run_on(CpuSet targets, FlushRequest& request) {
    const CpuIndex self = arch::this_cpu().index;
    if (targets.contains(self)) {
        InterruptGuard guard;
        flush_this_cpu(&request);
        targets.remove(self);
    }
    if (!targets.empty()) {
        call_on_cpus_(targets, &flush_this_cpu, &request);
    }
}

/// Interrupts are off.
void TlbDirectory::flush_this_cpu(void* argument) {
    const FlushRequest& request = *static_cast<const FlushRequest*>(argument);
    if (request.context == nullptr) {
        flush_kernel_this_cpu(request);
        return;
    }
    CpuTlb& tlb = *arch::this_cpu().tlb;
    if (tlb.loaded != request.context) {
        return;
    }
    CpuTlb::Slot& slot = tlb.slots[tlb.current];
    if (slot.generation >= request.generation) {
        return;
    }
    if (request.pages != 0 && slot.generation + 1 == request.generation) {
        for (u64 i = 0; i < request.pages; ++i) {
            arch::flush_page(request.start + i * request.page_size);
        }
        slot.generation = request.generation;
        return;
    }
    const u64 generation = request.context->generation.load(Order::seq_cst);
    arch::flush_address_space();
    slot.generation = generation;
}

void TlbDirectory::flush_kernel_this_cpu(const FlushRequest& request) {
    if (request.pages == 0) {
        arch::flush_all();
    }
    for (u64 i = 0; i < request.pages; ++i) {
        arch::flush_page(request.start + i * request.page_size);
    }
}

}  // namespace cairn::mm
