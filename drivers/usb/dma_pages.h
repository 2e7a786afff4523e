#pragma once
/// DmaPages: memory that a controller reads and writes; zeroed, contiguous, aligned to its size. PCs keep their caches
/// in step with devices, so no more than the order of writes matters.

#include <span>
#include <utility>

#include "arch/arch.h"
#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"

namespace cairn::usb {

class DmaPages {
public:
    DmaPages() = default;
    DmaPages(DmaPages&& other) noexcept
        : frame_(other.frame_), order_(other.order_), owned_(std::exchange(other.owned_, false)) {}
    DmaPages& operator=(DmaPages&& other) noexcept {
        std::swap(frame_, other.frame_);
        std::swap(order_, other.order_);
        std::swap(owned_, other.owned_);
        return *this;
    }
    ~DmaPages() {
        if (owned_) {
            g_kernel.frames->free(frame_, order_);
        }
    }

    /// 2^order frames; ENOMEM.
    static Result<DmaPages> create(u32 order, mm::FrameFlags where) {
        DmaPages pages;
        pages.frame_ = TRY(g_kernel.frames->allocate(order, mm::FrameFlags::Zeroed | where));
        pages.order_ = order;
        pages.owned_ = true;
        return pages;
    }

    u64 address() const { return owned_ ? physical().value : 0; }
    template <typename T = u8>
    std::span<T> as() const {
        return {static_cast<T*>(arch::direct_map(physical())), (kPageSize << order_) / sizeof(T)};
    }

private:
    PhysicalAddress physical() const { return frame_.address(); }

    FrameNumber frame_{};
    u32 order_ = 0;
    bool owned_ = false;
};

}  // namespace cairn::usb
