#pragma once
/// Where the bytes of a write come from (IoSource) and those of a read go to (IoSink): a kernel
/// buffer, a range of user memory, or a list of such ranges (readv(2)). Which of them is decided by
/// type and never by looking at an address. A local value of one call; holds no lock; user memory
/// may fault and sleep, so no spinlock is held while bytes move.

#include <span>
#include <string_view>

#include "kernel/base/address.h"
#include "kernel/base/assert.h"
#include "kernel/base/result.h"

namespace cairn::mm {

/// struct iovec, already fetched and checked (sizes add up to at most SSIZE_MAX).
struct IoSegment {
    u64 address = 0;
    u64 size = 0;
    /// Whether all of it may be a program's, mapped or not: Linux's access_ok().
    bool is_in_user_space() const;
};

/// What both directions share: the position in the segments.
class IoCursor {
public:
    /// Bytes that are still to be moved.
    usize remaining() const { return remaining_; }
    /// Bytes moved so far.
    usize moved() const { return moved_; }
    /// Lets at most `limit` bytes more be moved; returns how many this cut off, for expand().
    usize truncate(usize limit);
    void expand(usize bytes) { remaining_ += bytes; }
    /// Takes back the last `bytes` that were moved (a transfer that failed after the copy).
    void revert(usize bytes);
    /// Passes over bytes without moving them.
    void skip(usize bytes) { advance(bytes < remaining_ ? bytes : remaining_); }
    bool is_user() const { return user_; }
    /// Whether no part of it is out of the program's reach.
    bool is_reachable() const {
        return !user_ || (segments_.empty() ? single_.is_in_user_space() : segments_are_reachable());
    }

protected:
    enum class Side : u8 { Kernel, User };
    IoCursor(Side side, IoSegment single) : single_(single), user_(side == Side::User), remaining_(single.size) {}
    IoCursor(std::span<const IoSegment> segments, usize total) : segments_(segments), user_(true), remaining_(total) {}

    /// The part of the current segment that is left.
    IoSegment current() const;
    void advance(usize bytes) {
        ASSERT(bytes <= remaining_);
        remaining_ -= bytes;
        moved_ += bytes;
        offset_ += bytes;
        if (!segments_.empty()) {
            advance_segments();
        }
    }
    /// Moves up to `size` bytes by `move(address, done, part)`, which returns how many of `part` it could not move.
    template <typename Move>
    Result<usize> transfer(usize size, Move move);

private:
    template <typename Move>
    Result<usize> transfer_segments(usize size, Move move);
    void advance_segments();
    bool segments_are_reachable() const;

    IoSegment single_;
    std::span<const IoSegment> segments_;  // empty: single_ is meant
    usize segment_ = 0;
    usize offset_ = 0;  // in the current segment
    bool user_;
    usize remaining_;
    usize moved_ = 0;
};

class IoSource : public IoCursor {
public:
    static IoSource from_kernel(std::span<const std::byte> bytes);
    static IoSource from_kernel(std::string_view text) { return from_kernel(std::as_bytes(std::span(text))); }
    static IoSource from_user(VirtualAddress start, usize size) { return {Side::User, {start.value, size}}; }
    /// The segments live as long as the source; `total` is the sum of their sizes.
    static IoSource from_user(std::span<const IoSegment> segments, usize total) { return {segments, total}; }

    /// Copies up to `size` bytes; returns how many, fewer only at the end or at a fault. EFAULT when a
    /// fault let nothing be copied (and size and remaining() are not zero).
    Result<usize> take(void* to, usize size);

private:
    using IoCursor::IoCursor;
};

class IoSink : public IoCursor {
public:
    static IoSink to_kernel(std::span<std::byte> bytes);
    static IoSink to_user(VirtualAddress start, usize size) { return {Side::User, {start.value, size}}; }
    static IoSink to_user(std::span<const IoSegment> segments, usize total) { return {segments, total}; }

    /// Copies up to `size` bytes; as IoSource::take.
    Result<usize> put(const void* from, usize size);
    Result<usize> put(std::string_view text) { return put(text.data(), text.size()); }
    Result<usize> put_zeros(usize size);

private:
    using IoCursor::IoCursor;
};

}  // namespace cairn::mm
