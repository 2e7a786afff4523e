#include "drivers/input/input.h"

#include "drivers/input/keyboard.h"
#include "kernel/base/log.h"

namespace cairn::drivers {

Result<void> Input::initialize() {
    Own<Input> input = TRY(try_new<Input>());
    Own<Keyboard> keyboard = TRY(Keyboard::create());
    input->keyboard_ = keyboard.release();
    input->add_handler(*input->keyboard_);
    g_kernel.input = input.release();
    return {};
}

void Input::add_handler(InputHandler& handler) {
    InputHandler** last = &first_handler_;
    while (*last != nullptr) {
        last = &(*last)->next_handler_;
    }
    *last = &handler;
}

Result<void> Input::add(InputDevice& device) {
    {
        sync::MutexGuard guard(devices_mutex_);
        device.number = next_number_++;
        // The list is in the order of event numbers: the first gap is the lowest that is free.
        InputDevice* place = devices_.front();
        device.event_number = 0;
        for (; place != nullptr && place->event_number == device.event_number; place = devices_.next(*place)) {
            ++device.event_number;
        }
        if (place == nullptr) {
            devices_.push_back(device);
        } else {
            devices_.insert_before(*place, device);
        }
    }
    Ref<InputDevice> kept(device);
    static_cast<void>(kept.release());  // the list's, until remove()
    log_info("input", "{}: {} ({})", device.event_number, device.name(), device.place());
    for (InputHandler* handler = first_handler_; handler != nullptr; handler = handler->next_handler_) {
        handler->plugged_in(device);
    }
    return {};
}

void Input::remove(InputDevice& device) {
    device.unplug();
    for (InputHandler* handler = first_handler_; handler != nullptr; handler = handler->next_handler_) {
        handler->unplugged(device);
    }
    {
        sync::MutexGuard guard(devices_mutex_);
        devices_.remove(device);
    }
    log_info("input", "{}: {} is gone", device.event_number, device.name());
    static_cast<void>(Ref<InputDevice>::adopt(device));
}

std::optional<Ref<InputDevice>> Input::find(u32 number) {
    sync::MutexGuard guard(devices_mutex_);
    for (InputDevice& device : devices_) {
        if (device.event_number == number) {
            return Ref<InputDevice>(device);
        }
    }
    return std::nullopt;
}

void Input::tell_handlers(InputDevice& device, const InputEvent& event) {
    for (InputHandler* handler = first_handler_; handler != nullptr; handler = handler->next_handler_) {
        handler->event(device, event);
    }
}

}  // namespace cairn::drivers
