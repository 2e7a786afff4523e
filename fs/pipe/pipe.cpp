#include "fs/pipe/pipe.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace cairn::pipe {

Result<Own<PipeBuffer>> PipeBuffer::create() {
    Own<PipeBuffer> buffer = TRY(try_new<PipeBuffer>());
    buffer->page = TRY(try_new<PipePage>());
    return buffer;
}

Result<Ref<Pipe>> Pipe::create(vfs::Inode& inode, bool named) {
    return try_new_ref<Pipe>(inode, named);
}

Pipe::~Pipe() {
    {
        SpinLockGuard guard(inode_.attribute_lock);
        if (inode_.attachment == this) {  // otherwise a new pipe has taken this one's place already
            inode_.attachment = nullptr;
        }
    }
    while (PipeBuffer* buffer = buffers_.pop_front()) {
        Own<PipeBuffer>::adopt(buffer).reset();
    }
    keep_spares(0);
}

// --- Reading and writing -------------------------------------------------------------------------------------------

Result<usize> Pipe::read(mm::IoSink& sink, Waiting waiting) {
    if (sink.remaining() == 0) {
        return usize{0};
    }
    const usize before = sink.moved();
    for (;;) {
        Result<void> result = read_present(sink);
        if (sink.moved() != before) {
            return sink.moved() - before;
        }
        if (result.ok()) {
            return usize{0};
        }
        if (result.error() != Errno::eagain) {
            return result.failure();
        }
        TRY(wait_for_data(waiting));
    }
}

/// Reads what is there. EAGAIN: nothing is, but there are writers.
Result<void> Pipe::read_present(mm::IoSink& sink) {
    Result<void> result;
    bool was_full = false;
    {
        sync::MutexGuard guard(mutex_);
        was_full = full();
        if (buffers_.empty() && has_writers()) {
            return fail(Errno::eagain);
        }
        const u32 spares = was_full ? kStreamSparePages : kSparePages;
        keep_spares(spares);
        while (!buffers_.empty() && sink.remaining() != 0) {
            PipeBuffer& buffer = *buffers_.front();
            const u32 wanted = static_cast<u32>(std::min<usize>(buffer.size, sink.remaining()));
            Result<usize> copied = sink.put(buffer.bytes().data(), wanted);
            if (!copied.ok() || copied.value() < wanted) {
                // What could not be delivered whole stays in the pipe.
                sink.revert(copied.ok() ? copied.value() : 0);
                result = fail(Errno::efault);
                break;
            }
            const bool packet = buffer.packet;
            buffer.start += wanted;
            buffer.size -= wanted;
            if (packet || buffer.size == 0) {
                drop_first(spares);
            }
            if (packet) {
                break;  // what did not fit is lost (pipe(2), O_DIRECT)
            }
        }
    }
    place_freed(was_full);
    if (!empty()) {
        readable_.wake_one();
    }
    return result;
}

Result<usize> Pipe::write(mm::IoSource& source, Waiting waiting, Framing framing) {
    if (source.remaining() == 0) {
        return usize{0};
    }
    const usize before = source.moved();
    for (;;) {
        Result<void> result = write_present(source, framing);
        if (!result.ok() && result.error() == Errno::eagain) {
            result = Result<void>();
            Result<void> waited = wait_for_place(waiting);
            if (waited.ok()) {
                continue;
            }
            if (source.moved() == before) {
                return waited.failure();
            }
            return source.moved() - before;
        }
        if (source.moved() == before && !result.ok()) {
            return result.failure();
        }
        return source.moved() - before;
    }
}

/// Writes what there is room for. EAGAIN: some is left and the pipe is full.
Result<void> Pipe::write_present(mm::IoSource& source, Framing framing) {
    Result<void> result;
    bool was_empty = false;
    {
        sync::MutexGuard guard(mutex_);
        was_empty = buffers_.empty();
        if (!has_readers()) {
            return fail(Errno::epipe);
        }
        result = [&]() NO_THREAD_SAFETY_ANALYSIS -> Result<void> {
            // A packet always begins a page of its own.
            if (framing == Framing::Bytes && !was_empty && TRY(write_to_last_page(source))) {
                return {};
            }
            while (source.remaining() != 0) {
                if (full()) {
                    return fail(Errno::eagain);
                }
                TRY(write_new_page(source, framing));
            }
            return {};
        }();
    }
    data_arrived(was_empty);
    if (!full()) {
        writable_.wake_one();
    }
    return result;
}

/// Puts the odd bytes of a write behind those in the last page, if they fit there entirely; the rest of the write is
/// then whole pages. True: nothing is left to write.
Result<bool> Pipe::write_to_last_page(mm::IoSource& source) {
    const u32 odd = static_cast<u32>(source.remaining() % kPageSize);
    PipeBuffer& last = *buffers_.back();
    const u32 end = last.start + last.size;
    if (odd == 0 || last.packet || end + odd > kPageSize) {
        return false;
    }
    const usize copied = TRY(source.take(last.page->bytes + end, odd));
    if (copied < odd) {
        source.revert(copied);
        return fail(Errno::efault);
    }
    last.size += odd;
    return source.remaining() == 0;
}

Result<void> Pipe::write_new_page(mm::IoSource& source, Framing framing) {
    Own<PipeBuffer> buffer;
    if (PipeBuffer* spare = spares_.pop_front()) {
        --spare_count_;
        buffer = Own<PipeBuffer>::adopt(spare);
    } else {
        buffer = TRY(PipeBuffer::create());
    }
    const usize wanted = std::min<usize>(source.remaining(), kPageSize);
    Result<usize> copied = source.take(buffer->page->bytes, wanted);
    if (!copied.ok() || copied.value() < wanted) {
        source.revert(copied.ok() ? copied.value() : 0);
        spares_.push_front(*buffer.release());
        ++spare_count_;
        return fail(Errno::efault);
    }
    buffer->start = 0;
    buffer->size = static_cast<u32>(wanted);
    buffer->packet = framing == Framing::Packets;
    used_.fetch_add(1, Order::release);
    push_back(std::move(buffer));
    return {};
}

void Pipe::push_back(Own<PipeBuffer> buffer) {
    buffers_.push_back(*buffer.release());
    filled_.fetch_add(1, Order::release);
}

/// Its page becomes a spare one if there are fewer than `spares`.
void Pipe::drop_first(u32 spares) {
    PipeBuffer* buffer = buffers_.pop_front();
    filled_.fetch_sub(1, Order::release);
    used_.fetch_sub(1, Order::release);
    if (spare_count_ < spares) {
        spares_.push_front(*buffer);
        ++spare_count_;
    } else {
        Own<PipeBuffer>::adopt(buffer).reset();
    }
}

/// Frees spare pages until no more than `count` are left.
void Pipe::keep_spares(u32 count) {
    while (spare_count_ > count) {
        --spare_count_;
        Own<PipeBuffer>::adopt(spares_.pop_front()).reset();
    }
}

// --- Waiting -------------------------------------------------------------------------------------------------------

void Pipe::data_arrived(bool was_empty) {
    // Each write is an event of its own for an edge-triggered epoll.
    if (was_empty && !empty()) {
        sync::WaitQueue::wake_one_of_each(readable_, read_pollers_);
    } else {
        read_pollers_.wake_one();
    }
    async_readers.notify(vfs::AsyncEvent::Readable);
}

void Pipe::place_freed(bool was_full) {
    if (was_full && !full()) {
        sync::WaitQueue::wake_one_of_each(writable_, write_pollers_);
    }
    async_writers.notify(vfs::AsyncEvent::Writable);
}

Result<void> Pipe::wait_for_data(Waiting waiting) {
    if (waiting == Waiting::Forbidden) {
        return fail(Errno::eagain);
    }
    sync::WakeReason reason =
        readable_.wait_for_next_look([this] { return !empty() || !has_writers(); }, sync::SleepKind::Interruptible);
    if (reason != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

Result<void> Pipe::wait_for_place(Waiting waiting) {
    if (waiting == Waiting::Forbidden) {
        return fail(Errno::eagain);
    }
    sync::WakeReason reason =
        writable_.wait_for_next_look([this] { return !full() || !has_readers(); }, sync::SleepKind::Interruptible);
    if (reason != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

Result<bool> Pipe::wait_readable(Waiting waiting) {
    while (empty()) {
        if (!has_writers()) {
            // The last writer may have written between the two looks.
            return !empty();
        }
        TRY(wait_for_data(waiting));
    }
    return true;
}

// --- Ends ----------------------------------------------------------------------------------------------------------

Pipe::Partners Pipe::add_ends(bool reader, bool writer) {
    Partners found;
    {
        sync::MutexGuard guard(mutex_);
        if (reader) {
            readers_.fetch_add(1, Order::release);
            reader_opens_.fetch_add(1, Order::release);
        }
        if (writer) {
            writers_.fetch_add(1, Order::release);
            writer_opens_.fetch_add(1, Order::release);
        }
        found = {has_readers(), has_writers(), reader_opens_.load(Order::relaxed), writer_generation()};
    }
    openers_.wake_all();
    return found;
}

void Pipe::remove_ends(bool reader, bool writer) {
    {
        sync::MutexGuard guard(mutex_);
        if (reader) {
            readers_.fetch_sub(1, Order::release);
        }
        if (writer) {
            writers_.fetch_sub(1, Order::release);
        }
    }
    if (has_readers() != has_writers()) {
        readable_.wake_all();
        writable_.wake_all();
        read_pollers_.wake_all();
        write_pollers_.wake_all();
        async_readers.notify(vfs::AsyncEvent::Readable);
        async_writers.notify(vfs::AsyncEvent::Writable);
    }
}

Result<void> Pipe::wait_for_reader(const Partners& found) {
    if (found.readers) {
        return {};
    }
    auto opened = [&] { return reader_opens_.load(Order::acquire) != found.reader_generation; };
    if (openers_.wait_until(opened, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

Result<void> Pipe::wait_for_writer(const Partners& found) {
    if (found.writers) {
        return {};
    }
    auto opened = [&] { return writer_generation() != found.writer_generation; };
    if (openers_.wait_until(opened, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

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
}

void Pipe::release_place() {
    bool was_full = false;
    {
        sync::MutexGuard guard(mutex_);
        was_full = full();
        used_.fetch_sub(1, Order::release);
    }
    place_freed(was_full);
    if (!empty()) {
        readable_.wake_one();  // take() may have used up a wake-up and left more
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

Result<void> Pipe::append(Own<PipeBuffer> buffer) {
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

Result<Own<PipeBuffer>> Pipe::copy_at(usize skip, usize limit) {
    Own<PipeBuffer> copy = TRY(PipeBuffer::create());
    sync::MutexGuard guard(mutex_);
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
