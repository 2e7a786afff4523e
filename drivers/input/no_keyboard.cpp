/// A kernel without keyboards: what terminals call of them finds nothing. The keyboard layer replaces this file.

#include "drivers/input/keyboard_entrances.h"

namespace cairn::drivers {

void set_keyboard_target(KeyboardTarget&) {}
void keyboard_modes_changed() {}
Result<u64> keyboard_ioctl(KeyboardModes&, u32, u64, KeyboardRight) {
    return fail(Errno::enotty);
}
void sound_bell(u32, u32) {}

}  // namespace cairn::drivers
