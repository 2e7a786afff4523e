#include "kernel/ipc/message_queue.h"

#include <limits>

#include "kernel/ipc/ipc.h"

namespace cairn::ipc {

using namespace message_flags;

MessageFilter MessageFilter::from(i64 type, u32 flags) {
    if ((flags & kCopy) != 0) {
        return {Mode::Number, type};
    }
    if (type == 0) {
        return {};
    }
    if (type < 0) {
        constexpr i64 kLeast = std::numeric_limits<i64>::min();
        return {Mode::AtMost, type == kLeast ? std::numeric_limits<i64>::max() : -type};
    }
    return {(flags & kExcept) != 0 ? Mode::NotEqual : Mode::Equal, type};
}

bool MessageFilter::accepts(const Message& message) const {
    switch (mode) {
        case Mode::Equal:
            return message.type == type;
        case Mode::NotEqual:
            return message.type != type;
        case Mode::AtMost:
            return message.type <= type;
        case Mode::Any:
        case Mode::Number:
            return true;
    }
    __builtin_unreachable();
}

Message* MessageFilter::find(const MessageList& messages) const {
    Message* best = nullptr;
    i64 number = 0;
    for (Message& message : messages) {
        if (mode == Mode::Number) {
            if (number++ == type) {
                return &message;
            }
        } else if (accepts(message) && (best == nullptr || message.type < best->type)) {
            best = &message;
            if (mode != Mode::AtMost) {
                break;
            }
        }
    }
    return best;
}

Result<Ref<Object>> MessageQueue::create(const GetRequest&) {
    Ref<MessageQueue> queue = TRY(try_new_ref<MessageQueue>(g_kernel.ipc->limit(Limit::QueueBytes)));
    return Ref<Object>::adopt(queue.release());
}

void MessageQueue::describe_locked(u64 (&to)[Record::kFigures]) const {
    to[0] = static_cast<u64>(send_time_);
    to[1] = static_cast<u64>(receive_time_);
    to[2] = static_cast<u64>(change_time);
    to[3] = bytes_;
    to[4] = count_;
    to[5] = most_bytes_;
    to[6] = word_of(last_sender_, last_receiver_);
}

MessageQueue::~MessageQueue() {
    mqueue::clear(messages_);
}

bool MessageQueue::has_room_locked(usize size) const {
    return size + bytes_ <= most_bytes_ && count_ + 1 <= most_bytes_;
}

/// The receiver may be gone afterwards.
void MessageQueue::wake_locked(Receiver& receiver) {
    receivers_.remove(receiver);
    receiver.parking.notify();
}

bool MessageQueue::hand_over_locked(Own<Message>& message) {
    while (true) {
        Receiver* receiver = receivers_.front();
        while (receiver != nullptr && !receiver->wanted.filter.accepts(*message)) {
            receiver = receivers_.next(*receiver);
        }
        if (receiver == nullptr) {
            return false;
        }
        if (message->text.size() > receiver->wanted.size && (receiver->wanted.flags & kCutOff) == 0) {
            receiver->error = Errno::e2big;
            wake_locked(*receiver);
            continue;
        }
        last_receiver_ = receiver->process;
        receive_time_ = wall_seconds();
        receiver->message = std::move(message);
        wake_locked(*receiver);
        return true;
    }
}

Result<void> MessageQueue::send(const vfs::Credentials& who, Own<Message> message, bool no_wait) {
    const usize size = message->text.size();
    for (;;) {
        Sender sender(size);
        {
            SpinLockGuard guard(lock);
            TRY(check_locked(who, kMayWrite));
            if (removed) {
                return fail(Errno::eidrm);
            }
            if (has_room_locked(size)) {
                last_sender_ = caller_process();
                send_time_ = wall_seconds();
                if (!hand_over_locked(message)) {
                    ++count_;
                    bytes_ += size;
                    messages_.push_back(*message.release());
                }
                return {};
            }
            if (no_wait) {
                return fail(Errno::eagain);
            }
            senders_.push_back(sender);
        }
        const sync::WakeReason reason = sender.parking.sleep(sync::SleepKind::Interruptible, Nanoseconds::never());
        SpinLockGuard guard(lock);
        if (sender.node.linked()) {
            senders_.remove(sender);
        }
        if (removed || reason != sync::WakeReason::Condition) {
            return fail(removed ? Errno::eidrm : Errno::eintr);
        }
    }
}

/// All that fit now: if one of them does not come, nobody waits for it in vain.
void MessageQueue::wake_senders_locked() {
    for (Sender* sender = senders_.front(); sender != nullptr;) {
        Sender* next = senders_.next(*sender);
        if (removed || has_room_locked(sender->size)) {
            senders_.remove(*sender);
            sender->parking.notify();
        }
        sender = next;
    }
}

void MessageQueue::set_room_locked(u64 bytes) {
    most_bytes_ = bytes;
    while (Receiver* receiver = receivers_.front()) {
        wake_locked(*receiver);
    }
    wake_senders_locked();
}

void MessageQueue::remove_locked() {
    while (Receiver* receiver = receivers_.front()) {
        receiver->error = Errno::eidrm;
        wake_locked(*receiver);
    }
    wake_senders_locked();
}

Result<Own<Message>> MessageQueue::receive(const vfs::Credentials& who, const Receive& wanted) {
    const bool copies = (wanted.flags & kCopy) != 0;
    Own<Message> copy;
    if (copies) {
        const u64 most = g_kernel.ipc->limit(Limit::MessageBytes);
        copy = TRY(Message::make_room(wanted.size < most ? wanted.size : most));
    }
    for (;;) {
        Receiver receiver(wanted);
        {
            SpinLockGuard guard(lock);
            TRY(check_locked(who, kMayRead));
            if (removed) {
                return fail(Errno::eidrm);
            }
            if (Message* message = wanted.filter.find(messages_)) {
                const usize size = message->text.size();
                if (size > wanted.size && (wanted.flags & kCutOff) == 0) {
                    return fail(Errno::e2big);
                }
                if (copies) {
                    TRY(copy->copy_from(*message));
                    return copy;
                }
                messages_.remove(*message);
                --count_;
                bytes_ -= size;
                receive_time_ = wall_seconds();
                last_receiver_ = caller_process();
                wake_senders_locked();
                return Own<Message>::adopt(message);
            }
            if ((wanted.flags & kNoWait) != 0) {
                return fail(Errno::enomsg);
            }
            receivers_.push_back(receiver);
        }
        const sync::WakeReason reason = receiver.parking.sleep(sync::SleepKind::Interruptible, Nanoseconds::never());
        SpinLockGuard guard(lock);
        if (receiver.node.linked()) {
            receivers_.remove(receiver);
            return fail(Errno::eintr);
        }
        if (receiver.message) {
            return std::move(receiver.message);
        }
        if (receiver.error != Errno{}) {
            return fail(receiver.error);
        }
        if (reason != sync::WakeReason::Condition) {
            return fail(Errno::eintr);
        }
    }
}

}  // namespace cairn::ipc
