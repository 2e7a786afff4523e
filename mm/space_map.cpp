/// AddressSpace: mmap(2) and brk(2).
#include <algorithm>
#include <atomic>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"
#include "mm/page_cache.h"
#include "mm/system_memory.h"

namespace cairn::mm {

namespace {

/// MAP_32BIT, as Linux has it.
constexpr u64 kBelow4GStart = 0x4000'0000;
constexpr u64 kBelow4GEnd = 0x8000'0000;

/// What /proc/PID/maps shows for shared anonymous memory.
class SharedAnonymousFile final : public MappedFile {
public:
    explicit SharedAnonymousFile(u64 number) : number_(number) {}
    Identity identity() const override { return {1, number_}; }
    usize describe(std::span<char> to) const override {
        constexpr std::string_view kName = "/dev/zero (deleted)";
        const usize size = std::min(kName.size(), to.size());
        std::copy_n(kName.begin(), size, to.begin());
        return size;
    }

private:
    void destroy() override { destroy_counted(this); }
    u64 number_;
};

constinit Atomic<u64> next_anonymous_number{1};

/// The time in which a shared mapping that may be written comes into being.
class WritableMappingScope {
public:
    WritableMappingScope() = default;
    WritableMappingScope(const WritableMappingScope&) = delete;
    WritableMappingScope& operator=(const WritableMappingScope&) = delete;
    ~WritableMappingScope() {
        if (object_ != nullptr) {
            object_->end_writable_mapping();
        }
    }
    Result<void> begin(MemoryObject& object) {
        TRY(object.begin_writable_mapping());
        object_ = &object;
        return {};
    }

private:
    MemoryObject* object_ = nullptr;
};

bool fits_behind(const Mapping& before, VirtualAddress start, const MappingProperties& properties, MemoryObject* object,
                 MappedFile* file, u64 first_page) {
    if (before.end != start || !(before.properties == properties) || before.has(MappingFlag::GrowsDown) ||
        before.has(MappingFlag::DontMerge) || (before.object ? &before.object->get() : nullptr) != object ||
        (before.file ? &before.file->get() : nullptr) != file) {
        return false;
    }
    return object == nullptr || before.first_page + before.pages() == first_page;
}

}  // namespace

Result<VirtualAddress> AddressSpace::map(const MapRequest& request, const MemoryLimits& limits) {
    if (request.length == 0 || !is_aligned(request.offset, kPageSize) || (request.access & ~kAccessAll) != 0) {
        return fail(Errno::einval);
    }
    const u64 size = align_up(request.length, kPageSize);
    if (size == 0 || size > mappings_end().value) {
        return fail(Errno::enomem);
    }
    if (request.offset + size < request.offset) {
        return fail(Errno::eoverflow);
    }
    if ((request.access & ~request.maximum) != 0) {
        return fail(Errno::eacces);
    }
    // Shared memory without a name: an object of its own, which nobody else can find.
    std::optional<Ref<MemoryObject>> object;
    std::optional<Ref<MappedFile>> file;
    const bool shared = (request.flags & flag_bits(MappingFlag::Shared)) != 0;
    if (shared && request.object == nullptr) {
        Ref<PageCache> memory = TRY(PageCache::create(nullptr, size));
        object.emplace(Ref<MemoryObject>(*memory));
        Ref<SharedAnonymousFile> name =
            TRY(try_new_ref<SharedAnonymousFile>(next_anonymous_number.fetch_add(1, Order::relaxed)));
        file.emplace(Ref<MappedFile>(*name));
    }
    const Backing backing{object ? &object->get() : request.object, file ? &file->get() : request.file,
                          request.offset / kPageSize};
    WritableMappingScope writable;
    if (shared && request.object != nullptr && (request.maximum & kAccessWrite) != 0) {
        TRY(writable.begin(*request.object));
    }
    bool locked = false;
    VirtualAddress start;
    {
        MappingBin bin;
        sync::ExclusiveGuard guard(lock_);
        Result<VirtualAddress> mapped = map_locked(request, size, backing, limits, bin);
        if (!mapped.ok()) {
            return mapped;
        }
        start = mapped.value();
        locked = ((request.flags | future_flags_) & flag_bits(MappingFlag::Locked)) != 0 &&
                 ((request.flags | future_flags_) & flag_bits(MappingFlag::LockOnFault)) == 0;
    }
    if (request.populate || locked) {
        // As Linux, what cannot be filled in now is left to faults.
        const bool write = (request.access & kAccessWrite) != 0;
        static_cast<void>(populate(start, size, write ? FaultAccess::Write : FaultAccess::Read));
    }
    return start;
}

Result<VirtualAddress> AddressSpace::map_locked(const MapRequest& request, u64 size, const Backing& backing,
                                                const MemoryLimits& limits, MappingBin& bin) {
    VirtualAddress start = TRY(place(request, size));
    const VirtualAddress end = start + size;
    const MappingProperties properties{request.access, request.maximum, request.flags | future_flags_, request.name};
    u64 replaced = 0;
    if (request.placement == MapRequest::Placement::Fixed) {
        for (const Mapping* m = mappings_.at_or_after(start); m != nullptr && m->start < end; m = mappings_.next(*m)) {
            replaced += (std::min(m->end, end) - std::max(m->start, start)) / kPageSize;
        }
    }
    TRY(check_limits(properties, size / kPageSize, replaced, limits));
    TRY(add_range(start, end, properties, backing, replaced != 0, bin));
    return start;
}

/// First what can fail, then what is replaced goes, then the range becomes part of its neighbours or a mapping.
Result<void> AddressSpace::add_range(VirtualAddress start, VirtualAddress end, const MappingProperties& properties,
                                     const Backing& backing, bool replace, MappingBin& bin) {
    if (replace) {
        TRY(split_at(start));
        TRY(split_at(end));
    }
    Mapping* before = start.value == 0 ? nullptr : mappings_.find({start.value - 1});
    if (before != nullptr &&
        fits_behind(*before, start, properties, backing.object, backing.file, backing.first_page)) {
        if (replace) {
            remove_range(start, end, bin);
        }
        set_bounds(*before, before->start, end);
        account(*before, static_cast<i64>((end - start) / kPageSize));
        merge_around(*before, bin);
        return {};
    }
    if (mappings_.count() >= mapping_limit.load(Order::relaxed)) {
        return fail(Errno::enomem);
    }
    Own<Mapping> mapping = TRY(make_mapping(start, end, properties, backing));
    if (replace) {
        remove_range(start, end, bin);
    }
    merge_around(insert(std::move(mapping)), bin);
    return {};
}

Result<VirtualAddress> AddressSpace::place(const MapRequest& request, u64 size) {
    using Placement = MapRequest::Placement;
    const u64 end = mappings_end().value;
    if (request.placement != Placement::Hint) {
        const u64 start = request.address.value;
        if (!is_aligned(start, kPageSize)) {
            return fail(Errno::einval);
        }
        if (start > end || size > end - start) {
            return fail(Errno::enomem);
        }
        if (start < request.lowest) {
            return fail(Errno::eperm);
        }
        if (request.placement == Placement::FixedNoReplace && mappings_.overlaps({start}, {start + size})) {
            return fail(Errno::eexist);
        }
        return request.address;
    }
    u64 hint = align_up(request.address.value, request.alignment);
    if (hint != 0) {
        hint = std::max(hint, align_up(request.lowest, request.alignment));
        if (hint <= end && size <= end - hint && !(request.below_4g && hint + size > kBelow4GEnd)) {
            const Mapping* next = mappings_.at_or_after({hint});
            if (next == nullptr || next->guarded_start() >= hint + size) {
                return VirtualAddress{hint};
            }
        }
    }
    const u64 wanted = size + (request.alignment - kPageSize);
    if (wanted < size) {
        return fail(Errno::enomem);
    }
    const auto aligned = [&](VirtualAddress at) { return VirtualAddress{align_up(at.value, request.alignment)}; };
    if (request.below_4g) {
        VirtualAddress low = TRY(mappings_.find_gap_above(wanted, kBelow4GStart, kBelow4GEnd));
        return aligned(low);
    }
    Result<VirtualAddress> below =
        mappings_.find_gap_below(wanted, std::max<u64>(request.lowest, kPageSize), mapping_base_.value);
    if (below.ok()) {
        return aligned(below.value());
    }
    VirtualAddress above = TRY(mappings_.find_gap_above(wanted, mapping_base_.value, end));
    return aligned(above);
}

Result<void> AddressSpace::check_limits(const MappingProperties& properties, u64 pages, u64 replaced,
                                        const MemoryLimits& limits) {
    const auto has = [&](MappingFlag flag) { return (properties.flags & flag_bits(flag)) != 0; };
    if (has(MappingFlag::Locked) && locked_pages_.load(Order::relaxed) + pages > limits.locked / kPageSize) {
        return fail(Errno::eagain);
    }
    const u64 added = pages - std::min(pages, replaced);
    if (total_pages_.load(Order::relaxed) + added > limits.address_space / kPageSize) {
        return fail(Errno::enomem);
    }
    const bool private_writable = !has(MappingFlag::Shared) && (properties.access & kAccessWrite) != 0;
    if (private_writable && !has(MappingFlag::Stack) &&
        data_pages_.load(Order::relaxed) + added > limits.data / kPageSize) {
        return fail(Errno::enomem);
    }
    // Overcommit as Linux's default: only a single request that cannot be met by any means is refused.
    if (private_writable && !has(MappingFlag::NoReserve) && pages > frames_.managed_frames()) {
        return fail(Errno::enomem);
    }
    return {};
}

VirtualAddress AddressSpace::set_break(VirtualAddress wanted, const MemoryLimits& limits) {
    VirtualAddress before;
    VirtualAddress after;
    bool populate_new = false;
    {
        MappingBin bin;
        sync::ExclusiveGuard guard(lock_);
        before = break_;
        after = set_break_locked(wanted, limits, bin);
        populate_new = future_flags_ == flag_bits(MappingFlag::Locked) && after > before;
    }
    if (populate_new) {
        const VirtualAddress start{align_up(before.value, kPageSize)};
        const VirtualAddress end{align_up(after.value, kPageSize)};
        if (start < end) {
            static_cast<void>(populate(start, end - start, FaultAccess::Write));
        }
    }
    return after;
}

VirtualAddress AddressSpace::set_break_locked(VirtualAddress wanted, const MemoryLimits& limits, MappingBin& bin) {
    if (wanted < layout_.break_start || layout_.break_start.value == 0 || wanted > mappings_end()) {
        return break_;
    }
    const u64 data = layout_.data_end - layout_.data_start;
    if (limits.data != MemoryLimits::kUnlimited && (wanted - layout_.break_start) + data > limits.data) {
        return break_;
    }
    const VirtualAddress old_end{align_up(break_.value, kPageSize)};
    const VirtualAddress new_end{align_up(wanted.value, kPageSize)};
    if (new_end < old_end) {
        if (!unmap_locked(new_end, old_end, bin).ok()) {
            return break_;
        }
    } else if (new_end > old_end) {
        const Mapping* next = mappings_.at_or_after(old_end);
        const MappingProperties properties{kAccessRead | kAccessWrite, kAccessAll, future_flags_, nullptr};
        if (new_end > mappings_end() || (next != nullptr && next->guarded_start() < new_end.value + kPageSize) ||
            !check_limits(properties, (new_end - old_end) / kPageSize, 0, limits).ok() ||
            !add_range(old_end, new_end, properties, {nullptr, nullptr, 0}, false, bin).ok()) {
            return break_;
        }
    }
    break_ = wanted;
    return break_;
}

}  // namespace cairn::mm
