#pragma once
/// A terminal emulator on a small grid, and what it shows as text.

#include <string>
#include <vector>

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/terminal_emulator.h"

namespace cairn::fs::terminal {

struct EmulatedScreen : TerminalEmulator::Host {
    EmulatedScreen(u32 columns, u32 rows, u32 chunks = 4)
        : scroll_back(chunks),
          grid(TerminalGrid::Storage::create(columns, rows).value(), scroll_back),
          emulator(grid, keyboard, *this) {
        scroll_back.give(try_new<ScrollBack::Chunk>().value());
    }

    void reply(std::string_view text) override { replies += text; }
    void bell() override { ++bells; }
    void show_terminal(u32 number) override { wanted = number; }

    EmulatedScreen& feed(std::string_view text) {
        // SAFETY: characters as bytes.
        emulator.write({reinterpret_cast<const u8*>(text.data()), text.size()});
        return *this;
    }

    static void append_utf8(std::string& text, u32 code) {
        if (code < 0x80) {
            text += static_cast<char>(code);
        } else if (code < 0x800) {
            text += static_cast<char>(0xc0 | code >> 6);
            text += static_cast<char>(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            text += static_cast<char>(0xe0 | code >> 12);
            text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
            text += static_cast<char>(0x80 | (code & 0x3f));
        } else {
            text += static_cast<char>(0xf0 | code >> 18);
            text += static_cast<char>(0x80 | (code >> 12 & 0x3f));
            text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
            text += static_cast<char>(0x80 | (code & 0x3f));
        }
    }
    /// A row without its trailing blanks.
    std::string row(u32 number) {
        std::string text;
        for (const drivers::Cell& cell : grid.row(number)) {
            if ((cell.code & drivers::look::kWideTail) == 0) {
                append_utf8(text, cell.character());
            }
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    }
    /// All rows, without trailing empty ones, each followed by a bar.
    std::string screen() {
        std::string text;
        u32 last = 0;
        for (u32 number = 0; number < grid.rows(); ++number) {
            last = row(number).empty() ? last : number + 1;
        }
        for (u32 number = 0; number < last; ++number) {
            text += row(number) + "|";
        }
        return text;
    }
    std::string cursor() { return std::to_string(emulator.row()) + "," + std::to_string(emulator.column()); }
    const drivers::Cell& at(u32 row, u32 column) { return grid.at(row, column); }
    std::string history(u32 age) {
        std::vector<drivers::Cell> cells(grid.columns());
        scroll_back.read(age, cells);
        std::string text;
        for (const drivers::Cell& cell : cells) {
            append_utf8(text, cell.character());
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    }

    ScrollBack scroll_back;
    TerminalGrid grid;
    drivers::KeyboardModes keyboard;
    TerminalEmulator emulator;
    std::string replies;
    u32 bells = 0;
    u32 wanted = 0;
};

}  // namespace cairn::fs::terminal
