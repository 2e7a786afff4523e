#pragma once
/// Input: the devices that are plugged in, and who handles the events of all of them. g_kernel.input; null on a machine
/// where start-up did not make it.
///
/// Lock: `devices_mutex_` (rank InputDevices) around the list. Handlers are added at start-up, before any device, and
/// are for ever.

#include "drivers/input/input_device.h"
#include "drivers/input/speaker.h"
#include "kernel/base/kernel.h"
#include "kernel/sync/mutex.h"

namespace cairn::drivers {

class Keyboard;

/// Who gets the events of all devices that nobody has grabbed.
class InputHandler {
public:
    /// Under the device's lock, any context.
    virtual void event(InputDevice& device, const InputEvent& event) = 0;
    /// Thread context, no lock held.
    virtual void plugged_in(InputDevice&) {}
    virtual void unplugged(InputDevice&) {}

protected:
    ~InputHandler() = default;

private:
    friend class Input;
    InputHandler* next_handler_ = nullptr;
};

class Input {
public:
    /// Makes g_kernel.input, with a keyboard and its thread. Start-up. ENOMEM.
    static Result<void> initialize();

    /// Start-up, before devices. Lives for ever.
    void add_handler(InputHandler& handler);

    /// Makes a device known. ENOMEM. Thread context, no lock held; the same for remove().
    Result<void> add(InputDevice& device);
    /// It is gone: what was pressed is let go, whoever has opened it gets ENODEV. Its driver is not called any more.
    void remove(InputDevice& device);

    /// Calls `visit(device)` for each, under the lock of the list.
    template <typename Visit>
    void for_each_device(Visit visit) {
        sync::MutexGuard guard(devices_mutex_);
        for (InputDevice& device : devices_) {
            visit(device);
        }
    }
    /// The device of /dev/input/event`number`; null: none.
    std::optional<Ref<InputDevice>> find(u32 number);
    void tell_handlers(InputDevice& device, const InputEvent& event);

    Keyboard& keyboard() { return *keyboard_; }
    Speaker speaker;
    /// Ctrl-Alt-Del restarts at once; else the first program gets SIGINT (reboot(2), LINUX_REBOOT_CMD_CAD_ON).
    Atomic<bool> restart_at_ctrl_alt_del{true};

    Input() = default;
    ~Input() = default;

private:
    InputHandler* first_handler_ = nullptr;
    sync::Mutex<LockRank::InputDevices> devices_mutex_;
    List<InputDevice, &InputDevice::registry_node> devices_ GUARDED_BY(devices_mutex_);
    u32 next_number_ GUARDED_BY(devices_mutex_) = 0;
    Keyboard* keyboard_ = nullptr;  // lives for ever
};

}  // namespace cairn::drivers
