/// PanicPage: what is left of the machine, on one page.

#include <algorithm>

#include "fs/terminal/display.h"

namespace cairn::fs::terminal {

namespace {

constexpr drivers::Colour kRed = 1, kGrey = 7, kYellow = 11, kWhite = 15, kBlack = 0;
constexpr std::string_view kTitle = " Cairn has stopped: the kernel found a fault of its own";
/// Rows at the bottom for the last lines of the log, if there is room for more than the rest.
constexpr u32 kLogRows = 4;
constexpr u32 kChunk = 64;

}  // namespace

PanicPage::PanicPage(drivers::Screen& screen) : screen_(screen) {
    begin = &begin_page;
    line = &take_line;
    end = &end_page;
}

void PanicPage::begin_page(PanicScreen& self) {
    PanicPage& page = static_cast<PanicPage&>(self);
    page.row_ = 0;
    std::fill(std::begin(page.used_), std::end(page.used_), 0u);
    page.screen_.clear();
    page.put_row(kTitle, kWhite, kRed);
}

void PanicPage::take_line(PanicScreen& self, PanicPart part, std::string_view text) {
    static_cast<PanicPage&>(self).take(part, text);
}

void PanicPage::end_page(PanicScreen& self, std::string_view ending) {
    static_cast<PanicPage&>(self).finish(ending);
}

/// On 25 rows: the title, 2 of the message, 3 of the machine, 2 of locks, 8 of registers, 6 of the backtrace, and what
/// is left of the log.
u32 PanicPage::most_rows(PanicPart part) const {
    constexpr u32 kUsualRows = 25;
    const u32 more = screen_.rows() > kUsualRows ? (screen_.rows() - kUsualRows) / 2 : 0;
    constexpr u32 kMost[] = {2, 3, 2, 8, 6};
    const u32 most = kMost[static_cast<u32>(part)];
    return part == PanicPart::Backtrace ? most + more : part == PanicPart::Registers ? most : most + more / 4;
}

void PanicPage::take(PanicPart part, std::string_view text) {
    drivers::Colour fore = part == PanicPart::Message ? kYellow : part == PanicPart::Registers ? kGrey : kWhite;
    u32& used = used_[static_cast<u32>(part)];
    do {
        const usize length = std::min<usize>(text.size(), screen_.columns());
        if (used >= most_rows(part) || row_ + 1 >= screen_.rows()) {
            return;
        }
        ++used;
        put_row(text.substr(0, length), fore, kBlack);
        text.remove_prefix(length);
        // Only what happened may take more than one row.
    } while (!text.empty() && part == PanicPart::Message);
}

void PanicPage::finish(std::string_view ending) {
    if (row_ + 1 < screen_.rows()) {
        put_log(screen_.rows() - 1 - row_);
    }
    while (row_ + 1 < screen_.rows()) {
        put_row({}, kGrey, kBlack);
    }
    row_ = screen_.rows() - 1;
    put_row(ending, kBlack, kGrey);
}

void PanicPage::put_log(u32 rows) {
    // The number of the next record is where the newest reader stands.
    LogReader newest;
    LogRecord record;
    u64 count = 0;
    while (newest.read(record)) {
        ++count;
    }
    LogReader reader(newest.position() - std::min<u64>(count, rows > kLogRows ? rows - 1 : rows));
    if (rows > kLogRows) {
        put_row("the log's last lines:", kWhite, kBlack);
    }
    while (row_ + 1 < screen_.rows() && reader.read(record)) {
        char storage[kLogSubsystemLimit + kLogTextLimit + 40];
        TextBuffer text{std::span(storage)};
        const u64 microseconds = record.time.value / 1000;
        format_to(text, "[{:5}.{:06}] {}: {}", microseconds / 1'000'000, microseconds % 1'000'000, record.subsystem(),
                  record.text());
        put_row(text.view(), kGrey, kBlack);
    }
}

/// The rest of the row is filled, since something was there before.
void PanicPage::put_row(std::string_view text, drivers::Colour fore, drivers::Colour back) {
    drivers::Cell cells[kChunk];
    for (u32 column = 0; column < screen_.columns(); column += kChunk) {
        const u32 count = std::min(kChunk, screen_.columns() - column);
        for (u32 i = 0; i < count; ++i) {
            const u32 character = column + i < text.size() ? static_cast<u8>(text[column + i]) : ' ';
            cells[i] = {character, fore, back};
        }
        screen_.draw(row_, column, {cells, count}, drivers::kUsualPalette, drivers::CursorShape::Hidden);
    }
    ++row_;
}

}  // namespace cairn::fs::terminal
