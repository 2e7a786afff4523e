#pragma once
/// The kernel's log: a ring of records with level, time and CPU, read by `dmesg` and shown on
/// the consoles. Writing never blocks, never allocates and is legal in every context, NMI
/// included; when the ring is full the oldest records go. See docs/log.md.
///
///     log_info("mm", "{} MiB usable", mib);

#include "kernel/base/format.h"
#include "kernel/base/log_ring.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"

namespace cairn {

/// `subsystem` is a short word that the reader can grep for ("mm", "acpi"). Adds a record and
/// shows it on the consoles, unless another context is printing just now: then that one will.
void log_write(LogLevel level, std::string_view subsystem, std::string_view text);

/// The same with a text that is made there, so that each place that logs is small.
void log_formatted(LogLevel level, std::string_view subsystem, std::string_view format,
                   std::span<const FormatArgument> arguments);

template <typename... Arguments>
void log(LogLevel level, std::string_view subsystem, FormatString<std::type_identity_t<Arguments>...> format,
         const Arguments&... arguments) {
    const FormatArgument erased[sizeof...(Arguments) + 1] = {format_argument(arguments)..., FormatArgument{}};
    log_formatted(level, subsystem, format.text, std::span(erased, sizeof...(Arguments)));
}

#define CAIRN_LOG_FUNCTION(name, level)                                                            \
    template <typename... Arguments>                                                               \
    void name(std::string_view subsystem, FormatString<std::type_identity_t<Arguments>...> format, \
              const Arguments&... arguments) {                                                     \
        log(level, subsystem, format, arguments...);                                               \
    }
CAIRN_LOG_FUNCTION(log_error, LogLevel::Error)
CAIRN_LOG_FUNCTION(log_warning, LogLevel::Warning)
CAIRN_LOG_FUNCTION(log_notice, LogLevel::Notice)
CAIRN_LOG_FUNCTION(log_info, LogLevel::Info)
CAIRN_LOG_FUNCTION(log_debug, LogLevel::Debug)
#undef CAIRN_LOG_FUNCTION

// --- Reading ------------------------------------------------------------------------------------

/// Walks through the log from its oldest record (dmesg). Readers do not disturb each other or the
/// writers; each is used by one thread.
class LogReader {
public:
    LogReader();
    explicit LogReader(u64 first_sequence) : position_(first_sequence) {}

    /// Copies the next record; false when there is none yet. Records that were overwritten before
    /// this reader came to them are skipped and counted in lost().
    bool read(LogRecord& out);
    u64 lost() const { return lost_; }
    /// Passes over the record at position(), which is not finished and never will be.
    void skip() { ++position_; }
    /// The sequence number at which read() goes on.
    u64 position() const { return position_; }

private:
    u64 position_;
    u64 lost_ = 0;
};

// --- Consoles -----------------------------------------------------------------------------------

/// Something that shows the log. `write` gets whole lines and is called by one CPU at a time, in any
/// context, perhaps with interrupts off; it polls, takes no lock and does not log. During a panic
/// it may be called while an earlier call is unfinished.
struct ConsoleSink {
    void (*write)(const ConsoleSink& self, std::string_view text);
};

/// The sink that is there from the start: arch::early_console_write.
extern const ConsoleSink kEarlyConsole;

/// Adds a sink, which then gets all further lines; ENOSPC beyond eight. `sink` lives until it is
/// removed, and after remove_console() until the line being written is done.
Result<void> add_console(const ConsoleSink& sink);
void remove_console(const ConsoleSink& sink);

/// Consoles show records whose level is numerically below `limit`, as Linux's loglevel= does: 8
/// shows everything, 7 (the default) all but Debug, 4 errors and worse, 0 nothing.
void set_console_level(u32 limit);
constexpr u32 kDefaultConsoleLevel = 7;
constexpr u32 kQuietConsoleLevel = 4;

// --- For panic and tests ------------------------------------------------------------------------

/// Shows every finished record that is not on the consoles yet, whoever is printing now. Only
/// while the other CPUs are stopped.
void flush_log_for_panic();
/// Writes to all consoles without adding a record, whoever is printing now.
void write_to_consoles(std::string_view text);
/// Empties the log and forgets added consoles and the level: the next simulated run starts as a
/// machine that was switched on. Nobody else uses the log.
void reset_log();

}  // namespace cairn
