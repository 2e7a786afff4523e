#pragma once
/// A kernel thread as the thread of a process: user addresses mean something.

#include "kernel/sched/thread.h"
#include "mm/address_space.h"

namespace cairn::sim {

/// Has the calling thread run in `space` until the end of the scope; the space outlives it.
class InAddressSpace {
public:
    explicit InAddressSpace(mm::AddressSpace& space) {
        InterruptGuard guard;
        sched::current_thread().set_address_space(&space);
        space.activate();
    }
    ~InAddressSpace() {
        InterruptGuard guard;
        sched::current_thread().set_address_space(nullptr);
        mm::AddressSpace::deactivate();
    }
    InAddressSpace(const InAddressSpace&) = delete;
    InAddressSpace& operator=(const InAddressSpace&) = delete;
};

}  // namespace cairn::sim
