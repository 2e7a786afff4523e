#include "exec/segment_map.h"

#include <algorithm>
#include <bit>

namespace cairn::exec {

namespace {

constexpr u64 page_start(u64 value) {
    return align_down(value, kPageSize);
}
constexpr u64 offset_in_page(u64 value) {
    return value & (kPageSize - 1);
}

constexpr SegmentProtection protection_of(const ElfProgramHeader& segment) {
    return {.readable = (segment.flags & elf::kFlagRead) != 0,
            .writable = (segment.flags & elf::kFlagWrite) != 0,
            .executable = (segment.flags & elf::kFlagExecute) != 0};
}

/// The segment's bytes are followed by memory that is not in the file, and share a page with it.
constexpr bool has_tail_to_zero(const ElfProgramHeader& segment) {
    return segment.file_size != 0 && segment.memory_size > segment.file_size &&
           offset_in_page(segment.address + segment.file_size) != 0;
}

}  // namespace

Result<SegmentMap> SegmentMap::create(const ElfImage& image, ElfRole role, u64 file_size, AddressLimits limits) {
    SegmentMap map(image, file_size, limits);
    for (const ElfProgramHeader& segment : image.segments()) {
        TRY(map.add(segment, role));
    }
    // A program without segments starts, and faults at once; one without a place cannot even start.
    if (map.size() == 0 && (image.header().type == ElfType::Relocatable || role == ElfRole::Interpreter)) {
        return fail(Errno::einval);
    }
    return map;
}

Result<void> SegmentMap::add(const ElfProgramHeader& segment, ElfRole role) {
    if (segment.file_size != 0) {
        if (offset_in_page(segment.offset) != offset_in_page(segment.address) ||
            segment.offset > ~u64{0} / 2 - kPageSize || segment.file_size > ~u64{0} / 2 - kPageSize - segment.offset) {
            return fail(Errno::einval);
        }
    }
    u64 end = limits_.end.value;
    if (segment.address >= end || segment.file_size > segment.memory_size || segment.memory_size > end ||
        end - segment.memory_size < segment.address) {
        return fail(role == ElfRole::Program ? Errno::einval : Errno::enomem);
    }
    if (has_tail_to_zero(segment) && protection_of(segment).writable &&
        page_start(segment.offset + segment.file_size) >= file_size_) {
        return fail(Errno::eio);
    }
    if (role == ElfRole::Program && std::has_single_bit(segment.alignment)) {
        alignment_ = std::max(alignment_, segment.alignment);
    }
    if (segment.memory_size == 0) {
        return {};
    }
    // No wrap: the segment ends below the limit, which is a multiple of the page size.
    u64 first = page_start(segment.address);
    u64 last = align_up(segment.address + segment.memory_size, kPageSize);
    start_ = size() == 0 ? first : std::min(start_, first);
    end_ = std::max(end_, last);
    return {};
}

u64 SegmentMap::bias_at_or_below(VirtualAddress base) const {
    return align_down(base.value, alignment_) - align_down(start_, alignment_);
}

u64 SegmentMap::bias_at_or_above(VirtualAddress base) const {
    return bias_at_or_below(base + (alignment_ - kPageSize));
}

Result<u64> SegmentMap::search_size() const {
    u64 above_aligned = start_ - align_down(start_, alignment_);
    u64 slack = alignment_ - kPageSize;
    u64 limit = limits_.end.value;
    if (above_aligned > limit || slack > limit || size() > limit || above_aligned + slack + size() > limit) {
        return fail(Errno::enomem);
    }
    return above_aligned + slack + size();
}

Result<LoadedImage> SegmentMap::map_into(ImageTarget& target, u64 bias) const {
    ASSERT(is_aligned(bias, kPageSize) && (bias == 0 || type() == ElfType::Relocatable));
    u64 first = start_ + bias;
    u64 end = limits_.end.value;
    if (size() != 0) {
        if (first < limits_.lowest.value || first >= end || end - first < size()) {
            return fail(Errno::enomem);
        }
        TRY(target.claim({first}, size()));
    }
    for (const ElfProgramHeader& segment : image_->segments()) {
        TRY(map_segment(target, segment, bias));
    }
    return describe(bias);
}

Result<void> SegmentMap::map_segment(ImageTarget& target, const ElfProgramHeader& segment, u64 bias) const {
    SegmentProtection protection = protection_of(segment);
    u64 address = segment.address + bias;
    u64 file_end = address + segment.file_size;
    u64 first_anonymous = page_start(address);
    if (segment.file_size != 0) {
        first_anonymous = align_up(file_end, kPageSize);
        TRY(target.map_file({page_start(address)}, first_anonymous - page_start(address), page_start(segment.offset),
                            protection));
    }
    // Beyond the end of the file there is nothing to zero: a touch is SIGBUS.
    if (has_tail_to_zero(segment) && page_start(segment.offset + segment.file_size) < file_size_) {
        TRY(target.zero({file_end}, first_anonymous - file_end));
    }
    u64 memory_end = align_up(address + segment.memory_size, kPageSize);
    if (segment.memory_size > segment.file_size && memory_end > first_anonymous) {
        return target.map_anonymous({first_anonymous}, memory_end - first_anonymous, protection);
    }
    return {};
}

Result<LoadedImage> SegmentMap::describe(u64 bias) const {
    const ElfHeader& header = image_->header();
    u64 table = 0;
    u64 code_start = ~u64{0};
    u64 code_end = 0;
    u64 data_start = 0;
    u64 data_end = 0;
    for (const ElfProgramHeader& segment : image_->segments()) {
        u64 offset = header.program_headers.offset;
        if (segment.offset <= offset && offset - segment.offset < segment.file_size) {
            table = segment.address + (offset - segment.offset);
        }
        u64 file_end = segment.address + segment.file_size;
        if ((segment.flags & elf::kFlagExecute) != 0) {
            code_start = std::min(code_start, segment.address);
            code_end = std::max(code_end, file_end);
        }
        data_start = std::max(data_start, segment.address);
        data_end = std::max(data_end, file_end);
    }
    VirtualAddress entry{header.entry + bias};
    // A program with an interpreter is entered there; what it does with the program's entry is its affair.
    if (entry >= limits_.end && !image_->has_interpreter()) {
        return fail(Errno::einval);
    }
    return LoadedImage{.bias = bias,
                       .entry = entry,
                       .program_headers = {table + bias},
                       .program_header_count = header.program_header_count(),
                       .code_start = {code_end == 0 ? bias : code_start + bias},
                       .code_end = {code_end + bias},
                       .data_start = {data_start + bias},
                       .data_end = {data_end + bias},
                       .end = {end_ + bias}};
}

}  // namespace cairn::exec
