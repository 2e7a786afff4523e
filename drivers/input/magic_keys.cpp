#include "drivers/input/magic_keys.h"

#include "arch/arch.h"
#include "drivers/input/input.h"
#include "drivers/input/keyboard.h"
#include "kernel/base/console_level.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"

namespace cairn::drivers {

namespace {

constinit MagicActions* the_actions = nullptr;

/// The bits of kernel.sysrq.
constexpr u32 kAll = 1, kLogLevel = 2, kKeyboard = 4, kDump = 8, kSync = 16, kRemount = 32, kSignal = 64, kBoot = 128;

void restart(MagicActions&) {
    arch::reboot();
}
void crash(MagicActions&) {
    panic("SysRq: a crash was asked for");
}
void terminate(MagicActions& actions) {
    actions.signal_all(MagicActions::Signal::Terminate);
}
void end_largest(MagicActions& actions) {
    actions.end_largest_process();
}
void kill(MagicActions& actions) {
    actions.signal_all(MagicActions::Signal::Kill);
}
void list_processors(MagicActions& actions) {
    actions.list_processors();
}
void list_memory(MagicActions& actions) {
    actions.list_memory();
}
void power_off(MagicActions&) {
    arch::power_off();
}
void show_registers(MagicActions&) {
    arch::print_registers(nullptr, [](std::string_view line) { log_notice("sysrq", "{}", line); });
}
void translate_keys(MagicActions&) {
    if (g_kernel.input != nullptr) {
        g_kernel.input->keyboard().leave_raw_mode();
    }
}
void synchronize(MagicActions& actions) {
    actions.synchronize();
}
void list_tasks(MagicActions& actions) {
    actions.list_tasks(MagicActions::Tasks::All);
}
void remount(MagicActions& actions) {
    actions.remount_read_only();
}
void list_blocked(MagicActions& actions) {
    actions.list_tasks(MagicActions::Tasks::Blocked);
}

struct Command {
    char letter;
    u32 right;
    std::string_view help;
    std::string_view said;
    void (*act)(MagicActions& actions);
};
constexpr Command kCommands[] = {
    {'b', kBoot, "reboot(b)", "restarting", &restart},
    {'c', kDump, "crash(c)", "crash", &crash},
    {'e', kSignal, "terminate-all-tasks(e)", "SIGTERM for all", &terminate},
    {'f', kSignal, "memory-full-oom-kill(f)", "ending the largest process", &end_largest},
    {'i', kSignal, "kill-all-tasks(i)", "SIGKILL for all", &kill},
    {'l', kDump, "show-active-cpus(l)", "active CPUs", &list_processors},
    {'m', kDump, "show-memory-usage(m)", "memory", &list_memory},
    {'o', kBoot, "poweroff(o)", "powering off", &power_off},
    {'p', kDump, "show-registers(p)", "registers", &show_registers},
    {'r', kKeyboard, "unraw(r)", "keys are translated again", &translate_keys},
    {'s', kSync, "sync(s)", "synchronizing filesystems", &synchronize},
    {'t', kDump, "show-task-states(t)", "tasks", &list_tasks},
    {'u', kRemount, "unmount(u)", "remounting read-only", &remount},
    {'w', kDump, "show-blocked-tasks(w)", "blocked tasks", &list_blocked},
};

bool may(u32 right, MagicSource source) {
    const u32 allowed = magic_keys_allowed.load(Order::relaxed);
    return source == MagicSource::Program || allowed == kAll || (allowed & right) != 0;
}

/// All commands in lines of the log.
void help() {
    char storage[kLogTextLimit];
    TextBuffer text{std::span(storage)};
    text.append("SysRq: help: loglevel(0-9)");
    for (const Command& command : kCommands) {
        if (text.size() + command.help.size() + 1 > kLogTextLimit - 1) {
            log_write(LogLevel::Notice, "sysrq", text.view());
            text.clear();
        }
        text.append(" ");
        text.append(command.help);
    }
    log_write(LogLevel::Notice, "sysrq", text.view());
}

}  // namespace

void set_magic_actions(MagicActions& actions) {
    the_actions = &actions;
}

MagicActions* magic_actions() {
    return the_actions;
}

void magic_key(char letter, MagicSource source) {
    if (letter >= '0' && letter <= '9') {
        if (may(kLogLevel, source)) {
            set_console_level(static_cast<u32>(letter - '0'));
            log_notice("sysrq", "SysRq: loglevel set to {}", letter - '0');
        }
        return;
    }
    for (const Command& command : kCommands) {
        if (command.letter != letter) {
            continue;
        }
        if (!may(command.right, source)) {
            log_notice("sysrq", "SysRq: this operation is disabled");
        } else if (the_actions != nullptr) {
            log_notice("sysrq", "SysRq: {}", command.said);
            command.act(*the_actions);
        }
        return;
    }
    help();
}

}  // namespace cairn::drivers
