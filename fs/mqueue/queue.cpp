#include "fs/mqueue/queue.h"

#include "kernel/sched/thread.h"

namespace cairn::mqueue {

namespace {

/// An open queue. Reading it tells its state; messages go through calls of their own.
class QueueFile final : public vfs::File {
public:
    QueueFile(Queue& queue, const vfs::OpenRequest& request)
        : File(Ref<vfs::Inode>(queue), request.flags, request.path) {}

    bool seekable() const override { return true; }
    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64& offset) override {
        constexpr usize kLongest = 80;
        char line[kLongest];
        TextBuffer text{std::span(line)};
        queue().describe(text);
        const std::string_view rest = text.view().substr(offset < text.size() ? offset : text.size());
        const usize size = rest.size() < sink.remaining() ? rest.size() : sink.remaining();
        const usize done = size == 0 ? 0 : TRY(sink.put(rest.data(), size));
        offset += done;
        return done;
    }
    bool tells_events() const override { return true; }
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override { return queue().poll(registrar); }
    Result<void> descriptor_closed(vfs::OperationContext& context) override {
        queue().take_back_notification(context.process());
        return {};
    }
    const void* kind() const override { return &kKind; }
    static constexpr char kKind = 0;

    Queue& queue() const { return static_cast<Queue&>(inode()); }

private:
    void destroy() override { destroy_counted(this); }
};

i32 urgency_of(const sched::Thread& thread) {
    return thread.is_realtime() ? static_cast<i32>(thread.realtime.priority) : -thread.nice - 100;
}

}  // namespace

Result<Queue*> find_queue(vfs::File& file) {
    return file.kind() == &QueueFile::kKind ? &static_cast<QueueFile&>(file).queue()
                                            : Result<Queue*>(fail(Errno::ebadf));
}

Queue::Queue(QueueSuperblock& superblock, const vfs::InodeAttributes& attributes, const Attributes& size, void* account,
             u64 charged)
    : TmpfsInode(superblock, attributes),
      most_messages_(static_cast<u64>(size.most_messages)),
      message_size_(static_cast<u64>(size.message_size)),
      account_(account),
      charged_(charged) {}

Queue::~Queue() {
    clear(messages_);
    auto& all = static_cast<QueueSuperblock&>(filesystem());
    all.count.fetch_sub(1, Order::relaxed);
    if (account_ != nullptr) {
        all.payers->refund(account_, charged_);
    }
}

Result<Ref<vfs::File>> Queue::open(vfs::OperationContext&, const vfs::OpenRequest& request) {
    return vfs::try_new_file<QueueFile>(*this, request);
}

Queue::Waiter::Waiter() : urgency(urgency_of(*arch::current_thread())) {}

Attributes Queue::figures() {
    SpinLockGuard guard(lock_);
    return {.most_messages = static_cast<i64>(most_messages_),
            .message_size = static_cast<i64>(message_size_),
            .messages = static_cast<i64>(count_)};
}

void Queue::insert_locked(Own<Message> message) {
    Message& inserted = *message.release();
    messages_.push_back(inserted);
    // From the end, since most programs use one priority.
    for (Message* before = messages_.previous(inserted); before != nullptr && before->type < inserted.type;) {
        messages_.remove(inserted);
        messages_.insert_before(*before, inserted);
        before = messages_.previous(inserted);
    }
    ++count_;
    bytes_ += inserted.text.size();
    changed_.wake_all();
}

/// The waiter may be gone afterwards.
void Queue::wake_locked(Waiter& waiter) {
    waiter.node.unlink();
    waiter.parking.notify();
}

void Queue::join_locked(Waiters& waiters, Waiter& waiter) {
    waiters.push_back(waiter);
    for (Waiter* before = waiters.previous(waiter); before != nullptr && before->urgency < waiter.urgency;) {
        waiters.remove(waiter);
        waiters.insert_before(*before, waiter);
        before = waiters.previous(waiter);
    }
}

Result<void> Queue::wait(Waiter& waiter, Nanoseconds deadline) {
    const sync::WakeReason reason = waiter.parking.sleep(sync::SleepKind::Interruptible, deadline);
    SpinLockGuard guard(lock_);
    if (!waiter.node.linked()) {
        return {};
    }
    waiter.node.unlink();
    return fail(reason == sync::WakeReason::TimedOut ? Errno::etimedout : Errno::eintr);
}

Result<void> Queue::send(Own<Message> message, bool no_wait, Nanoseconds deadline) {
    Waiter waiter;
    bool waits = false;
    std::optional<Ref<Notification>> told;
    {
        SpinLockGuard guard(lock_);
        if (count_ == most_messages_) {
            if (no_wait) {
                return fail(Errno::eagain);
            }
            waits = true;
            waiter.message = std::move(message);
            join_locked(senders_, waiter);
        } else if (Waiter* receiver = receivers_.front()) {
            receiver->message = std::move(message);
            wake_locked(*receiver);
        } else {
            insert_locked(std::move(message));
            if (count_ == 1) {
                std::swap(told, notification_);
            }
        }
    }
    if (waits) {
        return wait(waiter, deadline);
    }
    touch_modification_time();
    if (told) {
        (*told)->message_came();
    }
    return {};
}

Result<Own<Message>> Queue::receive(bool no_wait, Nanoseconds deadline) {
    Waiter waiter;
    bool waits = false;
    {
        SpinLockGuard guard(lock_);
        if (Message* message = messages_.pop_front()) {
            waiter.message = Own<Message>::adopt(message);
            --count_;
            bytes_ -= message->text.size();
            if (Waiter* sender = senders_.front()) {
                insert_locked(std::move(sender->message));
                wake_locked(*sender);
            } else {
                changed_.wake_all();
            }
        } else if (no_wait) {
            return fail(Errno::eagain);
        } else {
            waits = true;
            join_locked(receivers_, waiter);
        }
    }
    if (waits) {
        TRY(wait(waiter, deadline));
    }
    touch_modification_time();
    return std::move(waiter.message);
}

Result<void> Queue::set_notification(Ref<Notification> fresh) {
    SpinLockGuard guard(lock_);
    if (notification_) {
        return fail(Errno::ebusy);
    }
    notification_.emplace(std::move(fresh));
    return {};
}

void Queue::take_back_notification(i32 process) {
    std::optional<Ref<Notification>> taken;
    {
        SpinLockGuard guard(lock_);
        if (notification_ && (*notification_)->process == process) {
            std::swap(taken, notification_);
        }
    }
    if (taken) {
        (*taken)->taken_back();
    }
}

vfs::PollEvents Queue::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        registrar->watch(changed_);
    }
    SpinLockGuard guard(lock_);
    return (count_ != 0 ? vfs::kPollIn | vfs::kPollReadNormal : 0) |
           (count_ < most_messages_ ? vfs::kPollOut | vfs::kPollWriteNormal : 0);
}

void Queue::describe(TextBuffer& text) {
    u64 bytes = 0;
    i32 method = 0;
    i32 signal = 0;
    i32 process = 0;
    {
        SpinLockGuard guard(lock_);
        bytes = bytes_;
        if (notification_) {
            const Notification& notification = **notification_;
            method = static_cast<i32>(notification.method);
            signal = notification.method == Notification::Method::Signal ? notification.signal : 0;
            process = notification.process;
        }
    }
    format_to(text, "QSIZE:{:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", bytes, method, signal, process);
}

}  // namespace cairn::mqueue
