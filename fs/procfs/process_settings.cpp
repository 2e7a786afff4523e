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

// --- limits ------------------------------------------------------------------------------------------------------

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
        text.pad(unit, kRows[which].unit.empty() ? 0 : 10);
        text.append('\n');
    }
    return {};
}

// --- oom_score and what changes it -------------------------------------------------------------------------------

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

/// Empty for a process in no group, and then no weight can be set (EINVAL).
Result<void> show_autogroup(Request& request, Text& text) {
    if (const std::optional<Autogroup> group = TRY(Request::processes().autogroup(request.id()))) {
        text.format("/autogroup-{} nice {}\n", group->id, group->nice);
    }
    return {};
}

Result<void> store_autogroup(Request& request, std::string_view text) {
    constexpr usize kMost = 12;  // what Linux looks at
    const i64 nice = TRY(parse_integer(text.substr(0, kMost)));
    constexpr i64 kFarOut = 1000;
    return Request::processes().set_autogroup_nice(request.id(), static_cast<i32>(std::clamp(nice, -kFarOut, kFarOut)));
}

// --- Others ------------------------------------------------------------------------------------------------------

Result<void> show_personality(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("{:08x}\n", figures.personality);
    return {};
}

/// pam_loginuid(8): who logged in, and the number of the log-in. No newline, as on Linux.
Result<void> show_login_user(Request& request, Text& text) {
    text.format("{}", TRY(Request::processes().figures(request.id())).login_user);
    return {};
}

Result<void> store_login_user(Request& request, std::string_view text) {
    const i64 user = TRY(parse_integer(text));
    if (user < 0) {
        return fail(Errno::einval);
    }
    return user > kNobody ? fail(Errno::erange)
                          : Request::processes().set_login_user(request.id(), static_cast<u32>(user));
}

Result<void> show_login_session(Request& request, Text& text) {
    text.format("{}", TRY(Request::processes().figures(request.id())).login_session);
    return {};
}

/// cgroups(7): the one group there is, of the unified hierarchy.
Result<void> show_control_groups(Request&, Text& text) {
    text.append("0::/\n");
    return {};
}

/// user_namespaces(7): every id is itself.
Result<void> show_identity_map(Request&, Text& text) {
    text.format("{:10} {:10} {:10}\n", 0u, 0u, ~u32{0});
    return {};
}

Result<void> show_set_groups(Request&, Text& text) {
    text.append("allow\n");
    return {};
}

/// Nobody tells where in the kernel a thread sleeps.
Result<void> show_wait_channel(Request&, Text& text) {
    text.append('0');
    return {};
}

Result<void> show_timer_slack(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("{}\n", figures.timer_slack);
    return {};
}

/// Time on the CPU, time waiting for one (not counted), turns.
Result<void> show_schedule_statistics(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("{} 0 {}\n", figures.run_nanoseconds, figures.voluntary_switches + figures.involuntary_switches);
    return {};
}

/// Documentation/scheduler/sched-debug: the part that is the same for every scheduler.
Result<void> show_schedule(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    constexpr usize kNameColumn = 45;
    const auto name = [&](std::string_view label) {
        const usize start = text.size();
        text.append(label);
        text.pad(start, kNameColumn);
        text.append(':');
    };
    const auto number = [&](std::string_view label, u64 value) {
        name(label);
        text.format("{:21}\n", value);
    };
    text.format("{} ({}, #threads: {})\n", name_of(figures), figures.thread, figures.threads);
    text.append("-------------------------------------------------------------------\n");
    constexpr u64 kMillisecond = 1'000'000;
    name("se.sum_exec_runtime");
    text.format("{:14}.{:06}\n", figures.run_nanoseconds / kMillisecond, figures.run_nanoseconds % kMillisecond);
    number("se.nr_migrations", figures.migrations);
    number("nr_switches", figures.voluntary_switches + figures.involuntary_switches);
    number("nr_voluntary_switches", figures.voluntary_switches);
    number("nr_involuntary_switches", figures.involuntary_switches);
    number("policy", figures.policy);
    constexpr i32 kBase = 100;
    number("prio", static_cast<u64>(figures.priority + kBase));
    return {};
}

/// proc_pid_io(5). Nothing goes to a disk.
Result<void> show_transfers(Request& request, Text& text) {
    const ProcessFigures figures = TRY(Request::processes().figures(request.id()));
    text.format("rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
                figures.bytes_read, figures.bytes_written, figures.reads, figures.writes);
    return {};
}

/// /proc/PID/task/TID/children
Result<void> show_children(Request& request, Text& text) {
    ProcessInformation& processes = Request::processes();
    for (i32 id = processes.next_child(request.id(), 1); id != 0; id = processes.next_child(request.id(), id + 1)) {
        text.format("{} ", id);
    }
    return {};
}

}  // namespace cairn::procfs
