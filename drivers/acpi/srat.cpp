#include "drivers/acpi/srat.h"

#include "drivers/acpi/tables.h"
#include "kernel/base/log.h"

namespace cairn::acpi {

namespace {

constexpr u64 kFirstEntry = 48;
/// More than machines have. Each is compared with each, and each domain looks at all.
constexpr u32 kMostMemory = 1024;
constexpr u32 kMostDomains = 64;

enum EntryType : u8 { kProcessor = 0, kMemory = 1, kProcessorX2 = 2 };
struct EntryHeader {
    u8 type;
    u8 length;
};
struct Processor {
    EntryHeader header;
    u8 domain;
    u8 apic_id;
    u32 flags;
    u8 sapic_id;
    u8 domain_rest[3];  // since revision 2
    u32 clock_domain;
};
struct Memory {
    EntryHeader header;
    u32 domain;
    u16 reserved;
    u64 start;
    u64 size;
    u32 reserved2;
    u32 flags;
    u64 reserved3;
} __attribute__((packed));
struct ProcessorX2 {
    EntryHeader header;
    u16 reserved;
    u32 domain;
    u32 apic_id;
    u32 flags;
    u32 clock_domain;
    u32 reserved2;
};
static_assert(sizeof(Processor) == 16 && sizeof(Memory) == 40 && sizeof(ProcessorX2) == 24);
constexpr u32 kEnabled = 1;

/// An entry that counts: a CPU, or memory.
struct Affinity {
    u32 domain;
    u32 apic_id;
    PhysicalRange memory;  // empty: a CPU's
};

/// Takes the table apart, one entry that counts after the other.
class Entries {
public:
    explicit Entries(Bytes table) : table_(table), revision_(load_at<TableHeader>(table, 0)->revision) {}

    std::optional<Affinity> next() {
        while (std::optional<EntryHeader> header = load_at<EntryHeader>(table_, offset_)) {
            const u64 at = offset_;
            if (header->length < sizeof(EntryHeader) || header->length > table_.size() - at) {
                break;
            }
            offset_ += header->length;
            if (std::optional<Affinity> found = read(header->type, slice(table_, at, header->length))) {
                return found;
            }
        }
        return std::nullopt;
    }
    /// Where it stopped; the table's end if all is well.
    u64 offset() const { return offset_; }

private:
    std::optional<Affinity> read(u8 type, Bytes entry) const {
        if (type == kProcessor) {
            const auto cpu = load_at<Processor>(entry, 0);
            if (cpu && (cpu->flags & kEnabled) != 0) {
                const u32 rest =
                    u32{cpu->domain_rest[0]} | u32{cpu->domain_rest[1]} << 8 | u32{cpu->domain_rest[2]} << 16;
                return Affinity{cpu->domain | (revision_ >= 2 ? rest << 8 : 0), cpu->apic_id, {}};
            }
        } else if (type == kProcessorX2) {
            const auto cpu = load_at<ProcessorX2>(entry, 0);
            if (cpu && (cpu->flags & kEnabled) != 0) {
                return Affinity{cpu->domain, cpu->apic_id, {}};
            }
        } else if (type == kMemory) {
            const auto memory = load_at<Memory>(entry, 0);
            if (memory && (memory->flags & kEnabled) != 0 && memory->size != 0) {
                const u32 domain = revision_ >= 2 ? memory->domain : memory->domain & 0xff;
                // What wraps ends below its start; sound() sees that.
                return Affinity{domain, 0, {{memory->start}, {memory->start + memory->size}}};
            }
        }
        return std::nullopt;
    }

    const Bytes table_;
    const u8 revision_;
    u64 offset_ = kFirstEntry;
};

bool is_memory(const Affinity& entry) {
    return entry.memory.end.value != 0 || entry.memory.start.value != 0;
}

/// Memory is where memory can be, and of one domain only; the table is made of whole entries.
bool sound(Bytes table) {
    const u64 limit = boot::MemoryMap::kAddressLimit.value;
    u32 count = 0;
    Entries entries(table);
    while (std::optional<Affinity> entry = entries.next()) {
        if (!is_memory(*entry)) {
            continue;
        }
        const PhysicalRange range = entry->memory;
        if (++count > kMostMemory || range.end.value <= range.start.value || range.end.value > limit) {
            log_warning("acpi", "SRAT: memory of domain {} at {} cannot be; the table is not used", entry->domain,
                        range.start);
            return false;
        }
        Entries others(table);
        for (std::optional<Affinity> other = others.next(); other && others.offset() < entries.offset();
             other = others.next()) {
            if (is_memory(*other) && other->domain != entry->domain && other->memory.overlaps(range)) {
                log_warning("acpi", "SRAT: {} is memory of domains {} and {}; the table is not used", range.start,
                            other->domain, entry->domain);
                return false;
            }
        }
    }
    if (entries.offset() != table.size()) {
        log_warning("acpi", "SRAT: damaged entry at offset {}; the table is not used", entries.offset());
        return false;
    }
    return true;
}

void add_cpu(CpuSet& cpus, u32 apic_id, const arch::PlatformDescription& platform) {
    for (u32 i = 0; i < platform.cpu_count; ++i) {
        if (platform.cpu_hardware_id[i] == apic_id) {
            cpus.add({i});
        }
    }
}

/// Logs a domain; returns the next higher one, if there is one.
std::optional<u32> log_domain(Bytes table, u32 domain, const arch::PlatformDescription& platform) {
    char storage[kLogTextLimit - 32];
    TextBuffer text{std::span(storage)};
    CpuSet cpus;
    std::optional<u32> next;
    Entries entries(table);
    while (std::optional<Affinity> entry = entries.next()) {
        if (entry->domain > domain && (!next || entry->domain < *next)) {
            next = entry->domain;
        }
        if (entry->domain != domain) {
            continue;
        }
        if (is_memory(*entry)) {
            format_to(text, " {:#x}-{:#x}", entry->memory.start.value, entry->memory.end.value - 1);
        } else {
            add_cpu(cpus, entry->apic_id, platform);
        }
    }
    if (text.size() == 0) {
        text.append(" none");
    }
    text.append("; CPUs");
    cpus.for_each([&](CpuIndex cpu) { format_to(text, " {}", cpu.value); });
    log_info("acpi", "SRAT: domain {}: memory{}{}", domain, text.view(),
             text.truncated() ? " ..."
             : cpus.empty()   ? " none"
                              : "");
    return next;
}

}  // namespace

u32 read_srat(Bytes table, const arch::PlatformDescription& platform) {
    if (table.size() < kFirstEntry || !sound(table)) {
        return 0;
    }
    // The lowest domain is the first that is above nothing.
    std::optional<u32> domain;
    Entries entries(table);
    while (std::optional<Affinity> entry = entries.next()) {
        domain = std::min(domain.value_or(entry->domain), entry->domain);
    }
    u32 count = 0;
    for (; domain && count < kMostDomains; ++count) {
        domain = log_domain(table, *domain, platform);
    }
    if (domain) {
        log_warning("acpi", "SRAT: domains beyond {} are left out", kMostDomains);
    }
    return count;
}

}  // namespace cairn::acpi
