/// User registers that lie in no frame, on the simulated machine: one number stands for all vector registers.
/// To programs it is the low half of XMM0 in an XSAVE area without extensions.

#include <algorithm>
#include <cstring>

#include "arch/host/simulator.h"
#include "arch/long_mode/user_state.h"

namespace cairn::arch {

namespace {

constexpr usize kXmmRegisters = 160;
constexpr u16 kControlWord = 0x37f;
constexpr u32 kMxcsr = 0x1f80;
constexpr u32 kMxcsrMask = 0xffff;

struct alignas(64) VectorImage {
    std::byte bytes[kLegacyVectorSize + kXsaveHeaderSize] = {};
};

template <typename T>
void put(VectorImage& image, usize offset, const T& value) {
    std::memcpy(image.bytes + offset, &value, sizeof value);
}

VectorImage make_image(u64 pattern) {
    VectorImage image;
    put(image, 0, kControlWord);
    put(image, kMxcsrOffset, kMxcsr);
    put(image, kMxcsrOffset + sizeof kMxcsr, kMxcsrMask);
    put(image, kXmmRegisters, pattern);
    put(image, kLegacyVectorSize, kLegacyFeatures);
    return image;
}

u64 pattern_in(std::span<const std::byte> image) {
    u64 pattern = 0;
    std::memcpy(&pattern, image.data() + kXmmRegisters, sizeof pattern);
    if (image.size() > kLegacyVectorSize) {
        u64 present = 0;
        std::memcpy(&present, image.data() + kLegacyVectorSize, sizeof present);
        constexpr u64 kSse = 2;
        pattern = (present & kSse) != 0 ? pattern : 0;
    }
    return pattern;
}

/// Where the pattern of a thread is at this moment.
u64& pattern_of(ThreadContext& context) {
    CpuState& cpu = host::g_simulator.current();
    return cpu.context == &context ? cpu.vector_pattern : *context.vector_pattern;
}

}  // namespace

void fetch_user_state(ThreadContext&) {}
void apply_user_state(ThreadContext&) {}

TrapFrame& user_frame(ThreadContext& context) {
    return context.frame;
}

Result<void> context_copy_user_state(ThreadContext& child, ThreadContext& parent) {
    if (child.vector_pattern == nullptr) {
        TRY(context_add_vector_state(child));
    }
    *child.vector_pattern = pattern_of(parent);
    child.user = parent.user;
    return {};
}

void context_reset_user_state(ThreadContext& context) {
    pattern_of(context) = 0;
    context.user = {};
    context.debug = {};
}

bool has_extended_vector_state() {
    return true;
}
u64 vector_features() {
    return kLegacyFeatures;
}
u32 mxcsr_mask() {
    return kMxcsrMask;
}
u32 vector_state_size() {
    return sizeof(VectorImage);
}

usize read_vector_state(ThreadContext& context, std::span<std::byte> out) {
    VectorImage image = make_image(pattern_of(context));
    put(image, kSoftwareBytesOffset, kLegacyFeatures);
    usize size = std::min(out.size(), sizeof image);
    std::copy_n(image.bytes, size, out.begin());  // of none, too
    return size;
}

Result<void> write_vector_state(ThreadContext& context, std::span<const std::byte> in) {
    bool size_fits = in.size() == kLegacyVectorSize || in.size() == sizeof(VectorImage);
    if (!size_fits || !vector_image_is_valid(in)) {
        return fail(Errno::einval);
    }
    pattern_of(context) = pattern_in(in);
    return {};
}

bool save_vector_state_to_user(const UserWords& words, usize offset) {
    VectorImage image = make_image(this_cpu().machine->vector_pattern);
    return copy_to_user({words.address(offset)}, image.bytes, sizeof image) == 0;
}

Result<void> load_vector_state_from_user(VirtualAddress from, u64 features, bool has_header) {
    VectorImage image;
    std::span<const std::byte> used =
        std::span(image.bytes).first(has_header ? sizeof image : usize{kLegacyVectorSize});
    bool fits = copy_from_user(image.bytes, from, used.size()) == 0 && vector_image_is_valid(used);
    this_cpu().machine->vector_pattern = fits && features != 0 ? pattern_in(used) : 0;
    return fits ? Result<void>() : fail(Errno::efault);
}

void reset_vector_registers() {
    this_cpu().machine->vector_pattern = 0;
}

FloatingPointStatus floating_point_status() {
    return {.control = kControlWord, .status = 0, .mxcsr = kMxcsr};
}

u64 hwcap() {
    return 0x178b'fbff;  // FPU to SSE2, as CPUID shows them
}
u64 hwcap2() {
    return 1 << 1;  // FSGSBASE
}
std::string_view platform_name() {
    return "x86_64";
}

}  // namespace cairn::arch
