#pragma once
/// Ps2Controller: the keyboard controller of a PC (i8042) and its two ports. A thread sets it up, speaks with the
/// devices, and takes to them what the interrupt handlers put into a queue; nobody else touches the registers.
///
/// Lock: `lock_` (spinlock of rank InputQueue) around the registers that both use and the queue.

#include <span>

#include "arch/platform.h"
#include "drivers/interrupt_lines.h"
#include "kernel/base/own.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::drivers {

enum class Ps2Port : u8 { Keyboard, Mouse };

struct Ps2Byte {
    u8 value;
    Ps2Port port;
    bool damaged;  // parity or time-out on the wire
};

class Ps2Controller {
public:
    explicit Ps2Controller(const arch::PlatformDescription& platform) : platform_(platform) {}
    ~Ps2Controller() = default;

    /// Looks for the controller and its ports, and turns them on with interrupts. ENODEV: there is none. The thread's,
    /// for all of what follows; may sleep.
    Result<void> initialize();
    bool has_mouse_port() const { return has_mouse_port_; }

    /// What arrived first; nothing until the deadline, or when somebody called interrupt_wait().
    std::optional<Ps2Byte> next(Nanoseconds deadline);
    /// next() returns soon. Any context.
    void interrupt_wait();

    /// Sends a byte to a device. ETIMEDOUT: the controller does not take it.
    Result<void> send(Ps2Port port, u8 byte);

private:
    struct Line final : InterruptHandler {
        Ps2Controller* controller = nullptr;
        bool handle_interrupt() override { return controller->take_bytes(); }
    };
    static constexpr usize kQueueSize = 256;

    bool take_bytes();
    bool has_something();
    Result<void> wait_until_writable();
    Result<void> command(u8 code);
    Result<void> command_with(u8 code, u8 parameter);
    Result<u8> ask(u8 code);
    Result<u8> poll_byte(u32 milliseconds);
    void flush();
    Result<void> set_up_ports(u8 configuration);

    const arch::PlatformDescription& platform_;
    Line keyboard_line_;
    Line mouse_line_;
    bool has_mouse_port_ = false;
    sync::WaitQueue work_;
    Atomic<bool> interrupted_{false};

    SpinLock<LockRank::InputQueue> lock_;
    Ps2Byte queue_[kQueueSize] GUARDED_BY(lock_);
    usize first_ GUARDED_BY(lock_) = 0;
    usize size_ GUARDED_BY(lock_) = 0;
};

}  // namespace cairn::drivers
