#pragma once
/// The 16550 as the data sheet describes it, with a line that the test holds the other end of.

#include <deque>
#include <string>

#include "drivers/serial/uart16550.h"

namespace cairn {

class ModelUart : public UartRegisters {
public:
    bool present = true;
    bool has_fifo = true;
    bool transmitter_stuck = false;
    u32 status_reads_until_empty = 3;  // how long the transmitter takes
    std::string sent;
    std::deque<u8> arrived;
    u8 line_errors = 0;
    u16 divisor = 0;
    u8 interrupt_enable = 0;
    u8 line_control = 0;
    u8 modem_control = 0;
    u32 fifo_overflows = 0;

    u8 read(u8 index) override {
        if (!present) {
            return 0xff;
        }
        switch (index) {
            case 0:
                return read_data();
            case 1:
                return interrupt_enable;
            case 2:
                return static_cast<u8>((fifos_on ? 0xc0 : 0) | (interrupt_pending() ? 0x04 : 0x01));
            case 3:
                return line_control;
            case 4:
                return modem_control;
            case 5:
                return read_status();
            default:
                return 0;
        }
    }

    void write(u8 index, u8 value) override {
        bool divisor_access = (line_control & 0x80) != 0;
        switch (index) {
            case 0:
                divisor_access ? void(divisor = static_cast<u16>((divisor & 0xff00) | value)) : write_data(value);
                break;
            case 1:
                divisor_access ? void(divisor = static_cast<u16>((divisor & 0xff) | value << 8))
                               : void(interrupt_enable = value);
                break;
            case 2:
                fifos_on = has_fifo && (value & 1) != 0;
                break;
            case 3:
                line_control = value;
                break;
            case 4:
                modem_control = value;
                break;
            default:
                break;
        }
    }

    /// Time passes with each look, as with each reading of the status: what is in the transmitter leaves.
    bool interrupt_pending() {
        pass_time();
        return ((interrupt_enable & 1) != 0 && !arrived.empty()) ||
               ((interrupt_enable & 2) != 0 && in_transmitter == 0) ||
               ((interrupt_enable & 4) != 0 && line_errors != 0);
    }

private:
    bool fifos_on = false;
    u32 in_transmitter = 0;
    u32 countdown = 0;

    u8 read_data() {
        if (arrived.empty()) {
            return 0;
        }
        u8 byte = arrived.front();
        arrived.pop_front();
        return byte;
    }
    void write_data(u8 value) {
        if ((modem_control & 0x10) != 0) {
            arrived.push_back(value);
            return;
        }
        if (++in_transmitter > (fifos_on ? 16u : 1u)) {
            ++fifo_overflows;
        }
        countdown = status_reads_until_empty;
        sent.push_back(static_cast<char>(value));
    }
    void pass_time() {
        if (!transmitter_stuck && (countdown == 0 || --countdown == 0)) {
            in_transmitter = 0;
        }
    }
    u8 read_status() {
        pass_time();
        u8 status = static_cast<u8>((arrived.empty() ? 0 : 1) | line_errors |
                                    (in_transmitter == 0 && !transmitter_stuck ? 0x60 : 0));
        line_errors = 0;
        return status;
    }
};

}  // namespace cairn
