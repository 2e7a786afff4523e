/// The names of the image's functions. make_symbol_table.py writes the table: a count, that many offsets
/// of functions from text_start in ascending order, as many offsets of names, and the names.

#include <algorithm>
#include <span>

#include "arch/arch.h"
#include "arch/x86_64/memory/image.h"

namespace cairn::arch {

extern "C" {
extern const u32 symbol_table[];
extern const u8 text_start[];
}

Symbol symbolize(VirtualAddress address) {
    u32 count = symbol_table[0];
    std::span<const u32> functions(symbol_table + 1, count);
    std::span<const u32> names(symbol_table + 1 + count, count);
    // SAFETY: the names follow the two arrays.
    const char* text = reinterpret_cast<const char*>(symbol_table + 1 + 2 * usize{count});

    if (!is_kernel_text(address.value)) {
        return {{}, 0};
    }
    u64 offset = address.value - reinterpret_cast<u64>(text_start);
    auto after = std::upper_bound(functions.begin(), functions.end(), offset);
    if (after == functions.begin()) {
        return {{}, 0};
    }
    usize index = static_cast<usize>(after - functions.begin()) - 1;
    return {text + names[index], offset - functions[index]};
}

}  // namespace cairn::arch
