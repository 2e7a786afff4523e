#include "exec/stack_pages.h"

#include <algorithm>
#include <cstring>

namespace cairn::exec {

StackPages::Group::~Group() {
    for (Page* page : std::span(pages, count)) {
        Own<Page>::adopt(page).reset();
    }
}

Result<void> StackPages::grow(u64 bytes) {
    if (bytes > kCapacity - size_) {
        return fail(Errno::e2big);
    }
    u64 wanted = align_up(size_ + bytes, kPageSize) / kPageSize;
    for (; allocated_pages_ < wanted; ++allocated_pages_) {
        if (last_ == nullptr || last_->count == Group::kPages) {
            Own<Group> group = TRY(try_new<Group>());
            Own<Group>& place = last_ == nullptr ? first_ : last_->next;
            last_ = group.get();
            place = std::move(group);
        }
        Own<Page> page = TRY(try_new<Page>());
        last_->pages[last_->count++] = page.release();
    }
    size_ += bytes;
    return {};
}

void StackPages::shrink(u64 bytes) {
    ASSERT(bytes <= size_);
    // What is below the part in use stays zero, so that grow() need not clear it.
    while (bytes > 0) {
        std::span<std::byte> rest = edit(size_);
        u64 part = std::min<u64>(bytes, rest.size());
        std::ranges::fill(rest.first(part), std::byte{0});
        size_ -= part;
        bytes -= part;
    }
}

Result<void> StackPages::push(std::span<const std::byte> bytes) {
    TRY(grow(bytes.size()));
    write(size_, bytes);
    return {};
}

void StackPages::write(u64 depth, std::span<const std::byte> bytes) {
    ASSERT(depth <= size_ && bytes.size() <= depth);
    while (!bytes.empty()) {
        std::span<std::byte> rest = edit(depth);
        u64 part = std::min(bytes.size(), rest.size());
        std::memcpy(rest.data(), bytes.data(), part);
        bytes = bytes.subspan(part);
        depth -= part;
    }
}

std::span<const std::byte> StackPages::read(u64 depth) const {
    Page& page = page_of(depth);
    return std::span(page.bytes).last((depth - 1) % kPageSize + 1);
}

std::span<std::byte> StackPages::edit(u64 depth) {
    Page& page = page_of(depth);
    return std::span(page.bytes).last((depth - 1) % kPageSize + 1);
}

u64 StackPages::skip_string(u64 depth) const {
    while (true) {
        std::span<const std::byte> rest = read(depth);
        auto zero = std::ranges::find(rest, std::byte{0});
        depth -= static_cast<u64>(zero - rest.begin());
        if (zero != rest.end()) {
            return depth - 1;
        }
    }
}

StackPages::Page& StackPages::page_of(u64 depth) const {
    u64 index = (depth - 1) / kPageSize;
    ASSERT(depth != 0 && index < allocated_pages_);
    const Group* group = first_.get();
    for (; index >= Group::kPages; index -= Group::kPages) {
        group = group->next.get();
    }
    return *group->pages[index];
}

}  // namespace cairn::exec
