/// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

#include <algorithm>

#include "kernel/syscall/ipc.h"
#include "kernel/syscall/ipc_control.h"

namespace cairn::syscall {

namespace {

using ipc::Message;
using ipc::MessageQueue;

constexpr i32 kStatistics = 11;

usize inform(bool of_use, const ipc::Table::Figures& figures, IpcInformationRecord& record) {
    using ipc::Limit;
    constexpr i32 kQueues = 32000, kBytes = 16384, kSegmentSize = 16, kSegments = 0xffff;
    i32 pool = kQueues * (kBytes / 1024);
    i32 map = kBytes;
    i32 messages = kBytes;
    if (of_use) {
        ipc::Table& table = g_kernel.ipc->queues;
        pool = static_cast<i32>(figures.objects);
        map = messages = 0;
        for (std::optional<Ref<ipc::Object>> next = table.next(0); next; next = table.next((*next)->index() + 1)) {
            ipc::Object& object = **next;
            SpinLockGuard guard(object.lock);
            const ipc::Record queue = object.record_locked();
            messages += static_cast<i32>(queue.figures[3]);
            map += static_cast<i32>(queue.figures[4]);
        }
    }
    const i32 values[] = {pool,
                          map,
                          integer_limit(Limit::MessageBytes),
                          integer_limit(Limit::QueueBytes),
                          integer_limit(Limit::Queues),
                          kSegmentSize,
                          messages,
                          kSegments};
    std::ranges::copy(values, record.integers);
    return sizeof values;
}

}  // namespace

/// msgget(2)
Result<i32> sys_msgget(Caller& self, i32 key, u32 flags) {
    return g_kernel.ipc->queues.get({self.credentials(), key, 0, flags});
}

/// msgsnd(2)
Result<void> sys_msgsnd(Caller& self, i32 id, UserIn<std::byte> message, u64 size, u32 flags) {
    const i64 type = TRY(UserIn<i64>(message.address().value).fetch());
    if (size > g_kernel.ipc->limit(ipc::Limit::MessageBytes) || id < 0 || type < 1) {
        return fail(Errno::einval);
    }
    const UserIn<std::byte> text(message.address().value + sizeof(i64));
    Own<Message> fetched = TRY(Message::fetch(type, text, size));
    Ref<ipc::Object> object = TRY(g_kernel.ipc->queues.find(id));
    return static_cast<MessageQueue&>(*object).send(self.credentials(), std::move(fetched),
                                                    (flags & ipc::kNoWait) != 0);
}

/// msgrcv(2)
Result<u64> sys_msgrcv(Caller& self, i32 id, UserOut<std::byte> to, u64 size, i64 type, u32 flags) {
    using namespace ipc::message_flags;
    if (id < 0 || static_cast<i64>(size) < 0 ||
        ((flags & kCopy) != 0 && ((flags & kExcept) != 0 || (flags & ipc::kNoWait) == 0))) {
        return fail(Errno::einval);
    }
    Ref<ipc::Object> object = TRY(g_kernel.ipc->queues.find(id));
    const MessageQueue::Receive wanted{ipc::MessageFilter::from(type, flags), size, flags};
    const Own<Message> message = TRY(static_cast<MessageQueue&>(*object).receive(self.credentials(), wanted));
    TRY(UserOut<i64>(to.address().value).store(message->type));
    return message->store(UserOut<std::byte>(to.address().value + sizeof(i64)), size);
}

/// msgctl(2)
Result<i32> sys_msgctl(Caller& self, i32 id, i32 command, UserInOut<std::byte> buffer) {
    constexpr IpcControl kKind{procfs::IpcKind::Messages, kStatistics, 120, &inform};
    return id < 0 ? Result<i32>(fail(Errno::einval)) : control(self, kKind, id, command, buffer);
}

}  // namespace cairn::syscall
