#pragma once
/// What is said to an address space and what it answers: requests, limits, figures, names of futexes.

#include <optional>

#include "mm/mapping.h"
#include "mm/memory_object.h"

namespace cairn::mm {

/// The resource limits that a call obeys (setrlimit(2)), in bytes.
struct MemoryLimits {
    static constexpr u64 kUnlimited = ~u64{0};
    u64 address_space = kUnlimited;  // RLIMIT_AS
    u64 data = kUnlimited;           // RLIMIT_DATA
    u64 locked = kUnlimited;         // RLIMIT_MEMLOCK; kUnlimited too for CAP_IPC_LOCK
};

/// mmap(2) without its encoding. What only a file can know (whether it was opened for writing …) has been checked.
struct MapRequest {
    enum class Placement : u8 {
        Hint,            // at `address` if that is free, else where there is room
        Fixed,           // MAP_FIXED: replaces what is there
        FixedNoReplace,  // MAP_FIXED_NOREPLACE: EEXIST
    };
    VirtualAddress address{};
    u64 length = 0;  // bytes; rounded up to pages
    Placement placement = Placement::Hint;
    u32 access = 0;              // kAccess…
    u32 maximum = kAccessAll;    // without Write for a shared mapping of a file that is open for reading only
    u32 flags = 0;               // MappingFlag
    bool populate = false;       // MAP_POPULATE; Locked implies it
    bool below_4g = false;       // MAP_32BIT: within the first 2 GiB
    u64 alignment = kPageSize;   // of the address that is chosen
    u64 lowest = 0x10000;        // vm.mmap_min_addr for who may not map below it
    const char* name = nullptr;  // static; for the kernel's own pages
    /// Null: anonymous; with Shared then an object is made.
    MemoryObject* object = nullptr;
    u64 offset = 0;  // in the object, page-aligned
    MappedFile* file = nullptr;
};

/// Where exec put things; prctl(PR_SET_MM_…) and /proc/PID/stat.
struct SpaceLayout {
    VirtualAddress code_start{}, code_end{}, data_start{}, data_end{};
    VirtualAddress break_start{};  // brk(2) grows from here
    VirtualAddress stack_start{};  // of the stack pointer at the start
    VirtualAddress arguments_start{}, arguments_end{}, environment_start{}, environment_end{};
    VirtualAddress vdso{};  // AT_SYSINFO_EHDR
};

/// One mapping as others see it: a line of /proc/PID/maps.
struct MappingInformation {
    VirtualAddress start, end;
    MappingProperties properties;
    u64 offset = 0;                       // bytes
    std::optional<Ref<MappedFile>> file;  // describe it without any lock
    bool is_shared() const { return (properties.flags & flag_bits(MappingFlag::Shared)) != 0; }
    bool has_object = false;
};

/// What a range of a space uses, in bytes: smaps.
struct MappingUsage {
    u64 resident = 0;
    u64 shared_clean = 0, shared_dirty = 0, private_clean = 0, private_dirty = 0;
    u64 referenced = 0, anonymous = 0;
    u64 proportional = 0;  // Pss
};

/// Pages unless the name says otherwise: /proc/PID/status and statm.
struct SpaceStatistics {
    u64 total = 0, data = 0, stack = 0, executable = 0, locked = 0;
    u64 resident_anonymous = 0, resident_file = 0, resident_shared = 0;
    u64 peak_total = 0, peak_resident = 0;
    u64 page_tables = 0;  // frames
    u64 mappings = 0;
    u64 resident() const { return resident_anonymous + resident_file + resident_shared; }
};

/// What a futex word is, across all that can see it (futex(2)): two keys are the same word if object and offset are.
struct FutexKey {
    u64 object = 0;  // of a space or of a MemoryObject; never both
    u64 offset = 0;
    std::optional<Ref<MemoryObject>> kept;  // so that the identity is not used again
    bool same(const FutexKey& other) const { return object == other.object && offset == other.offset; }
};

}  // namespace cairn::mm
