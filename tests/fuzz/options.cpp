/// The input is a command line.

#include "kernel/boot/options.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace cairn;
    static boot::Options options;
    set_console_level(0);
    std::destroy_at(&options);
    std::construct_at(&options);
    options.parse({reinterpret_cast<const char*>(data), size});
    fuzz::require(options.log_level <= 8 && options.max_cpus >= 1);
    usize kept = 0;
    for (const boot::InitWord& word : options.init_words()) {
        bool environment = word.kind == boot::InitWord::Kind::Environment;
        fuzz::require(!environment || word.text.find('=') != std::string_view::npos);
        fuzz::require(word.text.find('"') == std::string_view::npos);
        kept += word.text.size();
    }
    fuzz::require(kept <= size);
    return 0;
}
