#pragma once
/// MemoryObject: pages that can be mapped. Files, shared anonymous memory, memfd and devices are
/// objects; a mapping is a window on one. mm asks an object for a page and never learns what it is.
///
/// A frame that an object hands out has FrameUse::File or SharedMemory while it belongs to the object. Whoever takes it
/// away (truncation) makes it detached first and calls unmap_pages() then: a fault that comes too late sees that under
/// the page-table lock and tries again.

#include <span>

#include "kernel/base/ref.h"
#include "kernel/sync/mutex.h"
#include "mm/frame.h"
#include "mm/mapping.h"

namespace cairn::mm {

class EntryWindow;

enum class PageAccess : u8 {
    Read,
    Write,  // the page will be written through a shared mapping or by write(2)
};

class MemoryObject : public RefCounted<MemoryObject> {
public:
    /// The frame that holds page `index`, with a reference that the caller owns. May sleep (disk). ENXIO: the page lies
    /// beyond the end of the object (SIGBUS); EIO: it cannot be read (SIGBUS); ENOMEM. No spinlock held.
    virtual Result<FrameNumber> acquire_page(u64 index, PageAccess access) = 0;

    /// For faults: makes entries for those of `window.size()` pages from `first` on that are there already and have
    /// none; each has a reference. Does not sleep. Returns how many. A page that is taken away is in the mappings
    /// before unmap_pages() or not at all, since both hold the lock of the entries.
    virtual u32 map_present_pages(u64 first, EntryWindow& window);

    /// Whether frames are RAM with metadata (false: device memory, mapped without references, by shared mappings only).
    virtual bool has_frames() const { return true; }
    /// Whether a page must be asked for with PageAccess::Write before it is written (dirty tracking).
    virtual bool tracks_writes() const { return false; }
    /// Whether pages count as shared memory (tmpfs, Shmem) and not as a file's in the accounting.
    virtual bool is_shared_memory() const { return false; }
    virtual Caching caching() const { return Caching::WriteBack; }
    /// Whether page `index` is in memory (mincore(2)).
    virtual bool is_resident([[maybe_unused]] u64 index) { return true; }
    /// msync(2), fsync(2): writes dirty pages of [first, end) back. EIO.
    virtual Result<void> write_back(u64 first, u64 end);
    /// madvise(2) MADV_REMOVE: as fallocate's hole punching. EOPNOTSUPP.
    virtual Result<void> remove_pages(u64 first, u64 end);

    /// Every Mapping of the object is in a list, so that truncation finds the translations.
    /// mm only; the caller holds the address space's lock.
    void add_mapping(Mapping& mapping);
    void remove_mapping(Mapping& mapping);
    /// Removes all translations of pages [first, end) in all address spaces, privately copied pages only when
    /// Zap (ftruncate(2) zaps them, hole punching does not). Returns when no CPU uses them. May sleep.
    enum class PrivateCopies : u8 { Keep, Zap };
    void unmap_pages(u64 first, u64 end, PrivateCopies copies);

    /// Sealing (memfd_create(2)): from now on no shared mapping may be made that can ever be written. EBUSY while there
    /// is one, or one is being made.
    Result<void> forbid_writable_mappings();
    /// mm only: a shared mapping that may be written is being made, until the counterpart. EPERM.
    Result<void> begin_writable_mapping();
    void end_writable_mapping();

    /// mm only: held while bounds of the object's mappings change.
    sync::Mutex<LockRank::ObjectMappings>& mappings_mutex() RETURN_CAPABILITY(mappings_mutex_) {
        return mappings_mutex_;
    }
    /// The same with the lock held.
    void add_mapping_locked(Mapping& mapping) REQUIRES(mappings_mutex_) { mappings_.push_back(mapping); }
    void remove_mapping_locked(Mapping& mapping) REQUIRES(mappings_mutex_) { mappings_.remove(mapping); }

    void last_reference_dropped() { destroy(); }

protected:
    MemoryObject() = default;
    ~MemoryObject() = default;
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;

private:
    sync::Mutex<LockRank::ObjectMappings> mappings_mutex_;
    List<Mapping, &Mapping::object_node> mappings_ GUARDED_BY(mappings_mutex_);
    u32 writable_begun_ GUARDED_BY(mappings_mutex_) = 0;
    bool writable_forbidden_ GUARDED_BY(mappings_mutex_) = false;
};

/// A fixed list of frames: the vDSO's pages, or anything else that the kernel shows to programs. Each frame has one
/// reference that the object owns.
class FrameListObject final : public MemoryObject {
public:
    /// Takes over one reference of each frame on success. At most kMaxFrames. ENOMEM, EINVAL.
    static Result<Ref<FrameListObject>> create(std::span<const FrameNumber> frames);

    Result<FrameNumber> acquire_page(u64 index, PageAccess access) override;
    static constexpr u32 kMaxFrames = 32;

    /// For create() and Ref only.
    explicit FrameListObject(std::span<const FrameNumber> frames);
    ~FrameListObject();

private:
    void destroy() override { destroy_counted(this); }

    FrameNumber frames_[kMaxFrames];
    u32 count_ = 0;
};

}  // namespace cairn::mm
