#include "mm/address_space.h"

#include <utility>

#include "kernel/base/kernel.h"
#include "mm/kernel_space.h"
#include "mm/system_memory.h"

namespace cairn::mm {

MappingBin::~MappingBin() {
    while (Mapping* mapping = mappings_.pop_front()) {
        Own<Mapping>::adopt(mapping).reset();
    }
}

Result<Ref<AddressSpace>> AddressSpace::create() {
    FrameNumber root = TRY(g_kernel.memory->allocate_frame(FrameFlags::Zeroed));
    Result<Ref<AddressSpace>> space = try_new_ref<AddressSpace>(*g_kernel.frames, *g_kernel.tlb, root.address());
    if (!space.ok()) {
        g_kernel.frames->free(root, 0);
    }
    return space;
}

AddressSpace::AddressSpace(FrameAllocator& frames, TlbDirectory& directory, PhysicalAddress root)
    : frames_(frames), directory_(directory), tables_(frames), table_(tables_, root), mapping_base_(mappings_end()) {
    tlb_.id = directory.new_context_id();
    tlb_.root = root;
    // The kernel's root entries never change once it runs (KernelSpace), so a copy stays right.
    tables_.copy_entries(root, g_kernel.kernel_space->root(), UserTable::kEntries / 2, UserTable::kEntries);
}

/// Nobody has it loaded, so nothing is flushed; a tag that a CPU still keeps for it is never used again, because the
/// id is not. Truncation may still come through the objects' lists until the mappings have left them.
AddressSpace::~AddressSpace() {
    ASSERT(tlb_.active.snapshot(Order::acquire).empty());
    MappingBin bin;
    constexpr VirtualAddress kNowhere{~u64{0}};
    {
        sync::ExclusiveGuard guard(lock_);
        for (Mapping* mapping = mappings_.first(); mapping != nullptr; mapping = mappings_.next(*mapping)) {
            leave_object(*mapping);
        }
        for (Mapping* mapping = mappings_.first(); mapping != nullptr;) {
            Mapping* next = mappings_.next(*mapping);
            for (UserTable::Parts parts(table_, mapping->start, mapping->end); parts.next();) {
                drop_entries(*parts);
            }
            table_.free_tables(mapping->start, mapping->end, next != nullptr ? next->start : kNowhere);
            mapping = next;
        }
        mappings_.clear([&](Mapping& mapping) { bin.add(mapping); });
    }
    ASSERT(tables_.count() == 0);
    frames_.free(FrameNumber::containing(table_.root()), 0);
}

void AddressSpace::activate() {
    directory_.activate(tlb_);
}

void AddressSpace::activate_interrupts_off() {
    directory_.activate_interrupts_off(tlb_);
}

void AddressSpace::deactivate() {
    g_kernel.tlb->activate_kernel();
}

SpaceLayout AddressSpace::layout() {
    sync::SharedGuard guard(lock_);
    return layout_;
}

void AddressSpace::set_layout(const SpaceLayout& layout) {
    sync::ExclusiveGuard guard(lock_);
    layout_ = layout;
    if (break_ < layout.break_start) {
        break_ = layout.break_start;
    }
}

VirtualAddress AddressSpace::program_break() {
    sync::SharedGuard guard(lock_);
    return break_;
}

void AddressSpace::set_mapping_base(VirtualAddress base) {
    sync::ExclusiveGuard guard(lock_);
    mapping_base_ = {std::min(align_down(base.value, kPageSize), mappings_end().value)};
}

void AddressSpace::set_executable(std::optional<Ref<MappedFile>> file) {
    sync::ExclusiveGuard guard(lock_);
    std::swap(executable_, file);
    // The guard is gone before the old one is: parameters outlive the function's body.
}

std::optional<Ref<MappedFile>> AddressSpace::executable() {
    sync::SharedGuard guard(lock_);
    return executable_;
}

u64 AddressSpace::resident_bytes() const {
    u64 pages = 0;
    for (const Atomic<u64>& count : resident_) {
        pages += count.load(Order::relaxed);
    }
    return pages * kPageSize;
}

/// Takes no lock, so that it can be asked when memory is short, whatever the space's threads hold.
SpaceStatistics AddressSpace::statistics() {
    SpaceStatistics result;
    result.total = total_pages_.load(Order::relaxed);
    result.data = data_pages_.load(Order::relaxed);
    result.stack = stack_pages_.load(Order::relaxed);
    result.executable = executable_pages_.load(Order::relaxed);
    result.locked = locked_pages_.load(Order::relaxed);
    result.resident_anonymous = resident_[ResidentAnonymous].load(Order::relaxed);
    result.resident_file = resident_[ResidentFile].load(Order::relaxed);
    result.resident_shared = resident_[ResidentShared].load(Order::relaxed);
    result.peak_total = peak_total_.load(Order::relaxed);
    result.peak_resident = std::max(peak_resident_.load(Order::relaxed), result.resident());
    result.page_tables = tables_.count() + 1;
    result.mappings = mappings_.count();
    return result;
}

std::optional<AddressSpace::Table::Translation> AddressSpace::translate(VirtualAddress address) {
    Table table(tables_, table_.root());
    SpinLockGuard guard(table_lock_);
    return table.translate(address);
}

/// The protection of a page of an ordinary mapping.
static u32 access_of(Protection protection) {
    return kAccessRead | (protection.writable ? kAccessWrite : 0) | (protection.executable ? kAccessExecute : 0);
}

Result<void> AddressSpace::map_anonymous(VirtualAddress start, u64 size, Protection protection) {
    if (!is_aligned(start.value | size, kPageSize)) {
        return fail(Errno::einval);
    }
    MapRequest request;
    request.address = start;
    request.length = size;
    request.placement = MapRequest::Placement::FixedNoReplace;
    request.access = access_of(protection);
    request.lowest = 0;
    TRY(map(request));
    const FaultAccess access = protection.writable ? FaultAccess::Write : FaultAccess::Read;
    if (populate(start, size, access) != FaultResult::Resolved) {
        static_cast<void>(unmap(start, size));
        return fail(Errno::enomem);
    }
    return {};
}

Result<void> AddressSpace::protect(VirtualAddress start, u64 size, Protection protection) {
    return protect(start, size, access_of(protection));
}

void switch_address_space(AddressSpace* from, AddressSpace* to) {
    if (to != nullptr) {
        to->activate_interrupts_off();
    } else if (from != nullptr) {
        AddressSpace::deactivate();
    }
}

}  // namespace cairn::mm
