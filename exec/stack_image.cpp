#include "exec/stack_image.h"

#include "exec/elf.h"
#include "kernel/base/bytes.h"

namespace cairn::exec {

namespace {

constexpr u64 kStackAlignment = 16;
constexpr u64 kClockTicksPerSecond = 100;  // USER_HZ; times(2)
constexpr u64 kRseqFeatureSize = 28;       // up to and including mm_cid (rseq(2))
constexpr u64 kRseqAlignment = 32;
constexpr std::string_view kPlatform{"x86_64\0", 7};

/// Where things on the stack are.
struct Places {
    VirtualAddress platform;
    VirtualAddress random;
    VirtualAddress program_name;
};

/// Linux's entries in Linux's order.
AuxiliaryVector make_vector(const AuxiliaryValues& values, const Places& places) {
    using enum AuxiliaryType;
    AuxiliaryVector vector;
    if (values.vdso) {
        vector.add(VdsoHeader, *values.vdso);
    }
    vector.add(MinimumSignalStack, values.minimum_signal_stack);
    vector.add(HardwareCapabilities, values.hardware_capabilities);
    vector.add(PageSize, kPageSize);
    vector.add(ClockTicks, kClockTicksPerSecond);
    vector.add(ProgramHeaders, values.program_headers);
    vector.add(ProgramHeaderSize, sizeof(ElfProgramHeader));
    vector.add(ProgramHeaderCount, values.program_header_count);
    vector.add(Base, values.base);
    vector.add(Flags, values.flags);
    vector.add(Entry, values.entry);
    vector.add(UserId, values.user_id);
    vector.add(EffectiveUserId, values.effective_user_id);
    vector.add(GroupId, values.group_id);
    vector.add(EffectiveGroupId, values.effective_group_id);
    vector.add(Secure, values.secure ? 1 : 0);
    vector.add(Random, places.random.value);
    vector.add(HardwareCapabilities2, values.hardware_capabilities2);
    vector.add(ProgramName, places.program_name.value);
    vector.add(Platform, places.platform.value);
    if (values.executable_fd) {
        vector.add(ExecutableFd, *values.executable_fd);
    }
    vector.add(RseqFeatureSize, kRseqFeatureSize);
    vector.add(RseqAlign, kRseqAlignment);
    return vector;
}

/// Writes words upwards from a depth.
class WordWriter {
public:
    WordWriter(StackPages& pages, u64 depth) : pages_(pages), depth_(depth) {}
    void put(u64 word) {
        pages_.write(depth_, std::as_bytes(std::span(&word, 1)));
        depth_ -= sizeof(word);
    }

private:
    StackPages& pages_;
    u64 depth_;
};

/// The addresses of strings that follow each other, and a null pointer.
u64 put_pointers(WordWriter& to, const StackPages& pages, u64 depth, u64 count, u64 top) {
    for (; count > 0; --count) {
        to.put(top - depth);
        // A string may have got a zero too many while it was read: then pointers are to its parts,
        // and there are still as many zeros as pointers.
        depth = pages.skip_string(depth);
    }
    to.put(0);
    return depth;
}

}  // namespace

Result<StackImage> build_stack_image(ArgumentBlock&& arguments, const AuxiliaryValues& values,
                                     const StackPlacement& placement) {
    ASSERT(is_aligned(placement.top.value, kPageSize) && placement.gap < kMaxStackGap);
    u64 top = placement.top.value;
    u64 argument_count = arguments.argument_count();
    u64 environment_count = arguments.environment_count();
    u64 arguments_depth = arguments.arguments_depth();
    u64 environment_depth = arguments.environment_depth();
    u64 program_name_depth = arguments.program_name_depth();

    // Depths and addresses are congruent modulo the page size, so aligning one aligns the other.
    u64 platform_depth = align_up(arguments_depth + placement.gap, kStackAlignment) + kPlatform.size();
    u64 random_depth = platform_depth + placement.random_bytes.size();
    AuxiliaryVector vector =
        make_vector(values, {{top - platform_depth}, {top - random_depth}, {top - program_name_depth}});
    u64 vector_depth = random_depth + vector.entries().size_bytes();
    u64 words = 1 + (argument_count + 1) + (environment_count + 1);
    u64 depth = align_up(vector_depth + words * sizeof(u64), kStackAlignment);

    StackPages pages = std::move(arguments).take_pages();
    TRY(pages.grow(depth - pages.size()));
    pages.write(platform_depth, bytes_of(kPlatform));
    pages.write(random_depth, placement.random_bytes);
    WordWriter writer(pages, depth);
    writer.put(argument_count);
    put_pointers(writer, pages, arguments_depth, argument_count, top);
    put_pointers(writer, pages, environment_depth, environment_count, top);
    for (const AuxiliaryVector::Entry& entry : vector.entries()) {
        writer.put(static_cast<u64>(entry.type));
        writer.put(entry.value);
    }
    return StackImage{.pages = std::move(pages),
                      .stack_pointer = {top - depth},
                      .arguments_start = {top - arguments_depth},
                      .arguments_end = {top - environment_depth},
                      .environment_end = {top - program_name_depth},
                      .auxiliary_vector = vector};
}

}  // namespace cairn::exec
