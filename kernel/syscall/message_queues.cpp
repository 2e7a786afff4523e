#include "kernel/syscall/message_queues.h"

#include "fs/mqueue/queue.h"
#include "kernel/ipc/queue_notification.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using mqueue::Attributes;
using mqueue::Message;
using mqueue::Notification;
using mqueue::Queue;

namespace {

constexpr u32 kPriorities = 32768;

/// struct sigevent, as far as it is read here.
struct QueueEvent {
    u64 value;
    i32 signal;
    i32 method;
};

struct OpenQueue {
    Ref<vfs::File> file;
    Queue& queue;
};
/// EBADF.
Result<OpenQueue> find(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file(fd));
    Queue* queue = TRY(mqueue::find_queue(*file));
    return OpenQueue{std::move(file), *queue};
}

Result<Ref<Notification>> make_notification(Caller& self, UserIn<std::byte> from) {
    using Method = Notification::Method;
    const QueueEvent event = TRY(UserIn<QueueEvent>(from.address().value).fetch());
    const auto method = static_cast<Method>(event.method);
    if (method != Method::Signal && method != Method::None && method != Method::Thread) {
        return fail(Errno::einval);
    }
    if (method == Method::Signal && (event.signal < 0 || event.signal > signal::kSignals)) {
        return fail(Errno::einval);
    }
    if (method != Method::Thread) {
        return ipc::create_notification(self.task, {method, event.signal, event.value});
    }
    std::byte cookie[32];
    TRY(UserIn<std::byte>(event.value).fetch(std::span(cookie)));
    Ref<vfs::File> socket = TRY(self.file(Fd{event.signal}));
    return ipc::create_thread_notification(self.task, std::move(socket), cookie);
}

}  // namespace

/// mq_open(2)
Result<Fd> sys_mq_open(Caller& self, UserCString name, u32 flags, u16 mode, UserIn<Attributes> attributes) {
    Attributes wanted;
    if (!attributes.is_null()) {
        wanted = TRY(attributes.fetch());
    }
    PathName text;
    TRY(text.fetch(name));
    vfs::OperationContext context = self.context();
    Ref<vfs::File> file =
        TRY(mqueue::open(context, text.text(), flags, mode, attributes.is_null() ? nullptr : &wanted));
    return self.install(std::move(file), true);
}

/// mq_unlink(2)
Result<void> sys_mq_unlink(Caller& self, UserCString name) {
    PathName text;
    TRY(text.fetch(name));
    vfs::OperationContext context = self.context();
    return mqueue::unlink(context, text.text());
}

/// mq_timedsend(2)
Result<void> sys_mq_timedsend(Caller& self, Fd fd, UserIn<std::byte> text, u64 size, u32 priority,
                              UserIn<TimeSpecification> timeout) {
    const Nanoseconds deadline = TRY(fetch_wall_deadline(timeout));
    if (priority >= kPriorities) {
        return fail(Errno::einval);
    }
    OpenQueue open = TRY(find(self, fd));
    if (!open.file->writable()) {
        return fail(Errno::ebadf);
    }
    if (size > open.queue.message_size()) {
        return fail(Errno::emsgsize);
    }
    Own<Message> message = TRY(Message::fetch(priority, text, size));
    return open.queue.send(std::move(message), open.file->non_blocking(), deadline);
}

/// mq_timedreceive(2)
Result<u64> sys_mq_timedreceive(Caller& self, Fd fd, UserOut<std::byte> text, u64 size, UserOut<u32> priority,
                                UserIn<TimeSpecification> timeout) {
    const Nanoseconds deadline = TRY(fetch_wall_deadline(timeout));
    OpenQueue open = TRY(find(self, fd));
    if (!open.file->readable()) {
        return fail(Errno::ebadf);
    }
    if (size < open.queue.message_size()) {
        return fail(Errno::emsgsize);
    }
    const Own<Message> message = TRY(open.queue.receive(open.file->non_blocking(), deadline));
    if (!priority.is_null()) {
        TRY(priority.store(static_cast<u32>(message->type)));
    }
    return message->store(text, size);
}

/// mq_notify(2)
Result<void> sys_mq_notify(Caller& self, Fd fd, UserIn<std::byte> event) {
    std::optional<Ref<Notification>> wanted;
    if (!event.is_null()) {
        Ref<Notification> made = TRY(make_notification(self, event));
        wanted.emplace(std::move(made));
    }
    OpenQueue open = TRY(find(self, fd));
    if (!wanted) {
        open.queue.take_back_notification(self.task.process_number());
        return {};
    }
    return open.queue.set_notification(std::move(*wanted));
}

/// mq_getsetattr(2)
Result<void> sys_mq_getsetattr(Caller& self, Fd fd, UserIn<Attributes> fresh, UserOut<Attributes> old) {
    using vfs::open_flags::kNonBlock;
    Attributes wanted;
    if (!fresh.is_null()) {
        wanted = TRY(fresh.fetch());
        if ((wanted.flags & ~i64{kNonBlock}) != 0) {
            return fail(Errno::einval);
        }
    }
    OpenQueue open = TRY(find(self, fd));
    Attributes present = open.queue.figures();
    const u32 flags = open.file->flags();
    present.flags = flags & kNonBlock;
    if (!fresh.is_null()) {
        open.file->set_flags((flags & vfs::open_flags::kChangeable & ~kNonBlock) | static_cast<u32>(wanted.flags));
    }
    return old.is_null() ? Result<void>() : old.store(present);
}

}  // namespace cairn::syscall
