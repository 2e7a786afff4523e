/// The input is what programs write to a terminal; a byte 0xff in it changes the size. The cursor stays inside, halves
/// of wide characters stay together, and the same bytes one by one give the same screen.

#include "drivers/input/keyboard_target.h"
#include "fs/terminal/terminal_emulator.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace cairn;
using namespace cairn::fs::terminal;

struct Terminal final : TerminalEmulator::Host {
    Terminal()
        : scroll_back(2),
          grid(TerminalGrid::Storage::create(11, 5).value(), scroll_back),
          emulator(grid, keyboard, *this) {
        scroll_back.give(try_new<ScrollBack::Chunk>().value());
    }
    void reply(std::string_view text) override {
        fuzz::require(!text.empty() && text[0] == '\x1b' && text.size() < 48);
    }

    void resize(u32 columns, u32 rows) {
        TerminalGrid::Storage storage = TerminalGrid::Storage::create(columns, rows).value();
        emulator.size_changed(grid.resize(storage, emulator.row()));
    }
    void check() {
        fuzz::require(emulator.row() < grid.rows() && emulator.column() < grid.columns());
        for (u32 row = 0; row < grid.rows(); ++row) {
            bool wide = false;
            for (const drivers::Cell& cell : grid.row(row)) {
                fuzz::require(wide == ((cell.code & drivers::look::kWideTail) != 0));
                fuzz::require(cell.character() <= 0x10ffff && cell.character() >= 0x20);
                wide = (cell.code & drivers::look::kWide) != 0;
            }
            fuzz::require(!wide);
        }
    }

    drivers::KeyboardModes keyboard;
    ScrollBack scroll_back;
    TerminalGrid grid;
    TerminalEmulator emulator;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Terminal whole;
    Terminal slow;
    std::span<const u8> input(data, size);
    while (!input.empty()) {
        std::size_t length = 0;
        while (length < input.size() && input[length] != 0xff) {
            ++length;
        }
        whole.emulator.write(input.first(length));
        for (u8 byte : input.first(length)) {
            slow.emulator.write({&byte, 1});
        }
        whole.check();
        if (length + 1 < input.size()) {
            const u8 change = input[length + 1];
            whole.resize(1 + change % 16, 1 + change / 16);
            slow.resize(1 + change % 16, 1 + change / 16);
            ++length;
        }
        input = input.subspan(length < input.size() ? length + 1 : length);
    }
    for (u32 row = 0; row < whole.grid.rows(); ++row) {
        for (u32 column = 0; column < whole.grid.columns(); ++column) {
            fuzz::require(whole.grid.at(row, column) == slow.grid.at(row, column));
        }
    }
    return 0;
}
