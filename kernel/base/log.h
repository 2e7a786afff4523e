#pragma once
/// The kernel's log: a ring of records with level, time and CPU, read by `dmesg` and shown on
/// the consoles. Writing never blocks, never allocates and is legal in every context, NMI
/// included; when the ring is full the oldest records go. See docs/log.md.
///
///     log_info("mm", "{} MiB usable", mib);

#include "kernel/base/format.h"
#include "kernel/base/types.h"

namespace cairn {

/// The levels of syslog(2), most urgent first.
enum class LogLevel : u8 { Emergency, Alert, Critical, Error, Warning, Notice, Info, Debug };

/// `subsystem` is a short word that the reader can grep for ("mm", "acpi").
void log_write(LogLevel level, std::string_view subsystem, std::string_view text);

/// Longest text of one record in bytes; more is cut.
constexpr usize kLogTextLimit = 240;

template <typename... Arguments>
void log(LogLevel level, std::string_view subsystem, FormatString<std::type_identity_t<Arguments>...> format,
         const Arguments&... arguments) {
    char storage[kLogTextLimit];
    TextBuffer buffer{std::span(storage)};
    format_to(buffer, format, arguments...);
    log_write(level, subsystem, buffer.view());
}

#define CAIRN_LOG_FUNCTION(name, level)                                                             \
    template <typename... Arguments>                                                                \
    void name(std::string_view subsystem, FormatString<std::type_identity_t<Arguments>...> format,  \
              const Arguments&... arguments) {                                                      \
        log(level, subsystem, format, arguments...);                                                \
    }
CAIRN_LOG_FUNCTION(log_error, LogLevel::Error)
CAIRN_LOG_FUNCTION(log_warning, LogLevel::Warning)
CAIRN_LOG_FUNCTION(log_notice, LogLevel::Notice)
CAIRN_LOG_FUNCTION(log_info, LogLevel::Info)
CAIRN_LOG_FUNCTION(log_debug, LogLevel::Debug)
#undef CAIRN_LOG_FUNCTION

}  // namespace cairn
