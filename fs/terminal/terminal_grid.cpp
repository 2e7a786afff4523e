#include "fs/terminal/terminal_grid.h"

#include <algorithm>

namespace cairn::fs::terminal {

using drivers::Cell;
namespace look = drivers::look;

Result<TerminalGrid::Storage> TerminalGrid::Storage::create(u32 columns, u32 rows) {
    if (columns == 0 || rows == 0 || columns > kMostColumns || rows > kMostRows) {
        return fail(Errno::einval);
    }
    Storage storage;
    storage.columns = columns;
    storage.rows = rows;
    storage.cells = TRY(OwnArray<Cell>::create(usize{columns} * rows * 2));
    storage.pointers = TRY(OwnArray<Cell*>::create(usize{rows} * 2));
    storage.dirty = TRY(OwnArray<bool>::create(rows));
    storage.tabs = TRY(OwnArray<bool>::create(columns));
    for (u32 i = 0; i < rows * 2; ++i) {
        storage.pointers[i] = storage.cells.data() + usize{i} * columns;
    }
    return storage;
}

TerminalGrid::TerminalGrid(Storage storage, ScrollBack& scroll_back)
    : storage_(std::move(storage)), scroll_back_(scroll_back), page_(storage_.pointers.data()) {
    set_usual_tabs();
    mark_all();
}

u32 TerminalGrid::resize(Storage& storage, u32 cursor_row) {
    const u32 moved = cursor_row >= storage.rows ? cursor_row + 1 - storage.rows : 0;
    const u32 columns = std::min(storage.columns, storage_.columns);
    for (bool alternate : {false, true}) {
        Cell** from = page(alternate);
        Cell** to = storage.pointers.data() + (alternate ? storage.rows : 0);
        for (u32 row = 0; row < moved && !alternate && !alternate_; ++row) {
            scroll_back_.push({from[row], storage_.columns});
        }
        const u32 shift = alternate == alternate_ ? moved : 0;
        for (u32 row = 0; row < storage.rows && row + shift < storage_.rows; ++row) {
            std::copy_n(from[row + shift], columns, to[row]);
            Cell& last = to[row][columns - 1];
            if ((last.code & look::kWide) != 0) {
                last = Cell{};
            }
        }
    }
    std::swap(storage, storage_);
    page_ = page(alternate_);
    set_usual_tabs();
    mark_all();
    return moved;
}

void TerminalGrid::set_usual_tabs() {
    for (u32 column = 0; column < storage_.columns; ++column) {
        storage_.tabs[column] = column % 8 == 0;
    }
}

void TerminalGrid::mark_all() {
    std::fill_n(storage_.dirty.data(), storage_.rows, true);
}

void TerminalGrid::split_wide(u32 row, u32 column) {
    Cell* cells = page_[row];
    if (column < storage_.columns && (cells[column].code & look::kWideTail) != 0) {
        cells[column].code = ' ';
        if (column > 0) {
            cells[column - 1].code = ' ';
        }
    }
}

void TerminalGrid::erase(u32 row, u32 first, u32 last, const Cell& blank) {
    if (first >= last) {
        return;
    }
    split_wide(row, first);
    split_wide(row, last);
    std::fill(page_[row] + first, page_[row] + last, blank);
    mark(row);
}

void TerminalGrid::erase_rows(u32 first, u32 last, const Cell& blank) {
    for (u32 row = first; row < last; ++row) {
        erase(row, 0, storage_.columns, blank);
    }
}

void TerminalGrid::scroll_up(u32 top, u32 bottom, u32 count, const Cell& blank) {
    count = std::min(count, bottom - top);
    if (count == 0) {
        return;
    }
    if (top == 0 && !alternate_) {
        for (u32 row = 0; row < count; ++row) {
            scroll_back_.push({page_[row], storage_.columns});
        }
    }
    std::rotate(page_ + top, page_ + top + count, page_ + bottom);
    for (u32 row = bottom - count; row < bottom; ++row) {
        std::fill_n(page_[row], storage_.columns, blank);
    }
    std::fill(storage_.dirty.data() + top, storage_.dirty.data() + bottom, true);
}

void TerminalGrid::scroll_down(u32 top, u32 bottom, u32 count, const Cell& blank) {
    count = std::min(count, bottom - top);
    if (count == 0) {
        return;
    }
    std::rotate(page_ + top, page_ + bottom - count, page_ + bottom);
    for (u32 row = top; row < top + count; ++row) {
        std::fill_n(page_[row], storage_.columns, blank);
    }
    std::fill(storage_.dirty.data() + top, storage_.dirty.data() + bottom, true);
}

void TerminalGrid::insert(u32 row, u32 column, u32 count, const Cell& blank) {
    count = std::min(count, storage_.columns - column);
    split_wide(row, column);
    Cell* cells = page_[row];
    std::copy_backward(cells + column, cells + storage_.columns - count, cells + storage_.columns);
    std::fill_n(cells + column, count, blank);
    Cell& last = cells[storage_.columns - 1];
    if ((last.code & look::kWide) != 0) {
        last.code = ' ';
    }
    mark(row);
}

void TerminalGrid::remove(u32 row, u32 column, u32 count, const Cell& blank) {
    count = std::min(count, storage_.columns - column);
    split_wide(row, column);
    split_wide(row, column + count);
    Cell* cells = page_[row];
    std::copy(cells + column + count, cells + storage_.columns, cells + column);
    std::fill_n(cells + storage_.columns - count, count, blank);
    mark(row);
}

void TerminalGrid::show_alternate(bool alternate) {
    alternate_ = alternate;
    page_ = page(alternate);
    mark_all();
}

}  // namespace cairn::fs::terminal
