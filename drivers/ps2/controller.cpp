/// The i8042, as every PC has had it since the AT (IBM PC/AT technical reference; OSDev's and Linux's experience of
/// what can be relied upon: no answer is waited for without a deadline, and a failed self test is not the end).

#include "drivers/ps2/controller.h"

#include "arch/arch.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"

namespace cairn::drivers {

namespace {

constexpr u16 kData = 0x60, kStatus = 0x64, kCommand = 0x64;
constexpr u32 kKeyboardIrq = 1, kMouseIrq = 12;

namespace status {
constexpr u8 kOutputFull = 1, kInputFull = 2, kMouseByte = 0x20, kTimeOut = 0x40, kParity = 0x80, kNobody = 0xff;
}
namespace command_code {
constexpr u8 kReadConfiguration = 0x20, kWriteConfiguration = 0x60, kDisableMouse = 0xa7, kEnableMouse = 0xa8;
constexpr u8 kTestMouse = 0xa9, kSelfTest = 0xaa, kTestKeyboard = 0xab, kDisableKeyboard = 0xad;
constexpr u8 kEnableKeyboard = 0xae, kWriteMouse = 0xd4;
}  // namespace command_code
namespace configuration_bit {
constexpr u8 kKeyboardInterrupt = 1, kMouseInterrupt = 2, kKeyboardOff = 0x10, kMouseOff = 0x20, kTranslate = 0x40;
}

constexpr u8 kSelfTestPassed = 0x55;
constexpr u32 kAnswerMilliseconds = 500;
constexpr Nanoseconds kStep = Nanoseconds::from_microseconds(50);

}  // namespace

// --- Without interrupts -------------------------------------------------------------------------------------------

Result<void> Ps2Controller::wait_until_writable() {
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(kAnswerMilliseconds);
    while ((arch::io_read8(kStatus) & status::kInputFull) != 0) {
        if (time::now() > deadline) {
            return fail(Errno::etimedout);
        }
        sched::sleep_for(kStep);
    }
    return {};
}

Result<void> Ps2Controller::command(u8 code) {
    TRY(wait_until_writable());
    arch::io_write8(kCommand, code);
    return {};
}

Result<void> Ps2Controller::command_with(u8 code, u8 parameter) {
    TRY(command(code));
    TRY(wait_until_writable());
    arch::io_write8(kData, parameter);
    return {};
}

Result<u8> Ps2Controller::poll_byte(u32 milliseconds) {
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(milliseconds);
    while ((arch::io_read8(kStatus) & status::kOutputFull) == 0) {
        if (time::now() > deadline) {
            return fail(Errno::etimedout);
        }
        sched::sleep_for(kStep);
    }
    return arch::io_read8(kData);
}

Result<u8> Ps2Controller::ask(u8 code) {
    TRY(command(code));
    return poll_byte(kAnswerMilliseconds);
}

void Ps2Controller::flush() {
    constexpr u32 kMost = 64;
    for (u32 i = 0; i < kMost && (arch::io_read8(kStatus) & status::kOutputFull) != 0; ++i) {
        static_cast<void>(arch::io_read8(kData));
        sched::sleep_for(kStep);
    }
}

Result<void> Ps2Controller::initialize() {
    using namespace command_code;
    using namespace configuration_bit;
    if (arch::io_read8(kStatus) == status::kNobody) {
        return fail(Errno::enodev);
    }
    flush();
    TRY(command(kDisableKeyboard));
    TRY(command(kDisableMouse));
    flush();
    Result<u8> asked = ask(kReadConfiguration);
    if (!asked.ok()) {
        return fail(Errno::enodev);
    }
    u8 configuration = asked.value() & static_cast<u8>(~(kKeyboardInterrupt | kMouseInterrupt));
    TRY(command_with(kWriteConfiguration, configuration));
    const Result<u8> test = ask(kSelfTest);
    if (!test.ok() || test.value() != kSelfTestPassed) {
        log_warning("ps2", "the controller's self test gives {:#x}", test.ok() ? test.value() : 0);
    }
    // The test may have set everything back.
    TRY(command_with(kWriteConfiguration, configuration));
    return set_up_ports(configuration);
}

Result<void> Ps2Controller::set_up_ports(u8 configuration) {
    using namespace command_code;
    using namespace configuration_bit;
    TRY(command(kEnableMouse));
    const Result<u8> after = ask(kReadConfiguration);
    // A controller without a second port does not know its clock either.
    has_mouse_port_ = after.ok() && (after.value() & kMouseOff) == 0;
    if (has_mouse_port_) {
        const Result<u8> tested = ask(kTestMouse);
        has_mouse_port_ = tested.ok() && tested.value() == 0;
    }
    if (const Result<u8> tested = ask(kTestKeyboard); tested.ok() && tested.value() != 0) {
        log_warning("ps2", "the keyboard's port says {:#x}", tested.value());
    }
    flush();
    auto add = [this](Line& line, u32 irq) {
        line.controller = this;
        return interrupt_lines.add(line, arch::isa_interrupt_line(platform_, irq));
    };
    TRY(add(keyboard_line_, kKeyboardIrq));
    if (has_mouse_port_ && !add(mouse_line_, kMouseIrq).ok()) {
        has_mouse_port_ = false;
    }
    configuration = static_cast<u8>((configuration | kTranslate | kKeyboardInterrupt) & ~kKeyboardOff);
    configuration =
        static_cast<u8>(has_mouse_port_ ? (configuration | kMouseInterrupt) & ~kMouseOff : configuration | kMouseOff);
    TRY(command_with(kWriteConfiguration, configuration));
    TRY(command(kEnableKeyboard));
    // An edge may have come and gone before the line was routed.
    static_cast<void>(take_bytes());
    return {};
}

// --- With interrupts ----------------------------------------------------------------------------------------------

/// In the interrupt handler; false: there was nothing.
bool Ps2Controller::take_bytes() {
    bool any = false;
    {
        SpinLockGuard guard(lock_);
        constexpr u32 kMost = 16;
        for (u32 i = 0; i < kMost; ++i) {
            const u8 state = arch::io_read8(kStatus);
            if (state == status::kNobody || (state & status::kOutputFull) == 0) {
                break;
            }
            const bool from_mouse = (state & status::kMouseByte) != 0;
            const Ps2Byte byte{.value = arch::io_read8(kData),
                               .port = from_mouse ? Ps2Port::Mouse : Ps2Port::Keyboard,
                               .damaged = (state & (status::kTimeOut | status::kParity)) != 0};
            any = true;
            if (size_ < kQueueSize) {
                queue_[(first_ + size_++) % kQueueSize] = byte;
            }
        }
    }
    if (any) {
        work_.wake_all();
    }
    return any;
}

bool Ps2Controller::has_something() {
    SpinLockGuard guard(lock_);
    return size_ != 0 || interrupted_.load(Order::acquire);
}

std::optional<Ps2Byte> Ps2Controller::next(Nanoseconds deadline) {
    static_cast<void>(work_.wait_until([this] { return has_something(); }, sync::SleepKind::Uninterruptible, deadline));
    SpinLockGuard guard(lock_);
    if (size_ == 0) {
        interrupted_.store(false, Order::relaxed);
        return std::nullopt;
    }
    const Ps2Byte byte = queue_[first_];
    first_ = (first_ + 1) % kQueueSize;
    --size_;
    return byte;
}

void Ps2Controller::interrupt_wait() {
    interrupted_.store(true, Order::release);
    work_.wake_all();
}

Result<void> Ps2Controller::send(Ps2Port port, u8 byte) {
    if (port == Ps2Port::Mouse) {
        return command_with(command_code::kWriteMouse, byte);
    }
    TRY(wait_until_writable());
    arch::io_write8(kData, byte);
    return {};
}

}  // namespace cairn::drivers
