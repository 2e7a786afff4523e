#include "fs/terminal/screen_console.h"

#include <algorithm>

#include "kernel/base/format.h"

namespace cairn::fs::terminal {

namespace look = drivers::look;

namespace {

using Pen = TerminalEmulator::Pen;

constexpr drivers::Colour kRed = 1, kGreen = 2, kBrown = 3, kGrey = 7, kWhite = 15;

Pen pen_of(LogLevel level) {
    switch (level) {
        case LogLevel::Emergency:
        case LogLevel::Alert:
        case LogLevel::Critical:
            return {.look = look::kBold, .fore = kWhite, .back = kRed};
        case LogLevel::Error:
            return {.look = look::kBold, .fore = kRed};
        case LogLevel::Warning:
            return {.look = look::kBold, .fore = kBrown};
        case LogLevel::Notice:
            return {.fore = kWhite};
        case LogLevel::Info:
            return {.fore = kGrey};
        case LogLevel::Debug:
            return {.look = look::kDim, .fore = kGrey};
    }
    return {};
}

}  // namespace

Result<Own<ScreenConsole>> ScreenConsole::create(u32 columns, u32 rows, u32 most_chunks) {
    TerminalGrid::Storage storage = TRY(TerminalGrid::Storage::create(columns, rows));
    return try_new<ScreenConsole>(std::move(storage), most_chunks);
}

void ScreenConsole::write(std::span<const u8> bytes) {
    static_cast<void>(scroll_to_end());
    grid_.mark(emulator_.row());
    emulator_.write(bytes);
    grid_.mark(emulator_.row());
}

void ScreenConsole::write_log(const LogRecord& record) {
    static_cast<void>(scroll_to_end());
    grid_.mark(emulator_.row());
    char storage[32];
    TextBuffer time{std::span(storage)};
    const u64 microseconds = record.time.value / 1000;
    format_to(time, "[{:5}.{:06}] ", microseconds / 1'000'000, microseconds % 1'000'000);
    TerminalEmulator::Interjection line(emulator_);
    line.print(time.view(), {.fore = kGreen});
    if (!record.subsystem().empty()) {
        line.print(record.subsystem(), {.fore = kBrown});
        line.print(": ", {.fore = kBrown});
    }
    line.print(record.text(), pen_of(record.level));
}

void ScreenConsole::resize(TerminalGrid::Storage& storage) {
    static_cast<void>(scroll_to_end());
    emulator_.size_changed(grid_.resize(storage, emulator_.row()));
}

void ScreenConsole::look_at(u32 row, std::span<Cell> out) const {
    if (row < view_) {
        return scroll_back_.read(view_ - row, out);
    }
    std::span<const Cell> cells = grid_.row(row - view_);
    std::copy_n(cells.data(), std::min(out.size(), cells.size()), out.data());
    if (view_ == 0 && row == emulator_.row() && emulator_.cursor_visible() && emulator_.column() < out.size()) {
        out[emulator_.column()].code |= look::kCursor;
    }
}

bool ScreenConsole::scroll(i32 rows) {
    const i64 wanted = i64{view_} - rows;
    const u32 view = static_cast<u32>(std::clamp<i64>(wanted, 0, grid_.alternate() ? 0 : scroll_back_.rows()));
    if (view == view_) {
        return false;
    }
    view_ = view;
    grid_.mark_all();
    return true;
}

void ScreenConsole::reply(std::string_view text) {
    if (replies_.room() < text.size()) {
        return;  // an answer is whole, or there is none
    }
    for (char character : text) {
        const u8 byte = static_cast<u8>(character);
        replies_.push({&byte, 1});
    }
}

}  // namespace cairn::fs::terminal
