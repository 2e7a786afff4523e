#pragma once
/// AddressSpace: what a process sees of memory: its mappings, and the page table that follows them on demand. The
/// table's upper half is the kernel's.
///
/// Locks: `lock_` (rank AddressSpace) is held shared by faults and lookups, exclusively by changes of the mappings.
/// `table_lock_` (rank PageTable) protects the entries of pages; it is held for the piece of one last-level table.
/// Tables are added under `table_lock_` and taken away only with `lock_` held exclusively, and only where no
/// mapping is, so whoever holds `lock_` or an object's list lock may walk down to a last-level table without a lock.
/// Each entry that shows a frame with metadata, except the page of zeros, owns one reference of it, dropped only after
/// the flush. An entry of private memory may be written only if its frame is FrameUse::Anonymous and this entry owns
/// the only reference.
///
/// Nothing that may take locks of higher layers (the last reference of a file or object) is dropped under `lock_`.
/// Unless said otherwise: thread context, may sleep, no lock of rank AddressSpace or inner held.

#include <optional>
#include <span>

#include "kernel/base/own.h"
#include "kernel/base/ref.h"
#include "kernel/sync/rw_lock.h"
#include "mm/mapping.h"
#include "mm/memory_object.h"
#include "mm/page_fault.h"
#include "mm/page_table.h"
#include "mm/space_types.h"
#include "mm/tlb.h"
#include "mm/user_table.h"

namespace cairn::mm {

/// Mappings that a change has taken out. They are dropped at its end, after lock_ was released: declare it
/// before the guard.
class MappingBin {
public:
    MappingBin() = default;
    MappingBin(const MappingBin&) = delete;
    MappingBin& operator=(const MappingBin&) = delete;
    ~MappingBin();
    void add(Mapping& mapping) { mappings_.push_back(mapping); }

private:
    MappingList mappings_;
};

/// First address that no mapping may reach: a page below the end of user space, so that no instruction of a program
/// ends at a non-canonical address (as Linux's TASK_SIZE_MAX).
inline VirtualAddress mappings_end() {
    constexpr u64 kTaskSizeMax = (u64{1} << 47) - kPageSize;
    return {arch::user_space_end().value < kTaskSizeMax ? arch::user_space_end().value : kTaskSizeMax};
}

class AddressSpace : public RefCounted<AddressSpace> {
public:
    using Table = PageTable<arch::PageTableFormat, TableFrames>;

    /// An empty address space. ENOMEM.
    static Result<Ref<AddressSpace>> create();
    /// A copy for fork(2): shares private pages until one side writes, shared mappings for good; leaves out DontFork.
    /// ENOMEM, with nothing left behind.
    Result<Ref<AddressSpace>> fork();

    /// Loads it on this CPU; the caller keeps a reference as long as it is loaded. Any context.
    void activate();
    void activate_interrupts_off();
    /// Loads the kernel's page table instead of whatever is loaded on this CPU.
    static void deactivate();

    // --- Mappings ---------------------------------------------------------------------------------

    /// mmap(2). EINVAL, ENOMEM, EEXIST, EAGAIN (locked limit), EPERM (below `lowest`), EOVERFLOW.
    Result<VirtualAddress> map(const MapRequest& request, const MemoryLimits& limits = {});
    /// munmap(2). EINVAL, ENOMEM.
    Result<void> unmap(VirtualAddress start, u64 size);
    /// shmdt(2): what is left of the attachment that began at `address`. EINVAL.
    Result<void> detach(VirtualAddress address);
    /// mprotect(2); GrowsDown: PROT_GROWSDOWN. EINVAL, ENOMEM (also where nothing is mapped), EACCES.
    enum class ProtectRange : u8 { Exact, GrowsDown };
    Result<void> protect(VirtualAddress start, u64 size, u32 access, ProtectRange range = ProtectRange::Exact,
                         const MemoryLimits& limits = {});
    /// mremap(2). EINVAL, ENOMEM, EFAULT, EAGAIN.
    struct RemapRequest {
        VirtualAddress address{};
        u64 old_size = 0;
        u64 new_size = 0;
        bool may_move = false;         // MREMAP_MAYMOVE
        bool fixed = false;            // MREMAP_FIXED
        bool keep_old = false;         // MREMAP_DONTUNMAP
        VirtualAddress new_address{};  // with fixed, or a hint with keep_old
        u64 lowest = 0x10000;
    };
    Result<VirtualAddress> remap(const RemapRequest& request, const MemoryLimits& limits = {});
    /// brk(2): the new break, or the one that stays. Never fails otherwise.
    VirtualAddress set_break(VirtualAddress wanted, const MemoryLimits& limits = {});

    /// madvise(2), with its numbers. EINVAL, ENOMEM, EBADF, EACCES, EFAULT …
    Result<void> advise(VirtualAddress start, u64 size, i32 advice);
    /// mlock2(2), munlock(2). ENOMEM, EAGAIN, EINVAL.
    enum class LockMode : u8 { Unlock, Lock, LockOnFault };
    Result<void> lock(VirtualAddress start, u64 size, LockMode mode, const MemoryLimits& limits = {});
    /// mlockall(2), munlockall(2): what is mapped now (`current`), and what will be (`future`).
    Result<void> lock_all(LockMode mode, bool current, bool future, const MemoryLimits& limits = {});
    /// mincore(2): one byte per page. EINVAL, ENOMEM.
    Result<void> resident_pages(VirtualAddress start, std::span<u8> pages);
    /// msync(2): `write` for MS_SYNC, `invalidate` for MS_INVALIDATE. ENOMEM, EBUSY, EIO.
    Result<void> sync(VirtualAddress start, u64 size, bool write, bool invalidate);

    // --- Faults -----------------------------------------------------------------------------------

    /// Makes the page at `address` usable in this way if the mappings permit it.
    FaultResult handle_fault(VirtualAddress address, FaultAccess access);
    /// The same for all pages of a range, until one fails (MAP_POPULATE, MADV_POPULATE_…).
    FaultResult populate(VirtualAddress start, u64 size, FaultAccess access);

    // --- From outside -----------------------------------------------------------------------------

    /// Copy between kernel memory and this space, whether it is loaded or not: ptrace(2), /proc/PID/mem,
    /// process_vm_readv(2). Return how many bytes, fewer only where a page cannot be used.
    enum class RemoteAccess : u8 {
        Checked,  // as the process itself
        Forced,   // ptrace: also what its protection forbids but its maximum permits; writes copy privately
    };
    usize read_memory(VirtualAddress from, std::span<std::byte> to, RemoteAccess mode = RemoteAccess::Checked);
    usize write_memory(VirtualAddress to, std::span<const std::byte> from, RemoteAccess mode = RemoteAccess::Checked);

    /// EFAULT where nothing is mapped (shared only). `address` is aligned to four bytes.
    enum class FutexScope : u8 { Private, Shared };
    Result<FutexKey> futex_key(VirtualAddress address, FutexScope scope);

    /// The mapping at `address` or the first one above it.
    std::optional<MappingInformation> find_mapping(VirtualAddress at_or_after);
    /// Calls `visit(const MappingInformation&)` for each, in order of address, holding no lock.
    template <typename Visit>
    void for_each_mapping(Visit visit) {
        VirtualAddress at{0};
        while (std::optional<MappingInformation> mapping = find_mapping(at)) {
            at = mapping->end;
            visit(static_cast<const MappingInformation&>(*mapping));
        }
    }
    MappingUsage usage(VirtualAddress start, VirtualAddress end);
    /// The name that /proc/PID/maps gives to a mapping without a file: "[heap]", "[stack]", "[vdso]", or "".
    std::string_view name_of(const MappingInformation& mapping);
    SpaceStatistics statistics() NO_THREAD_SAFETY_ANALYSIS;

    /// The last choice of whom to end for want of memory that fell on a process with this memory
    /// (kernel/out_of_memory.cpp).
    Atomic<u64> victim_round{0};

    SpaceLayout layout();
    /// For a panic, which takes no lock.
    const SpaceLayout& layout_unlocked() const NO_THREAD_SAFETY_ANALYSIS { return layout_; }
    void set_layout(const SpaceLayout& layout);
    VirtualAddress program_break();
    /// Where the top-down search of map() begins; exec sets it, randomised.
    void set_mapping_base(VirtualAddress base);
    /// RLIMIT_STACK in bytes, for growth in faults; exec sets it, and setrlimit(2).
    void set_stack_limit(u64 bytes) { stack_limit_.store(bytes, Order::relaxed); }
    /// /proc/PID/exe; kept (ETXTBSY) until the space goes or another is set.
    void set_executable(std::optional<Ref<MappedFile>> file);
    std::optional<Ref<MappedFile>> executable();

    // --- Single pages, for tests and the in-kernel stress -------------------------------------------

    /// Maps zeroed memory at [start, start + size) and fills it in at once. EINVAL for a bad range, EEXIST if something
    /// is mapped there, ENOMEM; on failure nothing has changed.
    Result<void> map_anonymous(VirtualAddress start, u64 size, Protection protection);
    Result<void> protect(VirtualAddress start, u64 size, Protection protection);
    std::optional<Table::Translation> translate(VirtualAddress address);

    u64 id() const { return tlb_.id; }
    TlbContext& tlb_context() { return tlb_; }
    /// Bytes of frames that are mapped.
    u64 resident_bytes() const;

    /// For MemoryObject::unmap_pages; the object's list lock is held, which keeps the mapping there.
    void unmap_object_pages(VirtualAddress start, VirtualAddress end, MemoryObject::PrivateCopies copies);

    /// vm.max_map_count (proc(5)): no address space gets more mappings than this. It bounds the kernel memory that a
    /// process takes by cutting mappings up.
    static Atomic<u32> mapping_limit;

    /// For create() and Ref only.
    AddressSpace(FrameAllocator& frames, TlbDirectory& directory, PhysicalAddress root);
    ~AddressSpace();

private:
    enum ResidentKind : u8 { ResidentAnonymous, ResidentFile, ResidentShared, kResidentKinds };
    /// The entry of one page.
    struct Slot {
        PhysicalAddress leaf;
        u32 index;
    };
    /// What a new mapping shows.
    struct Backing {
        MemoryObject* object;
        MappedFile* file;
        u64 first_page;
    };
    enum class ZapWhat : u8 { Everything, ObjectPages };
    /// How a page must be for an access: as a program's instruction needs it, or so that a debugger's
    /// write, which the protection forbids, goes to a page of the mapping's own.
    enum class PageNeed : u8 { Read, Write, OwnPage };

    // Mappings (space_mappings.cpp).
    Result<Own<Mapping>> make_mapping(VirtualAddress start, VirtualAddress end, const MappingProperties& properties,
                                      const Backing& backing);
    Mapping& insert(Own<Mapping> mapping) REQUIRES(lock_);
    void join_object(Mapping& mapping) REQUIRES(lock_);
    void unlink(Mapping& mapping) REQUIRES(lock_);
    void leave_object(Mapping& mapping) REQUIRES(lock_);
    void set_bounds(Mapping& mapping, VirtualAddress start, VirtualAddress end) REQUIRES(lock_);
    Result<void> split_at(VirtualAddress address) REQUIRES(lock_);
    void merge_around(Mapping& mapping, MappingBin& bin) REQUIRES(lock_);
    void absorb_next(Mapping& mapping, Mapping& next, MappingBin& bin) REQUIRES(lock_);
    void remove_range(VirtualAddress start, VirtualAddress end, MappingBin& bin) REQUIRES(lock_);
    Result<void> unmap_locked(VirtualAddress start, VirtualAddress end, MappingBin& bin) REQUIRES(lock_);
    void account(const Mapping& mapping, i64 pages) REQUIRES(lock_);
    enum class Holes : u8 { Refused, PassedOver };
    template <typename Change>
    Result<void> change_range(VirtualAddress start, VirtualAddress end, Holes holes, MappingBin& bin, Change change)
        REQUIRES(lock_);

    // madvise, mlock (space_advise.cpp).
    Result<void> discard(VirtualAddress start, VirtualAddress end, i32 advice);
    Result<void> remove_backing(VirtualAddress start, VirtualAddress end);
    static Result<MappingProperties> with_lock_mode(const Mapping& mapping, LockMode mode);
    Result<void> fill_locked(VirtualAddress start, VirtualAddress end);

    // mmap, mremap, brk (space_map.cpp, space_remap.cpp).
    Result<VirtualAddress> place(const MapRequest& request, u64 size) REQUIRES(lock_);
    Result<void> check_limits(const MappingProperties& properties, u64 pages, u64 replaced, const MemoryLimits& limits)
        REQUIRES(lock_);
    Result<VirtualAddress> map_locked(const MapRequest& request, u64 size, const Backing& backing,
                                      const MemoryLimits& limits, MappingBin& bin) REQUIRES(lock_);
    Result<void> add_range(VirtualAddress start, VirtualAddress end, const MappingProperties& properties,
                           const Backing& backing, bool replace, MappingBin& bin) REQUIRES(lock_);
    VirtualAddress set_break_locked(VirtualAddress wanted, const MemoryLimits& limits, MappingBin& bin) REQUIRES(lock_);
    Result<VirtualAddress> remap_locked(const RemapRequest& request, const MemoryLimits& limits, MappingBin& bin)
        REQUIRES(lock_);
    Result<VirtualAddress> move_mapping(Mapping& mapping, const RemapRequest& request, MappingBin& bin) REQUIRES(lock_);
    Result<void> ensure_tables_for_move(VirtualAddress from, VirtualAddress to, u64 size) REQUIRES(lock_);
    void move_entries(VirtualAddress from, VirtualAddress to, u64 size) REQUIRES(lock_);

    // Entries (space_entries.cpp).
    void zap(VirtualAddress start, VirtualAddress end, ZapWhat what);
    VirtualAddress zap_some(VirtualAddress start, VirtualAddress end, ZapWhat what, TlbFlush& flush OPEN_OBLIGATION);
    void change_entries(const Mapping& mapping, VirtualAddress start, VirtualAddress end) REQUIRES(lock_);
    bool may_write_at_once(const Mapping& mapping, PageEntry entry) REQUIRES(table_lock_);
    ResidentKind kind_of(PageEntry entry) const;
    static ResidentKind kind_of(FrameUse use);
    void add_resident(ResidentKind kind, i64 pages) REQUIRES(table_lock_);
    void drop_entries(const UserTable::Part& part);
    Result<void> copy_mappings(AddressSpace& child) REQUIRES(lock_) NO_THREAD_SAFETY_ANALYSIS;
    Result<void> copy_entries(AddressSpace& child, const Mapping& mapping, TlbFlush& flush OPEN_OBLIGATION);
    void share_entries(const Mapping& mapping, const UserTable::Part& part, u32 first, AddressSpace& child,
                       PhysicalAddress child_leaf, TlbFlush& flush OPEN_OBLIGATION)
        REQUIRES(table_lock_, child.table_lock_);

    // Faults (space_fault.cpp).
    Result<void> grow_stack(VirtualAddress page);
    FaultResult resolve(Mapping& mapping, VirtualAddress page, PageNeed need) REQUIRES_SHARED(lock_);
    std::optional<FaultResult> fault_anonymous(const Mapping& mapping, Slot slot, PageNeed need);
    std::optional<FaultResult> fault_object(Mapping& mapping, VirtualAddress page, Slot slot, PageNeed need);
    std::optional<FaultResult> fault_around(const Mapping& mapping, VirtualAddress page, Slot slot, bool writable);
    std::optional<FaultResult> fault_copy(Mapping& mapping, VirtualAddress page, Slot slot);
    std::optional<FaultResult> fault_device(const Mapping& mapping, VirtualAddress page, Slot slot);
    std::optional<FaultResult> fault_page(const Mapping& mapping, VirtualAddress page, Slot slot, PageAccess access,
                                          bool writable);
    std::optional<FaultResult> make_writable(const Mapping& mapping, VirtualAddress page, Slot slot);
    std::optional<FaultResult> copy_on_write(Mapping& mapping, VirtualAddress page, Slot slot, PageEntry entry);
    void replace_by_copy(const Mapping& mapping, VirtualAddress page, Slot slot, PageEntry entry, FrameNumber copy);

    // From outside (space_remote.cpp).
    template <typename Copy>
    bool with_page(VirtualAddress address, RemoteAccess mode, PageAccess access, Copy copy);
    template <typename Visit>
    void visit_entries(VirtualAddress start, VirtualAddress end, Visit visit);

    FrameAllocator& frames_;
    TlbDirectory& directory_;
    sync::RwLock<LockRank::AddressSpace> lock_;
    SpinLock<LockRank::PageTable> table_lock_;
    UserTableFrames tables_;
    UserTable table_;  // its entries under table_lock_
    TlbContext tlb_;

    MappingTree mappings_ GUARDED_BY(lock_);
    SpaceLayout layout_ GUARDED_BY(lock_);
    VirtualAddress break_ GUARDED_BY(lock_);
    VirtualAddress mapping_base_ GUARDED_BY(lock_);
    u32 future_flags_ GUARDED_BY(lock_) = 0;  // mlockall(MCL_FUTURE)
    std::optional<Ref<MappedFile>> executable_ GUARDED_BY(lock_);
    // Written with lock_ held exclusively.
    Atomic<u64> total_pages_{0}, data_pages_{0}, stack_pages_{0}, executable_pages_{0}, locked_pages_{0};
    Atomic<u64> peak_total_{0};
    // Written under table_lock_.
    Atomic<u64> resident_[kResidentKinds];
    Atomic<u64> peak_resident_{0};
    Atomic<u64> stack_limit_{8 * kMiB};
};

/// What the scheduler calls when a CPU goes from a thread of `from` to one of `to` (null: a kernel
/// thread, which gets the kernel's own page table). sched::AddressSpaceSwitch.
void switch_address_space(AddressSpace* from, AddressSpace* to);

}  // namespace cairn::mm
