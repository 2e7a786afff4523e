#pragma once
/// TerminalGrid: the characters of one terminal's screen: a main page, whose lines go to the scroll-back when they
/// leave at the top, and an alternate one, for programs that want to leave no traces. It knows of cells, not of escape
/// sequences.
///
/// No lock of its own: its owner's. Nothing here allocates but Storage::create.

#include <utility>

#include "drivers/display/cell.h"
#include "fs/terminal/scroll_back.h"
#include "kernel/base/own_array.h"

namespace cairn::fs::terminal {

class TerminalGrid {
public:
    using Cell = drivers::Cell;
    /// Linux's limit for VT_RESIZE is 32767 for each; a row must fit into a chunk of the scroll-back.
    static constexpr u32 kMostColumns = 2048, kMostRows = 2048;

    /// The memory for a size.
    struct Storage {
        u32 columns = 0;
        u32 rows = 0;
        OwnArray<Cell> cells;      // both pages
        OwnArray<Cell*> pointers;  // to the rows of both, in order
        OwnArray<bool> dirty;
        OwnArray<bool> tabs;

        /// EINVAL (size), ENOMEM.
        static Result<Storage> create(u32 columns, u32 rows);
    };

    TerminalGrid(Storage storage, ScrollBack& scroll_back);
    /// Takes the new memory and copies what fits; what does not fit leaves at the top, so that `cursor_row` stays in
    /// view. Gives the old memory back, to be freed without the lock. Returns how many rows the contents moved up.
    u32 resize(Storage& storage, u32 cursor_row);

    u32 columns() const { return storage_.columns; }
    u32 rows() const { return storage_.rows; }
    Cell& at(u32 row, u32 column) { return page_[row][column]; }
    std::span<const Cell> row(u32 number) const { return {page_[number], storage_.columns}; }
    bool& tab(u32 column) { return storage_.tabs[column]; }
    void set_usual_tabs();

    void mark(u32 row) { storage_.dirty[row] = true; }
    void mark_all();
    bool take_mark(u32 row) { return std::exchange(storage_.dirty[row], false); }
    bool marked(u32 row) const { return storage_.dirty[row]; }

    /// Columns [first, last) of a row become `blank`.
    void erase(u32 row, u32 first, u32 last, const Cell& blank);
    void erase_rows(u32 first, u32 last, const Cell& blank);
    /// Rows [top, bottom) move by `count`. Upwards from the first row of the main page they go to the scroll-back.
    void scroll_up(u32 top, u32 bottom, u32 count, const Cell& blank);
    void scroll_down(u32 top, u32 bottom, u32 count, const Cell& blank);
    /// From `column` on a row's characters move to the right or to the left.
    void insert(u32 row, u32 column, u32 count, const Cell& blank);
    void remove(u32 row, u32 column, u32 count, const Cell& blank);
    /// A wide character is whole or not there: called before a part of a row is written over.
    void split_wide(u32 row, u32 column);

    void show_alternate(bool alternate);
    void clear_scroll_back() { scroll_back_.clear(); }
    bool alternate() const { return alternate_; }

private:
    Cell** page(bool alternate) { return storage_.pointers.data() + (alternate ? storage_.rows : 0); }

    Storage storage_;
    ScrollBack& scroll_back_;
    bool alternate_ = false;
    Cell** page_;
};

}  // namespace cairn::fs::terminal
