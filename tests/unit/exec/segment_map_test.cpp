#include "exec/segment_map.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/unit/exec/elf_builder.h"

namespace cairn::exec {
namespace {

using test::ElfBuilder;
using test::kR;
using test::kRw;
using test::kRx;
using test::load;

constexpr AddressLimits kLimits{{0x10000}, {0x7ffffffff000}};

/// Writes down what it is told; fails the n-th time.
class RecordingTarget final : public ImageTarget {
public:
    std::ostringstream log;
    u64 fail_at = ~u64{0};

    Result<void> claim(VirtualAddress start, u64 size) override { return note("claim", start, size); }
    Result<void> map_file(VirtualAddress start, u64 size, u64 offset, SegmentProtection protection) override {
        TRY(note("file", start, size));
        log << "+" << offset << text(protection);
        return {};
    }
    Result<void> map_anonymous(VirtualAddress start, u64 size, SegmentProtection protection) override {
        TRY(note("anonymous", start, size));
        log << text(protection);
        return {};
    }
    Result<void> zero(VirtualAddress start, u64 size) override {
        EXPECT_LE((start.value & (kPageSize - 1)) + size, kPageSize);
        return note("zero", start, size);
    }

private:
    Result<void> note(const char* what, VirtualAddress start, u64 size) {
        if (fail_at-- == 0) {
            return fail(Errno::enomem);
        }
        log << std::hex << "|" << what << " " << start.value << " " << size;
        return {};
    }
    static std::string text(SegmentProtection p) {
        return std::string(p.readable ? " r" : " -") + (p.writable ? "w" : "-") + (p.executable ? "x" : "-");
    }
};

struct Outcome {
    Errno error = {};
    std::string log;
    LoadedImage image;
};

Outcome map(ElfBuilder builder, u64 bias = 0, ElfRole role = ElfRole::Program, u64 fail_at = ~u64{0}) {
    Outcome outcome;
    std::vector<std::byte> file = builder.build();
    auto result = [&]() -> Result<void> {
        ElfImage image = TRY(test::parse_file(file, role));
        SegmentMap segments = TRY(SegmentMap::create(image, role, file.size(), kLimits));
        RecordingTarget target;
        target.fail_at = fail_at;
        auto mapped = segments.map_into(target, bias);
        outcome.log = target.log.str();
        outcome.image = TRY(mapped);
        return {};
    }();
    outcome.error = result.error();
    return outcome;
}
Errno error_of(const ElfProgramHeader& segment, ElfRole role = ElfRole::Program) {
    return map(ElfBuilder().add(segment), 0, role).error;
}

TEST(SegmentMap, MapsWhatAStaticProgramHas) {
    ElfBuilder builder;
    builder.size = 0x3004;
    builder.add(load(0x400000, 0, 0x500, 0x500, kR)).add(load(0x401000, 0x1000, 0xfff, 0xfff, kRx));
    builder.add(load(0x403e10, 0x2e10, 0x1f4, 0x3000, kRw));
    Outcome outcome = map(builder);
    EXPECT_EQ(outcome.error, Errno{});
    EXPECT_EQ(outcome.log,
              "|claim 400000 7000|file 400000 1000+0 r--|file 401000 1000+1000 r-x|file 403000 2000+2000 rw-"
              "|zero 404004 ffc|anonymous 405000 2000 rw-");
    EXPECT_EQ(outcome.image.entry.value, 0x401000u);
    EXPECT_EQ(outcome.image.program_headers.value, 0x400040u);
    EXPECT_EQ(outcome.image.program_header_count, 3u);
    EXPECT_EQ(outcome.image.code_start.value, 0x401000u);
    EXPECT_EQ(outcome.image.code_end.value, 0x401fffu);
    EXPECT_EQ(outcome.image.data_start.value, 0x403e10u);
    EXPECT_EQ(outcome.image.data_end.value, 0x404004u);
    EXPECT_EQ(outcome.image.end.value, 0x407000u);
}

TEST(SegmentMap, ZeroesTheTailOnlyWhereMemoryFollows) {
    EXPECT_EQ(map(ElfBuilder().add(load(0x400000, 0, 0x800, 0x800))).log, "|claim 400000 1000|file 400000 1000+0 rw-");
    EXPECT_EQ(map(ElfBuilder().add(load(0x400000, 0, 0x800, 0x801))).log,
              "|claim 400000 1000|file 400000 1000+0 rw-|zero 400800 800");
    EXPECT_EQ(map(ElfBuilder().add(load(0x400000, 0, 0x1000, 0x1001))).log,
              "|claim 400000 2000|file 400000 1000+0 rw-|anonymous 401000 1000 rw-");
    EXPECT_EQ(map(ElfBuilder().add(load(0x400800, 0x777, 0, 0x10))).log,  // no file: any offset
              "|claim 400000 1000|anonymous 400000 1000 rw-");
    EXPECT_EQ(map(ElfBuilder().add(load(0x400800, 0x800, 0, 0))).log, "");
    EXPECT_EQ(map(ElfBuilder().add(load(0x400000, 0, 0x800, 0x2000, kR))).log,
              "|claim 400000 2000|file 400000 1000+0 r--|zero 400800 800|anonymous 401000 1000 r--");
}

TEST(SegmentMap, FileMayBeShorterThanItsSegments) {
    EXPECT_EQ(error_of(load(0x400000, 0, 0x10000, 0x10000)), Errno{});
    EXPECT_EQ(map(ElfBuilder().add(load(0x400000, 0, 0x3800, 0x9000, kR))).log,
              "|claim 400000 9000|file 400000 4000+0 r--|anonymous 404000 5000 r--");
    EXPECT_EQ(error_of(load(0x400000, 0, 0x3800, 0x9000)), Errno::eio);
}

TEST(SegmentMap, RefusesHostileSegments) {
    EXPECT_EQ(error_of(load(0x400000, 1, 0x1000, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400001, 0, 0x1000, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, 0, 0x1001, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, 0, ~u64{0}, ~u64{0})), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, 0, 0x1000, ~u64{0})), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, 0, 0x1000, 0x7ffffffff000 - 0x400000 + 1)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, 0, 0x1000, 0x7ffffffff000 - 0x400000)), Errno{});
    EXPECT_EQ(error_of(load(0x7ffffffff000, 0, 0, 0)), Errno::einval);
    EXPECT_EQ(error_of(load(~u64{0} - 0xfff, 0, 0x1000, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, ~u64{0} - 0xfff, 0x1000, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0x400000, ~u64{0} / 2 - 0xfff, 0x1000, 0x1000)), Errno::einval);
    EXPECT_EQ(error_of(load(0, 0, 0x1000, 0x1000)), Errno::enomem);
    EXPECT_EQ(error_of(load(0xf000, 0, 0x1000, 0x1000)), Errno::enomem);
    EXPECT_EQ(error_of(load(0x400000, 0, 0x1000, ~u64{0}), ElfRole::Interpreter), Errno::enomem);
    EXPECT_EQ(error_of(load(0x400000, 1, 0x1000, 0x1000), ElfRole::Interpreter), Errno::einval);
}

TEST(SegmentMap, OddlyOrderedAndOverlappingSegmentsAreMappedInTurn) {
    ElfBuilder builder;
    builder.add(load(0x405000, 0, 0x1000, 0x1000)).add(load(0x400000, 0x1000, 0x2000, 0x2000, kRx));
    builder.add(load(0x401000, 0, 0x1000, 0x1000, kR));
    EXPECT_EQ(map(builder).log,
              "|claim 400000 6000|file 405000 1000+0 rw-|file 400000 2000+1000 r-x|file 401000 1000+0 r--");
}

TEST(SegmentMap, EntryHasToBeAUserAddress) {
    ElfBuilder builder;
    builder.header.entry = 0x7ffffffff000;
    builder.add(load(0x400000, 0, 0x1000, 0x1000));
    EXPECT_EQ(map(builder).error, Errno::einval);
    builder.header.entry = 0;  // not mapped, but that is the program's affair
    EXPECT_EQ(map(builder).error, Errno{});
    builder.header.entry = ~u64{0};
    EXPECT_EQ(map(builder.interpreter("/lib/ld.so")).error, Errno{});
}

TEST(SegmentMap, FixedImageMayHaveNoSegments) {
    ElfProgramHeader note{4, kR, 0, 0, 0, 0, 0, 4};
    ElfBuilder builder;
    builder.add(note);
    EXPECT_EQ(map(builder).error, Errno{});
    EXPECT_EQ(map(builder).log, "");
    EXPECT_EQ(map(builder, 0, ElfRole::Interpreter).error, Errno::einval);
    builder.header.type = test::kDyn;
    EXPECT_EQ(map(builder).error, Errno::einval);
}

ElfBuilder relocatable(u64 alignment, u64 start = 0) {
    ElfBuilder builder;
    builder.header.type = test::kDyn;
    builder.header.entry = start + 0x1000;
    builder.add(load(start, 0, 0x1000, 0x1000, kR, alignment)).add(load(start + 0x1000, 0x1000, 0x100, 0x1000));
    return builder;
}

TEST(SegmentMap, RelocatableImageMoves) {
    Outcome outcome = map(relocatable(0x1000), 0x555555554000);
    EXPECT_EQ(outcome.error, Errno{});
    EXPECT_EQ(outcome.log,
              "|claim 555555554000 2000|file 555555554000 1000+0 r--|file 555555555000 1000+1000 rw-"
              "|zero 555555555100 f00");
    EXPECT_EQ(outcome.image.entry.value, 0x555555555000u);
    EXPECT_EQ(outcome.image.program_headers.value, 0x555555554040u);
    EXPECT_EQ(outcome.image.end.value, 0x555555556000u);
    EXPECT_EQ(outcome.image.bias, 0x555555554000u);
    EXPECT_EQ(map(relocatable(0x1000), 0x7fffffffd000).error, Errno{});
    EXPECT_EQ(map(relocatable(0x1000), 0x7fffffffe000).error, Errno::enomem);
    EXPECT_EQ(map(relocatable(0x1000), 0).error, Errno::enomem);
    EXPECT_EQ(map(relocatable(0x1000, 0x40000000), u64{0} - 0x3fff0000).error, Errno{});
}

TEST(SegmentMap, BiasKeepsAlignment) {
    constexpr u64 kHuge = 0x200000;
    for (u64 start : {u64{0}, u64{0x1000}, u64{0x3ff000}, u64{0x400000}}) {
        std::vector<std::byte> file = relocatable(kHuge, start).build();
        auto image = test::parse_file(file);
        ASSERT_TRUE(image.ok());
        auto segments = SegmentMap::create(image.value(), ElfRole::Program, file.size(), kLimits);
        ASSERT_TRUE(segments.ok());
        const SegmentMap& map = segments.value();
        EXPECT_EQ(map.alignment(), kHuge);
        EXPECT_EQ(map.size(), 0x2000u);
        for (VirtualAddress base : {VirtualAddress{0x555555554000}, VirtualAddress{0x555555600000}}) {
            u64 below = map.bias_at_or_below(base);
            u64 above = map.bias_at_or_above(base);
            EXPECT_EQ(below % kHuge, 0u);
            EXPECT_EQ(above % kHuge, 0u);
            EXPECT_GE(map.start().value + above, base.value);
            auto room = map.search_size();
            ASSERT_TRUE(room.ok());
            EXPECT_LE(map.start().value + above + map.size(), base.value + room.value());
        }
    }
}

TEST(SegmentMap, AbsurdAlignmentFindsNoRoom) {
    for (u64 alignment : {u64{1} << 47, u64{1} << 63}) {
        std::vector<std::byte> file = relocatable(alignment).build();
        auto image = test::parse_file(file);
        auto segments = SegmentMap::create(image.value(), ElfRole::Program, file.size(), kLimits);
        ASSERT_TRUE(segments.ok());
        EXPECT_EQ(segments.value().search_size().error(), Errno::enomem);
    }
    std::vector<std::byte> file = relocatable(0x12345).build();  // no power of two: ignored
    auto image = test::parse_file(file);
    EXPECT_EQ(SegmentMap::create(image.value(), ElfRole::Program, file.size(), kLimits).value().alignment(), 0x1000u);
}

TEST(SegmentMap, TargetsFailureIsPassedOn) {
    ElfBuilder builder;
    builder.add(load(0x400000, 0, 0x500, 0x500, kR)).add(load(0x403e10, 0x2e10, 0x1c4, 0x3000, kRw));
    u64 steps = 0;
    while (map(builder, 0, ElfRole::Program, steps).error == Errno::enomem) {
        ++steps;
    }
    EXPECT_EQ(steps, 5u);
}

}  // namespace
}  // namespace cairn::exec
