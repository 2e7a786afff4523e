#include "kernel/base/log.h"

#include <gtest/gtest.h>

#include <string>

#include "kernel/base/rate_limit.h"

namespace cairn {
namespace {

/// What a console was shown; `during` runs inside of a write, as an interrupt would.
struct Capture : ConsoleSink {
    Capture() : ConsoleSink{&Capture::take} {}
    static void take(const ConsoleSink& self, std::string_view text) {
        auto& capture = const_cast<Capture&>(static_cast<const Capture&>(self));
        capture.text += text;
        if (void (*once)() = std::exchange(capture.during, nullptr)) {
            once();
        }
    }
    std::string text;
    void (*during)() = nullptr;
};

class LogTest : public testing::Test {
protected:
    LogTest() {
        reset_log();
        remove_console(kEarlyConsole);
        EXPECT_TRUE(add_console(console).ok());
    }
    ~LogTest() override { reset_log(); }
    Capture console;
};

TEST_F(LogTest, ShowsTimeSubsystemAndText) {
    log_info("mm", "{} MiB usable", 128);
    log_write(LogLevel::Error, "", "no subsystem");
    std::string expected_tail = "] mm: 128 MiB usable\n";
    ASSERT_GT(console.text.size(), expected_tail.size());
    EXPECT_EQ(console.text.substr(0, 1), "[");
    EXPECT_NE(console.text.find(expected_tail), std::string::npos);
    EXPECT_NE(console.text.find("] no subsystem\n"), std::string::npos);
}

TEST_F(LogTest, TheLevelLimitsTheConsolesNotTheLog) {
    log_debug("test", "not shown");
    set_console_level(8);
    log_debug("test", "debug");
    set_console_level(kQuietConsoleLevel);
    log_warning("test", "quiet");
    log_error("test", "error");
    log_notice("test", "quiet");
    EXPECT_EQ(console.text.find("not shown"), std::string::npos);
    EXPECT_EQ(console.text.find("quiet"), std::string::npos);
    EXPECT_NE(console.text.find("debug"), std::string::npos);
    EXPECT_NE(console.text.find("error"), std::string::npos);
    LogReader reader;
    LogRecord record;
    int count = 0;
    while (reader.read(record)) {
        ++count;
    }
    EXPECT_EQ(count, 5);
}

TEST_F(LogTest, ARecordWrittenWhilePrintingComesAfterwards) {
    console.during = [] { log_info("nmi", "nested"); };
    log_info("test", "outer");
    usize outer = console.text.find("outer");
    usize nested = console.text.find("nested");
    ASSERT_NE(nested, std::string::npos);
    EXPECT_LT(outer, nested);
}

TEST_F(LogTest, SaysHowManyLinesWereNotShown) {
    console.during = [] {
        for (usize i = 0; i < LogRing::kRecords + 7; ++i) {
            log_info("test", "flood {}", i);
        }
    };
    log_info("test", "first");
    EXPECT_NE(console.text.find("[ 7 lines of the log were not shown ]"), std::string::npos);
    EXPECT_NE(console.text.find("flood 518\n"), std::string::npos);
}

TEST_F(LogTest, AReaderCountsWhatItLost) {
    LogReader reader;
    for (usize i = 0; i < LogRing::kRecords + 5; ++i) {
        log_debug("test", "{}", i);
    }
    LogRecord record;
    ASSERT_TRUE(reader.read(record));
    EXPECT_EQ(reader.lost(), 5u);
    EXPECT_EQ(record.text(), "5");
    EXPECT_EQ(reader.position(), 6u);
    LogReader from_here(LogRing::kRecords + 5);
    EXPECT_FALSE(from_here.read(record));
}

TEST_F(LogTest, PanicShowsWhatAnInterruptedPrinterLeft) {
    console.during = [] {
        log_info("test", "second");  // only recorded: the interrupted context is printing
        flush_log_for_panic();       // a real one does not return to it
    };
    log_info("test", "first");
    EXPECT_NE(console.text.find("second"), std::string::npos);
}

TEST_F(LogTest, ConsolesAreAddedAndRemoved) {
    Capture others[9];
    int added = 0;
    for (Capture& other : others) {
        Result<void> result = add_console(other);
        added += result.ok();
        EXPECT_TRUE(result.ok() || result.error() == Errno::enospc);
    }
    EXPECT_EQ(added, 7);
    log_info("test", "for all");
    EXPECT_NE(others[0].text.find("for all"), std::string::npos);
    remove_console(others[0]);
    others[0].text.clear();
    log_info("test", "not for this one");
    EXPECT_EQ(others[0].text, "");
}

TEST_F(LogTest, LongTextIsCut) {
    log_info("test", "{}", std::string_view(std::string(1000, 'x')));
    EXPECT_NE(console.text.find(std::string(kLogTextLimit, 'x') + "\n"), std::string::npos);
}

TEST(RateLimit, LetsABurstThroughInEachInterval) {
    RateLimit limit(3, Nanoseconds::from_seconds(1));
    int allowed = 0;
    for (int i = 0; i < 10; ++i) {
        allowed += limit.allow(Nanoseconds::from_milliseconds(10));
    }
    EXPECT_EQ(allowed, 3);
    EXPECT_EQ(limit.take_suppressed(), 7u);
    EXPECT_EQ(limit.take_suppressed(), 0u);
    EXPECT_TRUE(limit.allow(Nanoseconds::from_seconds(2)));
}

}  // namespace
}  // namespace cairn
