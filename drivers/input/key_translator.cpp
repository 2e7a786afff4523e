/// See key_translator.h. The order of the checks is Linux's, since keymaps rely on it.

#include "drivers/input/key_translator.h"

#include "drivers/input/scan_codes.h"
#include "drivers/input/utf8.h"

namespace cairn::drivers {

namespace {

using Coding = KeyboardModes::Coding;

// Numbers of modifiers, special keys, keys of the keypad and functions (linux/keyboard.h).
constexpr u8 kShiftModifier = 0, kCapsShiftModifier = 8;
constexpr u8 kPad0 = 0, kPadEnter = 14, kPadComma = 15, kPadDot = 16;
constexpr u32 kFunctionFind = 20, kFunctionInsert = 21, kFunctionRemove = 22, kFunctionSelect = 23, kFunctionPrior = 24,
              kFunctionNext = 25;
enum Special : u8 {
    Nothing,
    Enter,
    ShowRegisters,
    ShowMemory,
    ShowState,
    Break,
    LastConsole,
    CapsLock,
    NumLock,
    Hold,
    ScrollForward,
    ScrollBack,
    Boot,
    CapsOn,
    Compose,
    SecureAttention,
    PreviousConsole,
    NextConsole,
    SpawnConsole,
    BareNumLock,
};
constexpr u8 kEscape = 0x1b;
constexpr u8 kReturn = '\r';

/// Accents of dead keys, as the characters that the table of accents has them under.
constexpr u16 kDeadCharacters[] = {'`', '\'', '^', '~', '"', ',', '_', 'U', '.', '*', '=', 'c', 'k', 'i',
                                   '#', 'o',  '!', '?', '+', '-', ')', '(', ':', 'n', ';', '$', '@'};

}  // namespace

void KeyTranslator::key(u16 code, Press press, KeyboardTarget& target) {
    Key key{target, target.modes(), code, press};
    down_.set(code, press != Press::Up);
    if (key.raw()) {
        send_raw(key);
    }
    if (key.repeated() && !key.modes.auto_repeat) {
        return;
    }
    const u32 map = (modifiers_ | sticky_) ^ locked_;
    std::optional<u16> entry = maps_.entry(map, code);
    if (!entry) {
        if (!maps_.has_map(map)) {
            compute_modifiers();
            sticky_ = 0;
        }
        return;
    }
    u8 kind = static_cast<u8>(*entry >> 8);
    if (kind < symbol::kMask >> 8) {  // a character of Unicode
        if (!key.up() && !key.raw()) {
            character(key, *entry);
        }
        return;
    }
    kind = static_cast<u8>(kind - (symbol::kMask >> 8));
    if (kind == symbol::kLetter) {
        kind = symbol::kLatin;
        if ((key.modes.locks & key_lock::kCaps) != 0) {
            entry = maps_.entry(map ^ 1u << kShiftModifier, code).value_or(*entry);
        }
    }
    if (key.raw() && kind != symbol::kSpecial && kind != symbol::kShift) {
        return;
    }
    apply(key, kind, static_cast<u8>(*entry));
    if (kind != symbol::kStickyLock) {
        sticky_ = 0;
    }
}

void KeyTranslator::apply(const Key& key, u8 kind, u8 value) {
    switch (kind) {
        case symbol::kShift:
            shift(key, value);
            return;
        case symbol::kStickyLock:
            shift(key, value);
            if (key.press == Press::Down) {
                sticky_ ^= 1u << value;
                if (!maps_.has_map(locked_ ^ sticky_)) {
                    sticky_ = 1u << value;
                }
            }
            return;
        default:
            break;
    }
    if (key.up()) {
        return;
    }
    switch (kind) {
        case symbol::kLatin:
            character(key, value);
            break;
        case symbol::kFunction:
            function(key, value);
            break;
        case symbol::kSpecial:
            special(key, value);
            break;
        case symbol::kPad:
            pad(key, value);
            break;
        case symbol::kDead:
            if (value < std::size(kDeadCharacters)) {
                accent_ = accent_ != 0 ? with_accent(key, kDeadCharacters[value]) : kDeadCharacters[value];
            }
            break;
        case symbol::kDead2:
            accent_ = accent_ != 0 ? with_accent(key, value) : value;
            break;
        case symbol::kConsole:
            key.target.show_terminal(value + 1u);
            break;
        case symbol::kCursor:
            cursor(key, value);
            break;
        case symbol::kMeta:
            if (key.modes.meta_sends_escape) {
                put(key, kEscape);
                put(key, value);
            } else {
                put(key, value | 0x80);
            }
            break;
        case symbol::kAscii:
            ascii(value);
            break;
        case symbol::kLock:
            if (!key.repeated()) {
                locked_ ^= 1u << (value % kModifiers);
            }
            break;
        default:
            break;
    }
}

// --- What is sent -------------------------------------------------------------------------------------------------

void KeyTranslator::put(const Key& key, u8 byte) {
    key.target.typed({&byte, 1});
}

void KeyTranslator::put_character(const Key& key, u32 character) {
    if (key.modes.coding == Coding::Unicode) {
        const Utf8 text = to_utf8(character);
        if (text.size != 0) {
            key.target.typed({text.bytes, text.size});
        }
    } else if (character < 0x100) {
        put(key, static_cast<u8>(character));
    }
}

void KeyTranslator::put_escape(const Key& key, u8 letter, bool application) {
    const u8 text[] = {kEscape, static_cast<u8>(application ? 'O' : '['), letter};
    key.target.typed(text);
}

/// What programs that read keys themselves get: scan codes, or codes of keys with the upper bit for a release.
void KeyTranslator::send_raw(const Key& key) {
    u8 bytes[6];
    usize size = 0;
    if (key.modes.coding == Coding::Raw) {
        size = scan_codes_of_key(key.code, key.up() ? ScanDirection::Break : ScanDirection::Make, bytes);
    } else if (key.modes.coding == Coding::MediumRaw) {
        const u8 release = key.up() ? 0x80 : 0;
        if (key.code < 0x80) {
            bytes[size++] = static_cast<u8>(key.code | release);
        } else {
            bytes[size++] = release;
            bytes[size++] = static_cast<u8>(key.code >> 7 | 0x80);
            bytes[size++] = static_cast<u8>(key.code | 0x80);
        }
    }
    if (size != 0) {
        key.target.typed({bytes, size});
    }
}

// --- Characters ---------------------------------------------------------------------------------------------------

void KeyTranslator::character(const Key& key, u32 value) {
    if (accent_ != 0) {
        value = with_accent(key, value);
    }
    if (compose_) {
        compose_ = false;
        accent_ = value;
        return;
    }
    put_character(key, value);
}

/// An accent with a blank or itself is itself; with what it does not go with, both are sent.
u32 KeyTranslator::with_accent(const Key& key, u32 value) {
    const u32 accent = accent_;
    accent_ = 0;
    if (std::optional<u32> made = maps_.compose(accent, value)) {
        return *made;
    }
    if (value == ' ' || value == accent) {
        return accent;
    }
    put_character(key, accent);
    return value;
}

void KeyTranslator::function(const Key& key, u32 number) {
    u8 text[Keymaps::kFunctionLimit];
    const usize size = maps_.function(number, text);
    if (size != 0) {
        key.target.typed({text, size});
    }
}

void KeyTranslator::cursor(const Key& key, u8 value) {
    constexpr u8 kLetters[] = {'B', 'D', 'C', 'A'};
    if (value < sizeof kLetters) {
        put_escape(key, kLetters[value], key.modes.application_cursor_keys);
    }
}

void KeyTranslator::pad(const Key& key, u8 value) {
    constexpr std::string_view kCharacters = "0123456789+-*/\r,.?()#";
    constexpr std::string_view kApplication = "pqrstuvwxylSRQMnnmPQS";
    if (value >= kCharacters.size()) {
        return;
    }
    if (key.modes.application_keypad && modifier_keys_[kShiftModifier] == 0) {
        put_escape(key, static_cast<u8>(kApplication[value]), true);
        return;
    }
    if ((key.modes.locks & key_lock::kNum) == 0) {
        constexpr u8 kNone = 0xff;
        struct Meaning {
            u8 function;
            u8 cursor;
        };
        constexpr Meaning kDigits[] = {
            {kFunctionInsert, kNone},
            {kFunctionSelect, kNone},
            {kNone, 0},
            {kFunctionNext, kNone},
            {kNone, 1},
            {kNone, kNone},
            {kNone, 2},
            {kFunctionFind, kNone},
            {kNone, 3},
            {kFunctionPrior, kNone},
        };
        if (value == kPadComma || value == kPadDot) {
            function(key, kFunctionRemove);
            return;
        }
        if (value < std::size(kDigits)) {
            const Meaning& meaning = kDigits[value - kPad0];
            if (meaning.function != kNone) {
                function(key, meaning.function);
            } else if (meaning.cursor != kNone) {
                cursor(key, meaning.cursor);
            } else {
                put_escape(key, 'G', key.modes.application_keypad);
            }
            return;
        }
    }
    put(key, static_cast<u8>(kCharacters[value]));
    if (value == kPadEnter && key.modes.carriage_return_line_feed) {
        put(key, '\n');
    }
}

// --- Modifiers ----------------------------------------------------------------------------------------------------

void KeyTranslator::shift(const Key& key, u8 value) {
    if (key.repeated() || value >= kModifiers) {
        return;
    }
    if (value == kCapsShiftModifier) {
        value = kShiftModifier;
        if (!key.up()) {
            key.modes.locks &= static_cast<u8>(~key_lock::kCaps);
        }
    }
    const u32 before = modifiers_;
    u8& count = modifier_keys_[value];
    count = static_cast<u8>(key.up() ? count - (count != 0 ? 1 : 0) : count + 1);
    modifiers_ = count != 0 ? modifiers_ | 1u << value : modifiers_ & ~(1u << value);
    if (key.up() && modifiers_ != before && number_typed_) {
        number_typed_ = false;
        if (key.modes.coding == Coding::Unicode) {
            put_character(key, number_);
        } else {
            put(key, static_cast<u8>(number_));
        }
    }
}

/// A digit of the number that is sent when Alt is let go.
void KeyTranslator::ascii(u8 value) {
    constexpr u8 kHexadecimal = 10;  // values from here on are digits of hexadecimal numbers
    const u32 base = value < kHexadecimal ? 10 : 16;
    number_ = number_typed_ ? number_ * base : 0;
    number_ += value < kHexadecimal ? value : value - kHexadecimal;
    number_typed_ = true;
}

/// From the keys that are down, when the map for the modifiers is gone.
void KeyTranslator::compute_modifiers() {
    modifiers_ = 0;
    std::fill_n(modifier_keys_, kModifiers, u8{0});
    for (u16 code = 0; code < kTracked; ++code) {
        if (!down_.has(code)) {
            continue;
        }
        const u16 entry = maps_.entry(0, code).value_or(0) ^ symbol::kMask;
        const u8 kind = static_cast<u8>(entry >> 8);
        u8 value = static_cast<u8>(entry);
        if ((kind != symbol::kShift && kind != symbol::kStickyLock) || value >= kModifiers) {
            continue;
        }
        value = value == kCapsShiftModifier ? kShiftModifier : value;
        ++modifier_keys_[value];
        modifiers_ |= 1u << value;
    }
}

// --- Special keys -------------------------------------------------------------------------------------------------

void KeyTranslator::special(const Key& key, u8 value) {
    if (key.raw()) {
        return;
    }
    u8& locks = key.modes.locks;
    switch (value) {
        case Enter:
            if (accent_ != 0) {
                put_character(key, accent_);
                accent_ = 0;
            }
            put(key, kReturn);
            if (key.modes.carriage_return_line_feed) {
                put(key, '\n');
            }
            break;
        case ShowRegisters:
            actions_.show('p');
            break;
        case ShowMemory:
            actions_.show('m');
            break;
        case ShowState:
            actions_.show('t');
            break;
        case LastConsole:
            key.target.show_neighbour(0);
            break;
        case CapsLock:
            locks ^= key.repeated() ? u8{0} : key_lock::kCaps;
            break;
        case NumLock:
            if (key.modes.application_keypad) {
                put_escape(key, 'P', true);
                break;
            }
            [[fallthrough]];
        case BareNumLock:
            locks ^= key.repeated() ? u8{0} : key_lock::kNum;
            break;
        case Hold:
            if (!key.repeated()) {
                locks ^= key_lock::kScroll;
                key.target.hold_output((locks & key_lock::kScroll) != 0);
            }
            break;
        case ScrollForward:
            key.target.scroll(1);
            break;
        case ScrollBack:
            key.target.scroll(-1);
            break;
        case Boot:
            actions_.ctrl_alt_del();
            break;
        case CapsOn:
            locks |= key.repeated() ? u8{0} : key_lock::kCaps;
            break;
        case Compose:
            compose_ = true;
            break;
        case PreviousConsole:
            key.target.show_neighbour(-1);
            break;
        case NextConsole:
            key.target.show_neighbour(1);
            break;
        default:
            break;
    }
}

}  // namespace cairn::drivers
