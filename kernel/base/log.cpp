/// The log's state and the way from the ring to the consoles.
///
/// The state below is the one mutable global besides g_kernel: the log has to work before anything
/// was built, after everything broke, and in an NMI in between. reset_log() makes it as new.

#include "kernel/base/log.h"

#include "arch/arch.h"
#include "kernel/base/console_level.h"
#include "kernel/base/kernel.h"

namespace cairn {

namespace {

constexpr usize kMaxConsoles = 8;

struct LogConsoles {
    Atomic<u32> printing{0};  // the console lock; only ever tried, never waited for
    Atomic<u64> position{0};  // next record to show; written by who holds `printing`
    Atomic<u32> level{kDefaultConsoleLevel};
    Atomic<const ConsoleSink*> sinks[kMaxConsoles] = {Atomic<const ConsoleSink*>{&kEarlyConsole}};
};

// Apart, so that the ring is all zero and takes no room in the image.
constinit LogRing g_ring;
constinit LogConsoles g_consoles;

void write_early(const ConsoleSink&, std::string_view text) {
    arch::early_console_write(text);
}

}  // namespace

constinit const ConsoleSink kEarlyConsole = {&write_early};

namespace {

/// "[    1.234567] mm: text\n"
void show(const LogRecord& record) {
    char storage[kLogSubsystemLimit + kLogTextLimit + 40];
    TextBuffer line{std::span(storage)};
    u64 microseconds = record.time.value / 1000;
    format_to(line, "[{:5}.{:06}] ", microseconds / 1'000'000, microseconds % 1'000'000);
    if (!record.subsystem().empty()) {
        format_to(line, "{}: ", record.subsystem());
    }
    format_to(line, "{}\n", record.text());
    write_to_consoles(line.view());
}

void show_lost(u64 count) {
    char storage[64];
    TextBuffer line{std::span(storage)};
    format_to(line, "[ {} lines of the log were not shown ]\n", count);
    write_to_consoles(line.view());
}

enum class WhenPending : u8 { Stop, Skip };

/// Shows what can be shown. The caller holds `printing`, or is panicking.
void drain(WhenPending when_pending) {
    LogReader reader(g_consoles.position.load(Order::relaxed));
    LogRecord record;
    u64 lost_shown = 0;
    while (true) {
        bool found = reader.read(record);
        bool pending = !found && reader.position() < g_ring.next();
        if (pending && when_pending == WhenPending::Skip) {
            reader.skip();
            continue;
        }
        // Before showing it: if a console panics on a record, the panic does not repeat it.
        g_consoles.position.store(reader.position(), Order::relaxed);
        if (reader.lost() != lost_shown) {
            show_lost(reader.lost() - lost_shown);
            lost_shown = reader.lost();
        }
        if (!found) {
            return;  // empty; or pending, and its writer shows it once it is done
        }
        if (static_cast<u32>(record.level) < g_consoles.level.load(Order::relaxed)) {
            show(record);
        }
    }
}

/// Whether the next record for the consoles is there.
bool more_to_show() {
    LogRecord record;
    u64 position = g_consoles.position.load(Order::relaxed);
    return position < g_ring.next() && g_ring.read(position, record) != LogRing::Outcome::Pending;
}

/// Whoever gets `printing` shows everything, also what others add meanwhile. Who does not get it
/// may leave: its record was committed before it tried, and the holder looks again after letting
/// go. The fences keep both from missing each other.
void show_new_records() {
    full_fence();
    while (more_to_show() && g_consoles.printing.exchange(1, Order::acquire) == 0) {
        drain(WhenPending::Stop);
        g_consoles.printing.store(0, Order::release);
        full_fence();
    }
}

}  // namespace

void log_formatted(LogLevel level, std::string_view subsystem, std::string_view format,
                   std::span<const FormatArgument> arguments) {
    char storage[kLogTextLimit];
    TextBuffer buffer{std::span(storage)};
    format_arguments_to(buffer, format, arguments);
    log_write(level, subsystem, buffer.view());
}

void log_write(LogLevel level, std::string_view subsystem, std::string_view text) {
    LogRecord record;
    record.level = level;
    record.time = arch::monotonic_now();
    const PerCpu* cpu = find_this_cpu();
    record.cpu = cpu == nullptr ? CpuIndex{} : cpu->index;
    record.set(subsystem, text);
    g_ring.write(record);
    show_new_records();
}

LogReader::LogReader() : position_(g_ring.oldest()) {}

bool LogReader::read(LogRecord& out) {
    while (position_ < g_ring.next()) {
        u64 oldest = g_ring.oldest();
        if (position_ < oldest) {
            lost_ += oldest - position_;
            position_ = oldest;
        }
        LogRing::Outcome outcome = g_ring.read(position_, out);
        if (outcome == LogRing::Outcome::Pending) {
            return false;
        }
        ++position_;
        if (outcome == LogRing::Outcome::Record) {
            return true;
        }
        ++lost_;
    }
    return false;
}

Result<void> add_console(const ConsoleSink& sink) {
    for (Atomic<const ConsoleSink*>& place : g_consoles.sinks) {
        const ConsoleSink* none = nullptr;
        if (place.compare_exchange(none, &sink, Order::release, Order::relaxed)) {
            return {};
        }
    }
    return fail(Errno::enospc);
}

void remove_console(const ConsoleSink& sink) {
    for (Atomic<const ConsoleSink*>& place : g_consoles.sinks) {
        const ConsoleSink* expected = &sink;
        place.compare_exchange(expected, nullptr, Order::relaxed, Order::relaxed);
    }
}

void set_console_level(u32 limit) {
    g_consoles.level.store(limit, Order::relaxed);
}

u32 console_level() {
    return g_consoles.level.load(Order::relaxed);
}

bool show_rest_of_log() {
    show_new_records();
    // Whoever holds `printing` may be in the middle of the last record.
    return !more_to_show() && g_consoles.printing.load(Order::acquire) == 0;
}

void flush_log_for_panic() {
    // Never given back: from here on only the panicking CPU prints.
    g_consoles.printing.store(1, Order::relaxed);
    drain(WhenPending::Skip);
}

void write_to_consoles(std::string_view text) {
    for (const Atomic<const ConsoleSink*>& place : g_consoles.sinks) {
        const ConsoleSink* sink = place.load(Order::acquire);
        if (sink != nullptr) {
            sink->write(*sink, text);
        }
    }
}

void reset_log() {
    g_ring.reset();
    g_consoles.printing.store(0, Order::relaxed);
    g_consoles.position.store(0, Order::relaxed);
    g_consoles.level.store(kDefaultConsoleLevel, Order::relaxed);
    for (usize i = 0; i < kMaxConsoles; ++i) {
        g_consoles.sinks[i].store(i == 0 ? &kEarlyConsole : nullptr, Order::relaxed);
    }
}

}  // namespace cairn
