#include "fs/event/poll_wait.h"

namespace cairn::event {

namespace {

template <typename Entry>
void leave(std::optional<Entry>& entry) {
    static_cast<void>(entry->queue.leave(entry->waiter));
    entry.reset();
}

}  // namespace

PollWait::~PollWait() {
    for (u32 i = 0; i < inline_used_; ++i) {
        leave(inline_[i]);
    }
    while (Chunk* chunk = chunks_.pop_front()) {
        for (u32 i = 0; i < chunk->used; ++i) {
            leave(chunk->entries[i]);
        }
        Own<Chunk>::adopt(chunk).reset();
    }
}

void PollWait::begin_round() {
    parking_.reset();
    // Wakers change the state, then raise the flag; we lower the flag, then look. (Entries stay in their
    // queues, so a flag may be raised at any time: it must not be lowered after the look.)
    full_fence();
}

vfs::PollEvents PollWait::register_and_look(vfs::File& file, vfs::PollEvents interest) {
    file_ = &file;
    interest_ = interest | kAlways;
    const vfs::PollEvents events = file.poll(this);
    file_ = nullptr;
    return events;
}

void PollWait::watch(sync::WaitQueue& queue, vfs::PollEvents told_of) {
    if ((told_of & interest_) == 0) {
        return;
    }
    std::optional<Entry>* entry = free_entry();
    if (entry == nullptr) {
        out_of_memory_ = true;
        return;
    }
    entry->emplace(queue, *file_, parking_);
    queue.join_first((*entry)->waiter);
}

std::optional<PollWait::Entry>* PollWait::free_entry() {
    if (inline_used_ < kInline) {
        return &inline_[inline_used_++];
    }
    Chunk* last = chunks_.back();
    if (last == nullptr || last->used == kPerChunk) {
        Result<Own<Chunk>> chunk = try_new<Chunk>();
        if (!chunk.ok()) {
            return nullptr;
        }
        last = std::move(chunk).value().release();
        chunks_.push_back(*last);
    }
    return &last->entries[last->used++];
}

/// Stays in the queue: the thread leaves all of them at the end.
bool PollWait::notify(sync::Waiter& waiter) {
    waiter.parking.notify();
    return false;
}

}  // namespace cairn::event
