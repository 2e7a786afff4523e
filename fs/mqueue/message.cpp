#include "fs/mqueue/message.h"

#include <algorithm>

namespace cairn::mqueue {

Result<Own<Message>> Message::fetch(i64 type, mm::UserIn<std::byte> from, usize size) {
    Own<Message> message = TRY(make_room(size));
    message->type = type;
    TRY(from.fetch(message->text));
    return message;
}

Result<Own<Message>> Message::make_room(usize size) {
    OwnArray<std::byte> text = TRY(OwnArray<std::byte>::create_for_overwrite(size));
    return try_new<Message>(0, std::move(text));
}

Result<void> Message::copy_from(const Message& other) {
    if (other.text.size() > storage.size()) {
        return fail(Errno::einval);
    }
    std::ranges::copy(other.text, storage.data());
    text = storage.span().first(other.text.size());
    type = other.type;
    return {};
}

Result<usize> Message::store(mm::UserOut<std::byte> to, usize most) const {
    const usize size = std::min(most, text.size());
    TRY(mm::copy_out(to.address(), text.data(), size));
    return size;
}

}  // namespace cairn::mqueue
