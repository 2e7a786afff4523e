#pragma once
/// Waiting for files to become ready: poll(2), select(2), epoll(7) and every blocking wait on several files.
/// A file tells its present events and, if asked, registers the caller with the wait queues that will be woken
/// when they change. No event is lost: registration comes before the look at the state.

#include "kernel/sync/wait_queue.h"

namespace cairn::vfs {

/// poll(2)'s bits; the same numbers are epoll's.
using PollEvents = u32;
constexpr PollEvents kPollIn = 0x001;
constexpr PollEvents kPollPri = 0x002;
constexpr PollEvents kPollOut = 0x004;
constexpr PollEvents kPollErr = 0x008;
constexpr PollEvents kPollHup = 0x010;
constexpr PollEvents kPollNval = 0x020;
constexpr PollEvents kPollReadNormal = 0x040;
constexpr PollEvents kPollReadBand = 0x080;
constexpr PollEvents kPollWriteNormal = 0x100;
constexpr PollEvents kPollWriteBand = 0x200;
constexpr PollEvents kPollMessage = 0x400;
constexpr PollEvents kPollReadHup = 0x2000;

/// Given to File::poll by who wants to be told of changes. `watch` may be called for several queues of one file; each
/// queue lives as long as the file.
class PollRegistrar {
public:
    /// `told_of`: the events whose coming wakes the queue. A queue that is woken for all kinds of events needs none.
    virtual void watch(sync::WaitQueue& queue, PollEvents told_of) = 0;
    void watch(sync::WaitQueue& queue) { watch(queue, ~PollEvents{0}); }

protected:
    ~PollRegistrar() = default;
};

}  // namespace cairn::vfs
