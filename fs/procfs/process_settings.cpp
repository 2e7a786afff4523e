/// The small files of a process: its name, limits, and what may be set about it.

#include <algorithm>

#include "fs/procfs/process_files.h"
#include "fs/procfs/values.h"

namespace cairn::procfs {

namespace {

std::string_view name_of(const ProcessFigures& figures) {
    std::string_view name(figures.name, sizeof figures.name);
    return name.substr(0, name.find('\0'));
}

}  // namespace

// --- comm ------------------------------------------------------------------------------------------------------------

Result<void> show_name(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.append(name_of(figures));
    text.append('\n');
    return {};
}

/// prctl(2), PR_SET_NAME, for any thread of the caller's process.
Result<void> store_name(Request& request, std::string_view text) {
    if (Request::processes().caller().process != request.id().process) {
        return fail(Errno::einval);
    }
    constexpr usize kLongest = sizeof ProcessFigures::name - 1;
    return Request::processes().set_name(request.id(), text.substr(0, kLongest));
}

// --- limits
// ------------------------------------------------------------------------------------------------------------

/// proc_pid_limits(5)
Result<void> show_limits(Request& request, Text& text) {
    struct Row {
        std::string_view name, unit;
    };
    constexpr Row kRows[kLimits] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };
    const auto show_value = [&](u64 value) {
        constexpr usize kWidth = 21;
        const usize start = text.size();
        if (value == ~u64{0}) {
            text.append("unlimited");
        } else {
            text.format("{}", value);
        }
        text.pad(start, kWidth - 1);
        text.append(' ');
    };
    text.append("Limit                     Soft Limit           Hard Limit           Units     \n");
    for (u32 which = 0; which < kLimits; ++which) {
        const LimitPair limit = TRY(Request::processes().limit(request.id(), which));
        const usize start = text.size();
        text.append(kRows[which].name);
        text.pad(start, 26);
        show_value(limit.soft);
        show_value(limit.hard);
        const usize unit = text.size();
        text.append(kRows[which].unit);
        text.pad(unit, 10);
        text.append('\n');
    }
    return {};
}

// --- oom_score and what changes it
// -------------------------------------------------------------------------------------

Result<void> show_oom_score(Request& request, Text& text) {
    text.format("{}\n", TRY(Request::processes().oom_score(request.id())));
    return {};
}

Result<void> show_oom_score_adjust(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("{}\n", figures.oom_score_adjust);
    return {};
}

Result<void> store_oom_score_adjust(Request& request, std::string_view text) {
    constexpr i64 kMost = 1000;
    const i64 value = TRY(parse_integer(text));
    if (value < -kMost || value > kMost) {
        return fail(Errno::einval);
    }
    return Request::processes().set_oom_score_adjust(request.id(), static_cast<i32>(value));
}

namespace {
/// The older file's scale: -17 (never) … 15.
constexpr i32 kOomDisable = -17;
constexpr i32 kOomMost = 15;
constexpr i32 kOomScale = 1000;
}  // namespace

Result<void> show_oom_adjust(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    const i32 score = figures.oom_score_adjust;
    text.format("{}\n", std::min(score == kOomScale ? kOomMost : score * -kOomDisable / kOomScale, kOomMost));
    return {};
}

Result<void> store_oom_adjust(Request& request, std::string_view text) {
    const i64 value = TRY(parse_integer(text));
    if (value < kOomDisable || value > kOomMost) {
        return fail(Errno::einval);
    }
    const i32 score = value == kOomMost ? kOomScale : static_cast<i32>(value) * kOomScale / -kOomDisable;
    return Request::processes().set_oom_score_adjust(request.id(), score);
}

// --- Others
// ------------------------------------------------------------------------------------------------------------

Result<void> show_personality(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("{:08x}\n", figures.personality);
    return {};
}

}  // namespace cairn::procfs
