#pragma once
/// EndpointQueue: the ring of one endpoint, and what is known of the transfer under way. The controller's lock protects
/// it; `done` is what its thread waits for.

#include "drivers/usb/dma_pages.h"
#include "drivers/usb/trb_ring.h"

namespace cairn::usb {

/// Who gets the reports of an interrupt endpoint. Under the controller's lock, in its interrupt handler.
class ReportSink {
public:
    virtual void report(std::span<const u8> bytes) = 0;

protected:
    ~ReportSink() = default;
};

struct EndpointQueue {
    u8 context = 0;  // Endpoint::context()
    DmaPages memory;
    ProducerRing ring;

    // A transfer that the thread waits for: of the block `data` the length is wanted, `last` ends it.
    u64 data = 0;
    u64 last = 0;
    u32 completion = 0;
    u32 residue = 0;
    Atomic<bool> done{false};

    // Reports.
    ReportSink* sink = nullptr;
    DmaPages buffer;
    u16 report_size = 0;
    u32 errors = 0;              // in a row
    Atomic<bool> halted{false};  // the thread has to set it going again

    /// ENOMEM.
    Result<void> create_ring(mm::FrameFlags where) {
        memory = TRY(DmaPages::create(0, where));
        ring.start(memory.as<Trb>(), memory.address());
        return {};
    }
};

}  // namespace cairn::usb
