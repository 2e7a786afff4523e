#include "fs/terminal/display.h"

#include <algorithm>

#include "kernel/base/console_level.h"
#include "kernel/base/kernel.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"

namespace cairn::fs::terminal {

namespace look = drivers::look;

namespace {

/// Not more often than this is drawn.
constexpr Nanoseconds kFrame = Nanoseconds::from_milliseconds(12);
/// So many bytes go through the emulator with interrupts off.
constexpr usize kPiece = 128;
/// All scroll-back of one terminal is at most this part of memory, and between these.
constexpr u64 kMemoryPart = 128, kLeastScrollBack = 128 * kKiB, kMostScrollBack = 8 * kMiB;

}  // namespace

Display::Display(drivers::Screen& screen, u32 most_chunks)
    : screen_(screen), most_chunks_(most_chunks), panic_page_(screen) {
    sink_.write = &log_written;
    sink_.display = this;
}

Display::~Display() {
    leave_log();
    set_panic_screen(nullptr);
}

Result<void> Display::start(drivers::Screen& screen, u64 memory) {
    const u64 bytes = std::clamp(memory / kMemoryPart, kLeastScrollBack, kMostScrollBack);
    Own<Display> display = TRY(try_new<Display>(screen, static_cast<u32>(bytes / sizeof(ScrollBack::Chunk))));
    TRY(display->initialize());
    TRY(add_console(display->sink_));
    g_kernel.display = display.release();
    g_kernel.display->show_log();
    set_panic_screen(&g_kernel.display->panic_page_);
    return {};
}

Result<void> Display::initialize() {
    on_screen_ = TRY(OwnArray<Cell>::create(usize{columns()} * rows()));
    line_ = TRY(OwnArray<Cell>::create(columns()));
    first_ = TRY(create_console());
    shown_ = first_.get();
    screen_.clear();
    forget_shown();
    return {};
}

Result<Own<ScreenConsole>> Display::create_console() {
    return ScreenConsole::create(columns(), rows(), most_chunks_);
}

void Display::leave_log() {
    remove_console(sink_);
}

Result<void> Display::start_thread(void (*before_drawing)()) {
    before_drawing_ = before_drawing;
    Ref<sched::Thread> thread =
        TRY(sched::Thread::create("display", [](void* self) { static_cast<Display*>(self)->run(); }, this));
    thread->start();
    return {};
}

void Display::run() {
    thread_runs_.store(true, Order::release);
    for (;;) {
        work_.wait_until([this] { return changed_.load(Order::acquire) || round_wanted_.load(Order::acquire); });
        round_wanted_.store(false, Order::relaxed);
        if (before_drawing_ != nullptr) {
            before_drawing_();
        }
        draw();
        sched::sleep_for(kFrame);
    }
}

// --- Changes -------------------------------------------------------------------------------------------------------

void Display::unlock(arch::InterruptState state) NO_THREAD_SAFETY_ANALYSIS {
    if (log_missed_.load(Order::relaxed)) {
        take_log_locked();
    }
    lock_.unlock(state);
    full_fence();
    if (log_missed_.load(Order::relaxed)) {
        show_log();
    }
}

void Display::unlock_changed(arch::InterruptState state) {
    changed_.store(true, Order::release);
    unlock(state);
    draw_or_wake();
}

void Display::write(ScreenConsole& console, std::span<const u8> bytes) {
    ScrollBack& scroll_back = console.scroll_back();
    while (!bytes.empty()) {
        // Read without the lock: at worst there is one too many or too few.
        Own<ScrollBack::Chunk> chunk;
        if (scroll_back.wants_chunk()) {
            Result<Own<ScrollBack::Chunk>> made = try_new<ScrollBack::Chunk>();
            chunk = made.ok() ? std::move(made).value() : nullptr;
        }
        std::span<const u8> piece = bytes.first(std::min(bytes.size(), kPiece));
        arch::InterruptState state = lock();
        if (chunk) {
            scroll_back.give(std::move(chunk));
        }
        console.write(piece);
        changed_.store(true, Order::release);
        unlock(state);
        bytes = bytes.subspan(piece.size());
    }
    draw_or_wake();
}

void Display::show(ScreenConsole& console) {
    with([&](drivers::Screen&) {
        shown_ = &console;
        console.mark_all();
    });
}

void Display::set_graphics(bool on) {
    with([&](drivers::Screen& screen) {
        if (graphics_ && !on) {
            screen.clear();
            forget_shown();
            shown_->mark_all();
        }
        graphics_ = on;
    });
}

void Display::scroll(ScreenConsole& console, i32 rows) {
    with([&](drivers::Screen&) { return console.scroll(rows); });
}

void Display::scroll_to_end(ScreenConsole& console) {
    Locked locked(*this);
    locked.changed = console.scroll_to_end();
}

Result<void> Display::set_font(const drivers::Font& font) {
    const drivers::Font* before = screen_.font();
    while (drawing_.exchange(1, Order::acquire) != 0) {
        sched::sleep_for(kFrame);
    }
    Result<void> result = exchange_font(font, *before);
    drawing_.store(0, Order::release);
    with([&](drivers::Screen&) { shown_->mark_all(); });
    return result;
}

/// Nobody draws meanwhile.
Result<void> Display::exchange_font(const drivers::Font& font, const drivers::Font& before) {
    if (!screen_.set_font(font)) {
        return fail(Errno::einval);
    }
    Result<OwnArray<Cell>> on_screen = OwnArray<Cell>::create(usize{columns()} * rows());
    Result<OwnArray<Cell>> line = OwnArray<Cell>::create(columns());
    if (!on_screen.ok() || !line.ok()) {
        static_cast<void>(screen_.set_font(before));
        return fail(Errno::enomem);
    }
    on_screen_ = std::move(on_screen).value();
    line_ = std::move(line).value();
    if (!graphics_) {
        screen_.clear();
    }
    forget_shown();
    return {};
}

// --- The log -------------------------------------------------------------------------------------------------------

void Display::log_written(const ConsoleSink& self, std::string_view) {
    if (!panicking()) {
        static_cast<const Sink&>(self).display->show_log();
    }
}

/// Shows what is new, or has whoever holds the lock do it.
void Display::show_log() NO_THREAD_SAFETY_ANALYSIS {
    arch::InterruptState state = arch::disable_interrupts();
    log_missed_.store(true, Order::relaxed);
    full_fence();
    const bool locked = lock_.try_lock_interrupts_off();
    if (locked) {
        take_log_locked();
        lock_.unlock_keep_interrupts_off();
    }
    arch::restore_interrupts(state);
    if (locked) {
        draw_or_wake();
    }
}

void Display::take_log_locked() {
    log_missed_.store(false, Order::relaxed);
    full_fence();
    LogRecord record;
    ScreenConsole& console = log_console_ != nullptr ? *log_console_ : *shown_;
    while (log_.read(record)) {
        if (static_cast<u32>(record.level) < console_level()) {
            console.write_log(record);
            changed_.store(true, Order::release);
        }
    }
}

/// Where interrupts are on no spinlock is held, and the thread may be woken.
void Display::draw_or_wake() {
    if (thread_runs_.load(Order::acquire) && arch::interrupts_enabled() && !panicking()) {
        wake();
    } else {
        draw();
    }
}

// --- Drawing -------------------------------------------------------------------------------------------------------

void Display::draw() {
    full_fence();
    while (changed_.load(Order::relaxed) && drawing_.exchange(1, Order::acquire) == 0) {
        draw_rows();
        drawing_.store(0, Order::release);
        full_fence();
    }
}

void Display::settle() {
    draw();
    while (drawing_.load(Order::acquire) != 0) {
        sched::sleep_for(kFrame);
    }
}

void Display::forget_shown() {
    std::fill_n(on_screen_.data(), on_screen_.size(), Cell{drivers::Screen::kUnchanged, 0, 0});
}

void Display::draw_rows() {
    changed_.store(false, Order::relaxed);
    full_fence();
    for (u32 row = 0; row < rows(); ++row) {
        if (take_row(row)) {
            screen_.draw(row, line_first_, line_.span().subspan(line_first_, line_end_ - line_first_), palette_,
                         cursor_);
        }
    }
}

/// Compares a row with what is on the screen, and copies what is to be drawn. False: nothing, or it is not ours to
/// draw.
bool Display::take_row(u32 row) {
    arch::InterruptState state = lock();
    ScreenConsole& console = *shown_;
    const TerminalEmulator& emulator = console.emulator();
    const drivers::CursorShape shape = emulator.cursor_shape();
    if (row == 0 && !(palette_ == emulator.palette())) {
        palette_ = emulator.palette();
        forget_shown();
        console.mark_all();
    }
    line_first_ = columns();
    line_end_ = 0;
    if (!graphics_ && row < console.rows() && console.take_mark(row)) {
        const u32 width = std::min(columns(), console.columns());
        console.look_at(row, line_.span().first(width));
        Cell* shown = on_screen_.data() + usize{row} * columns();
        for (u32 column = 0; column < width; ++column) {
            Cell& cell = line_[column];
            const bool cursor_changed = (cell.code & look::kCursor) != 0 && cursor_ != shape;
            if (cell == shown[column] && !cursor_changed) {
                cell.code = drivers::Screen::kUnchanged;
                continue;
            }
            shown[column] = cell;
            line_first_ = std::min(line_first_, column);
            line_end_ = column + 1;
        }
        cursor_ = shape;
    }
    unlock(state);
    return line_first_ < line_end_;
}

}  // namespace cairn::fs::terminal
