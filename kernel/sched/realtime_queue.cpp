#include "kernel/sched/realtime_queue.h"

#include "kernel/base/assert.h"

namespace cairn::sched {

void RealtimeQueue::enqueue(RealtimeEntity& entity, Position position) {
    ASSERT(entity.priority < kRealtimePriorities);
    if (position == Position::Back) {
        lists_[entity.priority].push_back(entity);
    } else {
        lists_[entity.priority].push_front(entity);
    }
    bitmap_[entity.priority / 64] |= u64{1} << (entity.priority % 64);
    ++count_;
}

void RealtimeQueue::dequeue(RealtimeEntity& entity) {
    lists_[entity.priority].remove(entity);
    if (lists_[entity.priority].empty()) {
        bitmap_[entity.priority / 64] &= ~(u64{1} << (entity.priority % 64));
    }
    --count_;
}

RealtimeEntity* RealtimeQueue::best() const {
    for (u32 word = 2; word-- > 0;) {
        if (bitmap_[word] != 0) {
            return lists_[word * 64 + 63 - static_cast<u32>(__builtin_clzll(bitmap_[word]))].front();
        }
    }
    return nullptr;
}

}  // namespace cairn::sched
