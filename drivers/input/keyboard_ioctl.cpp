/// The keyboard's commands of ioctl_console(2); see keyboard_entrances.h. Numbers and structures are linux/kd.h's.

#include <algorithm>

#include "drivers/input/keyboard.h"
#include "mm/user_memory.h"

namespace cairn::drivers {

namespace {

enum Command : u32 {
    kSetSound = 0x4b2f,
    kMakeTone = 0x4b30,
    kGetLights = 0x4b31,
    kSetLights = 0x4b32,
    kGetType = 0x4b33,
    kGetMode = 0x4b44,
    kSetMode = 0x4b45,
    kGetEntry = 0x4b46,
    kSetEntry = 0x4b47,
    kGetString = 0x4b48,
    kSetString = 0x4b49,
    kGetAccents = 0x4b4a,
    kSetAccents = 0x4b4b,
    kGetKeyCode = 0x4b4c,
    kSetKeyCode = 0x4b4d,
    kRepeatRate = 0x4b52,
    kGetMeta = 0x4b62,
    kSetMeta = 0x4b63,
    kGetLocks = 0x4b64,
    kSetLocks = 0x4b65,
    kGetUnicodeAccents = 0x4bfa,
    kSetUnicodeAccents = 0x4bfb,
};

using Coding = KeyboardModes::Coding;
/// By KDGKBMODE's numbers.
constexpr Coding kCodings[] = {Coding::Raw, Coding::Translate, Coding::MediumRaw, Coding::Unicode, Coding::Off};

constexpr u64 kMetaBit = 3, kMetaEscape = 4;
constexpr u8 kLockBits = 7;
constexpr u32 kLockDefaultShift = 4;
constexpr u32 kTimerHertz = 1'193'180;

struct EntryArgument {
    u8 table;
    u8 index;
    u16 value;
};
struct NarrowAccent {
    u8 accent;
    u8 base;
    u8 result;
};
struct KeyCodeArgument {
    u32 scan_code;
    u32 key;
};
struct RepeatArgument {
    i32 delay;
    i32 period;
};

Result<u64> store_byte(u64 argument, u8 value) {
    TRY(mm::UserOut<u8>(argument).store(value));
    return u64{0};
}
Result<u64> store_number(u64 argument, i32 value) {
    TRY(mm::UserOut<i32>(argument).store(value));
    return u64{0};
}

}  // namespace

Result<u64> Keyboard::ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right) {
    constexpr u8 kType101 = 2;
    const bool may = right != KeyboardRight::None;
    switch (command) {
        case kGetType:
            return store_byte(argument, kType101);
        case kGetMode:
            return store_number(argument, static_cast<i32>(std::ranges::find(kCodings, modes.coding) - kCodings));
        case kGetMeta:
            return store_number(argument, static_cast<i32>(modes.meta_sends_escape ? kMetaEscape : kMetaBit));
        case kGetLights:
            return store_byte(argument,
                              modes.lights == KeyboardModes::kLightsAreLocks ? modes.locks : modes.lights & kLockBits);
        case kGetLocks:
            return store_byte(argument,
                              static_cast<u8>(modes.locks | default_locks_.load(Order::relaxed) << kLockDefaultShift));
        case kGetEntry:
        case kSetEntry:
            return entry_ioctl(modes, command, argument, right);
        case kGetString:
        case kSetString:
            return string_ioctl(command, argument, right);
        case kGetAccents:
        case kGetUnicodeAccents:
            return get_accents(command, argument);
        case kGetKeyCode:
            return key_code_ioctl(command, argument);
        default:
            break;
    }
    const bool known = command == kSetSound || command == kMakeTone || command == kSetMode || command == kSetMeta ||
                       command == kSetLights || command == kSetLocks || command == kSetAccents ||
                       command == kSetUnicodeAccents || command == kSetKeyCode || command == kRepeatRate;
    if (!known) {
        return fail(Errno::enotty);
    }
    if (!may) {
        return fail(Errno::eperm);
    }
    switch (command) {
        case kSetSound:
            sound_bell(argument != 0 ? kTimerHertz / std::max(static_cast<u32>(argument) & 0xffff, u32{1}) : 0, 0);
            return u64{0};
        case kMakeTone: {
            const u32 count = static_cast<u32>(argument) & 0xffff;
            sound_bell(count != 0 ? kTimerHertz / count : 0, static_cast<u32>(argument) >> 16);
            return u64{0};
        }
        case kSetMode:
            return set_mode(modes, argument);
        case kSetMeta:
            if (argument != kMetaBit && argument != kMetaEscape) {
                return fail(Errno::einval);
            }
            modes.meta_sends_escape = argument == kMetaEscape;
            return u64{0};
        case kSetLights:
            modes.lights =
                (argument & ~u64{kLockBits}) != 0 ? KeyboardModes::kLightsAreLocks : static_cast<u8>(argument);
            lights_changed();
            return u64{0};
        case kSetLocks:
            if ((argument & ~u64{0x77}) != 0) {
                return fail(Errno::einval);
            }
            modes.locks = static_cast<u8>(argument & kLockBits);
            default_locks_.store(static_cast<u8>(argument >> kLockDefaultShift & kLockBits), Order::relaxed);
            lights_changed();
            return u64{0};
        case kSetAccents:
        case kSetUnicodeAccents:
            return set_accents(command, argument);
        case kSetKeyCode:
            return key_code_ioctl(command, argument);
        default:
            return repeat_ioctl(argument);
    }
}

Result<u64> Keyboard::set_mode(KeyboardModes& modes, u64 argument) {
    if (argument >= std::size(kCodings)) {
        return fail(Errno::einval);
    }
    modes.coding = kCodings[argument];
    return u64{0};
}

/// Characters of Unicode are for keyboards in Unicode mode; the others see a hole (Linux: vt_kdskbent).
Result<u64> Keyboard::entry_ioctl(KeyboardModes& modes, u32 command, u64 argument, KeyboardRight right) {
    EntryArgument entry = TRY(mm::UserIn<EntryArgument>(argument).fetch());
    constexpr u8 kHighestKey = 255;
    auto is_symbol = [](u16 value) { return value >> 8 >= symbol::kMask >> 8; };
    if (command == kGetEntry) {
        const std::optional<u16> found = maps_->entry(entry.table, entry.index);
        u16 value = found.value_or(u16{0});
        if (!found) {
            value = entry.index != 0 ? symbol::kHole : symbol::kNoSuchMap;
        } else {
            value ^= symbol::kMask;
            if (modes.coding != Coding::Unicode && !is_symbol(*found)) {
                value = symbol::kHole;
            }
        }
        entry.value = value;
        TRY(mm::UserOut<EntryArgument>(argument).store(entry));
        return u64{0};
    }
    if (right != KeyboardRight::Administrator) {
        return fail(Errno::eperm);
    }
    static_assert(kHighestKey == Keymaps::kKeys - 1);
    if (entry.index == 0 && entry.value == symbol::kNoSuchMap) {
        if (entry.table == 0) {
            return u64{0};
        }
        TRY(maps_->remove_map(entry.table));
        return u64{0};
    }
    const u16 kept = static_cast<u16>(entry.value ^ symbol::kMask);
    if (is_symbol(kept)) {
        constexpr u8 kMost[symbol::kKinds] = {255, 255, 19, 19, 26, 62, 3, 8, 255, 25, 8, 255, 8, 255, 10};
        const u8 kind = static_cast<u8>(entry.value >> 8);
        if (kind >= symbol::kKinds || (entry.value & 0xff) > kMost[kind]) {
            return fail(Errno::einval);
        }
    } else if (modes.coding != Coding::Unicode) {
        return fail(Errno::einval);
    }
    if (entry.index == 0) {
        return u64{0};  // code 0 is what a map is marked by
    }
    const bool is_secure = entry.value == symbol::kSecureAttention;
    if (is_secure && right != KeyboardRight::Administrator) {
        return fail(Errno::eperm);
    }
    TRY(maps_->set_entry(entry.table, entry.index, kept));
    return u64{0};
}

Result<u64> Keyboard::string_ioctl(u32 command, u64 argument, KeyboardRight right) {
    const u8 number = TRY(mm::UserIn<u8>(argument).fetch());
    u8 text[Keymaps::kFunctionLimit + 1];
    if (command == kGetString) {
        const usize size =
            maps_->function(number, std::span<u8, Keymaps::kFunctionLimit>(text, Keymaps::kFunctionLimit));
        text[size] = 0;
        TRY(mm::UserOut<u8>(argument + 1).store(std::span<const u8>(text, size + 1)));
        return u64{0};
    }
    if (right != KeyboardRight::Administrator) {
        return fail(Errno::eperm);
    }
    for (usize size = 0; size <= Keymaps::kFunctionLimit; ++size) {
        text[size] = TRY(mm::UserIn<u8>(argument + 1).fetch(size));
        if (text[size] == 0 || size == Keymaps::kFunctionLimit) {
            TRY(maps_->set_function(number, std::span<const u8>(text, size)));
            break;
        }
    }
    return u64{0};
}

Result<u64> Keyboard::get_accents(u32 command, u64 argument) {
    OwnArray<Accent> accents = TRY(OwnArray<Accent>::create(Keymaps::kAccents));
    const usize count = maps_->accents(std::span<Accent, Keymaps::kAccents>(accents.data(), Keymaps::kAccents));
    TRY(mm::UserOut<u32>(argument).store(static_cast<u32>(count)));
    const u64 list = argument + sizeof(u32);
    if (command == kGetUnicodeAccents) {
        TRY(mm::UserOut<Accent>(list).store(std::span<const Accent>(accents.data(), count)));
        return u64{0};
    }
    auto narrow = [](u32 character) { return character < 0x100 ? static_cast<u8>(character) : u8{'?'}; };
    for (usize i = 0; i < count; ++i) {
        const Accent& accent = accents[i];
        TRY(mm::UserOut<NarrowAccent>(list).store({narrow(accent.accent), narrow(accent.base), narrow(accent.result)},
                                                  i));
    }
    return u64{0};
}

Result<u64> Keyboard::set_accents(u32 command, u64 argument) {
    const u32 count = TRY(mm::UserIn<u32>(argument).fetch());
    if (count >= Keymaps::kAccents) {
        return fail(Errno::einval);
    }
    OwnArray<Accent> accents = TRY(OwnArray<Accent>::create(count));
    const u64 list = argument + sizeof(u32);
    if (command == kSetUnicodeAccents) {
        TRY(mm::UserIn<Accent>(list).fetch(accents.span()));
    } else {
        for (usize i = 0; i < count; ++i) {
            const NarrowAccent narrow = TRY(mm::UserIn<NarrowAccent>(list).fetch(i));
            accents[i] = {narrow.accent, narrow.base, narrow.result};
        }
    }
    maps_->set_accents(accents.span());
    return u64{0};
}

/// Of the first keyboard that knows scan codes.
Result<u64> Keyboard::key_code_ioctl(u32 command, u64 argument) {
    KeyCodeArgument codes = TRY(mm::UserIn<KeyCodeArgument>(argument).fetch());
    std::optional<Errno> error = Errno::enodev;
    g_kernel.input->for_each_device([&](InputDevice& device) {
        if (!error || !device.is_keyboard()) {
            return;
        }
        if (command == kGetKeyCode) {
            const Result<u32> key = device.key_of_scan_code(codes.scan_code);
            error = key.ok() ? std::nullopt : std::optional(key.error());
            codes.key = key.ok() ? key.value() : 0;
        } else {
            const Result<void> set = device.set_key_of_scan_code(codes.scan_code, codes.key);
            error = set.ok() ? std::nullopt : std::optional(set.error());
        }
    });
    if (error) {
        return fail(*error);
    }
    if (command == kGetKeyCode) {
        TRY(mm::UserOut<KeyCodeArgument>(argument).store(codes));
    }
    return u64{0};
}

/// A delay or a period that is not positive stays; what holds then is told.
Result<u64> Keyboard::repeat_ioctl(u64 argument) {
    RepeatArgument repeat = TRY(mm::UserIn<RepeatArgument>(argument).fetch());
    g_kernel.input->for_each_device([&](InputDevice& device) {
        if (!device.capabilities().types.has(input_type::kRepeat)) {
            return;
        }
        if (repeat.delay > 0) {
            static_cast<void>(device.write(input_type::kRepeat, repeat_code::kDelay, repeat.delay));
        }
        if (repeat.period > 0) {
            static_cast<void>(device.write(input_type::kRepeat, repeat_code::kPeriod, repeat.period));
        }
        const KeyRepeat now = device.repeat();
        repeat = {static_cast<i32>(now.delay), static_cast<i32>(now.period)};
    });
    TRY(mm::UserOut<RepeatArgument>(argument).store(repeat));
    return u64{0};
}

}  // namespace cairn::drivers
