#pragma once
/// Keymaps: what keys give with which modifiers, the strings of function keys, and the accents: what loadkeys(1)
/// changes (keymaps(5), ioctl_console(2)).
///
/// Lock: `mutex_` (rank Keymaps); everything is returned by value.

#include <optional>
#include <span>

#include "drivers/input/default_keymap.h"
#include "kernel/base/own_array.h"
#include "kernel/sync/mutex.h"

namespace cairn::drivers {

/// Kinds of symbols: the upper byte of an entry (linux/keyboard.h). Entries are kept XOR 0xf000, so that symbols are
/// above Unicode's characters.
namespace symbol {
constexpr u16 kMask = 0xf000;
constexpr u8 kLatin = 0, kFunction = 1, kSpecial = 2, kPad = 3, kDead = 4, kConsole = 5, kCursor = 6, kShift = 7;
constexpr u8 kMeta = 8, kAscii = 9, kLock = 10, kLetter = 11, kStickyLock = 12, kDead2 = 13, kBraille = 14, kKinds = 15;
constexpr u16 kHole = 0x0200, kAllocated = 0x027e, kNoSuchMap = 0x027f, kSecureAttention = 0x020f;
}  // namespace symbol

struct Accent {
    u32 accent = 0;
    u32 base = 0;
    u32 result = 0;
};

class Keymaps {
public:
    static constexpr u32 kKeys = 256;
    static constexpr u32 kMaps = 256;
    static constexpr u32 kFunctions = 256;
    static constexpr usize kFunctionLimit = 511;
    static constexpr u32 kAccents = 256;

    /// With the default maps. ENOMEM.
    static Result<Own<Keymaps>> create();

    /// The entry as it is kept; nothing when there is no such map.
    std::optional<u16> entry(u32 map, u32 key);
    bool has_map(u32 map);
    /// ENOMEM; EINVAL.
    Result<void> set_entry(u32 map, u32 key, u16 value);
    /// EINVAL: map 0 stays.
    Result<void> remove_map(u32 map);

    /// Copies the string; returns its length.
    usize function(u32 number, std::span<u8, kFunctionLimit> to);
    Result<void> set_function(u32 number, std::span<const u8> text);

    /// What accent and base make together.
    std::optional<u32> compose(u32 accent, u32 base);
    usize accents(std::span<Accent, kAccents> to);
    /// At most kAccents.
    void set_accents(std::span<const Accent> accents);

    Keymaps() = default;
    ~Keymaps() = default;

private:
    struct Map {
        u16 entries[kKeys];
    };
    Result<Map*> make_map(u32 map) REQUIRES(mutex_);
    Result<void> load_defaults();

    sync::Mutex<LockRank::Keymaps> mutex_;
    Own<Map> maps_[kMaps] GUARDED_BY(mutex_);
    OwnArray<u8> functions_[kFunctions] GUARDED_BY(mutex_);
    Accent accents_[kAccents] GUARDED_BY(mutex_);
    usize accent_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn::drivers
