#pragma once
/// SignalSource: the signals that are pending for one thread, as signalfd(2) reads them. Implemented by kernel/signal,
/// which fs cannot know; EventFiles::current_signals leads to the calling thread's.

#include "kernel/base/ref.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::event {

/// struct signalfd_siginfo.
struct SignalRecord {
    u32 signal = 0;
    i32 error = 0;
    i32 code = 0;
    u32 process = 0;
    u32 user = 0;
    i32 descriptor = 0;
    u32 timer = 0;
    u32 band = 0;
    u32 overrun = 0;
    u32 trap = 0;
    i32 status = 0;
    i32 integer = 0;
    u64 pointer = 0;
    u64 user_time = 0;
    u64 system_time = 0;
    u64 address = 0;
    u16 address_bits = 0;
    u16 padding = 0;
    i32 system_call = 0;
    u64 call_address = 0;
    u32 architecture = 0;
    u8 reserved[28] = {};
};
static_assert(sizeof(SignalRecord) == 128);

/// Where the threads of a process wait for signals without taking them. Counted, because a signalfd that somebody
/// polls may outlive the process.
class SignalQueue : public RefCounted<SignalQueue> {
public:
    sync::WaitQueue waiters;
};

class SignalSource {
public:
    /// Takes the next signal out of those in `mask` (bit n - 1: signal n) that are pending for the thread or
    /// its process, as delivery would. False: none.
    virtual bool take(u64 mask, SignalRecord& record) = 0;
    /// Those that are pending for the thread or its process.
    virtual u64 pending() = 0;
    /// Woken (wake_all) after each signal that becomes pending for a thread of the process or for the process,
    /// blocked or not.
    virtual Ref<SignalQueue> queue() = 0;

protected:
    ~SignalSource() = default;
};

}  // namespace cairn::event
