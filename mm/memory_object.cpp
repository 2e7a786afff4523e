#include "mm/memory_object.h"

#include <algorithm>

#include "kernel/base/kernel.h"
#include "mm/address_space.h"

namespace cairn::mm {

u32 MemoryObject::map_present_pages(u64, EntryWindow&) {
    return 0;
}

Result<void> MemoryObject::write_back(u64, u64) {
    return {};
}

Result<void> MemoryObject::remove_pages(u64, u64) {
    return fail(Errno::eopnotsupp);
}

void MemoryObject::add_mapping(Mapping& mapping) {
    sync::MutexGuard guard(mappings_mutex_);
    mappings_.push_back(mapping);
}

void MemoryObject::remove_mapping(Mapping& mapping) {
    sync::MutexGuard guard(mappings_mutex_);
    mappings_.remove(mapping);
}

void MemoryObject::unmap_pages(u64 first, u64 end, PrivateCopies copies) {
    sync::MutexGuard guard(mappings_mutex_);
    for (Mapping& mapping : mappings_) {
        const u64 mapping_end = mapping.first_page + mapping.pages();
        const u64 from = std::max(first, mapping.first_page);
        const u64 to = std::min(end, mapping_end);
        if (from < to) {
            mapping.space.unmap_object_pages(mapping.start + (from - mapping.first_page) * kPageSize,
                                             mapping.start + (to - mapping.first_page) * kPageSize, copies);
        }
    }
}

Result<void> MemoryObject::forbid_writable_mappings() {
    sync::MutexGuard guard(mappings_mutex_);
    for (const Mapping& mapping : mappings_) {
        if (mapping.is_shared() && (mapping.properties.maximum & kAccessWrite) != 0) {
            return fail(Errno::ebusy);
        }
    }
    if (writable_begun_ != 0) {
        return fail(Errno::ebusy);
    }
    writable_forbidden_ = true;
    return {};
}

Result<void> MemoryObject::begin_writable_mapping() {
    sync::MutexGuard guard(mappings_mutex_);
    if (writable_forbidden_) {
        return fail(Errno::eperm);
    }
    ++writable_begun_;
    return {};
}

void MemoryObject::end_writable_mapping() {
    sync::MutexGuard guard(mappings_mutex_);
    --writable_begun_;
}

Result<Ref<FrameListObject>> FrameListObject::create(std::span<const FrameNumber> frames) {
    if (frames.size() > kMaxFrames) {
        return fail(Errno::einval);
    }
    return try_new_ref<FrameListObject>(frames);
}

FrameListObject::FrameListObject(std::span<const FrameNumber> frames) : count_(static_cast<u32>(frames.size())) {
    std::copy(frames.begin(), frames.end(), frames_);
    for (FrameNumber frame : frames) {
        g_kernel.frames->frame(frame).use.store(FrameUse::File, Order::relaxed);
    }
}

FrameListObject::~FrameListObject() {
    for (FrameNumber frame : std::span(frames_, count_)) {
        g_kernel.frames->drop_reference(frame);
    }
}

Result<FrameNumber> FrameListObject::acquire_page(u64 index, PageAccess) {
    if (index >= count_) {
        return fail(Errno::enxio);
    }
    g_kernel.frames->add_reference(frames_[index]);
    return frames_[index];
}

}  // namespace cairn::mm
