#include "drivers/input/keyboard.h"

#include "drivers/input/magic_keys.h"
#include "kernel/base/log.h"
#include "kernel/sched/thread.h"

namespace cairn::drivers {

namespace {

/// What the keys say on an American keyboard, which is how commands are meant whatever the keymap (Linux:
/// sysrq_xlate).
constexpr char kLetters[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
    "\0\201\202\203\204\205\206\207\210\211\212\0\000789-456+1230\177"
    "\0\0\213\214\0\0\0\0\0\0\0\0\0\0\r\0/";

char letter_of(u16 code) {
    return code < sizeof kLetters ? kLetters[code] : '\0';
}

}  // namespace

Result<Own<Keyboard>> Keyboard::create() {
    Own<Keymaps> maps = TRY(Keymaps::create());
    Own<Keyboard> keyboard = TRY(try_new<Keyboard>(std::move(maps)));
    // Ahead of all programs: Magic SysRq is for when there are too many of them.
    Ref<sched::Thread> thread = TRY(sched::Thread::create(
        "keyboard", [](void* self) { static_cast<Keyboard*>(self)->run(); }, keyboard.get(), sched::kHousekeeping));
    thread->start();
    return keyboard;
}

void Keyboard::event(InputDevice&, const InputEvent& event) {
    if (event.type != input_type::kKey || event.code >= key::kButtonLeft) {
        return;
    }
    {
        SpinLockGuard guard(queue_lock_);
        if (queue_size_ == kQueueSize) {
            return;  // the terminal has not taken anything for hundreds of keys
        }
        queue_[(queue_first_ + queue_size_++) % kQueueSize] = {event.code,
                                                               static_cast<KeyTranslator::Press>(event.value)};
    }
    work_.wake_all();
}

bool Keyboard::take(QueuedKey& key) {
    SpinLockGuard guard(queue_lock_);
    if (queue_size_ == 0) {
        return false;
    }
    key = queue_[queue_first_];
    queue_first_ = (queue_first_ + 1) % kQueueSize;
    --queue_size_;
    return true;
}

bool Keyboard::has_work() {
    SpinLockGuard guard(queue_lock_);
    return queue_size_ != 0 || lights_dirty_.load(Order::acquire);
}

void Keyboard::run() {
    for (;;) {
        work_.wait_until([this] { return has_work(); });
        QueuedKey key;
        while (take(key)) {
            handle(key);
        }
        lights_dirty_.store(false, Order::relaxed);
        full_fence();  // changes from here on find the flag down
        set_lights();
    }
}

void Keyboard::handle(const QueuedKey& key) {
    if (is_magic(key)) {
        return;
    }
    if (KeyboardTarget* target = target_.load(Order::acquire)) {
        translator_.key(key.code, key.press, *target);
    }
}

/// Alt-Print and a key is a command. A command's key is kept from the terminal until it is let go.
bool Keyboard::is_magic(const QueuedKey& key) {
    using Press = KeyTranslator::Press;
    const bool down = key.press != Press::Up;
    if ((key.code == key::kLeftAlt || key.code == key::kRightAlt) && key.press != Press::Repeat) {
        alt_keys_ = static_cast<u8>(down ? alt_keys_ + 1 : alt_keys_ - (alt_keys_ != 0 ? 1 : 0));
        return false;
    }
    if (key.code == key::kSystemRequest) {
        const bool was = magic_;
        magic_ = down && (magic_ || alt_keys_ != 0);
        return was || magic_;
    }
    if (!down && swallowed_.has(key.code)) {
        swallowed_.remove(key.code);
        return true;
    }
    if (!magic_ || !down) {
        return false;
    }
    if (key.press == Press::Down) {
        swallowed_.add(key.code);
        if (const char letter = letter_of(key.code); letter != '\0') {
            magic_key(letter, MagicSource::Keyboard);
        }
    }
    return true;
}

// --- Lights -------------------------------------------------------------------------------------------------------

void Keyboard::lights_changed() {
    lights_dirty_.store(true, Order::release);
    work_.wake_all();
}

void Keyboard::set_lights() {
    KeyboardTarget* target = target_.load(Order::acquire);
    if (target == nullptr || g_kernel.input == nullptr) {
        return;
    }
    const KeyboardModes& modes = target->modes();
    const u8 lights = modes.lights == KeyboardModes::kLightsAreLocks ? modes.locks : modes.lights;
    g_kernel.input->for_each_device([lights](InputDevice& device) {
        auto set = [&](u16 code, u8 bit) {
            static_cast<void>(device.write(input_type::kLight, code, (lights & bit) != 0 ? 1 : 0));
        };
        set(light_code::kScrollLock, key_lock::kScroll);
        set(light_code::kNumLock, key_lock::kNum);
        set(light_code::kCapsLock, key_lock::kCaps);
        device.synchronize();
    });
}

void Keyboard::set_target(KeyboardTarget& target) {
    target_.store(&target, Order::release);
    lights_changed();
}

void Keyboard::leave_raw_mode() {
    if (KeyboardTarget* target = target_.load(Order::acquire)) {
        target->modes().coding = KeyboardModes::Coding::Translate;
    }
}

// --- What keys ask for --------------------------------------------------------------------------------------------

void Keyboard::ctrl_alt_del() {
    if (g_kernel.input->restart_at_ctrl_alt_del.load(Order::relaxed)) {
        log_notice("power", "Ctrl-Alt-Del: restarting");
        arch::reboot();
    }
    if (MagicActions* actions = magic_actions()) {
        actions->interrupt_first_program();
    }
}

void Keyboard::show(char command) {
    magic_key(command, MagicSource::Program);
}

// --- Entrances ----------------------------------------------------------------------------------------------------

void set_keyboard_target(KeyboardTarget& target) {
    if (g_kernel.input != nullptr) {
        g_kernel.input->keyboard().set_target(target);
    }
}

void keyboard_modes_changed() {
    if (g_kernel.input != nullptr) {
        g_kernel.input->keyboard().lights_changed();
    }
}

Result<u64> keyboard_ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right) {
    if (g_kernel.input == nullptr) {
        return fail(Errno::enotty);
    }
    return g_kernel.input->keyboard().ioctl(modes, command, argument, right);
}

}  // namespace cairn::drivers
