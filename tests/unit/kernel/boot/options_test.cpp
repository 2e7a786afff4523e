#include "kernel/boot/options.h"

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace cairn::boot {
namespace {

std::unique_ptr<Options> parse(std::string_view text) {
    auto options = std::make_unique<Options>();
    options->parse(text);
    return options;
}

std::string words_of(const Options& options) {
    std::string all;
    for (const InitWord& word : options.init_words()) {
        all += word.kind == InitWord::Kind::Environment ? "E:" : "A:";
        all += std::string(word.text) + "|";
    }
    return all;
}

TEST(BootOptions, HaveDefaults) {
    auto options = parse("");
    EXPECT_EQ(options->log_level, 7u);
    EXPECT_EQ(options->panic_timeout, 0);
    EXPECT_EQ(options->max_cpus, ~0u);
    EXPECT_EQ(options->stress_seconds, 0u);
    EXPECT_EQ(options->fail_nth, 0u);
    EXPECT_EQ(options->after_boot, AfterBoot::RunInit);
    EXPECT_EQ(options->crash, Crash::None);
    EXPECT_TRUE(options->init_words().empty());
}

TEST(BootOptions, AreRead) {
    auto options =
        parse("  loglevel=8\tpanic=30 maxcpus=4\nstress=60 fail_nth=18446744073709551615 poweroff crash=stack ");
    EXPECT_EQ(options->log_level, 8u);
    EXPECT_EQ(options->panic_timeout, 30);
    EXPECT_EQ(options->max_cpus, 4u);
    EXPECT_EQ(options->stress_seconds, 60u);
    EXPECT_EQ(options->fail_nth, ~u64{0});
    EXPECT_EQ(options->after_boot, AfterBoot::PowerOff);
    EXPECT_EQ(options->crash, Crash::Stack);
    EXPECT_TRUE(options->init_words().empty());
}

TEST(BootOptions, WordsWithoutValue) {
    EXPECT_EQ(parse("quiet")->log_level, 4u);
    EXPECT_EQ(parse("maxcpus=8 nosmp")->max_cpus, 1u);
    EXPECT_FALSE(parse("")->no_autogroup);
    EXPECT_TRUE(parse("noautogroup")->no_autogroup);
    EXPECT_EQ(parse("halt")->after_boot, AfterBoot::Halt);
    EXPECT_EQ(parse("halt reboot")->after_boot, AfterBoot::Reboot);
    EXPECT_EQ(parse("crash=null")->crash, Crash::Null);
    EXPECT_EQ(parse("crash=assert")->crash, Crash::Assert);
    EXPECT_EQ(parse("crash=deadlock")->crash, Crash::Deadlock);
}

TEST(BootOptions, TheLastOneCounts) {
    EXPECT_EQ(parse("loglevel=1 quiet loglevel=2")->log_level, 2u);
}

TEST(BootOptions, PanicMayBeNegative) {
    EXPECT_EQ(parse("panic=-1")->panic_timeout, -1);
    EXPECT_EQ(parse("panic=-")->panic_timeout, 0);
    EXPECT_EQ(parse("panic=99999999999")->panic_timeout, 0);
}

TEST(BootOptions, BadValuesAreIgnored) {
    for (const char* text : {"loglevel=9", "loglevel=", "loglevel", "loglevel=-1", "loglevel=7x", "maxcpus=0",
                             "maxcpus=4294967296", "stress=99999999999999999999999", "fail_nth=0",
                             "fail_nth=18446744073709551616", "crash=burn", "crash", "quiet=1", "nosmp=no"}) {
        auto options = parse(text);
        EXPECT_EQ(options->log_level, 7u) << text;
        EXPECT_EQ(options->max_cpus, ~0u) << text;
        EXPECT_EQ(options->stress_seconds, 0u) << text;
        EXPECT_EQ(options->fail_nth, 0u) << text;
        EXPECT_EQ(options->crash, Crash::None) << text;
        EXPECT_TRUE(options->init_words().empty()) << text;
    }
}

TEST(BootOptions, UnknownWordsAreForInitInOrder) {
    auto options = parse("single HOME=/root loglevel=8 BOOT_IMAGE=/cairn 5 a=b=c =x");
    EXPECT_EQ(words_of(*options), "A:single|E:HOME=/root|E:BOOT_IMAGE=/cairn|A:5|E:a=b=c|E:=x|");
}

TEST(BootOptions, TwoDashesEndTheOptions) {
    auto options = parse("nosmp -- loglevel=8 -- x");
    EXPECT_EQ(options->log_level, 7u);
    EXPECT_EQ(words_of(*options), "A:loglevel=8|A:--|A:x|");
}

TEST(BootOptions, QuotesHoldSpacesAndVanish) {
    auto options = parse("name=\"two words\" \"other=three more words\" \"loglevel\"=3 \"\" un\"ended x");
    EXPECT_EQ(options->log_level, 3u);
    EXPECT_EQ(words_of(*options), "E:name=two words|E:other=three more words|A:|A:unended x|");
}

TEST(BootOptions, KeepTheirTextAfterTheCommandLineIsGone) {
    auto text = std::make_unique<std::string>("init_word");
    auto options = parse(*text);
    text.reset();
    EXPECT_EQ(words_of(*options), "A:init_word|");
}

TEST(BootOptions, AreBounded) {
    std::string many;
    for (int i = 0; i < 100; ++i) {
        many += "w" + std::to_string(i) + " ";
    }
    EXPECT_EQ(parse(many)->init_words().size(), Options::kMaxInitWords);
    auto options = parse(std::string(5000, 'x'));
    ASSERT_EQ(options->init_words().size(), 1u);
    EXPECT_EQ(options->init_words()[0].text.size(), Options::kMaxText);
}

/// docs/boot-options.md has exactly one row for each option, with the table's words.
TEST(BootOptions, AreDocumented) {
    std::ifstream file(CAIRN_SOURCE_FOLDER "/docs/boot-options.md");
    std::stringstream stream;
    stream << file.rdbuf();
    std::string page = stream.str();
    ASSERT_FALSE(page.empty());
    usize rows = 0;
    for (usize i = 0; i < option_count(); ++i) {
        OptionHelp option = option_help(i);
        std::string spelling = std::string(option.name);
        if (!option.value.empty()) {
            spelling += "=" + std::string(option.value);
        }
        std::string row = "\n| `" + spelling + "` | " + std::string(option.help) + " |\n";
        EXPECT_NE(page.find(row), std::string::npos) << row;
        ++rows;
    }
    usize documented = 0;
    for (usize at = page.find("\n| `"); at != std::string::npos; at = page.find("\n| `", at + 1)) {
        ++documented;
    }
    EXPECT_EQ(documented, rows);
}

TEST(BootOptions, ConsoleByItsAddress) {
    Options options;
    options.parse("console=uart8250,io,0x2f0,9600n8");
    EXPECT_EQ(options.consoles.address, (arch::GenericAddress{1, 8, 0x2f0}));
    EXPECT_EQ(options.consoles.baud, 9600u);
    EXPECT_TRUE(options.consoles.serial_named);
    for (const char* wrong : {"console=uart8250,io,3f8", "console=uart8250,io,0x10000", "console=uart,mmio32,0x",
                              "console=uart,mmio,0x12345678901234", "console=uart8250,pio,0x3f8", "console=uart,io,0x0",
                              "console=uart8250,io,0x3f8,"}) {
        Options other;
        other.parse(wrong);
        EXPECT_EQ(other.consoles, ConsoleChoices{}) << wrong;
    }
    Options memory;
    memory.parse("console=uart,mmio32,0xFE030000");
    EXPECT_EQ(memory.consoles.address, (arch::GenericAddress{0, 32, 0xfe030000}));
}

}  // namespace
}  // namespace cairn::boot
