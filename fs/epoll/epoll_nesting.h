#pragma once
/// Epoll instances that watch epoll instances. Their graph has no cycle and no way of more than four edges. It changes
/// under EventFiles::epoll_nesting (rank EpollNesting), which is taken, before any instance's mutex, only where the
/// watched file is an epoll.

#include "fs/epoll/epoll_file.h"

namespace cairn::epoll {

constexpr u32 kNestingLimit = 4;  // EP_MAX_NESTS

/// Holds the lock of the graph for a scope, if it is needed.
class NestingGuard {
public:
    explicit NestingGuard(bool needed);
    ~NestingGuard();
    NestingGuard(const NestingGuard&) = delete;
    NestingGuard& operator=(const NestingGuard&) = delete;

private:
    const bool needed_;
};

// With the lock held if the file is an epoll; otherwise they do nothing.
/// ELOOP: if `epoll` watched the file, there would be a cycle or too long a way.
Result<void> check_nesting(Epoll& epoll, vfs::File& file);
void add_to_nesting(EpollItem& item);
void remove_from_nesting(EpollItem& item);

}  // namespace cairn::epoll
