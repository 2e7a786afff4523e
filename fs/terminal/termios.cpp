/// Rates of lines: the codes of the control flags and what they mean.

#include "fs/terminal/termios.h"

#include <iterator>

namespace cairn::fs::terminal {

namespace {

/// By code: CBAUD without CBAUDEX, then with it.
constexpr u32 kLowRates[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
constexpr u32 kHighRates[] = {0,       57600,   115200,  230400,  460800,  500000,  576000,  921600,
                              1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

u32 rate_of_code(u32 code, u32 other) {
    if (code == control_flags::kBaudOther) {
        return other;
    }
    return (code & control_flags::kBaudOther) != 0 ? kHighRates[code & 15] : kLowRates[code & 15];
}

}  // namespace

u32 output_baud_rate(const Termios& termios) {
    return rate_of_code(termios.control & control_flags::kBaudMask, termios.output_speed);
}

u32 input_baud_rate(const Termios& termios) {
    u32 code = (termios.control >> control_flags::kInputBaudShift) & control_flags::kBaudMask;
    return code == 0 ? output_baud_rate(termios) : rate_of_code(code, termios.input_speed);
}

void set_baud_rate(Termios& termios, u32 rate) {
    u32 code = control_flags::kBaudOther;
    for (u32 i = 0; i < std::size(kLowRates); ++i) {
        if (kLowRates[i] == rate) {
            code = i;
        } else if (i != 0 && kHighRates[i] == rate) {
            code = control_flags::kBaudOther | i;
        }
    }
    termios.control &= ~(control_flags::kBaudMask | control_flags::kBaudMask << control_flags::kInputBaudShift);
    termios.control |= code;
    termios.input_speed = termios.output_speed = rate;
}

}  // namespace cairn::fs::terminal
