#include "exec/vdso.h"

#include <algorithm>

#include "arch/arch.h"
#include "kernel/base/bytes.h"
#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"

namespace cairn::exec {

namespace {

/// Frames on their way into an object; what has not got there is freed.
class FrameBundle {
public:
    FrameBundle() = default;
    FrameBundle(const FrameBundle&) = delete;
    FrameBundle& operator=(const FrameBundle&) = delete;
    ~FrameBundle() {
        for (FrameNumber frame : frames()) {
            g_kernel.frames->free(frame, 0);
        }
    }
    Result<FrameNumber> add() {
        if (count_ == mm::FrameListObject::kMaxFrames) {
            return fail(Errno::enomem);
        }
        FrameNumber frame = TRY(g_kernel.frames->allocate(0, mm::FrameFlags::Zeroed));
        frames_[count_++] = frame;
        return frame;
    }
    std::span<const FrameNumber> frames() const { return std::span(frames_).first(count_); }
    void release() { count_ = 0; }

private:
    FrameNumber frames_[mm::FrameListObject::kMaxFrames] = {};
    usize count_ = 0;
};

}  // namespace

Result<std::optional<Vdso>> create_vdso() {
    std::span<const std::byte> image = arch::vdso_image();
    if (image.empty()) {
        return std::optional<Vdso>();
    }
    FrameBundle bundle;
    FrameNumber data = TRY(bundle.add());
    for (u64 offset = 0; offset < image.size(); offset += kPageSize) {
        FrameNumber frame = TRY(bundle.add());
        std::ranges::copy(slice(image, offset, kPageSize), static_cast<std::byte*>(arch::direct_map(frame.address())));
    }
    Ref<mm::FrameListObject> object = TRY(mm::FrameListObject::create(bundle.frames()));
    bundle.release();
    arch::start_vdso_data(data.address());
    return std::optional<Vdso>(Vdso{std::move(object), align_up(image.size(), kPageSize)});
}

}  // namespace cairn::exec
