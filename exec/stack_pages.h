#pragma once
/// The contents of a new stack, filled from the top downwards while nobody knows yet at which
/// address it will lie. Bytes are named by their depth: the number of bytes from them (included) to
/// the top, so that the byte at depth d gets the address top - d. Pages are allocated one by one;
/// page 0 is the topmost. The owner alone uses it; no lock.

#include <span>

#include "kernel/base/address.h"
#include "kernel/base/own.h"
#include "kernel/base/result.h"

namespace cairn::exec {

class StackPages {
public:
    /// More does not fit: E2BIG. Arguments are limited to less (argument_block.h).
    static constexpr u64 kCapacity = 8 * kMiB;

    /// The depth of the lowest byte in use.
    u64 size() const { return size_; }

    /// Makes the stack deeper by `bytes` zeros, or does nothing: E2BIG, ENOMEM.
    Result<void> grow(u64 bytes);
    /// Forgets the lowest `bytes` bytes.
    void shrink(u64 bytes);
    /// Grows by these bytes; the first one is the lowest.
    Result<void> push(std::span<const std::byte> bytes);

    /// From depth `depth` upwards; must lie in the part in use.
    void write(u64 depth, std::span<const std::byte> bytes);
    /// The bytes from `depth` up to the end of their page; not empty for a depth in use.
    std::span<const std::byte> read(u64 depth) const;
    std::span<std::byte> edit(u64 depth);
    /// The depth behind the string that begins at `depth` and ends with a zero.
    u64 skip_string(u64 depth) const;

    /// Page `index` covers [top - (index + 1) * kPageSize, top - index * kPageSize).
    u64 page_count() const { return align_up(size_, kPageSize) / kPageSize; }
    std::span<const std::byte> page(u64 index) const { return read((index + 1) * kPageSize); }

private:
    struct alignas(kPageSize) Page {
        std::byte bytes[kPageSize];
    };
    /// Pages are found through groups of pointers, each of which leads to the next. Most stacks have a page or two, so
    /// only pointers that are in use are ever looked at.
    struct Group {
        static constexpr u32 kPages = 64;
        ~Group();
        Own<Group> next;
        u32 count = 0;
        Page* pages[kPages];  // the first `count` own theirs
    };
    Page& page_of(u64 depth) const;

    Own<Group> first_;
    Group* last_ = nullptr;
    u64 size_ = 0;
    u64 allocated_pages_ = 0;
};

}  // namespace cairn::exec
