#include "fs/cpio/archive.h"

#include <gtest/gtest.h>

#include <vector>

#include "fs/cpio/hard_links.h"
#include "kernel/base/bytes.h"
#include "tests/unit/fs/cpio/cpio_builder.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::fs::cpio {
namespace {

using test::ArchiveBuilder;

/// All entries as "kind:name=data", and how it ended.
std::string list(std::string_view bytes) {
    Reader reader(bytes_of(bytes));
    std::string text;
    while (true) {
        auto entry = reader.next();
        if (!entry.ok()) {
            EXPECT_EQ(entry.error(), Errno::einval);
            return text + "(" + std::string(reader.problem()) + " at " + std::to_string(reader.offset()) + ")";
        }
        if (!entry.value()) {
            return text;
        }
        text += std::to_string(static_cast<int>(entry.value()->kind)) + ":" + std::string(entry.value()->name) + "=" +
                std::string(text_of(entry.value()->data)) + " ";
    }
}

TEST(Cpio, ReadsAllFields) {
    ArchiveBuilder builder;
    builder.add({.name = "dev/console", .mode = 0020620, .inode = 77, .links = 3});
    Reader reader(bytes_of(builder.bytes));
    auto next = reader.next();
    ASSERT_TRUE(next.ok() && next.value());
    const Entry& entry = *next.value();
    EXPECT_EQ(entry.name, "dev/console");
    EXPECT_EQ(entry.kind, EntryKind::CharacterDevice);
    EXPECT_EQ(entry.permissions, 0620u);
    EXPECT_EQ(entry.user_id, 1000u);
    EXPECT_EQ(entry.group_id, 100u);
    EXPECT_EQ(entry.link_count, 3u);
    EXPECT_EQ(entry.modified, 0x5f000000u);
    EXPECT_EQ(entry.inode, 77u);
    EXPECT_EQ(entry.on_device, (DeviceNumber{8, 1}));
    EXPECT_EQ(entry.device, (DeviceNumber{5, 6}));
    EXPECT_TRUE(entry.may_have_links());
    EXPECT_TRUE(entry.data.empty());
}

TEST(Cpio, ReadsAllKinds) {
    ArchiveBuilder builder;
    builder.add({.name = "f", .data = "text"}).add({.name = "d", .mode = 040755}).add({.name = "e"});
    builder.add({.name = "l", .mode = 0120777, .data = "target"}).add({.name = "b", .mode = 060600});
    builder.add({.name = "p", .mode = 010600}).add({.name = "s", .mode = 0140600}).trailer();
    EXPECT_EQ(list(builder.bytes), "0:f=text 1:d= 0:e= 2:l=target 4:b= 5:p= 6:s= ");
}

TEST(Cpio, SetIdBitsAreKept) {
    ArchiveBuilder builder;
    builder.add({.name = "su", .mode = 0107755});
    Reader reader(bytes_of(builder.bytes));
    EXPECT_EQ(reader.next().value()->permissions, 07755u);
}

TEST(Cpio, SeveralArchivesFollowEachOther) {
    ArchiveBuilder builder;
    builder.add({.name = "a"}).trailer().pad(512).add({.name = "b"}).trailer().add({.name = "c"}).trailer().pad(4096);
    EXPECT_EQ(list(builder.bytes), "0:a= 0:b= 0:c= ");
    Reader reader(bytes_of(builder.bytes));
    std::vector<u32> numbers;
    while (auto entry = std::move(reader.next()).value()) {
        numbers.push_back(reader.archive_number());
    }
    EXPECT_EQ(numbers, (std::vector<u32>{0, 1, 2}));
}

TEST(Cpio, EmptyInputIsEmpty) {
    EXPECT_EQ(list(""), "");
    EXPECT_EQ(list(std::string(1000, '\0')), "");
    EXPECT_EQ(list(ArchiveBuilder().trailer().bytes), "");
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "no-trailer"}).bytes), "0:no-trailer= ");
}

TEST(Cpio, NamesMayBePadded) {
    ArchiveBuilder builder;
    std::string page(4096, 'x');
    builder.add({.name = "big", .data = page, .name_size = 4096 - 110}).trailer();
    Reader reader(bytes_of(builder.bytes));
    auto entry = reader.next();
    ASSERT_TRUE(entry.ok() && entry.value());
    EXPECT_EQ(entry.value()->name, "big");
    EXPECT_EQ(entry.value()->data_offset, 4096u);
    EXPECT_EQ(entry.value()->data.size(), 4096u);
}

TEST(Cpio, OddNamesAreSkippedOrRefused) {
    std::string long_name(4096, 'n');
    ArchiveBuilder builder;
    builder.add({.name = long_name}).add({.name = ""}).add({.name = "good", .data = "1"}).trailer();
    EXPECT_EQ(list(builder.bytes), "0:good=1 ");
    EXPECT_EQ(list(ArchiveBuilder().add({.name = std::string_view(long_name).substr(1)}).bytes),
              "0:" + long_name.substr(1) + "= ");
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "abc", .name_size = 3}).bytes), "(name without an end at 0)");
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "odd-kind", .mode = 0150644}).add({.name = "a"}).bytes), "0:a= ");
}

TEST(Cpio, LinkTargetEndsAtAZero) {
    using namespace std::string_view_literals;
    ArchiveBuilder builder;
    builder.add({.name = "l", .mode = 0120777, .data = "target\0xx"sv});
    Reader reader(bytes_of(builder.bytes));
    EXPECT_EQ(reader.next().value()->target(), "target");
    std::string endless(4097, 't');
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "l", .mode = 0120777, .data = endless}).bytes), "");
}

TEST(Cpio, ChecksumsAreChecked) {
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "f", .data = "abc", .checksum = true}).bytes), "0:f=abc ");
    EXPECT_EQ(list(ArchiveBuilder().add({.name = "f", .data = "abc", .checksum = true, .checksum_error = 1}).bytes),
              "(wrong checksum at 0)");
}

TEST(Cpio, DamageIsFound) {
    std::string good = ArchiveBuilder().add({.name = "first"}).add({.name = "name", .data = "12345678"}).bytes;
    const usize second = 116;
    for (usize length = 1; length < good.size(); ++length) {
        if (length == second) {
            continue;  // whole entries are enough
        }
        EXPECT_NE(list(good.substr(0, length)).find('('), std::string::npos) << length;
    }
    std::string bad = good;
    bad[second + 20] = 'g';
    EXPECT_EQ(list(bad), "0:first= (no hexadecimal number in a header at 116)");
    bad = good;
    bad[second] = 'x';
    EXPECT_EQ(list(bad), "0:first= (no newc header at 116)");
    EXPECT_EQ(list(std::string(2, '\0') + good), "(header at an odd place at 2)");
    bad = good;
    bad.replace(second + 54, 8, "ffffffff");  // file size
    EXPECT_EQ(list(bad), "0:first= (entry cut off at 116)");
    bad = good;
    bad.replace(second + 94, 8, "ffffffff");  // name size
    EXPECT_EQ(list(bad), "0:first= (entry cut off at 116)");
}

TEST(Cpio, DamagedReaderStaysWhereItIs) {
    std::string bytes = ArchiveBuilder().add({.name = "a"}).bytes + "garbage";
    Reader reader(bytes_of(bytes));
    EXPECT_TRUE(reader.next().ok());
    EXPECT_FALSE(reader.next().ok());
    EXPECT_FALSE(reader.next().ok());
    EXPECT_EQ(reader.offset(), 112u);
}

TEST(Cpio, HardLinksAreFound) {
    mm::MemoryMachine machine(32 * kMiB);
    machine.add_cpu();
    ArchiveBuilder builder;
    builder.add({.name = "a", .inode = 5, .links = 3}).add({.name = "b", .inode = 5, .links = 3});
    builder.add({.name = "other", .inode = 6, .links = 2}).add({.name = "c", .data = "x", .inode = 5, .links = 3});
    builder.add({.name = "fifo", .mode = 010644, .inode = 5, .links = 2}).trailer();
    builder.add({.name = "again", .inode = 5, .links = 2}).trailer();
    Reader reader(bytes_of(builder.bytes));
    HardLinks links;
    std::string text;
    while (auto entry = std::move(reader.next()).value()) {
        auto first = links.first_name(reader, *entry);
        ASSERT_TRUE(first.ok());
        text += std::string(entry->name) + "<" + std::string(first.value().value_or("")) + " ";
    }
    EXPECT_EQ(text, "a< b<a other< c<a fifo< again< ");
}

}  // namespace
}  // namespace cairn::fs::cpio
