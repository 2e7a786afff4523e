#pragma once
/// Display: what is between the virtual terminals and the screen: which of them is shown, what of it is on the screen
/// already, the kernel's log on it, and the end of the machine. g_kernel.display; null where there is no screen.
///
/// Changes and drawing are apart. Programs' output changes the grid under `lock_`; a kernel thread draws, row by row,
/// what differs from what the screen shows, and not more often than the eye can see, so that a thousand lines in
/// between cost nothing but the changes. Until the thread runs, and from contexts that may not wake it, the log draws
/// itself: it must be seen also when all else is broken.
///
/// Lock: `lock_`, the innermost of all, because the log may be written under any other. The log only tries it: when it
/// is taken, whoever has it shows the new records when he lets it go. Who draws is decided by `drawing_`; who comes
/// second leaves it to the first. So nobody waits for a screen.

#include "drivers/display/screen.h"
#include "fs/terminal/screen_console.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/sync/wait_queue.h"

namespace cairn::fs::terminal {

/// The end of the machine on a screen: lines from the top, so many of each part as leave room for the others, then the
/// last lines of the log, and what comes next.
class PanicPage final : public PanicScreen {
public:
    explicit PanicPage(drivers::Screen& screen);

private:
    static void begin_page(PanicScreen& self);
    static void take_line(PanicScreen& self, PanicPart part, std::string_view text);
    static void end_page(PanicScreen& self, std::string_view ending);

    void put_row(std::string_view text, drivers::Colour fore, drivers::Colour back);
    void take(PanicPart part, std::string_view text);
    void finish(std::string_view ending);
    void put_log(u32 rows);
    u32 most_rows(PanicPart part) const;

    drivers::Screen& screen_;
    u32 row_ = 0;
    u32 used_[5] = {};  // rows, by part
};

class Display {
public:
    /// Makes g_kernel.display and the console of tty1, and shows the log so far on it. Start-up, once there is a heap.
    /// `screen` lives for ever. `memory`: bytes in the machine, for the size of the scroll-back. ENOMEM.
    static Result<void> start(drivers::Screen& screen, u64 memory);
    /// Drawing is the thread's from now on. `before_drawing` is called on each round, with no lock held. ENOMEM.
    Result<void> start_thread(void (*before_drawing)());

    Display(drivers::Screen& screen, u32 most_chunks);
    ~Display();

    /// The log is not for the screen: other consoles were named. Start-up.
    void leave_log();
    /// The log is for this terminal instead of the one that is shown. Start-up.
    void log_to(ScreenConsole& console) { log_console_ = &console; }

    // --- Thread context ----------------------------------------------------------------------------------------------
    /// The console of tty1, whom it is handed to.
    Own<ScreenConsole> take_first_console() { return std::move(first_); }
    Result<Own<ScreenConsole>> create_console();
    void write(ScreenConsole& console, std::span<const u8> bytes);
    void show(ScreenConsole& console);
    /// A program draws on the framebuffer itself (KD_GRAPHICS): the screen is left alone.
    void set_graphics(bool on);
    void scroll(ScreenConsole& console, i32 rows);
    void scroll_to_end(ScreenConsole& console);
    /// Another font, which lives until the next; the consoles keep their sizes. EINVAL: too large for the screen;
    /// ENOMEM. One caller at a time.
    Result<void> set_font(const drivers::Font& font);
    /// Runs `change` under the lock and has what it changed drawn.
    template <typename Change>
    auto with(Change change) {
        Locked locked(*this);
        locked.changed = true;
        return change(screen_);
    }
    /// Changes nothing that is seen.
    template <typename Change>
    auto with_quietly(Change change) {
        Locked locked(*this);
        return change(screen_);
    }
    /// Something for the thread to do.
    void wake() { work_.wake_all(); }
    void request_round() {
        round_wanted_.store(true, Order::release);
        wake();
    }

    u32 columns() const { return screen_.columns(); }
    u32 rows() const { return screen_.rows(); }
    drivers::Screen& screen() { return screen_; }

    /// Returns when all that was changed before is on the screen. Thread context.
    void settle();
    /// Draws what has changed. Any context.
    void draw();

private:
    using Cell = drivers::Cell;
    struct Sink : ConsoleSink {
        Display* display;
    };
    struct Locked {
        explicit Locked(Display& display_) : display(display_), state(display_.lock()) {}
        ~Locked() { changed ? display.unlock_changed(state) : display.unlock(state); }
        Locked(const Locked&) = delete;
        Locked& operator=(const Locked&) = delete;
        Display& display;
        arch::InterruptState state;
        bool changed = false;
    };

    Result<void> initialize();
    arch::InterruptState lock() NO_THREAD_SAFETY_ANALYSIS { return lock_.lock(); }
    /// Lets the lock go and sees to what was missed meanwhile.
    void unlock(arch::InterruptState state);
    void unlock_changed(arch::InterruptState state);
    static void log_written(const ConsoleSink& self, std::string_view text);
    void show_log();
    void take_log_locked();
    void draw_or_wake();
    void draw_rows();
    bool take_row(u32 row);
    void forget_shown();
    Result<void> exchange_font(const drivers::Font& font, const drivers::Font& before);
    void run();

    drivers::Screen& screen_;
    const u32 most_chunks_;
    SpinLock<LockRank::Screen> lock_;
    Own<ScreenConsole> first_;
    ScreenConsole* shown_ = nullptr;        // under lock_
    ScreenConsole* log_console_ = nullptr;  // null: the one that is shown
    bool graphics_ = false;                 // under lock_
    LogReader log_{0};                      // under lock_
    Sink sink_{};

    Atomic<bool> log_missed_{false};
    Atomic<bool> changed_{false};
    Atomic<u32> drawing_{0};
    Atomic<bool> thread_runs_{false};
    Atomic<bool> round_wanted_{false};
    void (*before_drawing_)() = nullptr;
    sync::WaitQueue work_;
    PanicPage panic_page_;

    // Whose `drawing_` is; changed under lock_ as well.
    OwnArray<Cell> on_screen_;
    OwnArray<Cell> line_;
    u32 line_first_ = 0;
    u32 line_end_ = 0;
    drivers::Palette palette_ = drivers::kUsualPalette;
    drivers::CursorShape cursor_ = drivers::CursorShape::Hidden;
};

}  // namespace cairn::fs::terminal
