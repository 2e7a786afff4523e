#pragma once
/// From PT_LOAD segments to mappings. create() checks every segment of an image and knows how much
/// room it takes; the caller chooses where it goes, and map_into() carries it out on an ImageTarget,
/// which in the kernel is an address space under construction and in tests a list.
///
/// A segment becomes up to three actions: its pages of the file are mapped privately, what its last
/// page has beyond the segment's bytes is zeroed, and anonymous memory fills it up to its memory
/// size. A later segment replaces pages of an earlier one that it overlaps, as mmap(MAP_FIXED) does.
///
/// Errors are EINVAL, ENOMEM and EIO, plus the target's. Linux detects them after its point of no
/// return and kills the program; here nothing has been lost yet and execve(2) fails. Pure.

#include "exec/elf.h"
#include "kernel/base/address.h"

namespace cairn::exec {

struct SegmentProtection {
    bool readable = false;
    bool writable = false;
    bool executable = false;
    constexpr bool operator==(const SegmentProtection&) const = default;
};

/// What an image is mapped into. Addresses and sizes are whole pages, and sizes are not zero,
/// except zero()'s. Offsets are multiples of the page size and offset + size does not wrap; it may
/// exceed the file's size.
class ImageTarget {
public:
    /// Called first, once: [start, start + size) belongs to the image from now on. Fails (ENOMEM)
    /// when anything is mapped there. What is not mapped afterwards is free again.
    virtual Result<void> claim(VirtualAddress start, u64 size) = 0;
    /// Maps the image's file there, privately; replaces what the image has mapped there.
    virtual Result<void> map_file(VirtualAddress start, u64 size, u64 file_offset, SegmentProtection protection) = 0;
    /// The same with memory full of zeros.
    virtual Result<void> map_anonymous(VirtualAddress start, u64 size, SegmentProtection protection) = 0;
    /// Overwrites `size` bytes, fewer than a page and all in one page that map_file has mapped
    /// (perhaps not writable), with zeros.
    virtual Result<void> zero(VirtualAddress start, u64 size) = 0;

protected:
    ~ImageTarget() = default;
};

/// Which addresses an image may have: [lowest, end). Both are multiples of the page size.
struct AddressLimits {
    VirtualAddress lowest;
    VirtualAddress end;
};

/// How to go on once the image is mapped; all addresses are final, i.e. include the load bias.
struct LoadedImage {
    u64 bias = 0;                    // AT_BASE, if this is an interpreter
    VirtualAddress entry;            // inside the limits unless there is an interpreter; perhaps not mapped
    VirtualAddress program_headers;  // AT_PHDR: the bias alone when no segment has the table
    u64 program_header_count = 0;    // AT_PHNUM
    VirtualAddress code_start;       // of the executable segments (/proc/PID/stat)
    VirtualAddress code_end;
    VirtualAddress data_start;  // of the last segment
    VirtualAddress data_end;    // where the bytes of the file end
    VirtualAddress end;         // page-aligned end of the last segment: where brk begins
};

class SegmentMap {
public:
    /// Checks all segments. EINVAL: misaligned, wrapping, outside the limits, or a relocatable
    /// image without segments; ENOMEM where Linux says so, which is for interpreters; EIO: the page
    /// to be zeroed at a writable segment's end is not in the file. Refers to the image.
    static Result<SegmentMap> create(const ElfImage& image, ElfRole role, u64 file_size, AddressLimits limits);

    ElfType type() const { return image_->header().type; }
    /// The range that the image covers before any bias is added; whole pages. Empty if there are no
    /// segments, which a Fixed image may have.
    VirtualAddress start() const { return {start_}; }
    u64 size() const { return end_ - start_; }
    /// The largest p_align that is a power of two, at least a page; a page for interpreters.
    u64 alignment() const { return alignment_; }

    /// Relocatable: the bias for an image at `base` or below it, and at `base` or above. They keep
    /// addresses congruent modulo the alignment. The result may be out of the limits.
    u64 bias_at_or_below(VirtualAddress base) const;
    u64 bias_at_or_above(VirtualAddress base) const;
    /// A free range of this size has room for bias_at_or_above(its start). ENOMEM if there is none.
    Result<u64> search_size() const;

    /// Maps everything, `bias` higher than the file says (zero for a Fixed image, else a multiple of
    /// the page size). ENOMEM when that is out of the limits, EINVAL if the entry is.
    Result<LoadedImage> map_into(ImageTarget& target, u64 bias) const;

private:
    SegmentMap(const ElfImage& image, u64 file_size, AddressLimits limits)
        : image_(&image), file_size_(file_size), limits_(limits) {}
    Result<void> add(const ElfProgramHeader& segment, ElfRole role);
    Result<void> map_segment(ImageTarget& target, const ElfProgramHeader& segment, u64 bias) const;
    Result<LoadedImage> describe(u64 bias) const;

    const ElfImage* image_;
    u64 file_size_;
    AddressLimits limits_;
    u64 start_ = 0;
    u64 end_ = 0;
    u64 alignment_ = kPageSize;
};

}  // namespace cairn::exec
