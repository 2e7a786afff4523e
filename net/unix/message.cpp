#include "net/unix/message.h"

#include <algorithm>

#include "net/unix/endpoint.h"
#include "net/unix/unix_sockets.h"

namespace cairn::net {

UnixMessage::UnixMessage(UnixEndpoint& sender) : sender_(sender) {}

/// For a part of `wanted` bytes, or fewer. ENOMEM.
Result<OwnArray<std::byte>> UnixMessage::allocate_bytes(usize wanted) {
    Result<OwnArray<std::byte>> bytes = OwnArray<std::byte>::create_for_overwrite(std::min(wanted, kPieceSize));
    if (bytes.ok() || wanted <= kPageSize) {
        return bytes;
    }
    return OwnArray<std::byte>::create_for_overwrite(kPageSize);
}

Result<Own<UnixMessage>> UnixMessage::create(UnixEndpoint& sender, mm::IoSource& source, usize size) {
    Own<UnixMessage> message = TRY(try_new<UnixMessage>(sender));
    if (size <= kSmall) {
        message->size_ = TRY(source.take(message->small_, size));
        if (message->size_ < size) {
            return fail(Errno::efault);
        }
    }
    while (message->size_ < size) {
        Own<Piece> piece = TRY(try_new<Piece>());
        piece->bytes = TRY(allocate_bytes(size - message->size_));
        const usize wanted = piece->bytes.size();
        const usize copied = TRY(source.take(piece->bytes.data(), wanted));
        message->pieces_.push_back(*piece.release());
        message->size_ += copied;
        if (copied < wanted) {
            return fail(Errno::efault);
        }
    }
    message->charge_ = static_cast<u32>((size + 63) & ~usize{63}) + kOverhead;
    sender.charge(message->charge_);
    return message;
}

UnixMessage::~UnixMessage() {
    if (files) {
        drop_passed_files(std::move(files));
    }
    while (Piece* piece = pieces_.pop_front()) {
        Own<Piece>::adopt(piece).reset();
    }
    if (charge_ != 0) {
        sender_->uncharge(charge_);
    }
}

Result<usize> UnixMessage::copy_out(mm::IoSink& sink, usize skip, usize limit) const {
    if (pieces_.empty()) {
        return sink.put(small_ + start_ + skip, std::min(limit, size_ - skip));
    }
    usize copied = 0;
    usize offset = start_ + skip;
    for (const Piece& piece : pieces_) {
        if (offset >= piece.bytes.size()) {
            offset -= piece.bytes.size();
            continue;
        }
        const usize wanted = std::min({piece.bytes.size() - offset, limit - copied, size_ - skip - copied});
        if (wanted == 0) {
            break;
        }
        Result<usize> step = sink.put(piece.bytes.data() + offset, wanted);
        if (!step.ok()) {
            return copied != 0 ? Result<usize>(copied) : step;
        }
        copied += step.value();
        if (step.value() < wanted) {
            break;
        }
        offset = 0;
    }
    return copied;
}

void UnixMessage::consume(usize size) {
    size_ -= size;
    start_ += size;
    while (Piece* first = pieces_.front()) {
        if (start_ < first->bytes.size()) {
            break;
        }
        start_ -= first->bytes.size();
        pieces_.remove(*first);
        Own<Piece>::adopt(first).reset();
    }
}

}  // namespace cairn::net
