#include "kernel/syscall/system.h"

#include <algorithm>

#include "drivers/input/input.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/mount.h"
#include "kernel/base/kernel.h"
#include "kernel/base/log.h"
#include "kernel/base/own.h"
#include "kernel/base/random.h"

#include "kernel/power.h"
#include "kernel/task/rseq.h"
#include "kernel/task/system_names.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "mm/system_memory.h"

namespace cairn::syscall {

using task::SystemText;
using vfs::Capability;

namespace {

void put_text(char (&field)[65], std::string_view text) {
    std::copy_n(text.data(), std::min<usize>(text.size(), 64), field);
}

void put_name(Caller& self, char (&field)[65], SystemText which) {
    char text[task::kNodeNameLimit];
    put_text(field, {text, self.task.names().get(which, text)});
}

Result<void> set_name(Caller& self, SystemText which, UserIn<char> name, i32 length) {
    if (!self.credentials().has(Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    if (length < 0 || static_cast<usize>(length) > task::kNodeNameLimit) {
        return fail(Errno::einval);
    }
    char text[task::kNodeNameLimit];
    TRY(mm::copy_in(text, name.address(), static_cast<usize>(length)));
    return self.task.names().set(which, {text, static_cast<usize>(length)});
}

}  // namespace

/// uname(2)
Result<void> sys_uname(Caller& self, UserOut<SystemNames> names) {
    // personality(2)
    constexpr u32 kExecutionDomain = 0xff;
    constexpr u32 kLinux32 = 8;
    constexpr u32 kRelease26 = 0x0020000;
    const u32 persona = self.task.group().personality.load(Order::relaxed);
    SystemNames out{};
    put_text(out.system, task::kSystemName);
    put_name(self, out.node, SystemText::HostName);
    put_text(out.release, (persona & kRelease26) != 0 ? task::kRelease26 : task::kRelease);
    put_text(out.version, task::kVersion);
    put_text(out.machine, (persona & kExecutionDomain) == kLinux32 ? task::kMachine32 : task::kMachine);
    put_name(self, out.domain, SystemText::DomainName);
    return names.store(out);
}

/// sethostname(2)
Result<void> sys_sethostname(Caller& self, UserIn<char> name, i32 length) {
    return set_name(self, SystemText::HostName, name, length);
}
/// setdomainname(2)
Result<void> sys_setdomainname(Caller& self, UserIn<char> name, i32 length) {
    return set_name(self, SystemText::DomainName, name, length);
}

/// sysinfo(2)
Result<void> sys_sysinfo(Caller&, UserOut<SystemFigures> figures) {
    const mm::MemoryReport memory = g_kernel.memory->report();
    SystemFigures out{};
    out.uptime = static_cast<i64>(time::now().value / 1'000'000'000);
    out.total_ram = memory.total;
    out.free_ram = memory.free;
    out.shared_ram = memory.shared;
    out.processes = static_cast<u16>(g_kernel.tasks->thread_count.load(Order::relaxed));
    out.unit = 1;
    return figures.store(out);
}

namespace {

/// All of the log that is there, oldest first, cut at the front to fit, in the form of dmesg(1).
Result<i32> read_log(UserOut<char> to, usize size) {
    struct Line {
        LogRecord record;
        char text[kLogTextLimit + 64];
    };
    const auto line = TRY(try_new<Line>());
    const auto format = [&]() -> std::string_view {
        TextBuffer text{std::span(line->text)};
        const LogRecord& record = line->record;
        const u64 microseconds = record.time.value / 1000;
        format_to(text, "<{}>[{:5}.{:06}] {}: {}\n", static_cast<u32>(record.level), microseconds / 1'000'000,
                  microseconds % 1'000'000, record.subsystem(), record.text());
        return text.view();
    };
    usize total = 0;
    for (LogReader reader; reader.read(line->record);) {
        total += format().size();
    }
    usize skip = total > size ? total - size : 0;
    usize written = 0;
    for (LogReader reader; reader.read(line->record);) {
        const std::string_view text = format();
        if (skip >= text.size()) {
            skip -= text.size();
            continue;
        }
        skip = 0;
        if (written + text.size() > size) {
            break;
        }
        TRY(mm::copy_out(to.address() + written, text.data(), text.size()));
        written += text.size();
    }
    return static_cast<i32>(written);
}

}  // namespace

/// syslog(2)
Result<i32> sys_syslog(Caller& self, i32 action, UserOut<char> to, i32 length) {
    constexpr i32 kClose = 0, kOpen = 1, kReadAll = 3, kReadClear = 4, kClear = 5, kConsoleOff = 6, kConsoleOn = 7;
    constexpr i32 kConsoleLevel = 8, kSizeUnread = 9, kSizeBuffer = 10, kBufferSize = 256 * 1024;
    if (action != kReadAll && action != kSizeBuffer && !self.credentials().has(Capability::Syslog) &&
        !self.credentials().has(Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    switch (action) {
        case kClose:
        case kOpen:
        case kClear:
            return 0;
        case kReadAll:
        case kReadClear:
            if (to.is_null() || length < 0) {
                return fail(Errno::einval);
            }
            return read_log(to, static_cast<usize>(length));
        case kConsoleOff:
            set_console_level(kQuietConsoleLevel);
            return 0;
        case kConsoleOn:
            set_console_level(kDefaultConsoleLevel);
            return 0;
        case kConsoleLevel:
            if (length < 1 || length > 8) {
                return fail(Errno::einval);
            }
            set_console_level(static_cast<u32>(length));
            return 0;
        case kSizeUnread:
            return 0;
        case kSizeBuffer:
            return kBufferSize;
        default:
            return fail(Errno::einval);
    }
}

/// getrandom(2): the generator is seeded before the first program runs.
Result<u64> sys_getrandom(Caller& self, UserOut<std::byte> to, u64 size, u32 flags) {
    constexpr u32 kNonBlock = 1, kRandom = 2, kInsecure = 4;
    constexpr u64 kMost = 0x7fff'ffff;
    if ((flags & ~(kNonBlock | kRandom | kInsecure)) != 0 || (flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) {
        return fail(Errno::einval);
    }
    size = std::min(size, kMost);
    std::byte chunk[256];
    u64 done = 0;
    while (done < size) {
        const usize part = std::min<u64>(size - done, sizeof chunk);
        cairn::random_bytes(std::span(chunk, part));
        if (!mm::copy_out(to.address() + done, chunk, part).ok()) {
            return done != 0 ? Result<u64>(done) : Result<u64>(fail(Errno::efault));
        }
        done += part;
        if (self.task.thread().interrupt_pending() && done >= sizeof chunk) {
            break;  // a signal ends long requests early (getrandom(2))
        }
    }
    return done;
}

/// reboot(2)
Result<void> sys_reboot(Caller& self, u32 magic, u32 magic2, u32 command, UserCString) {
    constexpr u32 kMagic = 0xfee1dead, kRestart = 0x01234567, kHalt = 0xcdef0123, kPowerOff = 0x4321fedc;
    constexpr u32 kCtrlAltDelOn = 0x89abcdef, kCtrlAltDelOff = 0, kRestart2 = 0xa1b2c3d4;
    if (!self.credentials().has(Capability::SysBoot)) {
        return fail(Errno::eperm);
    }
    const bool second = magic2 == 672274793 || magic2 == 85072278 || magic2 == 369367448 || magic2 == 537993216;
    if (magic != kMagic || !second) {
        return fail(Errno::einval);
    }
    switch (command) {
        case kCtrlAltDelOn:
        case kCtrlAltDelOff:
            if (g_kernel.input != nullptr) {
                g_kernel.input->restart_at_ctrl_alt_del.store(command == kCtrlAltDelOn, Order::relaxed);
            }
            return {};
        case kRestart:
        case kRestart2:
        case kHalt:
        case kPowerOff:
            break;
        default:
            return fail(Errno::einval);
    }
    vfs::synchronize_all();
    g_kernel.terminals->drain();
    if (command == kPowerOff) {
        log_notice("power", "powering off");
        finish_log();
        arch::power_off();
    }
    if (command == kHalt) {
        log_notice("power", "halted");
        finish_log();
        arch::stop_other_cpus();
        arch::park();
    }
    log_notice("power", "restarting");
    finish_log();
    arch::reboot();
}

/// clock_adjtime(2): the clock runs freely; it can be asked, and set, but not be slewed.
Result<i32> sys_clock_adjtime(Caller& self, i32 clock, UserInOut<ClockAdjustment> from) {
    constexpr i32 kUnsynchronised = 5;  // TIME_ERROR
    constexpr i32 kStatusUnsynchronised = 0x40;
    ClockAdjustment adjustment = TRY(from.fetch());
    if (clock != 0) {
        return fail(clock < 0 || clock > 11 ? Errno::einval : Errno::eopnotsupp);
    }
    // adjtime(3): one that asks what of the last adjustment is left, and one by nothing, which ends the last one.
    constexpr u32 kAdjTime = 0x8000, kSingleShot = 0x8001, kSingleShotRead = 0xa001;
    const u32 modes = adjustment.modes;
    if ((modes & kAdjTime) != 0 && (modes & kSingleShot) != kSingleShot) {
        return fail(Errno::einval);
    }
    const bool changes_nothing = modes == kSingleShotRead || (modes == kSingleShot && adjustment.offset == 0 &&
                                                              self.credentials().has(Capability::SysTime));
    if (modes != 0 && !changes_nothing) {
        return fail(self.credentials().has(Capability::SysTime) ? Errno::eopnotsupp : Errno::eperm);
    }
    const Nanoseconds now = time::wall_now();
    adjustment = {};
    adjustment.modes = modes;
    adjustment.status = kStatusUnsynchronised;
    adjustment.max_error = adjustment.estimated_error = 16'000'000;
    adjustment.constant = 2;
    adjustment.precision = 1;
    adjustment.tolerance = 32'768'000;
    adjustment.tick = 10'000;
    adjustment.seconds = static_cast<i64>(now.value / 1'000'000'000);
    adjustment.microseconds = static_cast<i64>(now.value % 1'000'000'000 / 1000);
    TRY(mm::copy_out(from.address(), &adjustment, sizeof adjustment));
    return kUnsynchronised;
}

/// adjtimex(2)
Result<i32> sys_adjtimex(Caller& self, UserInOut<ClockAdjustment> adjustment) {
    return sys_clock_adjtime(self, 0, adjustment);
}

/// vhangup(2)
Result<void> sys_vhangup(Caller& self) {
    if (!self.credentials().has(Capability::SysTtyConfig)) {
        return fail(Errno::eperm);
    }
    if (std::optional<Ref<fs::terminal::Terminal>> terminal = fs::terminal::Terminal::find_controlling()) {
        (*terminal)->hang_up();
    }
    return {};
}

/// rseq(2)
Result<void> sys_rseq(Caller& self, u64 area, u32 size, i32 flags, u32 signature) {
    return task::register_rseq(self.task, area, size, flags, signature);
}

}  // namespace cairn::syscall
