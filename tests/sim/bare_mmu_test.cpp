/// The software MMU by itself: tables made by hand, one CPU, no kernel.

#include <gtest/gtest.h>

#include "tests/support/explorer.h"

namespace cairn {
namespace {

using arch::host::RunOptions;
using arch::host::RunResult;
using arch::host::user_load;
using arch::host::user_store;
using Format = arch::LongModeFormat;

constexpr PhysicalAddress kRoot{0x10'0000};
constexpr PhysicalAddress kTables[3] = {{0x10'1000}, {0x10'2000}, {0x10'3000}};  // of levels 2, 1, 0
constexpr PhysicalAddress kPageA{0x11'0000};
constexpr PhysicalAddress kPageB{0x11'1000};
constexpr VirtualAddress kUser{0x0000'1234'5678'9000};
constexpr u64 kAll = Format::kPresent | Format::kWritable | Format::kUser;

u64& entry(PhysicalAddress table, u32 level) {
    u64 index = (kUser.value >> (12 + 9 * level)) & 511;
    return static_cast<u64*>(arch::direct_map(table))[index];
}
u64& word_at(PhysicalAddress address) {
    return *static_cast<u64*>(arch::direct_map(address));
}

constinit PerCpu* boot_cpu = nullptr;

/// Maps kUser to kPageA and turns the machine on.
void map_page_a(u64 leaf_flags = kAll) {
    arch::initialize_cpu(*boot_cpu);
    arch::host::note_memory_used({{0x10'0000}, {0x11'2000}});
    entry(kRoot, 3) = kTables[0].value | kAll;
    entry(kTables[0], 2) = kTables[1].value | kAll;
    entry(kTables[1], 1) = kTables[2].value | kAll;
    entry(kTables[2], 0) = kPageA.value | leaf_flags;
    word_at(kPageA) = 0xa;
    word_at(kPageB) = 0xb;
    arch::load_address_space(kRoot, 1, arch::TagContents::Flush);
    arch::host::begin_exploring();
    arch::enable_interrupts();
}

void check(bool condition, const char* what) {
    if (!condition) {
        arch::host::fail_run(what);
    }
}

RunResult run(void (*boot)(), u64 seed = 1) {
    PerCpu cpu;
    boot_cpu = &cpu;
    return sim::on_bare_machine(boot)({.seed = seed, .on_page_fault = [](const arch::TrapDetails&) { return false; }});
}

void expect_finished(void (*boot)()) {
    for (u64 seed = 1; seed <= 200; ++seed) {
        RunResult result = run(boot, seed);
        ASSERT_EQ(result.ending, arch::host::Ending::Finished) << "seed " << seed << ": " << result.failure;
    }
}

TEST(BareMmu, TranslatesAndSetsAccessedAndDirty) {
    expect_finished([] {
        map_page_a();
        check(user_load<u64>(kUser) == 0xa, "wrong value");
        check((entry(kTables[2], 0) & (Format::kAccessed | Format::kDirty)) == Format::kAccessed, "flags of a load");
        check((entry(kRoot, 3) & Format::kAccessed) != 0, "accessed in the upper level");
        check(user_store<u64>(kUser, 0xaa), "store");
        check(word_at(kPageA) == 0xaa, "wrong place");
        check((entry(kTables[2], 0) & Format::kDirty) != 0, "dirty");
    });
}

TEST(BareMmu, FaultsWhereTheTablesForbid) {
    expect_finished([] {
        map_page_a(Format::kPresent | Format::kUser);
        check(user_load<u64>(kUser) == 0xa, "read-only page");
        check(!user_store<u64>(kUser, 1), "store to a read-only page");
        check(!user_load<u64>(kUser + kPageSize), "page that is not there");
        check(!user_load<u64>({0xffff'8000'0000'0000}), "kernel half");
        entry(kTables[2], 0) = kPageA.value | Format::kPresent | Format::kWritable;
        arch::flush_page(kUser);
        check(!user_load<u64>(kUser), "supervisor page");
    });
}

TEST(BareMmu, CopiesReportWhatIsMissing) {
    expect_finished([] {
        map_page_a();
        u8 buffer[64];
        check(arch::copy_from_user(buffer, kUser + (kPageSize - 40), 64) == 24, "bytes missing");
        check(arch::copy_to_user(kUser, buffer, 64) == 0, "copied");
    });
}

TEST(BareMmu, AnEntryStaysUntilItIsFlushed) {
    // Without a flush some seed still sees the old page; with one, none does.
    bool stale = false;
    for (u64 seed = 1; seed <= 50; ++seed) {
        stale = stale || run(
                             [] {
                                 map_page_a();
                                 check(user_load<u64>(kUser) == 0xa, "before");
                                 entry(kTables[2], 0) = kPageB.value | kAll;
                                 check(user_load<u64>(kUser) == 0xb, "stale");
                             },
                             seed)
                                 .failure == "stale";
    }
    EXPECT_TRUE(stale);
    expect_finished([] {
        map_page_a();
        check(user_load<u64>(kUser) == 0xa, "before");
        entry(kTables[2], 0) = kPageB.value | kAll;
        arch::flush_page(kUser);
        check(user_load<u64>(kUser) == 0xb, "after");
        check(arch::host::cached_translations_of(FrameNumber::containing(kPageA)) == 0, "entry left");
    });
}

TEST(BareMmu, TagsKeepAddressSpacesApart) {
    expect_finished([] {
        map_page_a();
        check(user_load<u64>(kUser) == 0xa, "before");
        entry(kTables[2], 0) = kPageB.value | kAll;
        arch::load_address_space(kRoot, 2, arch::TagContents::Flush);
        check(user_load<u64>(kUser) == 0xb, "the other tag's entry was used");
        arch::load_address_space(kRoot, 1, arch::TagContents::Flush);
        check(user_load<u64>(kUser) == 0xb, "flush on load");
    });
}

TEST(BareMmu, UseOfAFreedFrameIsFound) {
    RunResult result = run([] {
        map_page_a();
        check(user_load<u64>(kUser) == 0xa, "before");
        entry(kTables[2], 0) = 0;
        arch::memory_poison(arch::direct_map(kPageA), kPageSize);
        user_load<u64>(kUser);
    });
    EXPECT_NE(result.failure.find("stale TLB entry"), std::string::npos) << result.failure;
}

TEST(BareMmu, WalkThroughAFreedTableIsFound) {
    RunResult result = run([] {
        map_page_a();
        check(user_load<u64>(kUser) == 0xa, "before");
        entry(kTables[1], 1) = 0;
        arch::memory_poison(arch::direct_map(kTables[2]), kPageSize);
        user_load<u64>(kUser + kPageSize);  // the table is still in the paging-structure cache
    });
    EXPECT_NE(result.failure.find("freed page table"), std::string::npos) << result.failure;
}

}  // namespace
}  // namespace cairn
