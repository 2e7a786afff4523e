#pragma once
/// Pipe: bytes on their way from writers to readers, in pages that are taken as they are needed (pipe(7)).
///
/// A pipe has room for `capacity` pages, whatever they contain: a write of at most PIPE_BUF bytes goes into the
/// last page if it fits there entirely, or into one new page, and is thereby atomic. A pipe with
/// one free place takes PIPE_BUF bytes; that is what "writable" means.
///
/// `mutex_` (rank Pipe) protects the pages; it is held while user memory is copied, which may fault. The counts are
/// atomics, written under the mutex and read by those who wait. Wake-ups: data in an empty pipe wakes one reader,
/// a place in a full one wakes one writer; whoever leaves work for another of its kind wakes the next, so that
/// one wake-up is never lost with the thread that got it. Pollers have queues of their own: all are told,
/// but of those that share work (EPOLLEXCLUSIVE) only one.

#include <optional>

#include "fs/vfs/file.h"
#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/sync/mutex.h"

namespace cairn::pipe {

/// limits.h; and what a pipe has room for unless told otherwise.
constexpr usize kAtomicWrite = 4096;  // PIPE_BUF
constexpr u32 kDefaultPages = 16;
/// How many emptied pages a pipe keeps; more if a reader finds it full, since then its writers are about to go on.
constexpr u32 kSparePages = 1;
constexpr u32 kStreamSparePages = kDefaultPages;
/// /proc/sys/fs/pipe-max-size: more takes CAP_SYS_RESOURCE.
constexpr u64 kUnprivilegedLimit = kMiB;

struct PipePage {
    PipePage() {}  // uncleared: only what was written is read
    alignas(kPageSize) std::byte bytes[kPageSize];
};

/// Bytes in one page; occupies one place of the pipe.
struct PipeBuffer {
    ListNode node;
    Own<PipePage> page;
    u32 start = 0;
    u32 size = 0;
    bool packet = false;  // written with O_DIRECT: one read gets it, whole or cut off

    std::span<const std::byte> bytes() const { return {page->bytes + start, size}; }

    /// With a page. ENOMEM.
    static Result<Own<PipeBuffer>> create();
};

class Pipe : public RefCounted<Pipe> {
public:
    /// `inode` is the pipe's or the FIFO's and outlives it (the open files hold it). ENOMEM.
    static Result<Ref<Pipe>> create(vfs::Inode& inode, bool named);

    enum class Waiting : u8 { Allowed, Forbidden };
    enum class Framing : u8 { Bytes, Packets };
    /// 0: no writer is left, or nothing was asked for. EAGAIN, EINTR, EFAULT.
    Result<usize> read(mm::IoSink& sink, Waiting waiting);
    /// EPIPE: no reader is left. EAGAIN, EINTR, EFAULT, ENOMEM, all only before the first byte.
    Result<usize> write(mm::IoSource& source, Waiting waiting, Framing framing);

    // --- Ends ------------------------------------------------------------------------------------------------
    /// The other side as add_ends() found it.
    struct Partners {
        bool readers = false;
        bool writers = false;
        u32 reader_generation = 0;
        u32 writer_generation = 0;
    };
    Partners add_ends(bool reader, bool writer);
    void remove_ends(bool reader, bool writer);
    /// fifo(7): waits until the other side has been opened since `found`; that it was closed again does
    /// not matter. EINTR.
    Result<void> wait_for_reader(const Partners& found);
    Result<void> wait_for_writer(const Partners& found);
    bool has_readers() const { return readers_.load(Order::acquire) != 0; }
    bool has_writers() const { return writers_.load(Order::acquire) != 0; }
    /// How often the pipe was opened for writing; a reader of a FIFO sees no hang-up before there was a writer.
    u32 writer_generation() const { return writer_opens_.load(Order::acquire); }

    // --- State -----------------------------------------------------------------------------------------------
    bool empty() const { return filled_.load(Order::acquire) == 0; }
    bool full() const { return used_.load(Order::acquire) >= capacity_.load(Order::acquire); }
    /// No writer is left, nor anything that take() gave and that may come back.
    bool ended() const { return !has_writers() && used_.load(Order::acquire) == 0; }
    bool named() const { return named_; }
    usize queued_bytes();
    u64 capacity() const { return u64{capacity_.load(Order::relaxed)} * kPageSize; }
    /// F_SETPIPE_SZ. EINVAL (beyond 2^31), EPERM, EBUSY (more is in use). Returns the new capacity.
    Result<u64> resize(u64 bytes, bool privileged);

    // --- Whole pages, for splice ------------------------------------------------------------------------------
    /// Waits for a page and takes it out, cut to `limit` bytes (the rest stays); its place stays taken until
    /// put_back() or release_place(). Null: no writer is left. EAGAIN, EINTR, ENOMEM.
    Result<Own<PipeBuffer>> take(usize limit, Waiting waiting);
    /// Puts the unread rest of what take() gave in front again.
    void put_back(Own<PipeBuffer> buffer);
    void release_place();
    /// Waits for a free place and takes it. EPIPE, EAGAIN, EINTR.
    Result<void> reserve_place(Waiting waiting);
    /// Fills a reserved place. EPIPE: no reader is left; the place is free again, and the buffer still the caller's.
    Result<void> append(Own<PipeBuffer>& buffer);
    /// Waits until there is something to read. False: there is not and no writer is left. EAGAIN, EINTR.
    Result<bool> wait_readable(Waiting waiting);
    /// A copy of the bytes from `skip` on, at most `limit` and at most a page; null at the end, and when something was
    /// read since the copy from 0 on, which sets `reads`. ENOMEM.
    Result<Own<PipeBuffer>> copy_at(usize skip, usize limit, u32& reads);

    void watch_readable(vfs::PollRegistrar& registrar) {
        registrar.watch(read_pollers_, vfs::kPollIn | vfs::kPollReadNormal | vfs::kPollHup);
    }
    void watch_writable(vfs::PollRegistrar& registrar) {
        registrar.watch(write_pollers_, vfs::kPollOut | vfs::kPollWriteNormal | vfs::kPollErr);
    }

    /// Open files that want SIGIO for bytes, and for room.
    vfs::AsyncList async_readers;
    vfs::AsyncList async_writers;

    Pipe(vfs::Inode& inode, bool named) : inode_(inode), named_(named) {}
    ~Pipe();

private:
    Result<void> read_present(mm::IoSink& sink);
    Result<void> write_present(mm::IoSource& source, Framing framing);
    Result<bool> write_to_last_page(mm::IoSource& source) REQUIRES(mutex_);
    using Buffers = List<PipeBuffer, &PipeBuffer::node>;
    Result<void> write_new_pages(mm::IoSource& source, Framing framing) REQUIRES(mutex_);
    Result<void> write_new_page(mm::IoSource& source, Framing framing) REQUIRES(mutex_);
    void append_pages(Buffers& pages, usize bytes, Framing framing) REQUIRES(mutex_);
    std::span<const std::byte> first_bytes(usize limit) REQUIRES(mutex_);
    usize drop_bytes(usize moved, usize wanted, u32 spares) REQUIRES(mutex_);
    void add_spare(PipeBuffer& buffer) REQUIRES(mutex_);
    void keep_spares(u32 count) REQUIRES(mutex_);
    void push_back(Own<PipeBuffer> buffer) REQUIRES(mutex_);
    void place_freed(bool was_full);
    void data_arrived(bool was_empty);
    Result<void> wait_for_data(Waiting waiting);
    Result<void> wait_for_place(Waiting waiting);

    vfs::Inode& inode_;
    const bool named_;
    sync::Mutex<LockRank::Pipe> mutex_;
    Buffers buffers_ GUARDED_BY(mutex_);
    Buffers spares_ GUARDED_BY(mutex_);  // emptied pages, for the next writes
    u32 spare_count_ GUARDED_BY(mutex_) = 0;
    u32 reads_ GUARDED_BY(mutex_) = 0;  // how often bytes were taken out
    Atomic<u32> filled_{0};             // buffers in the list
    Atomic<u32> used_{0};               // filled, and places that splice holds
    Atomic<u32> capacity_{kDefaultPages};
    Atomic<u32> readers_{0};
    Atomic<u32> writers_{0};
    Atomic<u32> reader_opens_{0};
    Atomic<u32> writer_opens_{0};

    sync::WaitQueue readable_;
    sync::WaitQueue writable_;
    sync::WaitQueue openers_;
    sync::WaitQueue read_pollers_;
    sync::WaitQueue write_pollers_;
};

}  // namespace cairn::pipe
