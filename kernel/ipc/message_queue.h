#pragma once
/// Queues of messages (msgget(2), msgop(2)). A sender hands its message straight to a receiver that waits for one of
/// its type; without one it is queued. Who waits for room looks again when a message was taken, first come first.

#include "fs/mqueue/message.h"
#include "kernel/base/list.h"
#include "kernel/ipc/object.h"
#include "kernel/sync/parking.h"

namespace cairn::ipc {

using mqueue::Message;
using mqueue::MessageList;

/// msgop(2)'s flags.
namespace message_flags {
constexpr u32 kCutOff = 010000, kExcept = 020000, kCopy = 040000;  // MSG_NOERROR, MSG_EXCEPT, MSG_COPY
}

/// Which message a receiver wants.
struct MessageFilter {
    enum class Mode : u8 { Any, Equal, NotEqual, AtMost, Number };
    Mode mode = Mode::Any;
    i64 type = 0;

    /// From msgrcv(2)'s type and flags.
    static MessageFilter from(i64 type, u32 flags);
    /// Not for Number, which counts.
    bool accepts(const Message& message) const;
    /// The one to be received: the first that fits, of the lowest type for AtMost. Null: none.
    Message* find(const MessageList& messages) const;
};

class MessageQueue final : public Object {
public:
    static Result<Ref<Object>> create(const GetRequest& request);
    static Result<void> accept(const Object&, u64) { return {}; }
    void describe_locked(u64 (&to)[Record::kFigures]) const override REQUIRES(lock);
    void remove_locked() override REQUIRES(lock);

    /// EAGAIN, EIDRM, EINTR, EACCES.
    Result<void> send(const vfs::Credentials& who, Own<Message> message, bool no_wait);
    /// E2BIG, ENOMSG, EIDRM, EINTR, EACCES.
    struct Receive {
        MessageFilter filter;
        usize size;
        u32 flags;
    };
    Result<Own<Message>> receive(const vfs::Credentials& who, const Receive& wanted);
    /// msgctl(2): mode, owner or size have changed; whoever waits looks again.
    void set_room_locked(u64 bytes) REQUIRES(lock);

    explicit MessageQueue(u64 room) : most_bytes_(room) {}
    ~MessageQueue();

private:
    struct Sender {
        explicit Sender(usize its_size) : size(its_size) {}
        ListNode node;
        const usize size;
        sync::Parking parking;
    };
    struct Receiver {
        explicit Receiver(const Receive& its_wish) : wanted(its_wish) {}
        ListNode node;
        const Receive& wanted;
        const i32 process = caller_process();
        sync::Parking parking;
        Own<Message> message{};  // once it is out of the list, or
        Errno error{};           // this; neither: look again
    };

    bool has_room_locked(usize size) const REQUIRES(lock);
    /// True when a receiver took it.
    bool hand_over_locked(Own<Message>& message) REQUIRES(lock);
    void wake_locked(Receiver& receiver) REQUIRES(lock);
    void wake_senders_locked() REQUIRES(lock);
    void destroy() override { destroy_counted(this); }

    i64 send_time_ GUARDED_BY(lock) = 0, receive_time_ GUARDED_BY(lock) = 0;
    i32 last_sender_ GUARDED_BY(lock) = 0, last_receiver_ GUARDED_BY(lock) = 0;
    u64 bytes_ GUARDED_BY(lock) = 0, count_ GUARDED_BY(lock) = 0, most_bytes_ GUARDED_BY(lock);
    MessageList messages_ GUARDED_BY(lock);
    List<Sender, &Sender::node> senders_ GUARDED_BY(lock);
    List<Receiver, &Receiver::node> receivers_ GUARDED_BY(lock);
};

}  // namespace cairn::ipc
