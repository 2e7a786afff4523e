/// The thread of the PS/2 ports: finds a keyboard and a mouse, sets them up (again whenever one says that it was
/// plugged in), and turns their bytes into events. See ps2.h.

#include "drivers/ps2/ps2.h"

#include "drivers/devices/address_ranges.h"
#include "drivers/input/input.h"
#include "drivers/ps2/controller.h"
#include "drivers/ps2/mouse_decoder.h"
#include "drivers/ps2/scan_decoder.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"

namespace cairn::drivers {

namespace {

namespace device_command {
constexpr u8 kSetLights = 0xed, kIdentify = 0xf2, kSetRate = 0xf3, kEnable = 0xf4, kReset = 0xff;
constexpr u8 kSetScaling = 0xe6, kSetResolution = 0xe8;
}  // namespace device_command
namespace answer {
constexpr u8 kAcknowledge = 0xfa, kResend = 0xfe, kSelfTestPassed = 0xaa;
}

constexpr u32 kAnswerMilliseconds = 200;
constexpr u32 kResetMilliseconds = 1500;
/// Bytes of one packet of a mouse are never further apart.
constexpr u32 kPacketMilliseconds = 500;
/// Slowest: the keys repeat by a timer of the kernel, at any speed that is asked for.
constexpr u8 kSlowestRepeat = 0x7f;

InputCapabilities keyboard_capabilities() {
    InputCapabilities can;
    can.types.add(input_type::kSync);
    can.types.add(input_type::kKey);
    can.types.add(input_type::kMisc);
    can.types.add(input_type::kLight);
    can.types.add(input_type::kRepeat);
    can.misc.add(misc_code::kScan);
    can.lights.add_range(light_code::kNumLock, light_code::kScrollLock);
    const ScanDecoder codes;
    constexpr u32 kScanCodes = 0x100;
    for (u32 code = 1; code < kScanCodes; ++code) {
        if (const Result<u32> key = codes.key_of(code); key.ok() && key.value() != 0) {
            can.keys.add(key.value());
        }
    }
    can.keys.add(key::kPause);
    can.keys.add(key::kHanguel);
    can.keys.add(key::kHanja);
    return can;
}

class Ps2Devices final : public InputDriver {
public:
    explicit Ps2Devices(const arch::PlatformDescription& platform) : controller_(platform) {}
    ~Ps2Devices() = default;
    /// Returns when there is no controller.
    void run();

    // InputDriver; both devices have lights in common, since a mouse has none.
    void outputs_changed() override {
        lights_changed_.store(true, Order::release);
        controller_.interrupt_wait();
    }
    Result<u32> key_of_scan_code(u32 scan_code) override { return scan_codes_.key_of(scan_code); }
    Result<void> set_key_of_scan_code(u32 scan_code, u32 key) override { return scan_codes_.set_key(scan_code, key); }

private:
    void take(const Ps2Byte& byte);
    void take_key(u8 byte);
    void take_movement(u8 byte);
    std::optional<u8> answer_of(Ps2Port port, u32 milliseconds);
    bool tell(Ps2Port port, u8 byte);
    bool tell(Ps2Port port, u8 command, u8 parameter) { return tell(port, command) && tell(port, parameter); }
    bool reset(Ps2Port port);
    void set_up_keyboard();
    void set_up_mouse();
    MouseProtocol find_protocol();
    void set_lights();

    Ps2Controller controller_;
    ScanDecoder scan_codes_;
    MouseDecoder movements_;
    Nanoseconds last_movement_{};
    InputDevice* keyboard_ = nullptr;  // both for ever once found
    InputDevice* mouse_ = nullptr;
    Atomic<bool> lights_changed_{false};
    bool keyboard_came_ = false;
    bool mouse_came_ = false;
};

// --- Talking ------------------------------------------------------------------------------------------------------

/// The next byte of the port; what the other one sends meanwhile is handled as usual.
std::optional<u8> Ps2Devices::answer_of(Ps2Port port, u32 milliseconds) {
    const Nanoseconds deadline = time::now() + Nanoseconds::from_milliseconds(milliseconds);
    while (time::now() < deadline) {
        const std::optional<Ps2Byte> byte = controller_.next(deadline);
        if (byte && byte->port == port) {
            return byte->value;
        }
        if (byte) {
            take(*byte);
        }
    }
    return std::nullopt;
}

/// Sends a byte and waits until the device has taken it. Keys that come in between are not lost.
bool Ps2Devices::tell(Ps2Port port, u8 byte) {
    constexpr u32 kAttempts = 3;
    constexpr u32 kStrays = 32;
    for (u32 attempt = 0; attempt < kAttempts; ++attempt) {
        if (!controller_.send(port, byte).ok()) {
            return false;
        }
        for (u32 strays = 0; strays < kStrays; ++strays) {
            const std::optional<u8> said = answer_of(port, kAnswerMilliseconds);
            if (!said) {
                return false;
            }
            if (*said == answer::kAcknowledge) {
                return true;
            }
            if (*said == answer::kResend) {
                break;
            }
            take({.value = *said, .port = port, .damaged = false});
        }
    }
    return false;
}

bool Ps2Devices::reset(Ps2Port port) {
    if (!tell(port, device_command::kReset)) {
        return false;
    }
    const std::optional<u8> said = answer_of(port, kResetMilliseconds);
    return said && *said == answer::kSelfTestPassed;
}

// --- The keyboard -------------------------------------------------------------------------------------------------

void Ps2Devices::set_up_keyboard() {
    keyboard_came_ = false;
    if (!reset(Ps2Port::Keyboard)) {
        log_info("ps2", "no keyboard answers");
        return;
    }
    scan_codes_.reset();
    static_cast<void>(tell(Ps2Port::Keyboard, device_command::kSetRate, kSlowestRepeat));
    static_cast<void>(tell(Ps2Port::Keyboard, device_command::kEnable));
    if (keyboard_ == nullptr) {
        constexpr InputIdentity kIdentity{bus_type::kI8042, 1, 1, 0xab41};
        Result<Ref<InputDevice>> made = InputDevice::create("AT Translated Set 2 keyboard", "isa0060/serio0/input0",
                                                            kIdentity, keyboard_capabilities(), *this);
        if (!made.ok() || !g_kernel.input->add(*made.value()).ok()) {
            log_error("ps2", "no memory for a keyboard");
            return;
        }
        keyboard_ = &*made.value();
    }
    lights_changed_.store(true, Order::relaxed);
}

void Ps2Devices::take_key(u8 byte) {
    if (byte == answer::kSelfTestPassed && scan_codes_.reset_code_is_expected()) {
        keyboard_came_ = true;
        return;
    }
    const std::optional<ScanDecoder::Stroke> stroke = scan_codes_.take(byte);
    if (!stroke || keyboard_ == nullptr) {
        return;
    }
    keyboard_->report(input_type::kMisc, misc_code::kScan, static_cast<i32>(stroke->scan_code));
    if (stroke->key != 0) {
        keyboard_->report(input_type::kKey, stroke->key, stroke->down ? 1 : 0);
        if (stroke->key == key::kHanguel || stroke->key == key::kHanja) {
            keyboard_->synchronize();
            keyboard_->report(input_type::kKey, stroke->key, 0);
        }
    }
    keyboard_->synchronize();
}

void Ps2Devices::set_lights() {
    lights_changed_.store(false, Order::relaxed);
    full_fence();
    if (keyboard_ == nullptr) {
        return;
    }
    const u32 wanted = keyboard_->wanted_lights();
    auto bit = [wanted](u16 code) { return wanted >> code & 1; };
    const u32 lights = bit(light_code::kScrollLock) | bit(light_code::kNumLock) << 1 | bit(light_code::kCapsLock) << 2;
    static_cast<void>(tell(Ps2Port::Keyboard, device_command::kSetLights, static_cast<u8>(lights)));
}

// --- The mouse ----------------------------------------------------------------------------------------------------

/// Asks for a wheel, and for two more buttons, by three rates in a row that no program would set.
MouseProtocol Ps2Devices::find_protocol() {
    constexpr u8 kWheelKnock[] = {200, 100, 80};
    constexpr u8 kExplorerKnock[] = {200, 200, 80};
    MouseProtocol found = MouseProtocol::Plain;
    for (std::span<const u8> knock : {std::span(kWheelKnock), std::span(kExplorerKnock)}) {
        for (u8 rate : knock) {
            static_cast<void>(tell(Ps2Port::Mouse, device_command::kSetRate, rate));
        }
        const std::optional<u8> number = tell(Ps2Port::Mouse, device_command::kIdentify)
                                             ? answer_of(Ps2Port::Mouse, kAnswerMilliseconds)
                                             : std::nullopt;
        if (number == static_cast<u8>(MouseProtocol::Wheel) || number == static_cast<u8>(MouseProtocol::Explorer)) {
            found = static_cast<MouseProtocol>(*number);
        }
    }
    return found;
}

void Ps2Devices::set_up_mouse() {
    constexpr u8 kEightPerMillimetre = 3;
    constexpr u8 kRate = 100;
    mouse_came_ = false;
    if (!reset(Ps2Port::Mouse) || !answer_of(Ps2Port::Mouse, kAnswerMilliseconds)) {
        return;
    }
    const MouseProtocol protocol = find_protocol();
    movements_.set_protocol(protocol);
    static_cast<void>(tell(Ps2Port::Mouse, device_command::kSetRate, kRate) &&
                      tell(Ps2Port::Mouse, device_command::kSetResolution, kEightPerMillimetre) &&
                      tell(Ps2Port::Mouse, device_command::kSetScaling) &&
                      tell(Ps2Port::Mouse, device_command::kEnable));
    if (mouse_ != nullptr) {
        return;
    }
    const bool explorer = protocol == MouseProtocol::Explorer;
    const bool wheel = protocol != MouseProtocol::Plain;
    const std::string_view name = explorer ? "ImExPS/2 Generic Explorer Mouse"
                                  : wheel  ? "ImPS/2 Generic Wheel Mouse"
                                           : "PS/2 Generic Mouse";
    const InputIdentity identity{bus_type::kI8042, 2, static_cast<u16>(explorer ? 6 : wheel ? 5 : 1), 0};
    Result<Ref<InputDevice>> made = InputDevice::create(name, "isa0060/serio1/input0", identity,
                                                        mouse_capabilities(explorer ? 5 : 3, explorer ? 2
                                                                                             : wheel  ? 1
                                                                                                      : 0),
                                                        *this);
    if (!made.ok() || !g_kernel.input->add(*made.value()).ok()) {
        log_error("ps2", "no memory for a mouse");
        return;
    }
    mouse_ = &*made.value();
}

void Ps2Devices::take_movement(u8 byte) {
    const Nanoseconds now = time::now();
    if (now > last_movement_ + Nanoseconds::from_milliseconds(kPacketMilliseconds)) {
        movements_.reset();
    }
    last_movement_ = now;
    MouseMovement moved;
    switch (movements_.take(byte, moved)) {
        case MouseDecoder::Event::None:
            return;
        case MouseDecoder::Event::PluggedIn:
            mouse_came_ = true;
            return;
        case MouseDecoder::Event::Moved:
            break;
    }
    if (mouse_ == nullptr) {
        return;
    }
    constexpr u16 kButtons = 5;
    for (u16 button = 0; button < kButtons; ++button) {
        mouse_->report(input_type::kKey, static_cast<u16>(key::kButtonLeft + button), moved.buttons >> button & 1);
    }
    mouse_->report(input_type::kRelative, relative_code::kX, moved.right);
    mouse_->report(input_type::kRelative, relative_code::kY, moved.down);
    mouse_->report(input_type::kRelative, relative_code::kWheel, moved.wheel);
    mouse_->report(input_type::kRelative, relative_code::kHorizontalWheel, moved.side_wheel);
    mouse_->synchronize();
}

// --- The thread ---------------------------------------------------------------------------------------------------

void Ps2Devices::take(const Ps2Byte& byte) {
    if (byte.damaged) {
        return;
    }
    byte.port == Ps2Port::Keyboard ? take_key(byte.value) : take_movement(byte.value);
}

void Ps2Devices::run() {
    Result<void> found = controller_.initialize();
    if (!found.ok()) {
        log_info("ps2", "no keyboard controller ({})", found.error());
        return;
    }
    devices::note_range(devices::RangeKind::Ports, 0x60, 1, "keyboard");
    devices::note_range(devices::RangeKind::Ports, 0x64, 1, "keyboard");
    keyboard_came_ = true;
    mouse_came_ = controller_.has_mouse_port();
    for (;;) {
        if (keyboard_came_) {
            set_up_keyboard();
        }
        if (mouse_came_) {
            set_up_mouse();
        }
        if (lights_changed_.load(Order::acquire)) {
            set_lights();
        }
        if (const std::optional<Ps2Byte> byte = controller_.next(Nanoseconds::never())) {
            take(*byte);
        }
    }
}

}  // namespace

Result<void> start_ps2(const arch::PlatformDescription& platform) {
    Own<Ps2Devices> devices = TRY(try_new<Ps2Devices>(platform));
    Ref<sched::Thread> thread = TRY(sched::Thread::create(
        "ps2", [](void* self) { static_cast<Ps2Devices*>(self)->run(); }, devices.get(), sched::kHousekeeping));
    static_cast<void>(devices.release());  // for ever, as its interrupt handlers
    thread->start();
    return {};
}

}  // namespace cairn::drivers
