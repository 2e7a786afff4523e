#pragma once
/// What the terminals on the screen call of the keyboard. Where no keyboard layer was started (g_kernel.input is null)
/// all of it does nothing, and keyboard_ioctl fails with ENOTTY.

#include "drivers/input/keyboard_target.h"
#include "kernel/base/result.h"

namespace cairn::drivers {

/// Who makes a call of ioctl_console(2): anybody who has the file open, one whose controlling terminal it is, or one
/// with CAP_SYS_TTY_CONFIG (who may do what an owner may).
enum class KeyboardRight : u8 { None, Owner, Administrator };

/// From now on keys go to `target`, which lives for ever. Thread context, once.
void set_keyboard_target(KeyboardTarget& target);

/// Another terminal is shown, or a program changed `locks` or `lights` of the one that is: the lights follow. Any
/// context.
void keyboard_modes_changed();

/// ioctl_console(2): what is about keys, keymaps, lights and sounds, for the terminal with these modes. ENOTTY: not one
/// of the keyboard's commands. EPERM, EFAULT, EINVAL, ENOMEM. Thread context; takes the lock Keyboard.
Result<u64> keyboard_ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right);

/// The speaker of a PC at `hertz` (0: silence) for `milliseconds` (0: until the next call). Any context.
void sound_bell(u32 hertz, u32 milliseconds);

}  // namespace cairn::drivers
