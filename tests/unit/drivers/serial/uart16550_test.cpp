#include "drivers/serial/uart16550.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

namespace cairn {
namespace {

/// The chip as the data sheet describes it, with a line that the test holds the other end of.
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

    bool interrupt_pending() const {
        return ((interrupt_enable & 1) != 0 && !arrived.empty()) || ((interrupt_enable & 4) != 0 && line_errors != 0);
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
    u8 read_status() {
        if (!transmitter_stuck && (countdown == 0 || --countdown == 0)) {
            in_transmitter = 0;
        }
        u8 status = static_cast<u8>((arrived.empty() ? 0 : 1) | line_errors |
                                    (in_transmitter == 0 && !transmitter_stuck ? 0x60 : 0));
        line_errors = 0;
        return status;
    }
};

struct Uart16550Test : testing::Test {
    ModelUart chip;
    u8 storage[32] = {};
    ReceiveRing ring{std::span(storage)};
    Uart16550 uart{chip, ring};

    std::string received() {
        u8 bytes[64];
        usize count = ring.take(std::span(bytes));
        return {reinterpret_cast<char*>(bytes), count};
    }
    void arrive(std::string_view text) { chip.arrived.insert(chip.arrived.end(), text.begin(), text.end()); }
};

TEST_F(Uart16550Test, InitializesTheLine) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    EXPECT_EQ(chip.divisor, 1);
    EXPECT_EQ(chip.line_control, 0x03);
    EXPECT_EQ(chip.modem_control, 0x0b);
    EXPECT_EQ(chip.interrupt_enable, 0);
    EXPECT_TRUE(uart.has_fifo());
    EXPECT_EQ(chip.sent, "");
    ASSERT_TRUE(uart.initialize(9600).ok());
    EXPECT_EQ(chip.divisor, 12);
}

TEST_F(Uart16550Test, RefusesRatesThatTheChipCannotMake) {
    EXPECT_EQ(uart.initialize(0).error(), Errno::einval);
    EXPECT_EQ(uart.initialize(230400).error(), Errno::einval);
    EXPECT_EQ(uart.initialize(100000).error(), Errno::einval);
    EXPECT_EQ(uart.initialize(1).error(), Errno::einval);
    EXPECT_TRUE(uart.initialize(50).ok());
}

TEST_F(Uart16550Test, NoticesThatThereIsNoChip) {
    chip.present = false;
    EXPECT_EQ(uart.initialize(115200).error(), Errno::enodev);
}

TEST_F(Uart16550Test, NoticesABrokenChip) {
    chip.transmitter_stuck = true;
    EXPECT_EQ(uart.initialize(115200).error(), Errno::enodev);
}

TEST_F(Uart16550Test, TransmitsWithoutOverrunningTheFifo) {
    for (bool fifo : {true, false}) {
        chip.has_fifo = fifo;
        chip.sent.clear();
        ASSERT_TRUE(uart.initialize(115200).ok());
        EXPECT_EQ(uart.has_fifo(), fifo);
        std::string text(100, 'x');
        EXPECT_EQ(uart.transmit(text), text.size());
        EXPECT_EQ(chip.sent, text);
        EXPECT_EQ(chip.fifo_overflows, 0u);
    }
}

TEST_F(Uart16550Test, LineFeedsBecomeTwoCharacters) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    EXPECT_EQ(uart.transmit("a\nb\n"), 4u);
    EXPECT_EQ(chip.sent, "a\r\nb\r\n");
}

TEST_F(Uart16550Test, AStuckTransmitterLosesTextButReturns) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    chip.transmitter_stuck = true;
    EXPECT_EQ(uart.transmit("hello"), 0u);
}

TEST_F(Uart16550Test, InterruptsFillTheRing) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_receive();
    EXPECT_EQ(uart.handle_interrupt(), 0u);  // not ours
    arrive("hello");
    EXPECT_TRUE(chip.interrupt_pending());
    EXPECT_EQ(uart.handle_interrupt(), 5u);
    EXPECT_FALSE(chip.interrupt_pending());
    EXPECT_EQ(received(), "hello");
    EXPECT_EQ(received(), "");
    uart.disable_receive();
    arrive("x");
    EXPECT_FALSE(chip.interrupt_pending());
}

TEST_F(Uart16550Test, AFullRingDropsTheNewest) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_receive();
    arrive(std::string(32, 'a') + "bcd");
    EXPECT_EQ(uart.handle_interrupt(), 35u);
    EXPECT_EQ(ring.dropped(), 3u);
    EXPECT_EQ(received(), std::string(32, 'a'));
}

TEST_F(Uart16550Test, TheRingWrapsAround) {
    for (u32 round = 0; round < 20; ++round) {
        for (char c : std::string_view("0123456")) {
            ring.push(static_cast<u8>(c));
        }
        EXPECT_EQ(received(), "0123456");
    }
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(ring.dropped(), 0u);
}

TEST_F(Uart16550Test, CountsLineErrors) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_receive();
    chip.line_errors = 0x02 | 0x04 | 0x08;
    arrive("q");
    EXPECT_EQ(uart.handle_interrupt(), 1u);
    UartLineErrors errors = uart.take_line_errors();
    EXPECT_EQ(errors.overruns, 1u);
    EXPECT_EQ(errors.parity, 1u);
    EXPECT_EQ(errors.framing, 1u);
    EXPECT_EQ(errors.breaks, 0u);
    EXPECT_EQ(uart.take_line_errors().overruns, 0u);
}

TEST_F(Uart16550Test, ABreakIsNotACharacter) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_receive();
    chip.line_errors = 0x10;
    arrive(std::string_view("\0", 1));
    EXPECT_EQ(uart.handle_interrupt(), 0u);
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(uart.take_line_errors().breaks, 1u);
}

}  // namespace
}  // namespace cairn
