/// The input is a line for /proc/sys/fs/binfmt_misc/register; what follows a byte 0xff is the beginning of a file to
/// match it with.

#include "exec/misc_registration.h"

#include <memory>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    std::string_view text = text_of(fuzz::as_bytes(data, size));
    usize end = text.find('\xff');
    std::string_view line = text.substr(0, end);
    std::string_view file = end == text.npos ? std::string_view{} : text.substr(end + 1);
    auto registration = std::make_unique<exec::MiscRegistration>();
    Result<void> result = registration->parse(line);
    if (!result.ok()) {
        fuzz::require(result.error() == Errno::einval);
        return 0;
    }
    const exec::MiscRegistration& r = *registration;
    fuzz::require(!r.name().empty() && r.name() != "." && r.name() != ".." && r.name().find('/') == text.npos);
    fuzz::require(!r.interpreter().empty() && r.interpreter().size() < line.size());
    fuzz::require(!r.flags().credentials || r.flags().open_binary);
    if (r.by_extension()) {
        fuzz::require(!r.extension().empty() && r.extension().find('/') == text.npos);
    } else {
        fuzz::require(!r.magic().empty() && u64{r.offset()} + r.magic().size() <= exec::kFormatBytes);
        fuzz::require(r.mask().empty() || r.mask().size() == r.magic().size());
    }
    bool matches = r.matches(file.substr(0, 20), bytes_of(file));
    // A file that has just these bytes in this place matches.
    if (!r.by_extension()) {
        std::string right(r.offset(), '\0');
        right += r.magic();
        fuzz::require(r.matches("x", bytes_of(right)));
        fuzz::require(!matches || file.size() <= r.offset() || r.mask().size() == r.magic().size() ||
                      r.magic()[0] == file[r.offset()]);
    }
    return 0;
}
