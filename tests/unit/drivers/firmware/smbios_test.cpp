/// SMBIOS's tables, sound and damaged.

#include "drivers/firmware/smbios.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn::firmware {
namespace {

using test::Blob;

std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

void fix_sum(std::string& text, usize from, usize size, usize at) {
    u8 sum = 0;
    text[at] = 0;
    for (usize i = 0; i < size; ++i) {
        sum = static_cast<u8>(sum + static_cast<u8>(text[from + i]));
    }
    text[at] = static_cast<char>(-sum);
}

std::string entry2() {
    std::string entry("_SM_", 4);
    entry += std::string("\0\x1f\x02\x08\x40\0\0\0\0\0\0\0", 12);
    entry += "_DMI_";
    entry += std::string("\0\x78\x01\x20\x5a\x0f\0\x09\0\x28", 10);
    fix_sum(entry, 16, 15, 21);
    fix_sum(entry, 0, 31, 4);
    return entry;
}

std::string entry3() {
    std::string entry("_SM3_", 5);
    entry += std::string("\0\x18\x03\0\0\x01\0\x78\x01\0\0\x20\x5a\x0f\0\0\0\0\0", 19);
    fix_sum(entry, 0, 24, 5);
    return entry;
}

TEST(Smbios, EntryPointsOfBothForms) {
    for (const std::string& entry : {entry2(), entry3()}) {
        auto found = parse_entry_point(bytes(entry));
        ASSERT_TRUE(found);
        EXPECT_EQ(found->structures.value, 0xf5a20u);
        EXPECT_EQ(found->length, 0x178u);
        EXPECT_EQ(found->size, entry.size());
    }
}

TEST(Smbios, EveryDamagedByteIsNoticed) {
    for (const std::string& entry : {entry2(), entry3()}) {
        for (usize i = 0; i < entry.size(); ++i) {
            std::string damaged = entry;
            damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
            EXPECT_FALSE(parse_entry_point(bytes(damaged))) << i;
            EXPECT_FALSE(parse_entry_point(bytes(entry.substr(0, i)))) << i;
        }
    }
}

TEST(Smbios, StructuresAndTheirStrings) {
    const std::string table = std::string("\x01\x06\x00\x01\x01\x02", 6) + std::string("QEMU\0Standard PC\0\0", 18) +
                              std::string("\x03\x05\x00\x03\x01", 5) + std::string("\0\0", 2) +
                              std::string("\x7f\x04\x00\x7f\0\0", 6);
    usize offset = 0;
    auto system = next_structure(bytes(table), offset);
    ASSERT_TRUE(system);
    EXPECT_EQ(system->type, 1);
    EXPECT_EQ(system->string(4), "QEMU");
    EXPECT_EQ(system->string(5), "Standard PC");
    EXPECT_EQ(system->string(6), "");  // beyond the formatted part
    auto chassis = next_structure(bytes(table), offset);
    ASSERT_TRUE(chassis);
    EXPECT_EQ(chassis->string(4), "");  // a number without its string
    EXPECT_TRUE(next_structure(bytes(table), offset));
    EXPECT_FALSE(next_structure(bytes(table), offset));
}

TEST(Smbios, DamagedTablesEnd) {
    usize offset = 0;
    EXPECT_FALSE(next_structure(bytes(std::string("\x01\x03\x00\x01\0\0", 6)), offset));  // shorter than its header
    EXPECT_FALSE(next_structure(bytes(std::string("\x01\xff\x00\x01\0\0", 6)), offset));  // longer than the table
    EXPECT_FALSE(next_structure(bytes(std::string("\x01\x04\x00\x01xyz", 7)), offset));   // strings without an end
    EXPECT_EQ(offset, 0u);
}

}  // namespace
}  // namespace cairn::firmware
