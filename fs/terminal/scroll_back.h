#pragma once
/// ScrollBack: the lines that have left a terminal's screen at the top, oldest first, in chunks of memory that are
/// taken when they are needed, up to a bound; then the oldest lines go. Trailing blanks are not kept.
///
/// No lock of its own: its owner's. push() allocates nothing: who can allocate brings chunks before.

#include <span>

#include "drivers/display/cell.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"

namespace cairn::fs::terminal {

class ScrollBack {
public:
    using Cell = drivers::Cell;

    struct Chunk {
        static constexpr u32 kRows = 160;
        static constexpr u32 kCells = 2648;
        ListNode node;
        u32 rows = 0;
        u16 ends[kRows];  // where in `cells` a row ends
        Cell cells[kCells];

        u32 start(u32 row) const { return row == 0 ? 0 : ends[row - 1]; }
        u32 used() const { return start(rows); }
    };

    explicit ScrollBack(u32 most_chunks) : most_chunks_(most_chunks) {}
    ~ScrollBack();
    ScrollBack(const ScrollBack&) = delete;
    ScrollBack& operator=(const ScrollBack&) = delete;

    /// Whether another chunk would be of use soon.
    bool wants_chunk() const { return spare_count_ < kSpares && chunk_count_ + spare_count_ < most_chunks_; }
    void give(Own<Chunk> chunk);

    /// A row longer than a chunk is cut. Without any memory it is dropped.
    void push(std::span<const Cell> row);
    u32 rows() const { return rows_; }
    /// The row that left `age` rows ago (1: the last), filled up with blanks.
    void read(u32 age, std::span<Cell> out) const;
    /// The memory is kept for what comes.
    void clear();

private:
    static constexpr u32 kSpares = 2;
    Chunk* chunk_for(u32 cells);

    List<Chunk, &Chunk::node> chunks_;
    List<Chunk, &Chunk::node> spares_;
    u32 most_chunks_;
    u32 chunk_count_ = 0;
    u32 spare_count_ = 0;
    u32 rows_ = 0;
};

}  // namespace cairn::fs::terminal
