#pragma once
/// ByteQueue: a ring of bytes of fixed size, between one side and another. No lock of its own; nothing here sleeps.

#include <algorithm>
#include <cstring>
#include <span>

#include "kernel/base/types.h"

namespace cairn::fs::terminal {

template <usize kCapacity>
class ByteQueue {
public:
    usize size() const { return size_; }
    usize room() const { return kCapacity - size_; }
    bool empty() const { return size_ == 0; }

    /// Takes as many as fit.
    usize push(std::span<const u8> bytes) {
        usize count = std::min(bytes.size(), room());
        for (usize done = 0; done < count;) {
            usize at = (first_ + size_) % kCapacity;
            usize part = std::min(count - done, kCapacity - at);
            std::memcpy(storage_ + at, bytes.data() + done, part);
            size_ += part;
            done += part;
        }
        return count;
    }
    /// The oldest bytes, as far as they lie in one piece.
    std::span<const u8> front() const { return {storage_ + first_, std::min(size_, kCapacity - first_)}; }
    void drop(usize count) {
        first_ = (first_ + count) % kCapacity;
        size_ -= count;
    }
    usize pop(std::span<u8> to) {
        usize done = 0;
        while (done < to.size() && size_ != 0) {
            std::span<const u8> part = front().first(std::min(front().size(), to.size() - done));
            std::memcpy(to.data() + done, part.data(), part.size());
            done += part.size();
            drop(part.size());
        }
        return done;
    }
    /// Keeps the oldest `size` bytes only.
    void cut(usize size) { size_ = std::min(size_, size); }
    void clear() { size_ = first_ = 0; }

private:
    usize first_ = 0;
    usize size_ = 0;
    u8 storage_[kCapacity];
};

}  // namespace cairn::fs::terminal
