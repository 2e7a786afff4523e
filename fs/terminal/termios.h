#pragma once
/// struct termios as Linux's system calls have it on x86-64 (asm-generic/termbits.h, termios(3)), its flags, and the
/// settings that terminals start with. Plain data.

#include <string_view>

#include "kernel/base/types.h"

namespace cairn::fs::terminal {

/// Indices of control_characters.
enum ControlCharacter : u8 {
    kInterrupt = 0,     // VINTR
    kQuit = 1,          // VQUIT
    kErase = 2,         // VERASE
    kKill = 3,          // VKILL
    kEndOfFile = 4,     // VEOF
    kTime = 5,          // VTIME
    kMinimum = 6,       // VMIN
    kSwitch = 7,        // VSWTC, unused
    kStart = 8,         // VSTART
    kStop = 9,          // VSTOP
    kSuspend = 10,      // VSUSP
    kEndOfLine = 11,    // VEOL
    kReprint = 12,      // VREPRINT
    kDiscard = 13,      // VDISCARD, unused by Linux too
    kWordErase = 14,    // VWERASE
    kLiteralNext = 15,  // VLNEXT
    kEndOfLine2 = 16,   // VEOL2
};
constexpr usize kControlCharacters = 19;
/// A control character of this value is switched off; in the line buffer it also stands for an end of file.
constexpr u8 kDisabledCharacter = 0;

namespace input_flags {
constexpr u32 kIgnoreBreak = 0000001, kBreakInterrupt = 0000002, kIgnoreParity = 0000004, kMarkParity = 0000010;
constexpr u32 kCheckParity = 0000020, kStrip = 0000040, kNewlineToReturn = 0000100, kIgnoreReturn = 0000200;
constexpr u32 kReturnToNewline = 0000400, kLowerCase = 0001000, kFlowControlOutput = 0002000;  // IXON
constexpr u32 kAnyRestarts = 0004000, kFlowControlInput = 0010000;                             // IXANY, IXOFF
constexpr u32 kBellWhenFull = 0020000, kUtf8 = 0040000;
}  // namespace input_flags

namespace output_flags {
constexpr u32 kProcess = 0000001, kUpperCase = 0000002, kNewlineToReturnNewline = 0000004, kReturnToNewline = 0000010;
constexpr u32 kNoReturnAtColumn0 = 0000020, kNewlineReturns = 0000040;
constexpr u32 kTabMask = 0014000, kExpandTabs = 0014000;  // TABDLY, XTABS
}  // namespace output_flags

namespace control_flags {
constexpr u32 kBaudMask = 0010017, kBaud9600 = 0000015, kBaud38400 = 0000017, kBaud115200 = 0010002;
constexpr u32 kBaudOther = 0010000;  // BOTHER: the rate stands in output_speed
constexpr u32 kSizeMask = 0000060, kSize8 = 0000060, kTwoStopBits = 0000100, kReceive = 0000200;
constexpr u32 kParity = 0000400, kOddParity = 0001000, kHangUpOnClose = 0002000, kLocal = 0004000;
constexpr u32 kInputBaudShift = 16, kHardwareFlowControl = 020000000000;  // CRTSCTS
}  // namespace control_flags

namespace local_flags {
constexpr u32 kSignals = 0000001, kCanonical = 0000002, kEcho = 0000010, kEchoErase = 0000020, kEchoKill = 0000040;
constexpr u32 kEchoNewline = 0000100, kNoFlush = 0000200, kStopBackgroundOutput = 0000400, kEchoControl = 0001000;
constexpr u32 kEchoPrint = 0002000, kEchoKillErase = 0004000, kExtended = 0100000, kExternal = 0200000;
}  // namespace local_flags

/// struct termios2: struct termios (TCGETS) is its first 36 bytes.
struct Termios {
    u32 input = input_flags::kReturnToNewline | input_flags::kFlowControlOutput;
    u32 output = output_flags::kProcess | output_flags::kNewlineToReturnNewline;
    u32 control = control_flags::kBaud38400 | control_flags::kSize8 | control_flags::kReceive;
    u32 local = local_flags::kSignals | local_flags::kCanonical | local_flags::kEcho | local_flags::kEchoErase |
                local_flags::kEchoKill | local_flags::kEchoControl | local_flags::kEchoKillErase |
                local_flags::kExtended;
    u8 discipline = 0;  // N_TTY
    u8 control_characters[kControlCharacters] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
    u32 input_speed = 38400;
    u32 output_speed = 38400;

    bool has_input(u32 flag) const { return (input & flag) != 0; }
    bool has_output(u32 flag) const { return (output & flag) != 0; }
    bool has_control(u32 flag) const { return (control & flag) != 0; }
    bool has_local(u32 flag) const { return (local & flag) != 0; }
    u8 character(ControlCharacter which) const { return control_characters[which]; }
    bool operator==(const Termios&) const = default;
};
static_assert(sizeof(Termios) == 44);
constexpr usize kShortTermiosSize = 36;

/// struct termio of System V (TCGETA): the low halves of the flags and eight control characters.
struct ShortTermios {
    u16 input, output, control, local;
    u8 discipline;
    u8 control_characters[8];
    u8 padding = 0;
};
static_assert(sizeof(ShortTermios) == 18);

/// struct winsize.
struct WindowSize {
    u16 rows = 0, columns = 0, pixel_width = 0, pixel_height = 0;
    bool operator==(const WindowSize&) const = default;
};

/// The rate that the control flags name; `other` for BOTHER. 0: hang up (B0).
u32 output_baud_rate(const Termios& termios);
u32 input_baud_rate(const Termios& termios);
/// Sets both the flags and the numbers to a rate.
void set_baud_rate(Termios& termios, u32 rate);

}  // namespace cairn::fs::terminal
