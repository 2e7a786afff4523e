#pragma once
/// Keyboard: takes the keys of all keyboards to the terminal that is shown. Events are queued where they arise; a
/// thread translates them, does what keys beyond the terminals ask for (Magic SysRq, Ctrl-Alt-Del), and sets the
/// lights.
///
/// Locks: `queue_lock_` (spinlock InputQueue) around the queue. The translator is the thread's alone.

#include "drivers/input/input.h"
#include "drivers/input/key_translator.h"
#include "drivers/input/keyboard_entrances.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::drivers {

class Keyboard final : public InputHandler, private KeyActions {
public:
    /// With its thread, which waits for a target. ENOMEM.
    static Result<Own<Keyboard>> create();

    void set_target(KeyboardTarget& target);
    void lights_changed();
    Result<u64> ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right);
    /// SysRq-r: the terminal that is shown gets characters again.
    void leave_raw_mode();

    // InputHandler
    void event(InputDevice& device, const InputEvent& event) override;
    void plugged_in(InputDevice&) override { lights_changed(); }

    explicit Keyboard(Own<Keymaps> maps) : maps_(std::move(maps)), translator_(*maps_, *this) {}
    ~Keyboard() = default;

private:
    struct QueuedKey {
        u16 code;
        KeyTranslator::Press press;
    };
    static constexpr usize kQueueSize = 256;

    void run();
    bool take(QueuedKey& key);
    bool has_work();
    void handle(const QueuedKey& key);
    bool is_magic(const QueuedKey& key);
    void set_lights();

    // KeyActions
    void ctrl_alt_del() override;
    void show(char command) override;

    // keyboard_ioctl.cpp
    Result<u64> set_mode(KeyboardModes& modes, u64 argument);
    Result<u64> entry_ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right);
    Result<u64> string_ioctl(u32 command, u64 argument, KeyboardRight right);
    Result<u64> get_accents(u32 command, u64 argument);
    Result<u64> set_accents(u32 command, u64 argument);
    Result<u64> key_code_ioctl(u32 command, u64 argument);
    Result<u64> repeat_ioctl(u64 argument);

    const Own<Keymaps> maps_;
    KeyTranslator translator_;
    Atomic<KeyboardTarget*> target_{nullptr};
    sync::WaitQueue work_;
    Atomic<bool> lights_dirty_{true};
    Atomic<u8> default_locks_{0};  // KDSKBLED's upper half

    SpinLock<LockRank::InputQueue> queue_lock_;
    QueuedKey queue_[kQueueSize] GUARDED_BY(queue_lock_);
    usize queue_first_ GUARDED_BY(queue_lock_) = 0;
    usize queue_size_ GUARDED_BY(queue_lock_) = 0;

    // The thread's.
    u8 alt_keys_ = 0;                 // how many Alt keys are down
    bool magic_ = false;              // Alt-Print is held
    bool magic_used_ = false;         // and a command was given
    CodeSet<key::kCodes> swallowed_;  // pressed as commands: their releases go nowhere either
    u8 shown_lights_ = 0xff;
};

}  // namespace cairn::drivers
