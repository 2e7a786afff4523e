/// The C library's memory functions that compilers call by themselves, and the few that libstdc++'s
/// freestanding headers use. On the processors of the last decade the string instructions copy and
/// fill whole cache lines (ERMSB, SDM optimisation manual 3.7.6), by words as well as by bytes; words are
/// better on older ones and in emulators.

#include "kernel/base/types.h"

using cairn::u16;
using cairn::u32;
using cairn::u64;
using cairn::u8;
using cairn::usize;

namespace {

/// What stands at an address, aligned or not.
template <typename Word>
Word load(const void* from) {
    Word word;
    __builtin_memcpy(&word, from, sizeof word);
    return word;
}
template <typename Word>
void store(void* to, Word word) {
    __builtin_memcpy(to, &word, sizeof word);
}

/// Copies `size` bytes, at least one word and at most two: the first word and the last one, which may have bytes in
/// common. Both are read before either is written.
template <typename Word>
void copy_ends(u8* to, const u8* from, usize size) {
    const Word first = load<Word>(from);
    const Word last = load<Word>(from + size - sizeof(Word));
    store(to, first);
    store(to + size - sizeof(Word), last);
}

/// Up to 16 bytes, for which a string instruction would take longer to start than to copy. Overlapping is fine.
void copy_few(u8* to, const u8* from, usize size) {
    if (size >= sizeof(u64)) {
        copy_ends<u64>(to, from, size);
    } else if (size >= sizeof(u32)) {
        copy_ends<u32>(to, from, size);
    } else if (size >= sizeof(u16)) {
        copy_ends<u16>(to, from, size);
    } else if (size != 0) {
        *to = *from;
    }
}
constexpr usize kFew = 16;

}  // namespace

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, usize size) {
    if (size <= kFew) {
        copy_few(static_cast<u8*>(to), static_cast<const u8*>(from), size);
        return to;
    }
    void* result = to;
    usize words = (size - 1) / 8;
    // The last word first, since it may have bytes in common with the one before.
    store(static_cast<u8*>(to) + size - 8, load<u64>(static_cast<const u8*>(from) + size - 8));
    // SAFETY: reads and writes less than `size` bytes, which are the caller's; the direction flag is clear (ABI).
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    return result;
}

void* memset(void* to, int value, usize size) {
    const u64 pattern = static_cast<u8>(value) * 0x0101'0101'0101'0101u;
    if (size < sizeof(u64)) {
        for (usize i = 0; i < size; ++i) {
            static_cast<volatile u8*>(to)[i] = static_cast<u8>(value);  // volatile: not to become a call of memset
        }
        return to;
    }
    void* result = to;
    usize words = (size - 1) / 8;
    store(static_cast<u8*>(to) + size - 8, pattern);
    // SAFETY: writes less than `size` bytes, which are the caller's.
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    return result;
}

void* memmove(void* to, const void* from, usize size) {
    if (size <= kFew) {
        copy_few(static_cast<u8*>(to), static_cast<const u8*>(from), size);
        return to;
    }
    void* result = to;
    if (reinterpret_cast<cairn::uptr>(to) - reinterpret_cast<cairn::uptr>(from) >= size) {
        // Forwards each byte is read before it is overwritten.
        usize words = size / 8;
        usize rest = size % 8;
        // SAFETY: as above.
        asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
        return result;
    }
    u8* last_to = static_cast<u8*>(to) + size - 1;
    const u8* last_from = static_cast<const u8*>(from) + size - 1;
    // SAFETY: as above, from the last byte down; the flag is clear again afterwards.
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
    return result;
}

int memcmp(const void* left, const void* right, usize size) {
    const u8* a = static_cast<const u8*>(left);
    const u8* b = static_cast<const u8*>(right);
    usize i = 0;
    for (; size - i >= sizeof(u64); i += sizeof(u64)) {
        u64 word_a;
        u64 word_b;
        __builtin_memcpy(&word_a, a + i, sizeof word_a);
        __builtin_memcpy(&word_b, b + i, sizeof word_b);
        if (word_a != word_b) {
            return __builtin_bswap64(word_a) < __builtin_bswap64(word_b) ? -1 : 1;
        }
    }
    for (; i < size; ++i) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

void* memchr(const void* memory, int value, usize size) {
    const u8* bytes = static_cast<const u8*>(memory);
    for (usize i = 0; i < size; ++i) {
        if (bytes[i] == static_cast<u8>(value)) {
            return const_cast<u8*>(bytes + i);
        }
    }
    return nullptr;
}

usize strlen(const char* text) {
    usize length = 0;
    // The volatile read keeps the compiler from making this loop a call of strlen.
    while (*static_cast<const volatile char*>(text + length) != 0) {
        ++length;
    }
    return length;
}

usize strnlen(const char* text, usize limit) {
    usize length = 0;
    while (length < limit && *static_cast<const volatile char*>(text + length) != 0) {
        ++length;
    }
    return length;
}

/// What g++ calls for std::popcount where the processor need not have the instruction (Warren, "Hacker's Delight",
/// 5-1).
int __popcountdi2(long long value) {
    cairn::u64 bits = static_cast<cairn::u64>(value);
    bits -= bits >> 1 & 0x5555'5555'5555'5555;
    bits = (bits & 0x3333'3333'3333'3333) + (bits >> 2 & 0x3333'3333'3333'3333);
    bits = (bits + (bits >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;
    return static_cast<int>(bits * 0x0101'0101'0101'0101 >> 56);
}

}  // extern "C"
