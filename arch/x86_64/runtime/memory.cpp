/// The C library's memory functions that compilers call by themselves, and the few that libstdc++'s
/// freestanding headers use. On the processors of the last decade the string instructions copy and
/// fill whole cache lines (ERMSB, SDM optimisation manual 3.7.6), by words as well as by bytes; words are
/// better on older ones and in emulators.

#include "kernel/base/types.h"

using cairn::u64;
using cairn::u8;
using cairn::usize;

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, usize size) {
    void* result = to;
    usize words = size / 8;
    usize rest = size % 8;
    // SAFETY: reads and writes `size` bytes, which are the caller's; the direction flag is clear (ABI).
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    if (rest != 0) {
        asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    }
    return result;
}

void* memset(void* to, int value, usize size) {
    void* result = to;
    usize words = size / 8;
    usize rest = size % 8;
    const u64 pattern = static_cast<u8>(value) * 0x0101'0101'0101'0101u;
    // SAFETY: writes `size` bytes, which are the caller's.
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    if (rest != 0) {
        asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    }
    return result;
}

void* memmove(void* to, const void* from, usize size) {
    if (reinterpret_cast<cairn::uptr>(to) - reinterpret_cast<cairn::uptr>(from) >= size) {
        return memcpy(to, from, size);  // a forward copy reads each byte before it is overwritten
    }
    u8* last_to = static_cast<u8*>(to) + size - 1;
    const u8* last_from = static_cast<const u8*>(from) + size - 1;
    // SAFETY: as above, from the last byte down; the flag is clear again afterwards.
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
    return to;
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
