#pragma once
/// Terminals: what the terminal layer keeps while the kernel runs (g_kernel.terminals): which terminal is the console,
/// and the devpts instances that are mounted. Made once during start-up; the terminals of serial ports live for ever.

#include "fs/terminal/devpts.h"
#include "fs/terminal/terminal.h"
#include "kernel/base/kernel.h"

namespace cairn::fs::terminal {

class VirtualTerminals;

class Terminals {
public:
    /// Makes g_kernel.terminals and registers /dev/tty, /dev/console and /dev/ptmx. Start-up, after the VFS. ENOMEM.
    static Result<void> initialize();

    /// A terminal becomes /dev/console. Start-up.
    void set_console(Terminal& terminal) { console_.store(&terminal, Order::release); }
    /// Null: there is none.
    Terminal* console() const;

    static constexpr u32 kSerialTerminals = 4;
    void set_serial(u32 index, Terminal& terminal) { serial_[index].store(&terminal, Order::release); }
    /// Null: there is no such port.
    Terminal* serial(u32 index) const {
        return index < kSerialTerminals ? serial_[index].load(Order::acquire) : nullptr;
    }
    /// Null: there is no screen.
    VirtualTerminals* virtual_terminals() const { return virtual_terminals_.load(Order::acquire); }
    void set_virtual_terminals(VirtualTerminals* terminals) { virtual_terminals_.store(terminals, Order::release); }
    /// /dev/console is the terminal that is shown (console=tty0).
    void make_shown_terminal_console() { console_is_shown_.store(true, Order::release); }
    bool console_is_shown_terminal() const { return console_is_shown_.load(Order::acquire); }

    /// Minors of the terminals that have the log, or kNoLog. Start-up sets them.
    static constexpr u32 kNoLog = ~u32{0};
    void set_log(u32 screen, u32 serial) {
        log_on_screen_.store(screen, Order::relaxed);
        log_on_serial_.store(serial, Order::relaxed);
    }
    u32 log_on_screen() const { return log_on_screen_.load(Order::relaxed); }
    u32 log_on_serial() const { return log_on_serial_.load(Order::relaxed); }

    /// Before the machine is switched off: waits a bounded time for what was written to leave. Thread context.
    void drain();

    void add_instance(DevptsInstance& instance);
    void remove_instance(DevptsInstance& instance);
    /// The instance that was mounted last: whose ptys /dev/ptmx makes. None: nullopt.
    std::optional<Ref<DevptsInstance>> find_instance();

private:
    Atomic<Terminal*> console_{nullptr};
    Atomic<VirtualTerminals*> virtual_terminals_{nullptr};
    Atomic<bool> console_is_shown_{false};
    Atomic<u32> log_on_screen_{kNoLog};
    Atomic<u32> log_on_serial_{kNoLog};
    Atomic<Terminal*> serial_[kSerialTerminals];
    SpinLock<LockRank::InodeTable> lock_;
    List<DevptsInstance, &DevptsInstance::instance_node> instances_ GUARDED_BY(lock_);
};

}  // namespace cairn::fs::terminal
