/// The names of the image's functions, from the table that make_symbol_table.py writes (its head says how).
/// A name is found by reading from the table's beginning, which a panic has the time for.

#include "arch/arch.h"
#include "arch/x86_64/memory/image.h"

namespace cairn::arch {
namespace {

extern "C" {
extern const u8 symbol_table[];
extern const u8 text_start[];
}

/// Goes through the table's entries.
class SymbolReader {
public:
    /// Reads the next entry into `symbol`; false at the end. `start()` is then the function's address.
    bool next(Symbol& symbol) {
        u64 step = number();
        if (step == 0) {
            return false;
        }
        start_ += step - 1;
        symbol.length = *at_++;
        for (; *at_ != 0; ++at_) {
            append(symbol, *at_);
        }
        ++at_;
        return true;
    }
    u64 start() const { return start_; }

private:
    /// A number in groups of seven bits, the lowest first.
    u64 number() {
        u64 value = 0;
        u32 shift = 0;
        for (; (*at_ & 0x80) != 0; ++at_, shift += 7) {
            value |= u64{*at_ & 0x7Fu} << shift;
        }
        return value | u64{*at_++} << shift;
    }

    /// What a byte of the table stands for: itself, or a pair of others.
    static void append(Symbol& symbol, u8 byte) {
        u8 waiting[kPairs];  // each stands for more than the pairs inside it
        u32 count = 0;
        for (;;) {
            while (byte < kFirstCharacter || byte >= kCharacterEnd) {
                const u32 index = byte < kFirstCharacter ? byte - 1u : byte - kCharacterEnd + kFirstCharacter - 1;
                const u8* pair = symbol_table + usize{2} * index;
                waiting[count++] = pair[1];
                byte = pair[0];
            }
            symbol.text[symbol.length++] = static_cast<char>(byte);
            if (count == 0) {
                return;
            }
            byte = waiting[--count];
        }
    }

    static constexpr u32 kFirstCharacter = 32, kCharacterEnd = 128;  // the bytes that stand for themselves
    static constexpr u32 kPairs = 255 - (kCharacterEnd - kFirstCharacter);
    const u8* at_ = symbol_table + usize{2} * kPairs;
    u64 start_ = reinterpret_cast<u64>(text_start);
};

}  // namespace

Symbol symbolize(VirtualAddress address) {
    Symbol found;
    if (!is_kernel_text(address.value)) {
        return found;
    }
    Symbol symbol;
    for (SymbolReader reader; reader.next(symbol) && reader.start() <= address.value;) {
        found = symbol;
        found.offset = address.value - reader.start();
    }
    return found;
}

}  // namespace cairn::arch
