#include "drivers/input/keymaps.h"

#include <algorithm>

#include "drivers/input/utf8.h"

namespace cairn::drivers {

Result<Own<Keymaps>> Keymaps::create() {
    Own<Keymaps> maps = TRY(try_new<Keymaps>());
    TRY(maps->load_defaults());
    return maps;
}

Result<void> Keymaps::load_defaults() {
    sync::MutexGuard guard(mutex_);
    for (const DefaultMap& map : default_maps()) {
        Map* made = TRY(make_map(map.table));
        std::copy_n(map.entries, kDefaultKeys, made->entries);
    }
    u32 number = 0;
    for (std::string_view text : default_functions()) {
        if (!text.empty()) {
            OwnArray<u8> copy = TRY(OwnArray<u8>::create_for_overwrite(text.size()));
            std::ranges::copy(text, copy.data());
            functions_[number] = std::move(copy);
        }
        ++number;
    }
    for (std::u8string_view text = default_accents(); !text.empty();) {
        Accent& accent = accents_[accent_count_++];
        accent.accent = take_utf8(text);
        accent.base = take_utf8(text);
        accent.result = take_utf8(text);
    }
    return {};
}

Result<Keymaps::Map*> Keymaps::make_map(u32 map) {
    if (!maps_[map]) {
        maps_[map] = TRY(try_new<Map>());
        std::ranges::fill(maps_[map]->entries, u16{symbol::kHole ^ symbol::kMask});
    }
    return maps_[map].get();
}

std::optional<u16> Keymaps::entry(u32 map, u32 key) {
    sync::MutexGuard guard(mutex_);
    if (map >= kMaps || key >= kKeys || !maps_[map]) {
        return std::nullopt;
    }
    return maps_[map]->entries[key];
}

bool Keymaps::has_map(u32 map) {
    sync::MutexGuard guard(mutex_);
    return map < kMaps && maps_[map];
}

Result<void> Keymaps::set_entry(u32 map, u32 key, u16 value) {
    if (map >= kMaps || key >= kKeys) {
        return fail(Errno::einval);
    }
    sync::MutexGuard guard(mutex_);
    const bool is_new = !maps_[map];
    Map* found = TRY(make_map(map));
    if (is_new) {
        // So that dumpkeys(1) sees which maps were made after the defaults, as Linux marks them.
        found->entries[0] = symbol::kAllocated ^ symbol::kMask;
    }
    found->entries[key] = value;
    return {};
}

Result<void> Keymaps::remove_map(u32 map) {
    if (map == 0 || map >= kMaps) {
        return fail(Errno::einval);
    }
    Own<Map> dying;
    sync::MutexGuard guard(mutex_);
    dying = std::move(maps_[map]);
    return {};
}

usize Keymaps::function(u32 number, std::span<u8, kFunctionLimit> to) {
    sync::MutexGuard guard(mutex_);
    if (number >= kFunctions) {
        return 0;
    }
    const OwnArray<u8>& text = functions_[number];
    const usize size = std::min(text.size(), to.size());
    std::copy_n(text.data(), size, to.data());
    return size;
}

Result<void> Keymaps::set_function(u32 number, std::span<const u8> text) {
    if (number >= kFunctions || text.size() > kFunctionLimit) {
        return fail(Errno::einval);
    }
    OwnArray<u8> copy = TRY(OwnArray<u8>::create_for_overwrite(text.size()));
    std::ranges::copy(text, copy.data());
    sync::MutexGuard guard(mutex_);
    functions_[number] = std::move(copy);
    return {};
}

std::optional<u32> Keymaps::compose(u32 accent, u32 base) {
    sync::MutexGuard guard(mutex_);
    for (const Accent& candidate : std::span(accents_).first(accent_count_)) {
        if (candidate.accent == accent && candidate.base == base) {
            return candidate.result;
        }
    }
    return std::nullopt;
}

usize Keymaps::accents(std::span<Accent, kAccents> to) {
    sync::MutexGuard guard(mutex_);
    std::copy_n(accents_, accent_count_, to.data());
    return accent_count_;
}

void Keymaps::set_accents(std::span<const Accent> accents) {
    sync::MutexGuard guard(mutex_);
    accent_count_ = std::min(accents.size(), usize{kAccents});
    std::copy_n(accents.data(), accent_count_, accents_);
}

}  // namespace cairn::drivers
