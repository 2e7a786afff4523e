#include "drivers/input/scan_codes.h"

#include <algorithm>

#include "drivers/input/input_codes.h"

namespace cairn::drivers {

namespace {

struct Pair {
    u8 scan;
    u8 key;
};

/// Up to here the codes of keys are their scan codes: the numbers were chosen so.
constexpr u8 kSame = 0x53;
/// The others without a prefix.
constexpr Pair kPlain[] = {
    {0x54, 99},  {0x56, 86},  {0x57, 87},  {0x58, 88},  {0x59, 117}, {0x5c, 95},  {0x5d, 183}, {0x5e, 184},
    {0x5f, 185}, {0x64, 183}, {0x65, 184}, {0x66, 185}, {0x67, 186}, {0x68, 187}, {0x69, 188}, {0x6a, 189},
    {0x6b, 190}, {0x6c, 191}, {0x6d, 192}, {0x6e, 193}, {0x70, 93},  {0x73, 89},  {0x76, 194}, {0x77, 91},
    {0x78, 90},  {0x79, 92},  {0x7b, 94},  {0x7d, 124}, {0x7e, 121},
};
/// With the prefix E0.
constexpr Pair kExtended[] = {
    {0x10, 165}, {0x19, 163}, {0x1c, 96},  {0x1d, 97},  {0x20, 113}, {0x21, 140}, {0x22, 164}, {0x24, 166},
    {0x2e, 114}, {0x30, 115}, {0x32, 172}, {0x35, 98},  {0x37, 99},  {0x38, 100}, {0x46, 119}, {0x47, 102},
    {0x48, 103}, {0x49, 104}, {0x4b, 105}, {0x4d, 106}, {0x4f, 107}, {0x50, 108}, {0x51, 109}, {0x52, 110},
    {0x53, 111}, {0x5b, 125}, {0x5c, 126}, {0x5d, 127}, {0x5e, 116}, {0x5f, 142}, {0x63, 143}, {0x65, 217},
    {0x66, 156}, {0x67, 173}, {0x68, 128}, {0x69, 159}, {0x6a, 158}, {0x6b, 157}, {0x6c, 155}, {0x6d, 226},
};

constexpr u8 kRelease = 0x80;

u16 find_key(std::span<const Pair> pairs, u8 scan) {
    const auto found = std::ranges::find(pairs, scan, &Pair::scan);
    return found == pairs.end() ? u16{0} : found->key;
}

}  // namespace

u16 key_of_scan_code(u8 code) {
    return code <= kSame ? code : find_key(kPlain, code);
}

u16 key_of_extended_scan_code(u8 code) {
    return find_key(kExtended, code);
}

usize scan_codes_of_key(u16 key, ScanDirection direction, std::span<u8, 6> to) {
    const u8 release = direction == ScanDirection::Break ? kRelease : 0;
    usize size = 0;
    auto put = [&](u32 byte) { to[size++] = static_cast<u8>(byte); };
    if (key == key::kPause) {
        put(0xe1);
        put(0x1d | release);
        put(0x45 | release);
        return size;
    }
    if (key == key::kHanguel || key == key::kHanja) {  // no release
        if (release == 0) {
            put(key == key::kHanguel ? 0xf2 : 0xf1);
        }
        return size;
    }
    if (key <= kSame) {
        put(key | release);
        return size;
    }
    if (const auto extended = std::ranges::find(kExtended, key, &Pair::key); extended != std::end(kExtended)) {
        put(0xe0);
        put(extended->scan | release);
    } else if (const auto plain = std::ranges::find(kPlain, key, &Pair::key); plain != std::end(kPlain)) {
        put(plain->scan | release);
    }
    return size;
}

}  // namespace cairn::drivers
