#pragma once
/// InputDevice: a keyboard or mouse as its driver found it, and who listens to it: the handlers (input.h) get the
/// events of all devices, clients those of one device they opened.
///
/// Lock: `lock_` (spinlock of rank InputDevice) around the state and the list of clients; handlers and clients are told
/// under it, so they take locks of inner ranks only. A device is counted: whoever has opened it may hold it longer than
/// it is plugged in.

#include <string_view>

#include "drivers/input/input_codes.h"
#include "kernel/base/list.h"
#include "kernel/base/ref.h"
#include "kernel/sync/spin_lock.h"
#include "kernel/time/timer.h"

namespace cairn::drivers {

class InputDevice;

/// Who gets the events of one device.
class InputClient {
public:
    /// An event, and after those that belong together one of kSync. Under the device's lock, any context.
    virtual void event(const InputEvent& event) = 0;
    /// The device was unplugged. Under its lock.
    virtual void unplugged() = 0;

    ListNode client_node;

protected:
    ~InputClient() = default;
};

/// What a driver does for its device.
class InputDriver {
public:
    /// Lights or the speed of repetition were changed: sees that the device follows. Any context; wakes a thread.
    virtual void outputs_changed() = 0;
    /// A tone of sound_code. Any context.
    virtual void sound(u16 /*code*/, i32 /*value*/) {}
    /// Which key a scan code gives (KDGETKEYCODE, setkeycodes(8)); EINVAL: no such code. Any context.
    virtual Result<u32> key_of_scan_code(u32 /*scan_code*/) { return fail(Errno::einval); }
    virtual Result<void> set_key_of_scan_code(u32 /*scan_code*/, u32 /*key*/) { return fail(Errno::einval); }

protected:
    ~InputDriver() = default;
};

struct InputIdentity {
    u16 bus = 0;
    u16 vendor = 0;
    u16 product = 0;
    u16 version = 0;
};

/// What a device can report; fixed once it is registered.
struct InputCapabilities {
    CodeSet<input_type::kTypes> types;
    CodeSet<key::kCodes> keys;
    CodeSet<relative_code::kCodes> relative;
    CodeSet<misc_code::kCodes> misc;
    CodeSet<light_code::kCodes> lights;
    CodeSet<sound_code::kCodes> sounds;
};
/// A mouse with so many buttons (2 … 5) and wheels (0 … 2).
InputCapabilities mouse_capabilities(u32 buttons, u32 wheels);

/// Delay before the first, and time between further ones; milliseconds.
struct KeyRepeat {
    u32 delay = 250;
    u32 period = 33;
};

class InputDevice final : public RefCounted<InputDevice> {
public:
    static constexpr usize kNameLimit = 80;

    /// Texts are copied, cut if need be. ENOMEM.
    static Result<Ref<InputDevice>> create(std::string_view name, std::string_view place, const InputIdentity& identity,
                                           const InputCapabilities& capabilities, InputDriver& driver);

    std::string_view name() const { return {name_, name_size_}; }
    /// Where it is plugged in: "isa0060/serio0/input0".
    std::string_view place() const { return {place_, place_size_}; }
    const InputIdentity& identity() const { return identity_; }
    const InputCapabilities& capabilities() const { return capabilities_; }
    bool is_keyboard() const { return capabilities_.keys.has(key::kEnter); }
    bool is_mouse() const { return capabilities_.relative.has(relative_code::kX); }

    // --- For its driver; any context -------------------------------------------------------------------------------
    /// An event; what says nothing new (a key that is already down) is dropped.
    void report(u16 type, u16 code, i32 value);
    /// The events so far belong together.
    void synchronize() { report(input_type::kSync, sync_code::kReport, 0); }
    /// The lights that are wanted: a bit for each light_code.
    u32 wanted_lights();

    // --- For those who listen --------------------------------------------------------------------------------------
    void add_client(InputClient& client);
    void remove_client(InputClient& client);
    /// EVIOCGRAB: only this client gets events. EBUSY; ENODEV when unplugged.
    Result<void> grab(InputClient& client);
    /// EINVAL: it had not.
    Result<void> let_go(InputClient& client);
    bool is_plugged_in();
    CodeSet<key::kCodes> keys_down();
    CodeSet<light_code::kCodes> lights();
    /// As if a program wrote the event: lights, sounds and repetition. ENODEV.
    Result<void> write(u16 type, u16 code, i32 value);
    KeyRepeat repeat();
    Result<u32> key_of_scan_code(u32 scan_code);
    Result<void> set_key_of_scan_code(u32 scan_code, u32 key);

    /// Numbers that Input gives: of the device since the boot (input3), and the lowest that was free (event0).
    u32 number = 0;
    u32 event_number = 0;
    ListNode registry_node;

    InputDevice(const InputIdentity& identity, const InputCapabilities& capabilities, InputDriver& driver)
        : identity_(identity), capabilities_(capabilities), driver_(&driver) {}
    ~InputDevice() = default;

private:
    friend class Input;
    /// Lets go of what is pressed, and of the driver; tells the clients. Thread context.
    void unplug();
    void report_locked(u16 type, u16 code, i32 value) REQUIRES(lock_);
    void deliver_locked(u16 type, u16 code, i32 value) REQUIRES(lock_);
    bool key_changes_locked(u16 code, i32 value) REQUIRES(lock_);
    static void repeat_key(time::Timer& timer);

    const InputIdentity identity_;
    const InputCapabilities capabilities_;
    char name_[kNameLimit];
    char place_[kNameLimit];
    u8 name_size_ = 0;
    u8 place_size_ = 0;

    SpinLock<LockRank::InputDevice> lock_;
    InputDriver* driver_ GUARDED_BY(lock_);  // null: unplugged
    List<InputClient, &InputClient::client_node> clients_ GUARDED_BY(lock_);
    InputClient* grabbed_by_ GUARDED_BY(lock_) = nullptr;
    CodeSet<key::kCodes> down_ GUARDED_BY(lock_);
    CodeSet<light_code::kCodes> lights_ GUARDED_BY(lock_);
    KeyRepeat repeat_ GUARDED_BY(lock_);
    u16 repeating_ GUARDED_BY(lock_) = 0;       // the key, 0: none
    bool in_packet_ GUARDED_BY(lock_) = false;  // something came since the last kReport
    time::Timer timer_{&repeat_key};
};

}  // namespace cairn::drivers
