#include "fs/terminal/serial_terminal.h"

#include <algorithm>
#include <utility>

#include "drivers/input/magic_keys.h"
#include "fs/terminal/terminals.h"
#include "fs/vfs/devices.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "mm/user_memory.h"

namespace cairn::fs::terminal {

namespace {

using namespace control_flags;

/// close(2) waits so long for the output to leave (Linux: closing_wait).
constexpr Nanoseconds kClosingWait = Nanoseconds::from_seconds(30);
constexpr Nanoseconds kMagicWait = Nanoseconds::from_seconds(5);
/// Writers are woken when so little is left.
constexpr usize kWakeBelow = 256;
constexpr u32 kUsualBaud = 9600;

Result<Ref<vfs::File>> open_serial(vfs::OperationContext& context, vfs::Inode& inode, const vfs::OpenRequest& request) {
    u32 index = inode.attributes().device.minor - SerialTerminal::kFirstMinor;
    Terminal* terminal = g_kernel.terminals->serial(index);
    if (terminal == nullptr) {
        return fail(Errno::enxio);
    }
    return TerminalFile::open(context, inode, request, Ref<Terminal>(*terminal));
}

Termios serial_settings(u32 baud) {
    Termios termios;
    termios.control = kSize8 | kReceive | kHangUpOnClose | kLocal;
    set_baud_rate(termios, baud);
    return termios;
}

}  // namespace

SerialTerminal::SerialTerminal(Own<drivers::SerialPort> port, const Termios& termios)
    : Terminal({kMajor, kFirstMinor + port->index()}, termios), port_(std::move(port)) {}

Result<Ref<SerialTerminal>> SerialTerminal::create(Own<drivers::SerialPort> port, u32 baud,
                                                   const arch::PlatformDescription& platform) {
    static constexpr std::string_view kNames[] = {"ttyS0", "ttyS1", "ttyS2", "ttyS3"};
    u32 index = port->index();
    Ref<SerialTerminal> terminal = TRY(try_new_ref<SerialTerminal>(std::move(port), serial_settings(baud)));
    Ref<sched::Thread> thread = TRY(sched::Thread::create(
        kNames[index], [](void* self) { static_cast<SerialTerminal*>(self)->run(); }, &*terminal));
    TRY(vfs::register_character_device({.major = kMajor,
                                        .first_minor = kFirstMinor + index,
                                        .name = kNames[index],
                                        .permissions = 0660,
                                        .open = &open_serial}));
    Ref<SerialTerminal> forever(*terminal);
    static_cast<void>(forever.release());
    thread->start();
    g_kernel.terminals->set_serial(index, *terminal);
    terminal->port_->start(platform, *terminal);
    return terminal;
}

// --- Input ------------------------------------------------------------------------------------------------------

bool SerialTerminal::has_work() {
    // What arrives before anybody has opened the terminal waits in the port: its settings are not known yet.
    return users() != 0 && !no_room_.load(Order::acquire) && (end_ != first_ || port_->has_received());
}

void SerialTerminal::run() {
    for (;;) {
        work_.wait_until([this] { return has_work(); });
        for (bool more = true; more;) {
            more = deliver();
            if (const char command = std::exchange(magic_command_, '\0'); command != '\0') {
                drivers::magic_key(command, drivers::MagicSource::Keyboard);
            }
        }
    }
}

/// On the console a break, and a character within five seconds, is a command of Magic SysRq; programs get neither. A
/// second break is one for programs.
bool SerialTerminal::is_magic(const ReceivedByte& byte) {
    const bool is_break = byte.mark == LineMark::Break;
    const bool expected = std::exchange(magic_until_, Nanoseconds{}) > time::now();
    if (!expected) {
        if (!is_break || g_kernel.terminals->console() != this) {
            return false;
        }
        magic_until_ = time::now() + kMagicWait;
        return true;
    }
    if (is_break || byte.byte == 0) {
        return false;
    }
    magic_command_ = static_cast<char>(byte.byte);
    return true;
}

bool SerialTerminal::deliver() {
    sync::MutexGuard guard(input_mutex_);
    if (first_ == end_) {
        drivers::SerialPort& port = *port_;
        ReceivedByte bytes[kChunk];
        first_ = end_ = 0;
        const usize count = port.read(bytes);
        for (usize i = 0; i < count; ++i) {
            if (is_magic(bytes[i])) {
                continue;
            }
            constexpr ReceiveMark kMarks[] = {ReceiveMark::Normal, ReceiveMark::Break, ReceiveMark::FramingError,
                                              ReceiveMark::ParityError};
            characters_[end_] = bytes[i].byte;
            marks_[end_++] = kMarks[static_cast<u8>(bytes[i].mark)];
        }
        if (end_ == 0) {
            return count != 0;
        }
    }
    std::span<const u8> characters(characters_ + first_, end_ - first_);
    std::span<const ReceiveMark> marks(marks_ + first_, end_ - first_);
    if (!settings_locked().has_control(kReceive)) {
        first_ = end_;  // CREAD is off: nobody wants it
        return true;
    }
    usize taken = receive_locked(characters, marks);
    first_ += taken;
    if (first_ == end_) {
        return true;
    }
    if (!no_room_.exchange(true, Order::acq_rel)) {
        look_ahead_locked(characters.subspan(taken));
    }
    return false;
}

void SerialTerminal::input_room() {
    no_room_.store(false, Order::release);
    work_.wake_all();
}

void SerialTerminal::discard_undelivered_input() {
    sync::MutexGuard guard(input_mutex_);
    first_ = end_ = 0;
    forget_look_ahead();
    port_->discard_received();
    no_room_.store(false, Order::release);
}

/// With IXOFF the other side is told to stop; without, the port's buffer fills up and the line itself holds back.
void SerialTerminal::hold_input(bool hold) {
    const Termios& settings = settings_locked();
    if (settings.has_input(input_flags::kFlowControlInput)) {
        port_->send_urgently(settings.character(hold ? kStop : kStart));
    }
    if (settings.has_control(kHardwareFlowControl)) {
        ModemLines lines = port_->modem_lines();
        lines.request_to_send = !hold;
        port_->set_modem_lines(lines);
    }
}

// --- Output -----------------------------------------------------------------------------------------------------

void SerialTerminal::sent() {
    if (port_->unsent() < kWakeBelow) {
        output_room();
    }
}

Result<void> SerialTerminal::send_break(u32 milliseconds) {
    port_->set_break(true);
    sched::sleep_for(Nanoseconds::from_milliseconds(std::min(milliseconds, u32{3000})));
    port_->set_break(false);
    return {};
}

// --- Settings and life --------------------------------------------------------------------------------------------

void SerialTerminal::adopt_settings(Termios& settings, const Termios& old) {
    constexpr u32 kFrame = kBaudMask | kSizeMask | kTwoStopBits | kParity | kOddParity;
    u32 rate = output_baud_rate(settings);
    u32 old_rate = output_baud_rate(old);
    if (rate == 0) {  // B0: hang up
        port_->set_modem_lines({.data_terminal_ready = false, .request_to_send = false});
        return;
    }
    if (old_rate == 0) {
        port_->set_modem_lines({});
    }
    if (rate == old_rate && ((settings.control ^ old.control) & kFrame) == 0) {
        return;
    }
    UartSettings wanted{.baud = rate,
                        .data_bits = static_cast<u8>(5 + ((settings.control & kSizeMask) >> 4)),
                        .two_stop_bits = settings.has_control(kTwoStopBits),
                        .parity = settings.has_control(kParity),
                        .odd_parity = settings.has_control(kOddParity)};
    if (port_->configure(wanted).ok()) {
        return;
    }
    // The chip cannot make that rate: the old one stays, as in Linux.
    wanted.baud = old_rate == 0 ? kUsualBaud : old_rate;
    set_baud_rate(settings, wanted.baud);
    static_cast<void>(port_->configure(wanted));
}

void SerialTerminal::first_opened() {
    port_->set_modem_lines({});
    work_.wake_all();
}

void SerialTerminal::last_closed() {
    Nanoseconds deadline = time::now() + kClosingWait;
    static_cast<void>(output_wait_until_sent(deadline));
    discard_all_input();
    Termios now = settings();
    bool is_console = g_kernel.terminals->console() == this;
    if (now.has_control(kHangUpOnClose) && !is_console && users() == 0) {
        port_->set_modem_lines({.data_terminal_ready = false, .request_to_send = false});
    }
}

Result<u64> SerialTerminal::device_ioctl(vfs::OperationContext&, u32 command, u64 argument) {
    constexpr u32 kGetLines = 0x5415, kAddLines = 0x5416, kRemoveLines = 0x5417, kSetLines = 0x5418;
    constexpr i32 kReady = 0x002, kRequest = 0x004, kClear = 0x020, kCarrier = 0x040, kRing = 0x080, kSetReady = 0x100;
    ModemLines lines = port_->modem_lines();
    switch (command) {
        case kGetLines: {
            u8 status = port_->modem_status();
            i32 bits = (lines.data_terminal_ready ? kReady : 0) | (lines.request_to_send ? kRequest : 0) |
                       ((status & 0x10) != 0 ? kClear : 0) | ((status & 0x20) != 0 ? kSetReady : 0) |
                       ((status & 0x40) != 0 ? kRing : 0) | ((status & 0x80) != 0 ? kCarrier : 0);
            TRY(mm::UserOut<i32>(argument).store(bits));
            return u64{0};
        }
        case kAddLines:
        case kRemoveLines:
        case kSetLines: {
            i32 bits = TRY(mm::UserIn<i32>(argument).fetch());
            auto apply = [&](bool& line, i32 bit) {
                bool named = (bits & bit) != 0;
                line = command == kSetLines ? named : named ? command == kAddLines : line;
            };
            apply(lines.data_terminal_ready, kReady);
            apply(lines.request_to_send, kRequest);
            port_->set_modem_lines(lines);
            return u64{0};
        }
        default:
            return fail(Errno::enotty);
    }
}

Result<void> start_serial_terminals(const arch::PlatformDescription& platform, u32 console, u32 baud, bool log,
                                    const std::optional<drivers::UartPlace>& place) {
    SerialTerminal* first = nullptr;
    SerialTerminal* chosen = nullptr;
    for (u32 index = 0; index < drivers::SerialPort::kPorts; ++index) {
        // The first port has the log so far.
        u32 rate = index == console ? baud : index == 0 ? Uart16550::kBaseBaud : kUsualBaud;
        const bool elsewhere = place && index == console;
        Result<Own<drivers::SerialPort>> port =
            elsewhere ? drivers::SerialPort::probe_at(index, rate, *place) : drivers::SerialPort::probe(index, rate);
        if (!port.ok()) {
            if (port.error() == Errno::enomem) {
                return port.failure();
            }
            continue;
        }
        drivers::SerialPort& found = *port.value();
        log_info("serial", "ttyS{} at {} {:#x}, 16550{}, {} baud", index,
                 elsewhere && place->port == 0 ? "memory" : "I/O", found.address(),
                 found.has_fifo() ? " with FIFO" : "", rate);
        Ref<SerialTerminal> terminal = TRY(SerialTerminal::create(std::move(port).value(), rate, platform));
        if (index == console) {
            chosen = &*terminal;
            if (log) {
                TRY(found.become_log_console());
            }
        }
        first = first == nullptr ? &*terminal : first;
    }
    if (!log) {
        remove_console(kEarlyConsole);
    }
    chosen = chosen == nullptr ? first : chosen;
    if (chosen != nullptr) {
        g_kernel.terminals->set_console(*chosen);
    }
    return {};
}

}  // namespace cairn::fs::terminal
