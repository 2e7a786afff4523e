#include "drivers/acpi/soft_off.h"

#include "kernel/base/bytes.h"

namespace cairn::acpi {

namespace {

using Bytes = std::span<const std::byte>;

constexpr u8 kNameOp = 0x08;
constexpr u8 kPackageOp = 0x12;
constexpr u8 kRootPrefix = '\\';
constexpr u8 kParentPrefix = '^';

/// Reads AML forwards; nothing once the end was passed.
class Cursor {
public:
    explicit Cursor(Bytes aml) : aml_(aml) {}

    std::optional<u8> next() { return load_at<u8>(aml_, position_++); }

    /// PkgLength (20.2.4): how many bytes follow it in the package, its own not counted.
    std::optional<u32> next_package_length() {
        std::optional<u8> lead = next();
        if (!lead) {
            return std::nullopt;
        }
        u32 more = *lead >> 6;
        u32 length = more == 0 ? *lead & 0x3f : *lead & 0x0f;
        for (u32 i = 0; i < more; ++i) {
            std::optional<u8> byte = next();
            if (!byte) {
                return std::nullopt;
            }
            length |= u32{*byte} << (4 + 8 * i);
        }
        u32 own = 1 + more;
        return length >= own ? std::optional<u32>(length - own) : std::nullopt;
    }

    /// A constant integer of up to 32 bits. SLP_TYP has three bits, so the low byte is enough.
    std::optional<u8> next_integer() {
        std::optional<u8> code = next();
        if (!code) {
            return std::nullopt;
        }
        switch (*code) {
            case 0x00:  // ZeroOp
            case 0x01:  // OneOp
                return code;
            case 0x0a:  // BytePrefix
                return next_bytes(1);
            case 0x0b:  // WordPrefix
                return next_bytes(2);
            case 0x0c:  // DWordPrefix
                return next_bytes(4);
            default:
                return std::nullopt;
        }
    }

    usize remaining() const { return position_ < aml_.size() ? aml_.size() - position_ : 0; }

private:
    std::optional<u8> next_bytes(u32 count) {
        std::optional<u8> low = next();
        position_ += count - 1;
        return position_ <= aml_.size() ? low : std::nullopt;
    }

    Bytes aml_;
    usize position_ = 0;
};

/// Whether the name at `at` is what a NameOp defines.
bool is_defined_by_name(Bytes aml, usize at) {
    while (at > 0) {
        u8 before = static_cast<u8>(aml[--at]);
        if (before == kNameOp) {
            return true;
        }
        if (before != kRootPrefix && before != kParentPrefix) {
            return false;
        }
    }
    return false;
}

/// The package right behind the name.
std::optional<SoftOff> parse_package(Bytes aml) {
    Cursor cursor(aml);
    if (cursor.next() != kPackageOp) {
        return std::nullopt;
    }
    std::optional<u32> length = cursor.next_package_length();
    if (!length || *length > cursor.remaining()) {
        return std::nullopt;
    }
    std::optional<u8> elements = cursor.next();
    if (!elements || *elements < 1) {
        return std::nullopt;
    }
    std::optional<u8> type_a = cursor.next_integer();
    // Firmware with one PM1 block sometimes leaves the second element out.
    std::optional<u8> type_b = *elements >= 2 ? cursor.next_integer() : std::optional<u8>(u8{0});
    if (!type_a || !type_b) {
        return std::nullopt;
    }
    constexpr u8 kSleepTypeMask = 7;
    return SoftOff{static_cast<u8>(*type_a & kSleepTypeMask), static_cast<u8>(*type_b & kSleepTypeMask)};
}

}  // namespace

std::optional<SoftOff> find_soft_off(std::span<const std::byte> aml) {
    constexpr u32 kName = '_' | 'S' << 8 | '5' << 16 | '_' << 24;
    for (usize at = 0; at + sizeof(kName) <= aml.size(); ++at) {
        if (load_at<u32>(aml, at) != kName || !is_defined_by_name(aml, at)) {
            continue;
        }
        std::optional<SoftOff> found = parse_package(slice(aml, at + sizeof(kName)));
        if (found) {
            return found;
        }
    }
    return std::nullopt;
}

}  // namespace cairn::acpi
