#include "arch/x86_64/threads/user_registers.h"

#include <algorithm>
#include <cstring>

#include "arch/long_mode/user_state.h"
#include "arch/x86_64/cpu/cpu_state.h"
#include "arch/x86_64/cpu/instructions.h"

namespace cairn::arch {

namespace {

// The ABI's default state (System V ABI, 3.2.3): all exceptions masked, extended precision.
constexpr u16 kDefaultControlWord = 0x37f;
constexpr u32 kDefaultMxcsr = 0x1f80;

/// Places in the legacy area (SDM vol. 1, 10.5.1).
constexpr usize kX87Registers = 32;
constexpr usize kXmmRegisters = 160;
constexpr usize kXmmEnd = 416;
constexpr usize kComponentBits = 2;  // the first two components lie in the legacy area

u32 low_half(u64 value) {
    return static_cast<u32>(value);
}
u32 high_half(u64 value) {
    return static_cast<u32>(value >> 32);
}

/// Whether `context` is the calling thread's: then its user registers are in the CPU. Interrupts off.
bool is_running(const ThreadContext& context) {
    return this_cpu().machine->context == &context;
}

}  // namespace

void initialize_vector_area(void* area) {
    // The XSAVE header stays zero: every register set in its initial state.
    u8* bytes = static_cast<u8*>(area);
    std::memset(bytes, 0, cpu_features().vector_state_size);
    std::memcpy(bytes, &kDefaultControlWord, sizeof kDefaultControlWord);
    std::memcpy(bytes + kMxcsrOffset, &kDefaultMxcsr, sizeof kDefaultMxcsr);
}

void save_vector_state(void* area, const CpuFeatures& features) {
    u64 mask = features.vector_mask;
    // SAFETY: the area was allocated with the size and alignment of these very features.
    if (features.vector_save == VectorSave::Xsaveopt) [[likely]] {
        asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(low_half(mask)), "d"(high_half(mask)) : "memory");
        return;
    }
    switch (features.vector_save) {
        case VectorSave::Fxsave:
            asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
            break;
        case VectorSave::Xsave:
            asm volatile("xsave64 (%0)" : : "r"(area), "a"(low_half(mask)), "d"(high_half(mask)) : "memory");
            break;
        case VectorSave::Xsaveopt:
            break;
    }
}

void load_vector_state(const void* area, const CpuFeatures& features) {
    u64 mask = features.vector_mask;
    // SAFETY: as above, and the contents are the initial state, what a save wrote, or were checked.
    if (features.vector_save == VectorSave::Fxsave) {
        asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    } else {
        asm volatile("xrstor64 (%0)" : : "r"(area), "a"(low_half(mask)), "d"(high_half(mask)) : "memory");
    }
}

// --- Segments -----------------------------------------------------------------------------------

void save_user_state(UserState& state) {
    if (cpu_features().fsgsbase) {
        state.fs_base = read_fs_base();
        state.gs_base = read_user_gs_base();
    } else {
        state.fs_base = read_msr(kMsrFsBase);
        state.gs_base = read_msr(kMsrKernelGsBase);
    }
    DataSelectors selectors = read_data_selectors();
    state.ds = selectors.ds;
    state.es = selectors.es;
    state.fs = selectors.fs;
    state.gs = selectors.gs;
}

void load_user_state(const UserState& state) {
    // Hardly any program loads a selector, and loading one is slow.
    DataSelectors old = read_data_selectors();
    if ((old.ds | old.es | old.fs | old.gs | state.ds | state.es | state.fs | state.gs) != 0) {
        write_data_selectors({.ds = state.ds, .es = state.es, .fs = state.fs, .gs = state.gs});
    }
    if (cpu_features().fsgsbase) {
        write_fs_base(state.fs_base);
        write_user_gs_base(state.gs_base);
    } else {
        write_msr(kMsrFsBase, state.fs_base);
        write_msr(kMsrKernelGsBase, state.gs_base);
    }
}

void exchange_user_state(UserState& from, const UserState& to, const CpuFeatures& features) {
    const DataSelectors old = read_data_selectors();
    const bool any_selector = (old.ds | old.es | old.fs | old.gs | to.ds | to.es | to.fs | to.gs) != 0;
    if (any_selector || !features.fsgsbase) [[unlikely]] {
        save_user_state(from);
        load_user_state(to);
        return;
    }
    from.fs_base = read_fs_base();
    write_fs_base(to.fs_base);
    from.gs_base = exchange_user_gs_base(to.gs_base);
    from.ds = from.es = from.fs = from.gs = 0;
}

void load_debug_state(const DebugState& state) {
    constexpr u64 kAlwaysOne = 1 << 10;        // SDM vol. 3B, 17.2.4
    constexpr u64 kBreakpoints = 0xffff'03ff;  // what else there is catches accesses to these registers, or is reserved
    write_dr7(kAlwaysOne);
    if (state.control != 0) {
        write_debug_addresses(state.address);
        write_dr7((state.control & kBreakpoints) | kAlwaysOne);
    }
}

void fetch_user_state(ThreadContext& context) {
    InterruptState interrupts = disable_interrupts();
    if (is_running(context)) {
        save_user_state(context.user);
    }
    restore_interrupts(interrupts);
}

void apply_user_state(ThreadContext& context) {
    InterruptState interrupts = disable_interrupts();
    if (is_running(context)) {
        load_user_state(context.user);
    }
    restore_interrupts(interrupts);
}

TrapFrame& user_frame(ThreadContext& context) {
    // SAFETY: entries from user mode build the frame at the end of the stack (traps/entry.asm).
    return reinterpret_cast<TrapFrame*>(context.stack_top)[-1];
}

Result<void> context_copy_user_state(ThreadContext& child, ThreadContext& parent) {
    if (child.vector_state == nullptr) {
        TRY(context_add_vector_state(child));
    }
    save_vector_state(child.vector_state, cpu_features());
    fetch_user_state(parent);
    child.user = parent.user;
    return {};
}

void context_reset_user_state(ThreadContext& context) {
    reset_vector_registers();
    // A switch of threads on the way would save the old state over the new one.
    const InterruptState interrupts = disable_interrupts();
    context.user = {};
    apply_user_state(context);
    if (context.debug.control != 0) {
        context.debug = {};
        load_debug_state(context.debug);
    }
    restore_interrupts(interrupts);
}

// --- Vector registers as others see them ----------------------------------------------------------

bool has_extended_vector_state() {
    return cpu_features().xsave;
}
u64 vector_features() {
    return cpu_features().xsave ? cpu_features().vector_mask : kLegacyFeatures;
}
u32 mxcsr_mask() {
    return cpu_features().mxcsr_mask;
}
u32 vector_state_size() {
    return cpu_features().vector_state_size;
}

namespace {

/// Writes pieces of an image into a buffer that may be too short for it.
class ImageWriter {
public:
    explicit ImageWriter(std::span<std::byte> out) : out_(out) { std::memset(out.data(), 0, out.size()); }
    void put(usize offset, const void* bytes, usize size) {
        if (offset < out_.size()) {
            std::memcpy(out_.data() + offset, bytes, std::min(size, out_.size() - offset));
        }
    }

private:
    std::span<std::byte> out_;
};

/// What the area holds of register sets in their initial state is old (XSAVEOPT does not write them):
/// they are left zero.
void write_image(ImageWriter& image, const u8* area, const CpuFeatures& features) {
    u64 present = kLegacyFeatures;
    if (features.xsave) {
        std::memcpy(&present, area + kLegacyVectorSize, sizeof present);
    }
    if ((present & kXcr0X87) != 0) {
        image.put(0, area, kMxcsrOffset);
        image.put(kX87Registers, area + kX87Registers, kXmmRegisters - kX87Registers);
    } else {
        image.put(0, &kDefaultControlWord, sizeof kDefaultControlWord);
    }
    image.put(kMxcsrOffset, area + kMxcsrOffset, kX87Registers - kMxcsrOffset);  // valid in any case
    if ((present & kXcr0Sse) != 0) {
        image.put(kXmmRegisters, area + kXmmRegisters, kXmmEnd - kXmmRegisters);
    }
    if (!features.xsave) {
        return;
    }
    image.put(kSoftwareBytesOffset, &features.vector_mask, sizeof features.vector_mask);
    image.put(kLegacyVectorSize, &present, sizeof present);
    for (usize i = kComponentBits; i < CpuFeatures::kVectorComponents; ++i) {
        auto [offset, size] = features.vector_components[i];
        if ((present >> i & 1) != 0 && size != 0) {
            image.put(offset, area + offset, size);
        }
    }
}

}  // namespace

usize read_vector_state(ThreadContext& context, std::span<std::byte> out) {
    const CpuFeatures& features = cpu_features();
    out = out.first(std::min<usize>(out.size(), features.vector_state_size));
    InterruptState interrupts = disable_interrupts();
    if (is_running(context)) {
        save_vector_state(context.vector_state, cpu_features());
    }
    restore_interrupts(interrupts);
    ImageWriter image(out);
    write_image(image, static_cast<const u8*>(context.vector_state), features);
    return out.size();
}

Result<void> write_vector_state(ThreadContext& context, std::span<const std::byte> in) {
    const CpuFeatures& features = cpu_features();
    bool size_fits = in.size() == kLegacyVectorSize || in.size() == features.vector_state_size;
    if (!size_fits || !vector_image_is_valid(in)) {
        return fail(Errno::einval);
    }
    InterruptState interrupts = disable_interrupts();
    u8* area = static_cast<u8*>(context.vector_state);
    bool running = is_running(context);
    if (running) {
        save_vector_state(area, features);
    }
    std::memcpy(area, in.data(), in.size());
    if (in.size() == kLegacyVectorSize && features.xsave) {
        u64 present = 0;
        std::memcpy(&present, area + kLegacyVectorSize, sizeof present);
        present |= kLegacyFeatures;
        std::memcpy(area + kLegacyVectorSize, &present, sizeof present);
    }
    if (running) {
        load_vector_state(area, features);
    }
    restore_interrupts(interrupts);
    return {};
}

FloatingPointStatus floating_point_status() {
    FloatingPointStatus result;
    // SAFETY: reads registers of the calling thread; no instruction here waits for pending exceptions.
    asm volatile("fnstcw %0\n\tfnstsw %1\n\tstmxcsr %2"
                 : "=m"(result.control), "=m"(result.status), "=m"(result.mxcsr));
    return result;
}

void note_signal_frame() {}

u64 hwcap() {
    return cpu_features().hardware_capabilities;
}
u64 hwcap2() {
    constexpr u64 kFsGsBase = 1 << 1;  // HWCAP2_FSGSBASE
    return cpu_features().fsgsbase ? kFsGsBase : 0;
}
std::string_view platform_name() {
    return "x86_64";
}

}  // namespace cairn::arch
