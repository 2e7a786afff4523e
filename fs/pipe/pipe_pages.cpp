/// Pipes: their size, and whole pages of them for splice(2) and tee(2). See pipe.h; reading and writing is in pipe.cpp.

#include <algorithm>
#include <bit>
#include <cstring>

#include "fs/pipe/pipe.h"

namespace cairn::pipe {

// --- State ---------------------------------------------------------------------------------------------------------

usize Pipe::queued_bytes() {
    sync::MutexGuard guard(mutex_);
    usize sum = 0;
    for (const PipeBuffer& buffer : buffers_) {
        sum += buffer.size;
    }
    return sum;
}

Result<u64> Pipe::resize(u64 bytes, bool privileged) {
    if (bytes > u64{1} << 31) {
        return fail(Errno::einval);
    }
    const u64 rounded = std::bit_ceil(std::max<u64>(bytes, kPageSize));
    const u32 pages = static_cast<u32>(rounded / kPageSize);
    {
        sync::MutexGuard guard(mutex_);
        if (pages > capacity_.load(Order::relaxed) && rounded > kUnprivilegedLimit && !privileged) {
            return fail(Errno::eperm);
        }
        if (used_.load(Order::relaxed) > pages) {
            return fail(Errno::ebusy);
        }
        capacity_.store(pages, Order::release);
    }
    if (!full()) {
        writable_.wake_one();
        write_pollers_.wake_one();
    }
    return rounded;
}

// --- Whole pages ---------------------------------------------------------------------------------------------------

Result<Own<PipeBuffer>> Pipe::take(usize limit, Waiting waiting) {
    for (;;) {
        if (!TRY(wait_readable(waiting))) {
            return Own<PipeBuffer>();
        }
        sync::MutexGuard guard(mutex_);
        PipeBuffer* first = buffers_.front();
        if (first == nullptr) {
            continue;  // somebody was faster
        }
        ++reads_;
        if (first->size <= limit) {
            buffers_.remove(*first);
            filled_.fetch_sub(1, Order::release);
            return Own<PipeBuffer>::adopt(first);
        }
        Own<PipeBuffer> part = TRY(PipeBuffer::create());
        std::memcpy(part->page->bytes, first->bytes().data(), limit);
        part->size = static_cast<u32>(limit);
        first->start += part->size;
        first->size -= part->size;
        // The part holds a place too, perhaps one more than the capacity for as long as it is out.
        used_.fetch_add(1, Order::release);
        return part;
    }
}

void Pipe::put_back(Own<PipeBuffer> buffer) {
    {
        sync::MutexGuard guard(mutex_);
        buffers_.push_front(*buffer.release());
        filled_.fetch_add(1, Order::release);
    }
    data_arrived(true);
    readable_.wake_all();  // without a writer one of them gets this, and the others the end
}

void Pipe::release_place() {
    bool was_full = false;
    {
        sync::MutexGuard guard(mutex_);
        was_full = full();
        used_.fetch_sub(1, Order::release);
    }
    place_freed(was_full);
    if (!was_full) {
        writable_.wake_one();  // reserve_place() may have used up a wake-up
    }
    if (!empty()) {
        readable_.wake_one();  // take() may have used up a wake-up and left more
    } else if (ended()) {
        readable_.wake_all();  // that was the last page, and it did not come back
        read_pollers_.wake_all();
    }
}

Result<void> Pipe::reserve_place(Waiting waiting) {
    for (;;) {
        {
            sync::MutexGuard guard(mutex_);
            if (!has_readers()) {
                return fail(Errno::epipe);
            }
            if (!full()) {
                used_.fetch_add(1, Order::release);
                return {};
            }
        }
        TRY(wait_for_place(waiting));
    }
}

Result<void> Pipe::append(Own<PipeBuffer>& buffer) {
    bool was_empty = false;
    bool broken = false;
    {
        sync::MutexGuard guard(mutex_);
        was_empty = buffers_.empty();
        broken = !has_readers();
        if (!broken) {
            push_back(std::move(buffer));
        }
    }
    if (broken) {
        release_place();
        return fail(Errno::epipe);
    }
    data_arrived(was_empty);
    if (!full()) {
        writable_.wake_one();
    }
    return {};
}

Result<Own<PipeBuffer>> Pipe::copy_at(usize skip, usize limit, u32& reads) {
    Own<PipeBuffer> copy = TRY(PipeBuffer::create());
    sync::MutexGuard guard(mutex_);
    if (skip == 0) {
        reads = reads_;
    } else if (reads != reads_) {
        return Own<PipeBuffer>();
    }
    for (const PipeBuffer& buffer : buffers_) {
        if (skip >= buffer.size) {
            skip -= buffer.size;
            continue;
        }
        copy->size = static_cast<u32>(std::min<usize>(buffer.size - skip, limit));
        copy->packet = buffer.packet;
        std::memcpy(copy->page->bytes, buffer.bytes().data() + skip, copy->size);
        return copy;
    }
    return Own<PipeBuffer>();
}

}  // namespace cairn::pipe
