#include "fs/event/signal_file.h"

#include "fs/anonymous/anonymous_files.h"
#include "fs/event/event_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"

namespace cairn::event {

namespace {

constexpr u64 kNeverRead = u64{1} << (9 - 1) | u64{1} << (19 - 1);  // SIGKILL, SIGSTOP

}  // namespace

void SignalFile::set_mask(u64 mask) {
    mask_.store(mask & ~kNeverRead, Order::relaxed);
    // Whoever waits must look again, with the new mask.
    g_kernel.event_files->current_signals().queue()->waiters.wake_all();
}

/// One signal. EAGAIN, EINTR.
Result<void> SignalFile::take(SignalSource& source, bool may_wait, SignalRecord& record) {
    Ref<SignalQueue> queue = source.queue();
    while (!source.take(mask_.load(Order::relaxed), record)) {
        if (!may_wait) {
            return fail(Errno::eagain);
        }
        auto pending = [&] { return (source.pending() & mask_.load(Order::relaxed)) != 0; };
        if (queue->waiters.wait_until(pending, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    return {};
}

Result<usize> SignalFile::read(vfs::OperationContext&, mm::IoSink& sink, u64&) {
    if (sink.remaining() < sizeof(SignalRecord)) {
        return fail(Errno::einval);
    }
    SignalSource& source = g_kernel.event_files->current_signals();
    usize done = 0;
    while (sink.remaining() >= sizeof(SignalRecord)) {
        SignalRecord record;
        Result<void> taken = take(source, done == 0 && !non_blocking(), record);
        if (!taken.ok()) {
            return done != 0 ? Result<usize>(done) : Result<usize>(taken.failure());
        }
        Result<usize> copied = sink.put(&record, sizeof record);
        if (!copied.ok() || copied.value() != sizeof record) {
            return done != 0 ? Result<usize>(done) : Result<usize>(fail(Errno::efault));
        }
        done += sizeof record;
    }
    return done;
}

Result<void> SignalFile::keep(Ref<SignalQueue> queue) {
    Own<KeptQueue> entry = TRY(try_new<KeptQueue>(std::move(queue)));
    sync::MutexGuard guard(mutex_);
    for (const KeptQueue& kept : kept_) {
        if (&*kept.queue == &*entry->queue) {
            return {};  // the entry goes; its queue stays
        }
    }
    kept_.push_back(*entry.release());
    return {};
}

vfs::PollEvents SignalFile::poll(vfs::PollRegistrar* registrar) {
    SignalSource& source = g_kernel.event_files->current_signals();
    if (registrar != nullptr) {
        Ref<SignalQueue> queue = source.queue();
        const bool kept = keep(queue).ok();
        registrar->watch(kept ? queue->waiters : no_memory_, vfs::kPollIn);
        if (!kept) {
            return vfs::kPollErr;  // cannot wait for it; rather wake too often than never
        }
    }
    return (source.pending() & mask_.load(Order::relaxed)) != 0 ? vfs::kPollIn : 0;
}

void SignalFile::describe(TextBuffer& text) {
    format_to(text, "sigmask:\t{:016x}\n", mask_.load(Order::relaxed));
}

void SignalFile::closed() {
    while (KeptQueue* kept = [this] {
        sync::MutexGuard guard(mutex_);
        return kept_.pop_front();
    }()) {
        Own<KeptQueue>::adopt(kept).reset();
    }
}

Result<Ref<vfs::File>> create_signal_file(u64 mask, u32 flags) {
    const u32 status = (flags & vfs::open_flags::kNonBlock) | vfs::open_flags::kReadWrite;
    Ref<SignalFile> file =
        TRY(try_new_ref<SignalFile>(g_kernel.anonymous_files->shared_inode(), status, mask & ~kNeverRead));
    return Ref<vfs::File>::adopt(file.release());
}

SignalFile* find_signal_file(vfs::File& file) {
    return file.kind() == &SignalFile::kKind ? static_cast<SignalFile*>(&file) : nullptr;
}

}  // namespace cairn::event
