#include "fs/terminal/terminals.h"

#include "fs/terminal/virtual_terminals.h"
#include "fs/vfs/devices.h"
#include "kernel/base/own.h"
#include "kernel/time/clock.h"

namespace cairn::fs::terminal {

namespace {

/// /dev/tty: the caller's controlling terminal.
Result<Ref<vfs::File>> open_controlling(vfs::OperationContext& context, vfs::Inode& inode,
                                        const vfs::OpenRequest& request) {
    std::optional<Ref<Terminal>> terminal = Terminal::find_controlling();
    if (!terminal) {
        return fail(Errno::enxio);
    }
    return TerminalFile::open(context, inode, request, *terminal, TerminalFile::Role::Ordinary, false);
}

/// /dev/console: never becomes a controlling terminal by being opened, and survives hang-ups.
Result<Ref<vfs::File>> open_console(vfs::OperationContext& context, vfs::Inode& inode,
                                    const vfs::OpenRequest& request) {
    Terminal* terminal = g_kernel.terminals->console();
    if (terminal == nullptr) {
        return fail(Errno::enodev);
    }
    return TerminalFile::open(context, inode, request, Ref<Terminal>(*terminal), TerminalFile::Role::Console, false);
}

/// A full buffer takes 0.4 s at 115200 baud.
constexpr Nanoseconds kDrainTime = Nanoseconds::from_seconds(2);

constexpr u32 kAlternateTerminals = 5;  // the major number
constexpr vfs::CharacterDevice kDevices[] = {
    {.major = kAlternateTerminals, .first_minor = 0, .name = "tty", .permissions = 0666, .open = &open_controlling},
    {.major = kAlternateTerminals, .first_minor = 1, .name = "console", .permissions = 0600, .open = &open_console},
    {.major = kAlternateTerminals, .first_minor = 2, .name = "ptmx", .permissions = 0666, .open = &open_ptmx},
};

}  // namespace

Result<void> Terminals::initialize() {
    Own<Terminals> terminals = TRY(try_new<Terminals>());
    for (const vfs::CharacterDevice& device : kDevices) {
        TRY(vfs::register_character_device(device));
    }
    g_kernel.terminals = terminals.release();
    return {};
}

Terminal* Terminals::console() const {
    if (console_is_shown_terminal()) {
        return &virtual_terminals()->shown();
    }
    return console_.load(Order::acquire);
}

void Terminals::drain() {
    if (g_kernel.display != nullptr) {
        g_kernel.display->settle();
    }
    Nanoseconds deadline = time::now() + kDrainTime;
    for (Atomic<Terminal*>& serial : serial_) {
        if (Terminal* terminal = serial.load(Order::acquire)) {
            terminal->drain(deadline);
        }
    }
}

void Terminals::add_instance(DevptsInstance& instance) {
    SpinLockGuard guard(lock_);
    instances_.push_back(instance);
}

void Terminals::remove_instance(DevptsInstance& instance) {
    SpinLockGuard guard(lock_);
    if (instance.instance_node.linked()) {
        instances_.remove(instance);
    }
}

std::optional<Ref<DevptsInstance>> Terminals::find_instance() {
    SpinLockGuard guard(lock_);
    for (DevptsInstance* instance = instances_.back(); instance != nullptr; instance = instances_.previous(*instance)) {
        if (instance->try_acquire_reference()) {
            return Ref<DevptsInstance>::adopt(*instance);
        }
    }
    return std::nullopt;
}

}  // namespace cairn::fs::terminal
