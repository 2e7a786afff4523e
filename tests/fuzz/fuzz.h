#pragma once
/// What the fuzz targets share: input as bytes, checks that stay on, and memory made of the input.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "kernel/base/bytes.h"
#include "kernel/base/log.h"
#include "kernel/base/physical_reader.h"
#include "kernel/boot/information.h"

namespace cairn::fuzz {

/// A property that holds for every input; its violation is a finding.
inline void require(bool property) {
    if (!property) {
        std::abort();
    }
}

inline std::span<const std::byte> as_bytes(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const std::byte*>(data), size};
}

/// Physical memory that holds `bytes` at `start` and nothing else.
class InputMemory final : public PhysicalReader {
public:
    InputMemory(PhysicalAddress start, std::span<const std::byte> bytes) : start_(start), bytes_(bytes) {}

    std::span<const std::byte> view(PhysicalAddress address, usize size) override {
        if (address < start_ || address - start_ > bytes_.size() || bytes_.size() - (address - start_) < size) {
            return {};
        }
        return slice(bytes_, address - start_, size);
    }

private:
    PhysicalAddress start_;
    std::span<const std::byte> bytes_;
};

/// Regions are what memory_map.h promises.
inline void require_sound(const boot::MemoryMap& map) {
    PhysicalAddress previous_end{0};
    bool first = true;
    boot::MemoryRegion::Kind previous_kind = {};
    for (const boot::MemoryRegion& region : map.regions()) {
        require(region.range.start < region.range.end && region.range.end <= boot::MemoryMap::kAddressLimit);
        require(is_aligned(region.range.start.value, kPageSize) && is_aligned(region.range.end.value, kPageSize));
        require(previous_end <= region.range.start);
        require(first || previous_end < region.range.start || previous_kind != region.kind);  // merged
        previous_end = region.range.end;
        previous_kind = region.kind;
        first = false;
    }
}

/// `text` lies inside `bytes`, or is empty.
inline void require_inside(std::string_view text, std::span<const std::byte> bytes) {
    auto start = reinterpret_cast<std::uintptr_t>(text.data());
    auto base = reinterpret_cast<std::uintptr_t>(bytes.data());
    require(text.empty() || (start >= base && start + text.size() <= base + bytes.size()));
}

inline void require_sound(const boot::Information& information, std::span<const std::byte> input) {
    require_sound(information.memory_map);
    require(information.command_line().size() < boot::Information::kMaxCommandLine);
    require_inside(information.boot_loader_name == "PVH" ? std::string_view{} : information.boot_loader_name, input);
    for (const boot::Module& module : information.modules()) {
        require(module.range.start <= module.range.end);
        require_inside(module.command_line, input);
    }
    const boot::Framebuffer& screen = information.framebuffer;
    require(u64{screen.width} * screen.bits_per_pixel <= u64{screen.pitch} * 8);
}

/// One for all inputs of a run, emptied before each: it is large. Silences the consoles, since
/// showing what is wrong with an input takes longer than finding it out.
inline boot::Information& fresh_information() {
    static const boot::Information kEmpty;
    static boot::Information information;
    set_console_level(0);
    information = kEmpty;
    return information;
}

}  // namespace cairn::fuzz
