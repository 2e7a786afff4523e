#include "fs/terminal/scroll_back.h"

#include <algorithm>

namespace cairn::fs::terminal {

ScrollBack::~ScrollBack() {
    clear();
    while (Chunk* chunk = spares_.front()) {
        spares_.remove(*chunk);
        Own<Chunk>::adopt(chunk).reset();
    }
}

void ScrollBack::give(Own<Chunk> chunk) {
    spares_.push_back(*chunk.release());
    ++spare_count_;
}

void ScrollBack::clear() {
    while (Chunk* chunk = chunks_.front()) {
        chunks_.remove(*chunk);
        spares_.push_back(*chunk);
        ++spare_count_;
    }
    chunk_count_ = 0;
    rows_ = 0;
}

/// The last chunk if it has room, else a new or the oldest one as the last; null: there is no memory.
ScrollBack::Chunk* ScrollBack::chunk_for(u32 cells) {
    Chunk* last = chunks_.back();
    if (last != nullptr && last->rows < Chunk::kRows && last->used() + cells <= Chunk::kCells) {
        return last;
    }
    Chunk* next = spares_.front();
    if (next != nullptr) {
        spares_.remove(*next);
        --spare_count_;
        ++chunk_count_;
    } else if (next = chunks_.front(); next != nullptr) {
        chunks_.remove(*next);
        rows_ -= next->rows;
    } else {
        return nullptr;
    }
    next->rows = 0;
    chunks_.push_back(*next);
    return next;
}

void ScrollBack::push(std::span<const Cell> row) {
    usize length = std::min<usize>(row.size(), Chunk::kCells);
    while (length != 0 && row[length - 1] == Cell{}) {
        --length;
    }
    Chunk* chunk = chunk_for(static_cast<u32>(length));
    if (chunk == nullptr) {
        return;
    }
    const u32 start = chunk->used();
    std::copy_n(row.data(), length, chunk->cells + start);
    chunk->ends[chunk->rows++] = static_cast<u16>(start + length);
    ++rows_;
}

void ScrollBack::read(u32 age, std::span<Cell> out) const {
    const Chunk* chunk = chunks_.back();
    while (chunk != nullptr && age > chunk->rows) {
        age -= chunk->rows;
        chunk = chunks_.previous(*chunk);
    }
    usize copied = 0;
    if (chunk != nullptr && age != 0) {
        const u32 row = chunk->rows - age;
        const u32 start = chunk->start(row);
        copied = std::min<usize>(out.size(), chunk->ends[row] - start);
        std::copy_n(chunk->cells + start, copied, out.data());
    }
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(copied), out.end(), Cell{});
}

}  // namespace cairn::fs::terminal
