#pragma once
/// LogRing: a fixed ring of log records that any context of any CPU may write, NMI included,
/// without waiting for anybody. See docs/log.md for the argument why no reader sees a torn record.
///
/// Each record has a sequence number; the record with number n lives in slot n modulo kRecords. A
/// slot's stamp says which record it is about and how far that is:
///
///     Writing    its writer fills it in
///     Committed  readable until a later record claims the slot
///     Lost       the record was given up; the slot is free
///     Poisoned   the record was given up, and a writer of an earlier one is still in the slot
///
/// A writer never waits for the slot's earlier writer (which may be the context it interrupted):
/// it poisons the slot and gives up its own record; the earlier writer then finds its record
/// overtaken and frees the slot. It takes a full round of the ring during one write to get there.

#include <atomic>
#include <cstddef>
#include <string_view>

#include "kernel/base/atomic.h"
#include "kernel/base/cpu_set.h"
#include "kernel/base/types.h"

namespace cairn {

/// The levels of syslog(2), most urgent first.
enum class LogLevel : u8 { Emergency, Alert, Critical, Error, Warning, Notice, Info, Debug };

/// Longest subsystem name and longest text of one record in bytes; more is cut.
constexpr usize kLogSubsystemLimit = 16;
constexpr usize kLogTextLimit = 216;

/// A record, copied out of the ring.
class LogRecord {
public:
    u64 sequence = 0;
    Nanoseconds time;
    LogLevel level = LogLevel::Emergency;
    CpuIndex cpu;
    std::string_view subsystem() const { return {characters_, subsystem_size_}; }
    std::string_view text() const { return {characters_ + subsystem_size_, text_size_}; }

    /// Control characters become '?', so that a record is one line and cannot steer a terminal.
    void set(std::string_view subsystem, std::string_view text);

private:
    friend class LogRing;
    u8 subsystem_size_ = 0;
    u8 text_size_ = 0;
    char characters_[kLogSubsystemLimit + kLogTextLimit] = {};
};

class LogRing {
public:
    /// 512 records of 256 bytes are 128 KiB, what Linux reserves by default: a start-up with an EFI
    /// memory map and 32 CPUs fits, and it is below 1 % of the smallest machine (16 MiB).
    static constexpr usize kRecords = 512;

    /// Takes the next sequence number. Everything else about the record may come later.
    u64 reserve() { return next_.fetch_add(1, Order::relaxed); }
    /// Claims the slot of a reserved record; false when the record is given up.
    [[nodiscard]] bool begin(u64 sequence);
    /// Copies the record into its claimed slot.
    void fill(u64 sequence, const LogRecord& record);
    /// Makes the record readable.
    void commit(u64 sequence);

    /// reserve, begin, fill and commit; sets `record.sequence`. Never blocks.
    void write(LogRecord& record);

    enum class Outcome : u8 {
        Record,   // `out` holds it
        Pending,  // not written yet, or still being written
        Lost,     // overwritten or given up
    };
    Outcome read(u64 sequence, LogRecord& out) const;

    /// The number that the next record will get: how many were ever reserved.
    u64 next() const { return next_.load(Order::acquire); }
    /// The oldest record that may still be there.
    u64 oldest() const {
        u64 end = next();
        return end > kRecords ? end - kRecords : 0;
    }
    /// Forgets everything. Nobody else uses the ring.
    void reset();

private:
    // Stamp: (sequence + 1) * 4 + state, so that the initial zero is older than every record.
    enum State : u64 { kWriting, kCommitted, kLost, kPoisoned };
    static constexpr u64 stamp_of(u64 sequence, State state) { return (sequence + 1) * 4 + state; }
    static constexpr State state_of(u64 stamp) { return static_cast<State>(stamp % 4); }
    static constexpr bool in_use(u64 stamp) {
        return stamp >= 4 && (state_of(stamp) == kWriting || state_of(stamp) == kPoisoned);
    }

    static constexpr usize kWords = 31;
    struct Slot {
        Atomic<u64> stamp;
        // Read and written concurrently (a reader then throws its copy away), hence atomic; plain
        // std::atomic, because the words of one record need no scheduling points between them.
        std::atomic<u64> words[kWords];
    };
    static_assert(sizeof(Slot) == 256);
    /// How a record lies in the words of a slot.
    struct Image {
        u64 time;
        u16 cpu;
        LogLevel level;
        u8 subsystem_size;
        u8 text_size;
        char characters[kLogSubsystemLimit + kLogTextLimit];
    };
    static_assert(sizeof(Image) <= kWords * sizeof(u64));

    Atomic<u64> next_{0};
    Slot slots_[kRecords];
};

}  // namespace cairn
