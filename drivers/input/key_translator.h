#pragma once
/// KeyTranslator: from keys to what a terminal gets, as Linux's console does it (keymaps(5)): modifiers, locks,
/// accents, function keys, the keypad, and keys that switch terminals. Knows neither devices nor lights.
///
/// Used by one thread. No lock is held when the target is called.

#include "drivers/input/input_codes.h"
#include "drivers/input/keyboard_target.h"
#include "drivers/input/keymaps.h"

namespace cairn::drivers {

/// KDGKBLED's bits in KeyboardModes::locks.
namespace key_lock {
constexpr u8 kScroll = 1, kNum = 2, kCaps = 4;
}

/// What keys ask for beyond the terminals. Thread context, no lock held.
class KeyActions {
public:
    virtual void ctrl_alt_del() = 0;
    /// Show_Memory, Show_Registers, Show_State: a command of Magic SysRq.
    virtual void show(char command) = 0;

protected:
    ~KeyActions() = default;
};

class KeyTranslator {
public:
    KeyTranslator(Keymaps& maps, KeyActions& actions) : maps_(maps), actions_(actions) {}

    enum class Press : u8 { Up, Down, Repeat };
    /// A key of the terminal that is shown.
    void key(u16 code, Press press, KeyboardTarget& target);

private:
    static constexpr u32 kModifiers = 9;
    static constexpr u16 kTracked = 256;

    struct Key {
        KeyboardTarget& target;
        KeyboardModes& modes;
        u16 code;
        Press press;
        bool up() const { return press == Press::Up; }
        bool repeated() const { return press == Press::Repeat; }
        bool raw() const {
            using Coding = KeyboardModes::Coding;
            return modes.coding == Coding::Raw || modes.coding == Coding::MediumRaw || modes.coding == Coding::Off;
        }
    };
    void send_raw(const Key& key);
    void apply(const Key& key, u8 kind, u8 value);
    void put(const Key& key, u8 byte);
    void put_character(const Key& key, u32 character);
    void put_escape(const Key& key, u8 letter, bool application);
    void character(const Key& key, u32 character);
    u32 with_accent(const Key& key, u32 character);
    void function(const Key& key, u32 number);
    void cursor(const Key& key, u8 value);
    void pad(const Key& key, u8 value);
    void shift(const Key& key, u8 value);
    void ascii(u8 value);
    void special(const Key& key, u8 value);
    void compute_modifiers();

    Keymaps& maps_;
    KeyActions& actions_;
    CodeSet<key::kCodes> down_;
    u8 modifier_keys_[kModifiers] = {};  // how many keys of each are down
    u32 modifiers_ = 0;                  // a bit for each with any
    u32 locked_ = 0;
    u32 sticky_ = 0;
    u32 accent_ = 0;        // that waits for its base, 0: none
    bool compose_ = false;  // the next character is an accent
    bool number_typed_ = false;
    u32 number_ = 0;  // Alt and digits of the keypad
};

}  // namespace cairn::drivers
