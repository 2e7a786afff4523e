#include "drivers/display/font.h"

#include <algorithm>

namespace cairn::drivers {

u32 Font::find(u32 code) const {
    const Mapping* found = std::lower_bound(map_.data(), map_.data() + map_.size(), code,
                                            [](const Mapping& mapping, u32 wanted) { return mapping.code < wanted; });
    bool there = found != map_.data() + map_.size() && found->code == code && found->glyph < count();
    return there ? found->glyph : kNone;
}

const u8* Font::glyph(u32 code) const {
    u32 index = find(code);
    for (u32 instead : {0xfffdu, 0x3fu}) {
        index = index == kNone ? find(instead) : index;
    }
    return glyphs_.data() + usize{index == kNone ? 0 : index} * row_bytes() * height_;
}

}  // namespace cairn::drivers
