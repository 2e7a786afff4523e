#include "fs/terminal/virtual_terminals.h"

#include <algorithm>

#include "drivers/input/keyboard_entrances.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/devices.h"

namespace cairn::fs::terminal {

namespace {

Result<Ref<vfs::File>> open_virtual(vfs::OperationContext& context, vfs::Inode& inode,
                                    const vfs::OpenRequest& request) {
    VirtualTerminals* terminals = VirtualTerminals::get();
    if (terminals == nullptr) {
        return fail(Errno::enxio);
    }
    VirtualTerminal* terminal = TRY(terminals->get(inode.attributes().device.minor));
    return TerminalFile::open(context, inode, request, Ref<Terminal>(*terminal));
}

}  // namespace

VirtualTerminals* VirtualTerminals::get() {
    return g_kernel.terminals == nullptr ? nullptr : g_kernel.terminals->virtual_terminals();
}

Result<void> VirtualTerminals::start(Display& display) {
    Own<VirtualTerminals> terminals = TRY(try_new<VirtualTerminals>(display));
    VirtualTerminals& self = *terminals;
    VirtualTerminal* first = TRY(self.get(1));
    self.shown_.store(first, Order::release);
    g_kernel.terminals->set_virtual_terminals(terminals.release());
    TRY(vfs::register_character_device({.major = VirtualTerminal::kMajor,
                                        .first_minor = 0,
                                        .count = kMost + 1,
                                        .name = "tty",
                                        .permissions = 0620,
                                        .open = &open_virtual}));
    drivers::set_keyboard_target(self);
    return display.start_thread([] { VirtualTerminals::get()->before_drawing(); });
}

VirtualTerminal* VirtualTerminals::find(u32 number) {
    return number == 0 || number > kMost ? nullptr : terminals_[number].load(Order::acquire);
}

Result<VirtualTerminal*> VirtualTerminals::get(u32 number) {
    if (number == 0) {
        return &shown();
    }
    if (number > kMost) {
        return fail(Errno::enxio);
    }
    sync::MutexGuard guard(mutex_);
    if (VirtualTerminal* there = find(number)) {
        return there;
    }
    Own<ScreenConsole> console;
    if (number == 1) {
        console = display_.take_first_console();
    } else {
        console = TRY(display_.create_console());
    }
    Ref<VirtualTerminal> made = TRY(try_new_ref<VirtualTerminal>(number, std::move(console), display_));
    VirtualTerminal* terminal = &made.release();
    terminals_[number].store(terminal, Order::release);
    return terminal;
}

/// On the display's thread: what the emulators ask for, and what was typed.
void VirtualTerminals::before_drawing() {
    for (u32 number = 1; number <= kMost; ++number) {
        VirtualTerminal* terminal = find(number);
        if (terminal == nullptr) {
            continue;
        }
        const u32 wanted =
            display_.with_quietly([&](drivers::Screen&) { return terminal->console().take_wanted_terminal(); });
        if (wanted != 0) {
            static_cast<void>(switch_to(wanted));
        }
        terminal->deliver();
    }
}

// --- The keyboard --------------------------------------------------------------------------------------------------

void VirtualTerminals::typed(std::span<const u8> bytes) {
    VirtualTerminal& terminal = shown();
    display_.scroll_to_end(terminal.console());
    terminal.typed(bytes);
}

void VirtualTerminals::show_terminal(u32 number) {
    static_cast<void>(switch_to(number));
}

void VirtualTerminals::show_neighbour(i32 direction) {
    u32 number = shown().number();
    if (direction == 0) {
        sync::MutexGuard guard(mutex_);
        number = previous_;
    } else {
        for (u32 tried = 0; tried < kMost; ++tried) {
            number = (number - 1 + kMost + static_cast<u32>(direction > 0 ? 1 : -1)) % kMost + 1;
            if (find(number) != nullptr) {
                break;
            }
        }
    }
    static_cast<void>(switch_to(number));
}

void VirtualTerminals::scroll(i32 half_screens) {
    display_.scroll(shown().console(), half_screens * static_cast<i32>(std::max(display_.rows() / 2, 1u)));
}

// --- Switching -----------------------------------------------------------------------------------------------------

Result<void> VirtualTerminals::switch_to(u32 number) {
    if (number == 0) {
        return fail(Errno::enxio);
    }
    VirtualTerminal* next = TRY(get(number));
    i32 process = 0;
    i32 signal = 0;
    {
        sync::MutexGuard guard(mutex_);
        VirtualTerminal& now = shown();
        if (next == &now || switching_locked_) {
            return {};
        }
        if (now.switch_mode.by_process && g_kernel.job_control != nullptr) {
            pending_ = next;
            process = now.switch_mode.process;
            signal = now.switch_mode.release_signal;
        } else if (now.graphics()) {
            return {};  // nobody would draw it again
        } else {
            complete_switch(*next);
        }
    }
    if (process == 0) {
        return {};
    }
    if (!g_kernel.job_control->signal_process(process, signal)) {  // it is gone: nobody will let go
        sync::MutexGuard guard(mutex_);
        VirtualTerminal& now = shown();
        now.switch_mode = {};
        now.set_graphics(false);
        if (pending_ != nullptr) {
            complete_switch(*pending_);
        }
    }
    return {};
}

void VirtualTerminals::complete_switch(VirtualTerminal& next) {
    VirtualTerminal& before = shown();
    pending_ = nullptr;
    previous_ = before.number();
    shown_.store(&next, Order::release);
    display_.set_graphics(false);
    display_.show(next.console());
    display_.set_graphics(next.graphics());
    const VirtualTerminal::SwitchMode& mode = next.switch_mode;
    if (mode.by_process && g_kernel.job_control != nullptr) {
        g_kernel.job_control->signal_process(mode.process, mode.acquire_signal);
    }
    drivers::keyboard_modes_changed();
    switched_.wake_all();
}

Result<void> VirtualTerminals::wait_shown(u32 number) {
    if (number == 0 || number > kMost) {
        return fail(Errno::enxio);
    }
    sync::WakeReason reason =
        switched_.wait_until([&] { return shown().number() == number; }, sync::SleepKind::Interruptible);
    if (reason != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

void VirtualTerminals::set_switch_mode(VirtualTerminal& terminal, const VirtualTerminal::SwitchMode& mode) {
    sync::MutexGuard guard(mutex_);
    terminal.switch_mode = mode;
    if (&terminal == &shown()) {
        pending_ = nullptr;
    }
}

VirtualTerminal::SwitchMode VirtualTerminals::switch_mode(VirtualTerminal& terminal) {
    sync::MutexGuard guard(mutex_);
    return terminal.switch_mode;
}

Result<void> VirtualTerminals::release(VirtualTerminal& terminal, u64 answer) {
    constexpr u64 kRefuse = 0, kAcknowledge = 2;
    sync::MutexGuard guard(mutex_);
    if (!terminal.switch_mode.by_process) {
        return fail(Errno::einval);
    }
    if (pending_ == nullptr || &terminal != &shown()) {
        if (answer == kAcknowledge) {
            return {};
        }
        return fail(Errno::einval);
    }
    if (answer == kRefuse) {
        pending_ = nullptr;
    } else {
        complete_switch(*pending_);
    }
    return {};
}

void VirtualTerminals::set_graphics(VirtualTerminal& terminal, bool on) {
    sync::MutexGuard guard(mutex_);
    terminal.set_graphics(on);
    if (&terminal == &shown()) {
        display_.set_graphics(on);
    }
}

void VirtualTerminals::lock_switching(bool locked) {
    sync::MutexGuard guard(mutex_);
    switching_locked_ = locked;
}

void VirtualTerminals::closed(VirtualTerminal& terminal) {
    sync::MutexGuard guard(mutex_);
    terminal.switch_mode = {};
}

u32 VirtualTerminals::first_free() {
    for (u32 number = 1; number <= kMost; ++number) {
        VirtualTerminal* terminal = find(number);
        if (terminal == nullptr || !terminal->in_use()) {
            return number;
        }
    }
    return 0;
}

u32 VirtualTerminals::in_use() {
    u32 bits = 1;  // tty0 always is
    for (u32 number = 1; number < 16; ++number) {
        VirtualTerminal* terminal = find(number);
        bits |= terminal != nullptr && terminal->in_use() ? 1u << number : 0;
    }
    return bits;
}

/// Its contents and settings are forgotten; the memory stays for its next user.
Result<void> VirtualTerminals::disallocate(u32 number) {
    for (u32 each = number == 0 ? 1 : number; each <= (number == 0 ? kMost : number); ++each) {
        VirtualTerminal* terminal = find(each);
        if (terminal == nullptr) {
            continue;
        }
        if (terminal == &shown() || terminal->in_use() || each == 1) {
            if (number != 0) {
                return fail(Errno::ebusy);
            }
            continue;
        }
        display_.with([&](drivers::Screen&) { terminal->console().reset(); });
        terminal->set_settings(terminal->usual_settings());
    }
    return {};
}

Result<void> VirtualTerminals::resize_all(u32 columns, u32 rows) {
    for (u32 number = 1; number <= kMost; ++number) {
        if (VirtualTerminal* terminal = find(number)) {
            TRY(terminal->resize(columns, rows));
        }
    }
    return {};
}

Result<void> start_virtual_terminals(const boot::ConsoleChoices& consoles) {
    Display& display = *g_kernel.display;
    TRY(VirtualTerminals::start(display));
    VirtualTerminals& terminals = *VirtualTerminals::get();
    VirtualTerminal* named = nullptr;
    if (consoles.screen_named && consoles.screen_number != 0) {
        named = TRY(terminals.get(consoles.screen_number));
        display.log_to(named->console());
    }
    const bool no_other = g_kernel.terminals->console() == nullptr;
    if (consoles.screen_is_last || no_other) {
        if (named != nullptr) {
            g_kernel.terminals->set_console(*named);
        } else {
            g_kernel.terminals->make_shown_terminal_console();
        }
    }
    return {};
}

}  // namespace cairn::fs::terminal
