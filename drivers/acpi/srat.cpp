#include "drivers/acpi/srat.h"

#include <algorithm>

#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

constexpr u64 kFirstEntry = 48;
/// More than machines have. Each is compared with each, and each domain looks at all.
constexpr u32 kMostMemory = 1024;
constexpr u32 kMostDomains = 64;

enum EntryType : u8 { kProcessor = 0, kMemory = 1, kProcessorX2 = 2 };
/// By type: the least length, and where the flags are.
constexpr u8 kLeast[] = {16, 40, 24};
constexpr u8 kFlags[] = {4, 28, 12};
constexpr u32 kEnabled = 1;

/// An entry that counts: a CPU, or memory.
struct Affinity {
    u32 domain;
    u32 apic_id;
    PhysicalRange memory;  // nothing at all: a CPU's
    bool is_memory() const { return memory.start.value != 0 || memory.end.value != 0; }
};

template <typename T>
T field(Bytes entry, usize offset) {
    return load_at<T>(entry, offset).value_or(0);
}

/// Finds the next entry that counts and moves `offset` behind it. False at the table's end, and before that at an entry
/// of an impossible length.
bool find_next(Bytes table, u64& offset, Affinity& found) {
    while (table.size() - offset >= 2) {
        const u8 type = field<u8>(table, offset);
        const u8 length = field<u8>(table, offset + 1);
        if (length < 2 || length > table.size() - offset) {
            return false;
        }
        const Bytes entry = table.subspan(offset, length);
        offset += length;
        if (type > kProcessorX2 || length < kLeast[type] || (field<u32>(entry, kFlags[type]) & kEnabled) == 0) {
            continue;
        }
        found = {};
        if (type == kMemory) {
            const u64 start = field<u64>(entry, 8);
            const u64 size = field<u64>(entry, 16);
            found.domain = field<u32>(entry, 2);
            found.memory = {{start}, {start + size}};  // what wraps ends below its start; sound() sees that
            if (size == 0) {
                continue;
            }
        } else if (type == kProcessorX2) {
            found.domain = field<u32>(entry, 4);
            found.apic_id = field<u32>(entry, 8);
        } else {
            // The rest of the domain's bytes follow one of something else.
            found.domain = field<u8>(entry, 2) | (field<u32>(entry, 8) & ~0xffu);
            found.apic_id = field<u8>(entry, 3);
        }
        constexpr usize kRevision = 8;
        if (field<u8>(table, kRevision) < 2) {
            found.domain &= 0xff;
        }
        return true;
    }
    return false;
}

/// Memory is where memory can be, and of one domain only; the table is made of whole entries.
bool sound(Bytes table) {
    u32 count = 0;
    u64 offset = kFirstEntry;
    for (Affinity entry; find_next(table, offset, entry);) {
        if (!entry.is_memory()) {
            continue;
        }
        const PhysicalRange range = entry.memory;
        bool possible =
            ++count <= kMostMemory && range.start < range.end && range.end <= boot::MemoryMap::kAddressLimit;
        u64 before = kFirstEntry;
        for (Affinity other; find_next(table, before, other) && before < offset;) {
            possible = possible && (other.domain == entry.domain || !other.memory.overlaps(range));
        }
        if (!possible) {
            log_warning("acpi", "SRAT: memory of domain {} at {} cannot be; the table is not used", entry.domain,
                        range.start);
            return false;
        }
    }
    if (offset != table.size()) {
        log_warning("acpi", "SRAT: damaged entry at offset {}; the table is not used", offset);
        return false;
    }
    return true;
}

/// Logs a domain, whose entries are those of this number.
void log_domain(Bytes table, u32 domain, const arch::PlatformDescription& platform) {
    char memory_storage[kLogTextLimit / 2];
    char cpu_storage[kLogTextLimit / 3];
    TextBuffer memory{std::span(memory_storage)};
    TextBuffer cpus{std::span(cpu_storage)};
    u64 offset = kFirstEntry;
    for (Affinity entry; find_next(table, offset, entry);) {
        if (entry.domain == domain && entry.is_memory()) {
            format_to(memory, " {:#x}-{:#x}", entry.memory.start.value, entry.memory.end.value - 1);
        }
        for (u32 i = 0; entry.domain == domain && !entry.is_memory() && i < platform.cpu_count; ++i) {
            if (platform.cpu_hardware_id[i] == entry.apic_id) {
                format_to(cpus, " {}", i);
            }
        }
    }
    log_info("acpi", "SRAT: domain {}: memory{}; CPUs{}", domain, memory.view(), cpus.view());
}

}  // namespace

u32 read_srat(Bytes table, const arch::PlatformDescription& platform) {
    if (table.size() < kFirstEntry || !sound(table)) {
        return 0;
    }
    u32 count = 0;
    for (u64 least = 0; count < kMostDomains; ++count) {
        // The lowest domain from `least` on.
        u64 domain = ~u64{0};
        u64 offset = kFirstEntry;
        for (Affinity entry; find_next(table, offset, entry);) {
            domain = entry.domain >= least ? std::min<u64>(domain, entry.domain) : domain;
        }
        if (domain == ~u64{0}) {
            break;
        }
        log_domain(table, static_cast<u32>(domain), platform);
        least = domain + 1;
    }
    return count;
}

}  // namespace cairn::acpi
