/// What the kernel prints: kept for the report of a failed run, and shown at once in a traced run
/// and outside simulations.

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "arch/host/simulator.h"

namespace cairn::arch::host {

namespace {

/// The end of the output of this run; a ring, because fibers have little stack and no business
/// in malloc.
constexpr usize kSize = 16 * kKiB;
constinit char ring[kSize] = {};
constinit u64 written = 0;
constinit bool mirrored = false;

void write_to_stderr(std::string_view text) {
    while (!text.empty()) {
        ssize_t done = write(STDERR_FILENO, text.data(), text.size());
        if (done <= 0) {
            return;
        }
        text.remove_prefix(static_cast<usize>(done));
    }
}

}  // namespace

void console_clear() {
    written = 0;
}
void console_mirror_to_stderr(bool enabled) {
    mirrored = enabled;
}

void console_write(std::string_view text) {
    if (mirrored || !g_current.simulating) {
        write_to_stderr(text);
    }
    if (!g_current.simulating) {
        return;
    }
    for (char c : text) {
        ring[written++ % kSize] = c;
    }
}

std::string console_tail() {
    std::string text;
    for (u64 i = written - std::min<u64>(written, kSize); i < written; ++i) {
        text.push_back(ring[i % kSize]);
    }
    return text;
}

std::string_view last_panic() {
    static constinit char line[256] = {};
    constexpr std::string_view kMark = "panic: ";
    u64 start = written - std::min<u64>(written, kSize);
    u64 found = CpuState::kNone;
    usize matched = 0;
    for (u64 i = start; i < written; ++i) {
        char c = ring[i % kSize];
        matched = c == kMark[matched] ? matched + 1 : (c == kMark[0] ? 1 : 0);
        if (matched == kMark.size()) {
            found = i + 1;
            break;
        }
    }
    if (found == CpuState::kNone) {
        return "a CPU parked without a panic";
    }
    usize length = 0;
    for (; found < written && ring[found % kSize] != '\n' && length < sizeof line; ++found) {
        line[length++] = ring[found % kSize];
    }
    return {line, length};
}

}  // namespace cairn::arch::host
