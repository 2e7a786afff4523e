#pragma once
/// What the line discipline asks of the terminal that it works for, and the marks that come with received characters.

#include <span>

#include "kernel/base/types.h"

namespace cairn::fs::terminal {

/// The signals that terminals send (signal(7); x86-64).
enum TerminalSignal : i32 {
    kSignalHangUp = 1,
    kSignalInterrupt = 2,
    kSignalQuit = 3,
    kSignalContinue = 18,
    kSignalSuspend = 20,
    kSignalBackgroundRead = 21,
    kSignalBackgroundWrite = 22,
    kSignalWindowChange = 28,
};

/// How a character arrived.
enum class ReceiveMark : u8 { Normal, Break, FramingError, ParityError, Overrun };

/// Called with the terminal's locks TerminalInput and TerminalOutput held, or, from output alone, TerminalOutput;
/// nothing here waits.
class LineDevice {
public:
    /// How many characters the device takes at this moment; zero while output is stopped, if the device has no
    /// buffer of its own.
    virtual usize write_room() = 0;
    /// Hands over characters, at most write_room(); returns how many were taken.
    virtual usize write(std::span<const u8> characters) = 0;
    /// Forgets what was written and has not left yet.
    virtual void discard_output() = 0;

    /// ^S and ^Q: stops and restarts the device's output.
    virtual bool output_stopped_by_character() = 0;
    virtual void stop_output() = 0;
    virtual void start_output() = 0;

    /// To the foreground process group.
    virtual void signal_foreground(i32 signal) = 0;
    /// Input was thrown away, by a signal (packet mode tells the master).
    virtual void input_discarded() = 0;
    /// Somebody who reads or polls may have something to read now.
    virtual void input_arrived() = 0;

protected:
    ~LineDevice() = default;
};

}  // namespace cairn::fs::terminal
