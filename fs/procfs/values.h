#pragma once
/// Values in the forms that files of procfs share.

#include "fs/procfs/text.h"
#include "kernel/base/atomic.h"

namespace cairn::procfs {

/// Clock ticks as programs count them: USER_HZ (sysconf(3), _SC_CLK_TCK) is 100.
constexpr u64 ticks(Nanoseconds time) {
    constexpr u64 kTick = 10'000'000;
    return time.value / kTick;
}

/// A set of CPUs as "ff" or "ffffffff,ffffffff", and as "0-3,5". One digit for each four CPUs that this machine may
/// have.
void show_cpu_mask(Text& text, u64 cpus);
void show_cpu_list(Text& text, u64 cpus);

/// A number as written to a file, with blanks and a newline around it. EINVAL, ERANGE is EINVAL too.
Result<i64> parse_integer(std::string_view text);
/// Numbers that root may change, each within bounds: a file of /proc/sys shows one or several.
struct Settings {
    Atomic<u64>* values;
    const u64* most;
    u64 least = 0;
    u32 count = 1;
};
void show_settings(Text& text, const Settings& settings);
/// As many as are written; those before one that is refused have changed. EINVAL.
Result<void> store_settings(std::string_view text, const Settings& settings);
/// Without blanks and newlines at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace cairn::procfs
