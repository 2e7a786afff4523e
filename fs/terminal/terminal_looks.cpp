/// TerminalEmulator: CSI … m, how characters look.

#include <algorithm>

#include "fs/terminal/terminal_emulator.h"

namespace cairn::fs::terminal {

namespace look = drivers::look;

void TerminalEmulator::select_graphics() {
    if (sequence_.count == 0) {
        pen_ = usual_pen_;
        return;
    }
    for (u32 i = 0; i < sequence_.count;) {
        const u32 code = sequence_.number(i);
        if (code == 38 || code == 48 || code == 58) {
            drivers::Colour unused = 0;
            i = extended_colour_at(i, code == 38 ? pen_.fore : code == 48 ? pen_.back : unused);
            continue;
        }
        if (code == 4 && sequence_.sub(i + 1)) {  // 4:0 not underlined, 4:3 a curly one
            pen_.look &= ~look::kUnderline;
            pen_.look |= sequence_.number(i + 1) != 0 ? look::kUnderline : 0;
        } else {
            select_graphics_one(code);
        }
        do {
            ++i;
        } while (sequence_.sub(i));
    }
}

/// 38 ; 5 ; n, 38 ; 2 ; r ; g ; b, 38 : 5 : n, 38 : 2 : r : g : b, 38 : 2 : space : r : g : b. Returns what comes next.
u32 TerminalEmulator::extended_colour_at(u32 index, drivers::Colour& colour) const {
    u32 end = index + 1;
    while (sequence_.sub(end)) {
        ++end;
    }
    const u32 kind = sequence_.number(index + 1);
    u32 first = index + 2;
    if (end == index + 1) {  // semicolons
        end = std::min(index + (kind == 5 ? 3 : kind == 2 ? 5 : 2), std::max(sequence_.count, index + 1));
    } else if (kind == 2 && end - index > 5) {
        ++first;  // the colour space
    }
    auto level = [&](u32 which) { return std::min(sequence_.number(first + which), 255u); };
    if (kind == 5 && first < end) {
        colour = level(0);
    } else if (kind == 2 && first + 2 < end) {
        colour = drivers::kRgb | level(0) << 16 | level(1) << 8 | level(2);
    }
    return end;
}

void TerminalEmulator::select_graphics_one(u32 code) {
    struct Look {
        u8 code;
        u32 set;
        u32 clear;
    };
    constexpr Look kLooks[] = {
        {1, look::kBold, look::kDim},
        {2, look::kDim, look::kBold},
        {3, look::kItalic, 0},
        {4, look::kUnderline, 0},
        {5, look::kBlink, 0},
        {6, look::kBlink, 0},
        {7, look::kReverse, 0},
        {8, look::kConcealed, 0},
        {9, look::kStrike, 0},
        {21, look::kUnderline, 0},
        {22, 0, look::kBold | look::kDim},
        {23, 0, look::kItalic},
        {24, 0, look::kUnderline},
        {25, 0, look::kBlink},
        {27, 0, look::kReverse},
        {28, 0, look::kConcealed},
        {29, 0, look::kStrike},
    };
    for (const Look& entry : kLooks) {
        if (entry.code == code) {
            pen_.look = (pen_.look & ~entry.clear) | entry.set;
            return;
        }
    }
    switch (code) {
        case 0:
            pen_ = usual_pen_;
            code_page_ = high_bit_ = false;
            return;
        case 10:
        case 11:
        case 12:
            code_page_ = code != 10;
            high_bit_ = code == 12;
            return;
        case 39:
            pen_.fore = usual_pen_.fore;
            return;
        case 49:
            pen_.back = usual_pen_.back;
            return;
        default:
            break;
    }
    if (code >= 30 && code <= 37) {
        pen_.fore = code - 30;
    } else if (code >= 40 && code <= 47) {
        pen_.back = code - 40;
    } else if (code >= 90 && code <= 97) {
        pen_.fore = code - 90 + 8;
    } else if (code >= 100 && code <= 107) {
        pen_.back = code - 100 + 8;
    }
}

}  // namespace cairn::fs::terminal
