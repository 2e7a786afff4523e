#include "fs/event/event_counter.h"

#include "fs/anonymous/anonymous_files.h"
#include "fs/event/event_files.h"
#include "kernel/base/format.h"
#include "kernel/base/kernel.h"

namespace cairn::event {

/// False: there is nothing to take.
bool EventCounter::take(u64& value) {
    SpinLockGuard guard(lock_);
    const u64 present = count_.load(Order::relaxed);
    value = mode_ == Mode::Semaphore && present != 0 ? 1 : present;
    count_.store(present - value, Order::release);
    return value != 0;
}

/// False: there is no room.
bool EventCounter::add(u64 value) {
    SpinLockGuard guard(lock_);
    const u64 present = count_.load(Order::relaxed);
    if (value > kLimit - present) {
        return false;
    }
    count_.store(present + value, Order::release);
    return true;
}

Result<usize> EventCounter::read(vfs::OperationContext& context, mm::IoSink& sink, u64&) {
    if (sink.remaining() < sizeof(u64)) {
        return fail(Errno::einval);
    }
    u64 value = 0;
    while (!take(value)) {
        if (non_blocking(context)) {
            return fail(Errno::eagain);
        }
        auto something = [this] { return count() != 0; };
        if (readers_.wait_for_next_look(something, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    sync::WaitQueue::wake_one_of_each(writers_, pollers_);
    if (count() != 0) {
        // A semaphore's next reader; and there may be room for a small number, but not for the first writer's.
        readers_.wake_one();
        writers_.wake_all();
    }
    if (TRY(sink.put(&value, sizeof value)) != sizeof value) {
        return fail(Errno::efault);
    }
    return sizeof value;
}

Result<usize> EventCounter::write(vfs::OperationContext&, mm::IoSource& source, u64&) {
    u64 value = 0;
    if (source.remaining() < sizeof value) {
        return fail(Errno::einval);
    }
    if (TRY(source.take(&value, sizeof value)) != sizeof value) {
        return fail(Errno::efault);
    }
    if (value == ~u64{0}) {
        return fail(Errno::einval);
    }
    while (!add(value)) {
        if (non_blocking()) {
            return fail(Errno::eagain);
        }
        auto room = [this, value] { return value <= kLimit - count(); };
        if (writers_.wait_for_next_look(room, sync::SleepKind::Interruptible) != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
    // The last: a wake-up that this write used up may have left room for a smaller one.
    sync::WaitQueue::wake_one_of_each(readers_, pollers_, writers_);
    return sizeof value;
}

void EventCounter::signal() {
    static_cast<void>(add(1));
    readers_.wake_one();
    pollers_.wake_one();
}

vfs::PollEvents EventCounter::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(pollers_);
    }
    const u64 value = count();
    vfs::PollEvents events = value != 0 ? vfs::kPollIn : 0;
    events |= value < kLimit ? vfs::kPollOut : 0;
    return events;
}

void EventCounter::describe(TextBuffer& text) {
    format_to(text, "eventfd-count: {:16x}\neventfd-id: {}\neventfd-semaphore: {}\n", count(), id_,
              mode_ == Mode::Semaphore ? 1 : 0);
}

Result<Ref<vfs::File>> create_event_counter(u32 initial, u32 flags, EventCounter::Mode mode) {
    const u32 status = (flags & vfs::open_flags::kNonBlock) | vfs::open_flags::kReadWrite;
    const u64 id = g_kernel.event_files->next_id.fetch_add(1, Order::relaxed);
    Ref<EventCounter> file =
        TRY(try_new_ref<EventCounter>(g_kernel.anonymous_files->shared_inode(), status, initial, mode, id));
    return Ref<vfs::File>::adopt(file.release());
}

}  // namespace cairn::event
