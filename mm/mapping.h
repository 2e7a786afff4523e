#pragma once
/// Mapping: a range of one address space with the same properties throughout, a window on a memory
/// object or on private anonymous memory. MappingTree: the mappings of a space in order of address,
/// augmented so that a free range is found without looking at each (style C8).
///
/// A Mapping changes only under its space's lock held exclusively; its bounds and offset also under
/// its object's list lock, since truncation comes from there without the space's lock.

#include <optional>
#include <string_view>

#include "kernel/base/address.h"
#include "kernel/base/atomic.h"
#include "kernel/base/list.h"
#include "kernel/base/rb_tree.h"
#include "kernel/base/ref.h"
#include "mm/mapped_file.h"
#include "mm/protection.h"

namespace cairn::mm {

class AddressSpace;
class MemoryObject;

/// PROT_READ, PROT_WRITE and PROT_EXEC of mmap(2), with their numbers; a set is their sum.
constexpr u32 kAccessRead = 1;
constexpr u32 kAccessWrite = 2;
constexpr u32 kAccessExecute = 4;
constexpr u32 kAccessAll = kAccessRead | kAccessWrite | kAccessExecute;

/// What a mapping is, besides its protection; a set is a sum of them.
enum class MappingFlag : u32 {
    Shared = 1u << 0,       // MAP_SHARED: writes go to the object
    GrowsDown = 1u << 1,    // MAP_GROWSDOWN, and the stack
    Stack = 1u << 2,        // counted as stack (VmStk); implies nothing else
    Locked = 1u << 3,       // mlock(2)
    LockOnFault = 1u << 4,  // … as pages come (MLOCK_ONFAULT)
    DontFork = 1u << 5,     // MADV_DONTFORK
    WipeOnFork = 1u << 6,   // MADV_WIPEONFORK
    NoReserve = 1u << 7,    // MAP_NORESERVE: not counted as committed
    DontExpand = 1u << 8,   // mremap(2) refuses to grow it: the kernel's own pages, devices
    DontDump = 1u << 9,     // MADV_DONTDUMP
    SequentialRead = 1u << 10,
    RandomRead = 1u << 11,
    DontMerge = 1u << 12,
};
constexpr u32 flag_bits(MappingFlag flag) {
    return static_cast<u32>(flag);
}

/// What two neighbours must have in common to be one mapping.
struct MappingProperties {
    u32 access = 0;              // kAccess…, PROT_*
    u32 maximum = kAccessAll;    // what mprotect(2) may give it
    u32 flags = 0;               // MappingFlag
    const char* name = nullptr;  // "[vdso]" and the like; static
    bool operator==(const MappingProperties&) const = default;
};

class Mapping {
public:
    /// The stack may not come closer than this to what lies below it (Linux's stack_guard_gap).
    static constexpr u64 kStackGuard = 256 * kPageSize;

    Mapping(AddressSpace& space, VirtualAddress start, VirtualAddress end, const MappingProperties& properties);
    ~Mapping();
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    u64 size() const { return end - start; }
    u64 pages() const { return size() / kPageSize; }
    bool contains(VirtualAddress address) const { return start <= address && address < end; }
    bool has(MappingFlag flag) const { return (properties.flags & flag_bits(flag)) != 0; }
    bool permits(u32 access) const { return (properties.access & access) == access; }
    bool is_shared() const { return has(MappingFlag::Shared); }
    /// Private memory that was never a file's: every page of it is its own.
    bool is_anonymous() const { return !object; }
    /// RLIMIT_DATA and VmData: private, writable, no stack.
    bool is_data() const { return !is_shared() && permits(kAccessWrite) && !has(MappingFlag::Stack); }
    /// Counts in Committed_AS: memory that it may come to need and cannot get back from a file.
    bool is_committed() const { return !has(MappingFlag::NoReserve) && !is_shared() && permits(kAccessWrite); }
    /// Start, with the guard gap of a stack.
    u64 guarded_start() const {
        return has(MappingFlag::GrowsDown) ? (start.value > kStackGuard ? start.value - kStackGuard : 0) : start.value;
    }
    /// The object's page that `address` shows.
    u64 page_index(VirtualAddress address) const { return first_page + ((address - start) >> kPageShift); }
    /// At most once.
    void set_file(MappedFile& shown);
    /// Whether this, ending where `next` starts, can be one mapping with it.
    bool continues_in(const Mapping& next) const;

    VirtualAddress start;
    VirtualAddress end;
    MappingProperties properties;
    std::optional<Ref<MemoryObject>> object;
    std::optional<Ref<MappedFile>> file;
    u64 first_page = 0;  // of the object, at start
    AddressSpace& space;
    /// Set when a page of its own came into being in a private mapping of an object: fork must copy.
    Atomic<bool> has_own_pages{false};

    RbNode tree_node;
    ListNode list_node;    // in a list of mappings that are on their way in or out
    ListNode object_node;  // MemoryObject's list, under its lock

    // MappingTree's augmentation: over the subtree below.
    u64 subtree_start = 0;  // lowest guarded_start()
    u64 subtree_end = 0;    // highest end
    u64 subtree_gap = 0;    // largest gap between two neighbours
};

using MappingList = List<Mapping, &Mapping::list_node>;

/// The mappings of a space; they never overlap. Owns nothing.
class MappingTree {
public:
    bool empty() const { return tree_.empty(); }
    Mapping* first() const { return tree_.first(); }
    Mapping* last() const { return tree_.last(); }
    Mapping* next(const Mapping& mapping) const { return tree_.next(mapping); }
    Mapping* previous(const Mapping& mapping) const { return tree_.previous(mapping); }
    /// The mapping that contains `address` or, if none does, the first one above it.
    Mapping* at_or_after(VirtualAddress address) const {
        return tree_.partition_point([address](const Mapping& m) { return m.end <= address; });
    }
    /// The mapping that contains `address`; nullptr if none does.
    Mapping* find(VirtualAddress address) const {
        Mapping* mapping = at_or_after(address);
        return mapping != nullptr && mapping->start <= address ? mapping : nullptr;
    }
    bool overlaps(VirtualAddress start, VirtualAddress end) const {
        Mapping* mapping = at_or_after(start);
        return mapping != nullptr && mapping->start < end;
    }
    void insert(Mapping& mapping) {
        tree_.insert(mapping);
        count_.store(count() + 1, Order::relaxed);
    }
    void remove(Mapping& mapping) {
        tree_.remove(mapping);
        count_.store(count() - 1, Order::relaxed);
    }
    /// Fills an empty tree with the `count` mappings of a list in order of address, which is empty then.
    void build(MappingList& list, usize count) {
        tree_.build(count, [&]() -> Mapping& { return *list.pop_front(); });
        count_.store(count, Order::relaxed);
    }
    /// Takes all out; `visit` is called with each.
    template <typename Visit>
    void clear(Visit visit) {
        tree_.clear(visit);
        count_.store(0, Order::relaxed);
    }
    /// After start, end or GrowsDown has changed (the order has not).
    void refresh(Mapping& mapping) { tree_.refresh(mapping); }
    /// Any context.
    u64 count() const { return count_.load(Order::relaxed); }

    /// The highest (lowest) free range of `size` bytes within [low, high), whose start plus `skew` is a multiple of
    /// `alignment`; all page-aligned. ENOMEM.
    Result<VirtualAddress> find_gap_below(u64 size, u64 low, u64 high) const;
    Result<VirtualAddress> find_gap_above(u64 size, u64 low, u64 high) const;

private:
    struct ByAddress {
        static bool less(const Mapping& a, const Mapping& b) { return a.start < b.start; }
        static bool update(Mapping& mapping, Mapping* left, Mapping* right);
    };
    struct Search {
        u64 size;
        u64 low;
        u64 high;
    };
    template <bool kHighest>
    std::optional<u64> search(const Mapping* node, u64 gap_start, u64 gap_end, const Search& wanted) const;

    RbTree<Mapping, &Mapping::tree_node, ByAddress> tree_;
    Atomic<u64> count_{0};
};

}  // namespace cairn::mm
