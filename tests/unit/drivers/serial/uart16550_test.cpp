#include "drivers/serial/uart16550.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/serial/model_uart.h"

namespace cairn {
namespace {

struct Uart16550Test : testing::Test {
    ModelUart chip;
    ReceivedByte storage[32] = {};
    u8 send_storage[64] = {};
    ReceiveRing ring{std::span(storage)};
    TransmitRing to_send{std::span(send_storage)};
    Uart16550 uart{chip, ring, to_send};

    std::string received() {
        std::string text;
        while (!ring.empty()) {
            text.push_back(static_cast<char>(ring.pop().byte));
        }
        return text;
    }
    void send(std::string_view text) {
        for (char c : text) {
            to_send.push(static_cast<u8>(c));
        }
        uart.start_transmission();
    }
    /// Handles interrupts until none is pending.
    usize settle() {
        usize bytes = 0;
        for (u32 i = 0; i < 1000 && chip.interrupt_pending(); ++i) {
            bytes += uart.handle_interrupt().received;
        }
        return bytes;
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
    uart.enable_interrupts();
    EXPECT_FALSE(uart.handle_interrupt().ours);
    arrive("hello");
    EXPECT_TRUE(chip.interrupt_pending());
    EXPECT_EQ(uart.handle_interrupt().received, 5u);
    EXPECT_FALSE(chip.interrupt_pending());
    EXPECT_EQ(received(), "hello");
    EXPECT_EQ(received(), "");
    uart.disable_interrupts();
    arrive("x");
    EXPECT_FALSE(chip.interrupt_pending());
}

TEST_F(Uart16550Test, AFullRingHoldsTheLineBackAndLosesNothing) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_interrupts();
    arrive(std::string(32, 'a') + "bcd");
    EXPECT_EQ(settle(), 32u);
    EXPECT_FALSE(chip.interrupt_pending());
    EXPECT_EQ(chip.arrived.size(), 3u);
    uart.resume_receive();  // still full
    EXPECT_FALSE(chip.interrupt_pending());
    EXPECT_EQ(received(), std::string(32, 'a'));
    uart.resume_receive();
    EXPECT_EQ(settle(), 3u);
    EXPECT_EQ(received(), "bcd");
}

TEST_F(Uart16550Test, TheRingWrapsAround) {
    for (u32 round = 0; round < 20; ++round) {
        for (char c : std::string_view("0123456")) {
            ring.push({static_cast<u8>(c), LineMark::Normal});
        }
        EXPECT_EQ(received(), "0123456");
    }
    EXPECT_TRUE(ring.empty());
}

TEST_F(Uart16550Test, InterruptsEmptyTheTransmitRing) {
    for (bool fifo : {true, false}) {
        chip.has_fifo = fifo;
        chip.sent.clear();
        ASSERT_TRUE(uart.initialize(115200).ok());
        uart.enable_interrupts();
        EXPECT_FALSE(chip.interrupt_pending());
        send("The quick brown fox jumps over the lazy dog");
        chip.status_reads_until_empty = 1;
        settle();
        EXPECT_EQ(chip.sent, "The quick brown fox jumps over the lazy dog");
        EXPECT_EQ(chip.fifo_overflows, 0u);
        EXPECT_FALSE(chip.interrupt_pending());  // nothing more to send: silent
    }
}

TEST_F(Uart16550Test, StoppedTransmissionGoesOn) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    chip.status_reads_until_empty = 1;
    uart.enable_interrupts();
    uart.set_transmission_stopped(true);
    send("later");
    settle();
    EXPECT_EQ(chip.sent, "");
    uart.set_transmission_stopped(false);
    settle();
    EXPECT_EQ(chip.sent, "later");
}

TEST_F(Uart16550Test, PolledTextBetweenInterrupts) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    chip.status_reads_until_empty = 1;
    uart.enable_interrupts();
    send(std::string(40, 'x'));
    uart.handle_interrupt();
    EXPECT_EQ(uart.transmit("log\n"), 4u);
    settle();
    EXPECT_EQ(chip.sent, std::string(16, 'x') + "log\r\n" + std::string(24, 'x'));
    EXPECT_EQ(chip.fifo_overflows, 0u);
}

TEST_F(Uart16550Test, CountsLineErrors) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_interrupts();
    chip.line_errors = 0x02 | 0x04 | 0x08;
    arrive("q");
    EXPECT_EQ(uart.handle_interrupt().received, 1u);
    UartLineErrors errors = uart.take_line_errors();
    EXPECT_EQ(errors.overruns, 1u);
    EXPECT_EQ(errors.parity, 1u);
    EXPECT_EQ(errors.framing, 1u);
    EXPECT_EQ(errors.breaks, 0u);
    EXPECT_EQ(uart.take_line_errors().overruns, 0u);
    EXPECT_EQ(ring.pop().mark, LineMark::ParityError);
}

TEST_F(Uart16550Test, ABreakIsMarked) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_interrupts();
    chip.line_errors = 0x10;
    arrive(std::string_view("\0", 1));
    EXPECT_EQ(uart.handle_interrupt().received, 1u);
    EXPECT_EQ(ring.pop().mark, LineMark::Break);
    EXPECT_EQ(uart.take_line_errors().breaks, 1u);
}

TEST_F(Uart16550Test, ConfiguresTheFrame) {
    ASSERT_TRUE(uart.initialize(115200).ok());
    uart.enable_interrupts();
    u8 before = chip.interrupt_enable;
    ASSERT_TRUE(
        uart.configure({.baud = 9600, .data_bits = 7, .two_stop_bits = true, .parity = true, .odd_parity = false})
            .ok());
    EXPECT_EQ(chip.divisor, 12);
    EXPECT_EQ(chip.line_control, 0x1e);
    EXPECT_EQ(chip.interrupt_enable, before);
    EXPECT_EQ(uart.configure({.baud = 230400}).error(), Errno::einval);
    EXPECT_EQ(chip.divisor, 12);
    uart.set_break(true);
    EXPECT_EQ(chip.line_control, 0x5e);
    uart.set_break(false);
    EXPECT_EQ(chip.line_control, 0x1e);
}

}  // namespace
}  // namespace cairn
