/// The first byte: 0 an entry point; else a table of structures, each of whose strings is asked for.

#include "drivers/firmware/smbios.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    if (size == 0) {
        return 0;
    }
    std::span<const std::byte> bytes = fuzz::as_bytes(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        if (auto entry = firmware::parse_entry_point(bytes)) {
            fuzz::require(entry->size <= bytes.size() && entry->size <= firmware::SmbiosEntryPoint::kLargest);
            fuzz::require(entry->structures.value != 0);
        }
        return 0;
    }
    usize offset = 0;
    usize before = 0;
    while (auto structure = firmware::next_structure(bytes, offset)) {
        fuzz::require(offset > before && offset <= bytes.size());
        before = offset;
        for (usize at = 0; at <= structure->formatted.size(); ++at) {
            const std::string_view text = structure->string(at);
            fuzz::require(text.find('\0') == std::string_view::npos && text.size() <= structure->strings.size());
        }
    }
    return 0;
}
