/// What a device reports, to whom it goes, and keys that repeat while they are held; see input_device.h.

#include "drivers/input/input_device.h"

#include <algorithm>

#include "drivers/input/input.h"
#include "kernel/time/clock.h"

namespace cairn::drivers {

InputCapabilities mouse_capabilities(u32 buttons, u32 wheels) {
    InputCapabilities can;
    can.types.add(input_type::kSync);
    can.types.add(input_type::kKey);
    can.types.add(input_type::kRelative);
    can.keys.add_range(key::kButtonLeft, key::kButtonLeft + std::clamp(buttons, u32{2}, u32{5}) - 1);
    can.relative.add(relative_code::kX);
    can.relative.add(relative_code::kY);
    if (wheels > 0) {
        can.relative.add(relative_code::kWheel);
    }
    if (wheels > 1) {
        can.relative.add(relative_code::kHorizontalWheel);
    }
    return can;
}

Result<Ref<InputDevice>> InputDevice::create(std::string_view name, std::string_view place,
                                             const InputIdentity& identity, const InputCapabilities& capabilities,
                                             InputDriver& driver) {
    Ref<InputDevice> device = TRY(try_new_ref<InputDevice>(identity, capabilities, driver));
    device->name_size_ = static_cast<u8>(name.copy(device->name_, kNameLimit));
    device->place_size_ = static_cast<u8>(place.copy(device->place_, kNameLimit));
    return device;
}

void InputDevice::report(u16 type, u16 code, i32 value) {
    SpinLockGuard guard(lock_);
    if (driver_ != nullptr) {
        report_locked(type, code, value);
    }
}

/// False: nothing new. Starts and stops the repetition.
bool InputDevice::key_changes_locked(u16 code, i32 value) {
    if (!capabilities_.keys.has(code) || down_.has(code) == (value != 0)) {
        return false;
    }
    down_.set(code, value != 0);
    if (value == 0) {
        repeating_ = repeating_ == code ? u16{0} : repeating_;
    } else if (capabilities_.types.has(input_type::kRepeat)) {
        repeating_ = code;
        timer_.arm(time::now() + Nanoseconds::from_milliseconds(repeat_.delay));
    }
    return true;
}

void InputDevice::report_locked(u16 type, u16 code, i32 value) {
    switch (type) {
        case input_type::kSync:
            if (!in_packet_) {
                return;
            }
            break;
        case input_type::kKey:
            if (!key_changes_locked(code, value)) {
                return;
            }
            break;
        case input_type::kRelative:
            if (value == 0 || !capabilities_.relative.has(code)) {
                return;
            }
            break;
        default:
            break;
    }
    in_packet_ = type != input_type::kSync;
    deliver_locked(type, code, value);
}

void InputDevice::deliver_locked(u16 type, u16 code, i32 value) {
    const InputEvent event{time::now(), type, code, value};
    if (grabbed_by_ != nullptr) {
        grabbed_by_->event(event);
        return;
    }
    if (Input* input = g_kernel.input; input != nullptr) {
        input->tell_handlers(*this, event);
    }
    for (InputClient& client : clients_) {
        client.event(event);
    }
}

/// In the timer interrupt.
void InputDevice::repeat_key(time::Timer& timer) {
    InputDevice& self = *object_of_member<InputDevice, time::Timer, &InputDevice::timer_>(&timer);
    constexpr i32 kRepeated = 2;
    SpinLockGuard guard(self.lock_);
    if (self.repeating_ == 0 || self.driver_ == nullptr || self.repeat_.period == 0) {
        return;
    }
    self.deliver_locked(input_type::kKey, self.repeating_, kRepeated);
    self.deliver_locked(input_type::kSync, sync_code::kReport, 1);
    timer.arm(time::now() + Nanoseconds::from_milliseconds(self.repeat_.period));
}

void InputDevice::unplug() {
    {
        SpinLockGuard guard(lock_);
        for (u16 code = 0; code < key::kCodes; ++code) {
            if (down_.has(code)) {
                report_locked(input_type::kKey, code, 0);
            }
        }
        report_locked(input_type::kSync, sync_code::kReport, 0);
        driver_ = nullptr;
        repeating_ = 0;
        grabbed_by_ = nullptr;
        for (InputClient& client : clients_) {
            client.unplugged();
        }
    }
    static_cast<void>(timer_.cancel_and_wait());
}

u32 InputDevice::wanted_lights() {
    SpinLockGuard guard(lock_);
    return lights_.bytes[0];
}

void InputDevice::add_client(InputClient& client) {
    SpinLockGuard guard(lock_);
    clients_.push_back(client);
    if (driver_ == nullptr) {
        client.unplugged();
    }
}

void InputDevice::remove_client(InputClient& client) {
    SpinLockGuard guard(lock_);
    clients_.remove(client);
    grabbed_by_ = grabbed_by_ == &client ? nullptr : grabbed_by_;
}

Result<void> InputDevice::grab(InputClient& client) {
    SpinLockGuard guard(lock_);
    if (driver_ == nullptr) {
        return fail(Errno::enodev);
    }
    if (grabbed_by_ != nullptr) {
        return fail(Errno::ebusy);
    }
    grabbed_by_ = &client;
    return {};
}

Result<void> InputDevice::let_go(InputClient& client) {
    SpinLockGuard guard(lock_);
    if (grabbed_by_ != &client) {
        return fail(Errno::einval);
    }
    grabbed_by_ = nullptr;
    return {};
}

bool InputDevice::is_plugged_in() {
    SpinLockGuard guard(lock_);
    return driver_ != nullptr;
}

CodeSet<key::kCodes> InputDevice::keys_down() {
    SpinLockGuard guard(lock_);
    return down_;
}

CodeSet<light_code::kCodes> InputDevice::lights() {
    SpinLockGuard guard(lock_);
    return lights_;
}

KeyRepeat InputDevice::repeat() {
    SpinLockGuard guard(lock_);
    return repeat_;
}

Result<void> InputDevice::write(u16 type, u16 code, i32 value) {
    SpinLockGuard guard(lock_);
    if (driver_ == nullptr) {
        return fail(Errno::enodev);
    }
    switch (type) {
        case input_type::kLight:
            if (!capabilities_.lights.has(code) || lights_.has(code) == (value != 0)) {
                return {};
            }
            lights_.set(code, value != 0);
            driver_->outputs_changed();
            break;
        case input_type::kSound:
            if (!capabilities_.sounds.has(code)) {
                return {};
            }
            driver_->sound(code, value);
            break;
        case input_type::kRepeat:
            if (!capabilities_.types.has(input_type::kRepeat) || code > repeat_code::kPeriod || value < 0) {
                return {};
            }
            (code == repeat_code::kDelay ? repeat_.delay : repeat_.period) = static_cast<u32>(value);
            driver_->outputs_changed();
            break;
        case input_type::kSync:
            report_locked(type, code, value);
            return {};
        default:
            return {};
    }
    in_packet_ = true;
    deliver_locked(type, code, value);
    return {};
}

Result<u32> InputDevice::key_of_scan_code(u32 scan_code) {
    SpinLockGuard guard(lock_);
    return driver_ == nullptr ? fail(Errno::enodev) : driver_->key_of_scan_code(scan_code);
}

Result<void> InputDevice::set_key_of_scan_code(u32 scan_code, u32 key) {
    SpinLockGuard guard(lock_);
    return driver_ == nullptr ? Result<void>(fail(Errno::enodev)) : driver_->set_key_of_scan_code(scan_code, key);
}

}  // namespace cairn::drivers
