#include "kernel/base/log_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace cairn {
namespace {

using Outcome = LogRing::Outcome;

class LogRingTest : public testing::Test {
protected:
    u64 write(std::string_view text) {
        LogRecord record;
        record.set("test", text);
        ring->write(record);
        return record.sequence;
    }
    /// Writes so many records that the next one falls into the slot of the one before them.
    void go_round() {
        for (usize i = 1; i < LogRing::kRecords; ++i) {
            write("filler");
        }
    }
    Outcome read(u64 sequence) { return ring->read(sequence, found); }

    std::unique_ptr<LogRing> ring = std::make_unique<LogRing>();
    LogRecord found;
};

TEST_F(LogRingTest, KeepsEverythingOfARecord) {
    LogRecord record;
    record.time = {123456789};
    record.level = LogLevel::Warning;
    record.cpu = {17};
    record.set("mm", "out of frames");
    ring->write(record);
    ASSERT_EQ(read(0), Outcome::Record);
    EXPECT_EQ(found.sequence, 0u);
    EXPECT_EQ(found.time.value, 123456789u);
    EXPECT_EQ(found.level, LogLevel::Warning);
    EXPECT_EQ(found.cpu.value, 17u);
    EXPECT_EQ(found.subsystem(), "mm");
    EXPECT_EQ(found.text(), "out of frames");
}

TEST_F(LogRingTest, CutsAndCleansText) {
    LogRecord record;
    record.set(std::string(40, 's'), std::string(500, 't'));
    EXPECT_EQ(record.subsystem(), std::string(kLogSubsystemLimit, 's'));
    EXPECT_EQ(record.text(), std::string(kLogTextLimit, 't'));
    record.set("", "a\nb\tc\x1b[2J\x7f\xc3\xa4");
    EXPECT_EQ(record.text(), "a?b\tc?[2J?\xc3\xa4");
}

TEST_F(LogRingTest, WrapsAndOverwritesTheOldest) {
    for (usize i = 0; i < LogRing::kRecords + 10; ++i) {
        EXPECT_EQ(write("record " + std::to_string(i)), i);
    }
    EXPECT_EQ(ring->oldest(), 10u);
    EXPECT_EQ(read(9), Outcome::Lost);
    ASSERT_EQ(read(10), Outcome::Record);
    EXPECT_EQ(found.text(), "record 10");
    ASSERT_EQ(read(LogRing::kRecords + 9), Outcome::Record);
    EXPECT_EQ(read(LogRing::kRecords + 10), Outcome::Pending);
}

TEST_F(LogRingTest, AnUnfinishedRecordIsPendingAndDoesNotHideLaterOnes) {
    u64 interrupted = ring->reserve();
    EXPECT_EQ(read(interrupted), Outcome::Pending);
    ASSERT_TRUE(ring->begin(interrupted));
    EXPECT_EQ(read(interrupted), Outcome::Pending);
    u64 nested = write("from an NMI");
    ASSERT_EQ(read(nested), Outcome::Record);
    LogRecord record;
    record.set("test", "interrupted");
    ring->fill(interrupted, record);
    EXPECT_EQ(read(interrupted), Outcome::Pending);
    ring->commit(interrupted);
    ASSERT_EQ(read(interrupted), Outcome::Record);
    EXPECT_EQ(found.text(), "interrupted");
}

TEST_F(LogRingTest, AWriterThatMeetsAnEarlierOneGivesUp) {
    u64 slow = ring->reserve();
    ASSERT_TRUE(ring->begin(slow));
    go_round();
    u64 second = write("second");  // the same slot: poisoned
    ASSERT_EQ(second, slow + LogRing::kRecords);
    EXPECT_EQ(read(slow), Outcome::Lost);
    EXPECT_EQ(read(second), Outcome::Lost);
    go_round();
    u64 third = write("third");  // still poisoned
    EXPECT_EQ(read(third), Outcome::Lost);
    ring->fill(slow, LogRecord{});
    ring->commit(slow);  // frees the slot, publishes nothing
    EXPECT_EQ(read(slow), Outcome::Lost);
    EXPECT_EQ(read(third), Outcome::Lost);
    go_round();
    u64 fourth = write("fourth");
    ASSERT_EQ(read(fourth), Outcome::Record);
    EXPECT_EQ(found.text(), "fourth");
}

TEST_F(LogRingTest, AWriterThatWasOvertakenBeforeItBeganGivesUp) {
    u64 slow = ring->reserve();
    go_round();
    u64 later = write("later");
    EXPECT_FALSE(ring->begin(slow));
    EXPECT_EQ(read(slow), Outcome::Lost);
    ASSERT_EQ(read(later), Outcome::Record);
    EXPECT_EQ(found.text(), "later");
}

TEST_F(LogRingTest, ResetForgets) {
    write("a");
    write("b");
    ring->reset();
    EXPECT_EQ(ring->next(), 0u);
    EXPECT_EQ(read(0), Outcome::Pending);
    EXPECT_EQ(write("c"), 0u);
    ASSERT_EQ(read(0), Outcome::Record);
    EXPECT_EQ(found.text(), "c");
}

/// Real threads: a reader either sees all of a record or none of it.
TEST_F(LogRingTest, NoRecordIsTorn) {
    constexpr int kWriters = 3;
    constexpr u64 kEach = 20000;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
        writers.emplace_back([&, writer] {
            for (u64 i = 0; i < kEach; ++i) {
                LogRecord record;
                record.time = {i};
                record.set("test",
                           std::string(1 + i % 200, static_cast<char>('a' + (i + static_cast<u64>(writer)) % 26)));
                ring->write(record);
            }
        });
    }
    u64 seen = 0;
    u64 lost = 0;
    for (u64 sequence = 0; sequence < kWriters * kEach;) {
        LogRecord record;
        Outcome outcome = ring->read(sequence, record);
        if (outcome == Outcome::Pending) {
            std::this_thread::yield();
            continue;
        }
        ++sequence;
        if (outcome == Outcome::Lost) {
            ++lost;
            continue;
        }
        ++seen;
        ASSERT_EQ(record.text().size(), 1 + record.time.value % 200);
        ASSERT_EQ(record.text(), std::string(record.text().size(), record.text()[0]));
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    EXPECT_EQ(seen + lost, kWriters * kEach);
    EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace cairn
