/// Text and the forms of values in it.

#include "fs/procfs/text.h"

#include <string>

#include "fs/procfs/inodes.h"
#include "fs/procfs/values.h"
#include "kernel/sched/load_average.h"
#include "tests/unit/mm/memory_fixture.h"

namespace cairn::procfs {
namespace {

class ProcText : public testing::Test {
protected:
    ProcText() : machine(16 * kMiB) { machine.add_cpu(); }
    std::string taken() {
        std::string copy(text.view());
        text.clear();
        return copy;
    }
    mm::MemoryMachine machine;
    Text text;
};

TEST_F(ProcText, GrowsWithWhatIsWritten) {
    std::string expected;
    for (u32 i = 0; i < 10'000; ++i) {
        text.format("{} ", i);
        expected += std::to_string(i) + " ";
    }
    EXPECT_TRUE(text.result().ok());
    EXPECT_EQ(expected, taken());
}

TEST_F(ProcText, FormatsWhatIsLongerThanItsRoom) {
    const std::string name(3000, 'n');
    text.append("x");
    text.format("<{}>", std::string_view(name));
    EXPECT_EQ("x<" + name + ">", taken());
}

TEST_F(ProcText, WritesNumbersInLinuxForms) {
    text.octal(0644, 4);
    text.append(' ');
    text.octal(02000000, 1);
    text.append(' ');
    text.octal(0, 1);
    EXPECT_EQ("0644 2000000 0", taken());
    text.hundredths(1205);
    text.append(' ');
    text.hundredths(7);
    EXPECT_EQ("12.05 0.07", taken());
}

TEST_F(ProcText, EscapesNamesInLists) {
    text.escaped("/a b\tc\\d\ne", " \t\n");
    EXPECT_EQ("/a\\040b\\011c\\134d\\012e", taken());
}

TEST_F(ProcText, PadsToAColumn) {
    text.append("first\n");
    const usize line = text.size();
    text.append("ab");
    text.pad(line, 5);
    text.append("|");
    text.pad(line, 3);
    EXPECT_EQ("first\nab   |", taken());
}

TEST_F(ProcText, ExtendsAndShrinks) {
    std::span<char> room = text.extend(600);
    ASSERT_EQ(600u, room.size());
    room[0] = 'a';
    text.shrink(599);
    text.append("b");
    EXPECT_EQ("ab", taken());
}

TEST_F(ProcText, ShowsSetsOfCpus) {
    show_cpu_list(text, 0b1);
    text.append(' ');
    show_cpu_list(text, 0b1111);
    text.append(' ');
    show_cpu_list(text, 0b1011'0110);
    text.append(' ');
    show_cpu_list(text, ~u64{0});
    text.append(' ');
    show_cpu_list(text, 0);
    EXPECT_EQ("0 0-3 1-2,4-5,7 0-63 ", taken());
    show_cpu_mask(text, 0b1);
    EXPECT_EQ("1", taken()) << "one digit for up to four CPUs";
    g_kernel.cpu_count = 36;
    show_cpu_mask(text, 0x9'0000'00ff);
    EXPECT_EQ("9,000000ff", taken());
    g_kernel.cpu_count = 1;
}

TEST(ProcValues, ReadsNumbers) {
    EXPECT_EQ(12, must(parse_integer("12\n"), "number"));
    EXPECT_EQ(-17, must(parse_integer(" -17 "), "number"));
    for (std::string_view wrong : {"", "\n", "-", "1x", "1 2", "99999999999999999999"}) {
        EXPECT_FALSE(parse_integer(wrong).ok()) << wrong;
    }
    EXPECT_EQ("a b", trimmed(" a b\n"));
}

TEST(ProcValues, ReadsNumbersOfProcesses) {
    EXPECT_EQ(1, parse_number_name("1"));
    EXPECT_EQ(0, parse_number_name("0"));
    for (std::string_view wrong : {"", "01", "-1", "1a", "+1", "9999999999"}) {
        EXPECT_FALSE(parse_number_name(wrong)) << wrong;
    }
}

TEST(ProcValues, NumbersOfInodesFollowFromNames) {
    EXPECT_EQ(number_of(kRootNumber, "stat"), number_of(kRootNumber, "stat"));
    EXPECT_NE(number_of(kRootNumber, "stat"), number_of(kRootNumber, "statm"));
    EXPECT_NE(number_of(number_of(kRootNumber, "1"), "fd"), number_of(number_of(kRootNumber, "2"), "fd"));
    EXPECT_NE(kRootNumber, number_of(kRootNumber, ""));
}

TEST(LoadAverage, ComesToWhatIsThere) {
    using sched::LoadAverage;
    u64 average = 0;
    for (u32 minute = 0; minute < 12; ++minute) {
        average = LoadAverage::step(average, 1884, 1);
    }
    EXPECT_NEAR(0.63 * LoadAverage::kOne, static_cast<double>(average), 0.02 * LoadAverage::kOne)
        << "1 - 1/e after a minute";
    for (u32 i = 0; i < 1000; ++i) {
        average = LoadAverage::step(average, 1884, 1);
    }
    EXPECT_EQ(u64{LoadAverage::kOne}, average);
    for (u32 i = 0; i < 1000; ++i) {
        average = LoadAverage::step(average, 1884, 0);
    }
    EXPECT_EQ(0u, average);
}

}  // namespace
}  // namespace cairn::procfs
