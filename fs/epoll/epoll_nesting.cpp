#include "fs/epoll/epoll_nesting.h"

#include <algorithm>

#include "fs/event/event_files.h"
#include "kernel/base/kernel.h"

namespace cairn::epoll {

namespace {

/// The longest way down from `epoll`, in edges. Each instance is visited once; no way is longer than the limit, so
/// neither is the recursion deep. `found`: whether `wanted` was met.
u32 longest_way_down(Epoll& epoll, const Epoll& wanted, u64 walk, bool& found) {
    found = found || &epoll == &wanted;
    if (epoll.visited == walk) {
        return epoll.depth;
    }
    u32 longest = 0;
    for (EpollItem& item : epoll.inner) {
        longest = std::max(longest, longest_way_down(*find_epoll(item.file()), wanted, walk, found) + 1);
    }
    epoll.visited = walk;
    epoll.depth = longest;
    return longest;
}

u32 longest_way_up(Epoll& epoll, u64 walk) {
    if (epoll.visited == walk) {
        return epoll.depth;
    }
    u32 longest = 0;
    for (EpollItem& item : epoll.outer) {
        longest = std::max(longest, longest_way_up(item.epoll(), walk) + 1);
    }
    epoll.visited = walk;
    epoll.depth = longest;
    return longest;
}

}  // namespace

NestingGuard::NestingGuard(bool needed) NO_THREAD_SAFETY_ANALYSIS : needed_(needed) {
    if (needed_) {
        g_kernel.event_files->epoll_nesting.lock();
    }
}

NestingGuard::~NestingGuard() NO_THREAD_SAFETY_ANALYSIS {
    if (needed_) {
        g_kernel.event_files->epoll_nesting.unlock();
    }
}

Result<void> check_nesting(Epoll& epoll, vfs::File& file) {
    Epoll* inner = find_epoll(file);
    if (inner == nullptr) {
        return {};
    }
    u64& walks = g_kernel.event_files->epoll_walks;
    bool cycle = false;
    const u32 below = longest_way_down(*inner, epoll, ++walks, cycle);
    const u32 above = longest_way_up(epoll, ++walks);
    if (cycle || above + 1 + below > kNestingLimit) {
        return fail(Errno::eloop);
    }
    return {};
}

void add_to_nesting(EpollItem& item) {
    if (Epoll* inner = find_epoll(item.file())) {
        item.epoll().inner.push_back(item);
        item.epoll().nests.store(true, Order::relaxed);
        inner->outer.push_back(item);
    }
}

void remove_from_nesting(EpollItem& item) {
    if (item.inner_node.linked()) {
        item.inner_node.unlink();
        item.outer_node.unlink();
    }
}

}  // namespace cairn::epoll
