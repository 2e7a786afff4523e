/// The input is a multiboot2 information structure.

#include "kernel/boot/multiboot2.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    boot::Information& information = fuzz::fresh_information();
    Result<void> result = boot::parse_multiboot2(input, {0x10000}, information);
    fuzz::require_sound(information, input);
    fuzz::require(!result.ok() || information.memory_map.total(boot::MemoryRegion::Kind::Usable) != 0);
    boot::log_information(information);
    return 0;
}
