#pragma once
/// Who has which physical addresses and which I/O ports: /proc/iomem and /proc/ioports. Firmware, the kernel's image,
/// and what drivers use; nobody is kept from anything by it.
///
/// Lock: one, of the tree's rank, which is not held together with the tree's.

#include <string_view>

#include "arch/platform.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/boot/information.h"
#include "kernel/sync/rw_lock.h"

namespace cairn::devices {

enum class RangeKind : u8 { Memory, Ports };

class AddressRanges {
public:
    static constexpr usize kNameLimit = 31;
    /// Levels that are told apart, as on Linux.
    static constexpr u32 kLevels = 5;

    /// Notes that the `size` addresses from `start` on are what the name (copied, and cut to kNameLimit) says, for
    /// ever. What lies within another range is shown below that; of two equal ones the later one. Nothing happens when
    /// the size is zero or memory is short: only the list lacks it. Thread context.
    void add(RangeKind kind, u64 start, u64 size, std::string_view name);
    /// What firmware and kernel have from the beginning. Start-up.
    void add_machine(const arch::PlatformDescription& platform, const boot::Information& information);

    /// Calls visit(level, first, last, name) in the order of Linux's lists. The visitor may sleep.
    template <typename Visit>
    void for_each(RangeKind kind, Visit visit);

private:
    struct Range {
        ListNode node;
        RangeKind kind;
        u8 name_length;
        u64 first;
        u64 last;
        char name[kNameLimit];
    };

    void add_memory_map(const boot::MemoryMap& map);

    sync::RwLock<LockRank::DeviceTree> lock_;
    /// By first address, what is larger first. For ever.
    List<Range, &Range::node> ranges_ GUARDED_BY(lock_);
};

/// The kernel's; there from DeviceTree::initialize() on.
AddressRanges& address_ranges();
/// add() to them, if they are there: a host test may lack them.
void note_range(RangeKind kind, u64 start, u64 size, std::string_view name);

template <typename Visit>
void AddressRanges::for_each(RangeKind kind, Visit visit) {
    sync::SharedGuard guard(lock_);
    u64 ends[kLevels] = {};
    u32 level = 0;
    for (Range& range : ranges_) {
        if (range.kind != kind) {
            continue;
        }
        while (level > 0 && (level == kLevels || ends[level - 1] < range.last)) {
            --level;
        }
        visit(level, range.first, range.last, std::string_view(range.name, range.name_length));
        ends[level++] = range.last;
    }
}

}  // namespace cairn::devices
