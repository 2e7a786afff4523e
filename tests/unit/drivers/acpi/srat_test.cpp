/// What is made of sound and of damaged affinity tables (SRAT).

#include "drivers/acpi/srat.h"

#include <gtest/gtest.h>

#include <string>

#include "kernel/base/log.h"
#include "tests/unit/kernel/boot/boot_image.h"

namespace cairn::acpi {
namespace {

using test::Blob;

class SratTest : public testing::Test {
protected:
    SratTest() {
        LogRecord record;
        while (log_.read(record)) {
        }
        platform.cpu_count = 4;
        const u32 ids[] = {0, 2, 4, 300};
        std::copy(std::begin(ids), std::end(ids), platform.cpu_hardware_id);
    }
    static Blob cpu(u32 domain, u8 apic_id, u32 flags = 1) {
        return Blob()
            .add(u8{0})
            .add(u8{16})
            .add(static_cast<u8>(domain))
            .add(apic_id)
            .add(flags)
            .add(u8{0})
            .add(static_cast<u8>(domain >> 8))
            .add(static_cast<u8>(domain >> 16))
            .add(static_cast<u8>(domain >> 24))
            .add(u32{0});
    }
    static Blob x2cpu(u32 domain, u32 apic_id) {
        return Blob().add(u8{2}).add(u8{24}).add(u16{0}).add(domain).add(apic_id).add(u32{1}).add(u64{0});
    }
    static Blob memory(u32 domain, u64 start, u64 size, u32 flags = 1) {
        return Blob().add(u8{1}).add(u8{40}).add(domain).add(u16{0}).add(start).add(size).add(u32{0}).add(flags).add(
            u64{0});
    }
    /// The header's sum is not looked at here.
    u32 read(std::initializer_list<Blob> entries, u8 revision = 3) {
        Blob table;
        table.add_text("SRAT").add(u32{0}).add(revision);
        table.data.resize(48);
        for (const Blob& entry : entries) {
            table.add_bytes(entry);
        }
        return read_srat(table.data, platform);
    }
    /// What was logged since the last call, a line each.
    std::string logged() {
        std::string result;
        LogRecord record;
        while (log_.read(record)) {
            result += std::string(record.text()) + "\n";
        }
        return result;
    }

    arch::PlatformDescription platform;
    LogReader log_;
};

TEST_F(SratTest, NamesMemoryAndCpus) {
    EXPECT_EQ(read({cpu(7, 0), cpu(7, 2), memory(7, 0, 0xa0000), memory(7, 0x100000, 0x7f00000), x2cpu(1, 300),
                    cpu(1, 4), memory(1, 0x8000000, 0x8000000), cpu(9, 99), Blob().add(u8{77}).add(u8{4}).add(u16{0})}),
              3u);
    EXPECT_EQ(logged(),
              "SRAT: domain 1: memory 0x8000000-0xfffffff; CPUs 3 2\n"
              "SRAT: domain 7: memory 0x0-0x9ffff 0x100000-0x7ffffff; CPUs 0 1\n"
              "SRAT: domain 9: memory; CPUs\n");
}

TEST_F(SratTest, DisabledAndEmptyEntriesDoNotCount) {
    EXPECT_EQ(read({cpu(1, 0, 0), memory(2, 0, 0x1000, 0), memory(3, 0x1000, 0), memory(4, ~u64{0}, 2, 2)}), 0u);
    EXPECT_EQ(read({}), 0u);
    EXPECT_EQ(logged(), "");
}

TEST_F(SratTest, ByteOfDomainInOldTables) {
    EXPECT_EQ(read({cpu(0x10203, 0), memory(0xff000003, 0, 0x1000)}, 1), 1u);
    EXPECT_EQ(read({cpu(0x10203, 0), memory(0xff000003, 0, 0x1000)}, 2), 2u);
}

TEST_F(SratTest, OneDamagedEntrySpoilsAll) {
    const Blob good = memory(0, 0, 0x1000);
    EXPECT_EQ(read({good, memory(1, ~u64{0} - 10, 100)}), 0u);              // wraps
    EXPECT_EQ(read({good, memory(1, u64{1} << 51, u64{1} << 52)}), 0u);     // beyond physical addresses
    EXPECT_EQ(read({good, memory(1, 0xfff, 0x1000)}), 0u);                  // twice
    EXPECT_EQ(read({good, memory(0, 0xfff, 0x1000)}), 1u);                  // … but of one domain
    EXPECT_EQ(read({good, Blob().add(u8{0}).add(u8{0})}), 0u);              // no length
    EXPECT_EQ(read({good, Blob().add(u8{1}).add(u8{40}).add(u8{0})}), 0u);  // beyond the table
    EXPECT_EQ(read({good, Blob().add(u8{1})}), 0u);                         // half a header
    EXPECT_EQ(read({good, Blob().add(u8{1}).add(u8{3}).add(u8{0})}), 1u);   // too short for its type: left out
}

TEST_F(SratTest, TablesAreBounded) {
    Blob many;
    for (u32 i = 0; i < 1025; ++i) {
        many.add_bytes(memory(i, u64{i} << 20, 0x1000));
    }
    EXPECT_EQ(read({many}), 0u);
    Blob domains;
    for (u32 i = 0; i < 100; ++i) {
        domains.add_bytes(memory(i, u64{i} << 20, 0x1000));
    }
    EXPECT_EQ(read({domains}), 64u);
    EXPECT_EQ(read_srat(std::span<const std::byte>(), platform), 0u);
}

}  // namespace
}  // namespace cairn::acpi
