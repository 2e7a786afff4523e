#include "mm/io_buffer.h"

#include <algorithm>
#include <cstring>

#include "arch/arch.h"
#include "kernel/base/assert.h"
#include "mm/address_space.h"

namespace cairn::mm {

namespace {

std::byte* kernel_pointer(u64 address) {
    return reinterpret_cast<std::byte*>(address);
}

}  // namespace

bool IoSegment::is_in_user_space() const {
    const u64 end = mappings_end().value;
    return address <= end && size <= end - address;
}

IoSegment IoCursor::current() const {
    const IoSegment& segment = segments_.empty() ? single_ : segments_[segment_];
    return {segment.address + offset_, segment.size - offset_};
}

void IoCursor::advance_segments() {
    while (segment_ < segments_.size() && offset_ >= segments_[segment_].size) {
        if (segment_ + 1 == segments_.size() && offset_ == segments_[segment_].size) {
            break;  // the end
        }
        offset_ -= segments_[segment_].size;
        ++segment_;
    }
}

bool IoCursor::segments_are_reachable() const {
    return std::ranges::all_of(segments_, &IoSegment::is_in_user_space);
}

usize IoCursor::truncate(usize limit) {
    const usize cut = remaining_ > limit ? remaining_ - limit : 0;
    remaining_ -= cut;
    return cut;
}

void IoCursor::revert(usize bytes) {
    ASSERT(bytes <= moved_);
    moved_ -= bytes;
    remaining_ += bytes;
    while (bytes > offset_) {
        ASSERT(segment_ > 0);
        bytes -= offset_;
        --segment_;
        offset_ = segments_[segment_].size;
    }
    offset_ -= bytes;
}

template <typename Move>
Result<usize> IoCursor::transfer(usize size, Move move) {
    size = std::min(size, remaining_);
    if (!segments_.empty()) {
        return transfer_segments(size, move);
    }
    if (size == 0) {
        return usize{0};  // there may be no memory behind it
    }
    // One range, as nearly always.
    const usize failed = move(single_.address + offset_, usize{0}, size);
    const usize done = size - failed;
    remaining_ -= done;
    moved_ += done;
    offset_ += done;
    return failed != 0 && done == 0 ? Result<usize>(fail(Errno::efault)) : done;
}

template <typename Move>
[[gnu::noinline]] Result<usize> IoCursor::transfer_segments(usize size, Move move) {
    usize done = 0;
    while (done < size) {
        IoSegment segment = current();
        if (segment.size == 0) {
            advance(0);
            segment = current();
            ASSERT(segment.size != 0);
        }
        const usize part = std::min<usize>(segment.size, size - done);
        const usize failed = move(segment.address, done, part);
        advance(part - failed);
        done += part - failed;
        if (failed != 0) {
            if (done == 0) {
                return fail(Errno::efault);
            }
            break;
        }
    }
    return done;
}

IoSource IoSource::from_kernel(std::span<const std::byte> bytes) {
    return {Side::Kernel, {reinterpret_cast<u64>(bytes.data()), bytes.size()}};
}

IoSink IoSink::to_kernel(std::span<std::byte> bytes) {
    return {Side::Kernel, {reinterpret_cast<u64>(bytes.data()), bytes.size()}};
}

Result<usize> IoSource::take(void* to, usize size) {
    return transfer(size, [&](u64 address, usize done, usize part) -> usize {
        std::byte* target = static_cast<std::byte*>(to) + done;
        if (is_user()) {
            return arch::copy_from_user(target, {address}, part);
        }
        std::memcpy(target, kernel_pointer(address), part);
        return 0;
    });
}

Result<usize> IoSink::put(const void* from, usize size) {
    return transfer(size, [&](u64 address, usize done, usize part) -> usize {
        const std::byte* source = static_cast<const std::byte*>(from) + done;
        if (is_user()) {
            return arch::copy_to_user({address}, source, part);
        }
        std::memcpy(kernel_pointer(address), source, part);
        return 0;
    });
}

Result<usize> IoSink::put_zeros(usize size) {
    return transfer(size, [&](u64 address, usize, usize part) -> usize {
        if (!is_user()) {
            std::memset(kernel_pointer(address), 0, part);
            return 0;
        }
        return arch::clear_user({address}, part);
    });
}

}  // namespace cairn::mm
