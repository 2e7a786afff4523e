#pragma once
/// MemoryObject: pages that can be mapped. Files, shared anonymous memory, memfd and devices are
/// objects; a mapping is a window on one. mm asks an object for a page and never learns what it is.

#include "kernel/base/rb_tree.h"
#include "kernel/base/ref.h"
#include "kernel/sync/mutex.h"
#include "mm/frame.h"

namespace cairn::mm {

class Mapping;

enum class PageAccess : u8 {
    Read,
    Write,  // the page will be written through a shared mapping or by write(2)
};

class MemoryObject : public RefCounted<MemoryObject> {
public:
    /// The frame that holds page `index`, with a reference that the caller owns. May sleep (disk). ENXIO: the page lies
    /// beyond the end of the object (SIGBUS); EIO: it cannot be read (SIGBUS); ENOMEM. No spinlock held.
    virtual Result<FrameNumber> acquire_page(u64 index, PageAccess access) = 0;

    /// Whether frames are RAM with metadata (false: device memory, mapped without references).
    virtual bool has_frames() const { return true; }

    /// Every Mapping of the object is in a list, so that truncation finds the translations.
    /// mm only; the caller holds the address space's lock.
    void add_mapping(Mapping& mapping);
    void remove_mapping(Mapping& mapping);
    /// Removes all translations of pages [first, end) in all address spaces, privately copied pages only when
    /// `copies_too` (ftruncate(2) zaps them, hole punching does not). Returns when no CPU uses them. May sleep.
    enum class PrivateCopies : u8 { Keep, Zap };
    void unmap_pages(u64 first, u64 end, PrivateCopies copies);

    void last_reference_dropped() { destroy(); }

protected:
    MemoryObject() = default;
    ~MemoryObject();
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;

private:
    sync::Mutex<LockRank::ObjectMappings> mappings_mutex_;
    // The list of mappings: see mapping.h.
    struct MappingList;
    ListNode mappings_;
};

}  // namespace cairn::mm
