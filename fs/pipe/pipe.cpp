#include "fs/pipe/pipe.h"

#include <algorithm>

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
        if (buffers_.empty() && !ended()) {
            return fail(Errno::eagain);
        }
        const u32 spares = was_full ? kStreamSparePages : kSparePages;
        if (spare_count_ > spares) {
            keep_spares(spares);
        }
        while (!buffers_.empty() && sink.remaining() != 0) {
            const bool packet = buffers_.front()->packet;
            const std::span<const std::byte> bytes = first_bytes(sink.remaining());
            const usize wanted = std::min(bytes.size(), sink.remaining());
            const Result<usize> copied = sink.put(bytes.data(), wanted);
            const usize moved = copied.ok() ? copied.value() : 0;
            const usize undelivered = drop_bytes(moved, wanted, spares);
            if (moved < wanted) {
                // What of a page could not be delivered whole stays in the pipe.
                sink.revert(undelivered);
                result = fail(Errno::efault);
                break;
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

/// What the first page has; and the pages behind it up to `limit` bytes, if they lie behind it in memory, too.
std::span<const std::byte> Pipe::first_bytes(usize limit) {
    const PipeBuffer* last = buffers_.front();
    const std::span<const std::byte> first = last->bytes();
    usize size = first.size();
    while (size < limit && !last->packet) {
        const PipeBuffer* next = buffers_.next(*last);
        if (next == nullptr || next->packet || next->bytes().data() != first.data() + size) {
            break;
        }
        size += next->size;
        last = next;
    }
    return {first.data(), size};
}

/// Takes out the first `wanted` bytes, of which `moved` were delivered, but no part of a page of which not all was.
/// Returns how many were delivered and are still there.
usize Pipe::drop_bytes(usize moved, usize wanted, u32 spares) {
    u32 emptied = 0;
    ++reads_;
    while (wanted != 0) {
        PipeBuffer& buffer = *buffers_.front();
        const u32 part = static_cast<u32>(std::min<usize>(buffer.size, wanted));
        if (moved < part) {
            break;
        }
        moved -= part;
        wanted -= part;
        buffer.start += part;
        buffer.size -= part;
        if (buffer.packet || buffer.size == 0) {
            buffers_.remove(buffer);
            add_spare(buffer);
            ++emptied;
        }
    }
    if (emptied != 0) {
        // In this order, for those who find the pipe empty and ask whether it has ended.
        used_.fetch_sub(emptied, Order::release);
        filled_.fetch_sub(emptied, Order::release);
        if (spare_count_ > spares) {
            keep_spares(spares);
        }
    }
    return moved;
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
                TRY(source.remaining() <= kPageSize ? write_new_page(source, framing)
                                                    : write_new_pages(source, framing));
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

/// Writes as many new pages as there is room for and as lie side by side in memory: at least one, often all.
Result<void> Pipe::write_new_pages(mm::IoSource& source, Framing framing) {
    const usize room = capacity_.load(Order::relaxed) - used_.load(Order::relaxed);
    const usize wanted = std::min(source.remaining(), room * kPageSize);
    Buffers run;
    std::byte* begin = nullptr;
    std::byte* end = nullptr;
    while (static_cast<usize>(end - begin) < wanted) {
        if (spares_.empty()) {
            Result<Own<PipeBuffer>> made = PipeBuffer::create();
            if (!made.ok()) {
                if (begin == nullptr) {
                    return made.failure();
                }
                break;
            }
            add_spare(*made.value().release());
        }
        PipeBuffer& next = *spares_.front();
        std::byte* page = next.page->bytes;
        const bool before = begin != nullptr && page + kPageSize == begin;
        if (begin != nullptr && !before && page != end) {
            break;
        }
        spares_.remove(next);
        --spare_count_;
        if (before) {
            run.push_front(next);
            begin = page;
        } else {
            run.push_back(next);
            begin = begin == nullptr ? page : begin;
            end = page + kPageSize;
        }
    }
    const usize size = std::min(wanted, static_cast<usize>(end - begin));
    const Result<usize> copied = source.take(begin, size);
    const usize moved = copied.ok() ? copied.value() : 0;
    const usize whole = moved < size ? moved - moved % kPageSize : size;
    append_pages(run, whole, framing);
    if (moved < size) {
        source.revert(moved - whole);
        return fail(Errno::efault);
    }
    return {};
}

/// What is left is no more than a page, as in most writes.
Result<void> Pipe::write_new_page(mm::IoSource& source, Framing framing) {
    const usize size = source.remaining();
    Own<PipeBuffer> buffer;
    if (PipeBuffer* spare = spares_.pop_front()) {
        --spare_count_;
        buffer = Own<PipeBuffer>::adopt(spare);
    } else {
        buffer = TRY(PipeBuffer::create());
    }
    const Result<usize> copied = source.take(buffer->page->bytes, size);
    if (!copied.ok() || copied.value() < size) {
        source.revert(copied.ok() ? copied.value() : 0);
        add_spare(*buffer.release());
        return fail(Errno::efault);
    }
    buffer->start = 0;
    buffer->size = static_cast<u32>(size);
    buffer->packet = framing == Framing::Packets;
    used_.fetch_add(1, Order::release);
    push_back(std::move(buffer));
    return {};
}

/// The first pages have `bytes` bytes, the others none.
void Pipe::append_pages(Buffers& pages, usize bytes, Framing framing) {
    u32 count = 0;
    while (PipeBuffer* buffer = pages.pop_front()) {
        if (bytes == 0) {
            add_spare(*buffer);
            continue;
        }
        buffer->start = 0;
        buffer->size = static_cast<u32>(std::min(bytes, kPageSize));
        buffer->packet = framing == Framing::Packets;
        bytes -= buffer->size;
        buffers_.push_back(*buffer);
        ++count;
    }
    used_.fetch_add(count, Order::release);
    filled_.fetch_add(count, Order::release);
}

void Pipe::push_back(Own<PipeBuffer> buffer) {
    buffers_.push_back(*buffer.release());
    filled_.fetch_add(1, Order::release);
}

void Pipe::add_spare(PipeBuffer& buffer) {
    spares_.push_front(buffer);
    ++spare_count_;
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
        readable_.wait_for_next_look([this] { return !empty() || ended(); }, sync::SleepKind::Interruptible);
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
        if (ended()) {
            // The last writer may have written between the two looks.
            return !empty();
        }
        TRY(wait_for_data(waiting));
        readable_.wake_one();  // the caller may leave what is there, as tee(2) does
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

[[gnu::cold]] Result<void> Pipe::wait_for_reader(const Partners& found) {
    if (found.readers) {
        return {};
    }
    auto opened = [&] { return reader_opens_.load(Order::acquire) != found.reader_generation; };
    if (openers_.wait_until(opened, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

[[gnu::cold]] Result<void> Pipe::wait_for_writer(const Partners& found) {
    if (found.writers) {
        return {};
    }
    auto opened = [&] { return writer_generation() != found.writer_generation; };
    if (openers_.wait_until(opened, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
        return fail(Errno::eintr);
    }
    return {};
}

}  // namespace cairn::pipe
