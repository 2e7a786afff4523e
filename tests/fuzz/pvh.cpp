/// The input is physical memory from 0x1000 on, with the start information at its beginning.

#include "kernel/boot/pvh.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    constexpr PhysicalAddress kStart{0x1000};
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    fuzz::InputMemory memory(kStart, input);
    boot::Information& information = fuzz::fresh_information();
    Result<void> result = boot::read_pvh(memory, kStart, information);
    fuzz::require_sound(information, input);
    fuzz::require(!result.ok() || information.memory_map.total(boot::MemoryRegion::Kind::Usable) != 0);
    return 0;
}
