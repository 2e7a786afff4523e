#pragma once
/// A message on its way through a queue, POSIX's or System V's: one owner at a time, so no lock.

#include "kernel/base/list.h"
#include "kernel/base/own.h"
#include "kernel/base/own_array.h"
#include "mm/user_memory.h"

namespace cairn::mqueue {

struct Message {
    Message(i64 its_type, OwnArray<std::byte> bytes)
        : type(its_type), storage(std::move(bytes)), text(storage.span()) {}
    /// From the program's memory. EFAULT, ENOMEM.
    static Result<Own<Message>> fetch(i64 type, mm::UserIn<std::byte> from, usize size);
    /// To be copied into (MSG_COPY). ENOMEM.
    static Result<Own<Message>> make_room(usize size);
    /// EINVAL: no room.
    Result<void> copy_from(const Message& other);
    /// To the program's memory, no more than `most` bytes; returns how many. EFAULT.
    Result<usize> store(mm::UserOut<std::byte> to, usize most) const;

    ListNode node;
    i64 type;  // POSIX: the priority
    OwnArray<std::byte> storage;
    std::span<std::byte> text;
};

using MessageList = List<Message, &Message::node>;

inline void clear(MessageList& messages) {
    while (Message* message = messages.pop_front()) {
        Own<Message>::adopt(message).reset();
    }
}

}  // namespace cairn::mqueue
