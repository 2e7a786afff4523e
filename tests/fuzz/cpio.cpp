/// The input is an archive, or several. Entries lie inside it, in order, and the reader comes to an end.

#include "fs/cpio/archive.h"
#include "fs/cpio/hard_links.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    std::span<const std::byte> input = fuzz::as_bytes(data, size);
    fs::cpio::Reader reader(input);
    fs::cpio::HardLinks links;
    u64 previous_end = 0;
    u64 entries = 0;
    while (true) {
        u64 before = reader.offset();
        Result<std::optional<fs::cpio::Entry>> next = reader.next();
        fuzz::require(reader.offset() >= before && reader.offset() <= input.size() + 3);
        if (!next.ok()) {
            fuzz::require(next.error() == Errno::einval && !reader.problem().empty());
            u64 where = reader.offset();
            fuzz::require(!reader.next().ok() && reader.offset() == where);
            return 0;
        }
        if (!next.value()) {
            return 0;
        }
        const fs::cpio::Entry& entry = *next.value();
        fuzz::require(++entries <= input.size() / 110);
        fuzz::require(!entry.name.empty() && entry.name.size() < fs::cpio::kMaxName);
        fuzz::require(entry.name.find('\0') == std::string_view::npos);
        fuzz::require_inside(entry.name, input);
        fuzz::require_inside(text_of(entry.data), input);
        fuzz::require_inside(entry.target(), input);
        fuzz::require(entry.data_offset % 4 == 0 && entry.data_offset >= previous_end + 110);
        fuzz::require(entry.data_offset + entry.data.size() <= input.size());
        fuzz::require(entry.data.empty() || entry.data.data() == input.data() + entry.data_offset);
        fuzz::require((entry.permissions & ~u32{07777}) == 0);
        previous_end = entry.data_offset + entry.data.size();
        Result<std::optional<std::string_view>> first = links.first_name(reader, entry);
        fuzz::require(first.ok());
        fuzz::require(first.value().value_or("").size() < fs::cpio::kMaxName);
    }
}
