/// AddressSpace: what others see of it and do to it: debuggers, /proc, futexes, mincore(2).
#include <algorithm>
#include <cstring>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"

namespace cairn::mm {

namespace {

bool permits_remote(const Mapping& mapping, PageAccess access, AddressSpace::RemoteAccess mode) {
    const bool forced = mode == AddressSpace::RemoteAccess::Forced;
    if (access == PageAccess::Read) {
        return ((forced ? mapping.properties.maximum : mapping.properties.access) & kAccessRead) != 0;
    }
    return mapping.permits(kAccessWrite) ||
           (forced && !mapping.is_shared() && (mapping.properties.maximum & kAccessWrite) != 0);
}

}  // namespace

/// Calls `copy(std::byte* page)` for the page that holds `address`, made ready for the access. The lock is held
/// meanwhile, so that no fork shares the page before it is written.
template <typename Copy>
bool AddressSpace::with_page(VirtualAddress address, RemoteAccess mode, PageAccess access, Copy copy) {
    const VirtualAddress page{align_down(address.value, kPageSize)};
    sync::SharedGuard guard(lock_);
    Mapping* mapping = mappings_.find(page);
    if (mapping == nullptr || !permits_remote(*mapping, access, mode) ||
        (mapping->object && !(*mapping->object)->has_frames())) {
        return false;
    }
    const bool own = access == PageAccess::Write && !mapping->is_shared();
    const PageNeed need = access == PageAccess::Read ? PageNeed::Read : own ? PageNeed::OwnPage : PageNeed::Write;
    for (;;) {
        const PhysicalAddress leaf = table_.find_leaf(page);
        std::optional<PageEntry> found;
        if (leaf.value != 0) {
            SpinLockGuard table_guard(table_lock_);
            const PageEntry entry = table_.load(leaf, UserTable::index_of(page));
            bool usable = !entry.empty();
            if (usable && need == PageNeed::Write) {
                usable = entry.writable();
            } else if (usable && need == PageNeed::OwnPage) {
                const Frame* frame = entry.owns_reference() ? &frames_.frame(entry.frame()) : nullptr;
                usable = frame != nullptr && frame->use.load(Order::relaxed) == FrameUse::Anonymous &&
                         frame->references.load(Order::acquire) == 1;
            }
            if (usable) {
                if (entry.owns_reference()) {
                    frames_.add_reference(entry.frame());
                }
                found = entry;
            }
        }
        if (found) {
            copy(static_cast<std::byte*>(arch::direct_map(found->frame().address())));
            if (found->owns_reference()) {
                frames_.drop_reference(found->frame());
            }
            return true;
        }
        if (resolve(*mapping, page, need) != FaultResult::Resolved) {
            return false;
        }
    }
}

usize AddressSpace::read_memory(VirtualAddress from, std::span<std::byte> to, RemoteAccess mode) {
    usize done = 0;
    while (done < to.size() && from.value + done < arch::user_space_end().value) {
        const VirtualAddress at = from + done;
        const usize offset = at.value % kPageSize;
        const usize part = std::min(to.size() - done, kPageSize - offset);
        if (!with_page(at, mode, PageAccess::Read,
                       [&](const std::byte* page) { std::memcpy(to.data() + done, page + offset, part); })) {
            break;
        }
        done += part;
    }
    return done;
}

usize AddressSpace::write_memory(VirtualAddress to, std::span<const std::byte> from, RemoteAccess mode) {
    usize done = 0;
    while (done < from.size() && to.value + done < arch::user_space_end().value) {
        const VirtualAddress at = to + done;
        const usize offset = at.value % kPageSize;
        const usize part = std::min(from.size() - done, kPageSize - offset);
        if (!with_page(at, mode, PageAccess::Write,
                       [&](std::byte* page) { std::memcpy(page + offset, from.data() + done, part); })) {
            break;
        }
        done += part;
    }
    return done;
}

Result<FutexKey> AddressSpace::futex_key(VirtualAddress address, FutexScope scope) {
    // Spaces have odd numbers, objects even addresses.
    FutexKey key{id() * 2 + 1, address.value, std::nullopt};
    if (scope == FutexScope::Private) {
        return key;
    }
    sync::SharedGuard guard(lock_);
    const Mapping* mapping = mappings_.find(address);
    if (mapping == nullptr || mapping->properties.access == 0) {
        return fail(Errno::efault);
    }
    if (mapping->is_shared()) {
        key.kept = mapping->object;
        key.object = reinterpret_cast<uptr>(&mapping->object->get());
        key.offset = mapping->page_index(address) * kPageSize + address.value % kPageSize;
    } else {
        // As on Linux, who waits privately is not found by a wake-up that might come from elsewhere. Words are aligned.
        key.offset |= 1;
    }
    return key;
}

std::optional<MappingInformation> AddressSpace::find_mapping(VirtualAddress at_or_after) {
    sync::SharedGuard guard(lock_);
    const Mapping* mapping = mappings_.at_or_after(at_or_after);
    if (mapping == nullptr) {
        return std::nullopt;
    }
    return MappingInformation{mapping->start,      mapping->end,
                              mapping->properties, mapping->first_page * kPageSize,
                              mapping->file,       mapping->object.has_value()};
}

std::string_view AddressSpace::name_of(const MappingInformation& mapping) {
    if (mapping.properties.name != nullptr) {
        return mapping.properties.name;
    }
    if (mapping.has_object) {
        return {};
    }
    sync::SharedGuard guard(lock_);
    if (mapping.start < break_ && mapping.end > layout_.break_start) {
        return "[heap]";
    }
    if (mapping.start <= layout_.stack_start && layout_.stack_start < mapping.end) {
        return "[stack]";
    }
    return {};
}

/// Calls `visit(PageEntry, const Frame*)` for each page of the range that is mapped; no frame: the page of zeros, a
/// device.
template <typename Visit>
void AddressSpace::visit_entries(VirtualAddress start, VirtualAddress end, Visit visit) {
    for (UserTable::Parts parts(table_, start, end); parts.next();) {
        const UserTable::Part& part = *parts;
        SpinLockGuard guard(table_lock_);
        for (u32 i = part.first; i < part.last; ++i) {
            const PageEntry entry = table_.load(part.leaf, i);
            if (!entry.empty()) {
                visit(entry, entry.owns_reference() ? &frames_.frame(entry.frame()) : nullptr);
            }
        }
    }
}

MappingUsage AddressSpace::usage(VirtualAddress start, VirtualAddress end) {
    MappingUsage result;
    sync::SharedGuard guard(lock_);
    visit_entries(start, end, [&](PageEntry entry, const Frame* frame) {
        if (frame == nullptr) {
            return;
        }
        const bool anonymous = kind_of(entry) == ResidentAnonymous;
        // An object keeps a reference of its own.
        const u32 references = frame->references.load(Order::relaxed);
        const u32 users = std::max(anonymous ? references : references - 1, 1u);
        const bool dirty = anonymous || entry.dirty();
        u64& kind = users > 1 ? (dirty ? result.shared_dirty : result.shared_clean)
                              : (dirty ? result.private_dirty : result.private_clean);
        kind += kPageSize;
        result.resident += kPageSize;
        result.proportional += kPageSize / users;
        result.anonymous += anonymous ? kPageSize : 0;
        result.referenced += entry.accessed() ? kPageSize : 0;
    });
    return result;
}

Result<void> AddressSpace::resident_pages(VirtualAddress start, std::span<u8> pages) {
    if (!is_aligned(start.value, kPageSize)) {
        return fail(Errno::einval);
    }
    sync::SharedGuard guard(lock_);
    VirtualAddress at = start;
    for (u8& answer : pages) {
        const Mapping* mapping = mappings_.find(at);
        if (mapping == nullptr) {
            return fail(Errno::enomem);
        }
        const PhysicalAddress leaf = table_.find_leaf(at);
        bool here = leaf.value != 0 && !table_.load(leaf, UserTable::index_of(at)).empty();
        if (!here && mapping->object) {
            here = (*mapping->object)->is_resident(mapping->page_index(at));
        }
        answer = here ? 1 : 0;
        at = at + kPageSize;
    }
    return {};
}

}  // namespace cairn::mm
