/// poll(2) and ppoll(2).

#include <algorithm>

#include "kernel/syscall/polling.h"
#include "kernel/syscall/signal_mask.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

/// The program's array: a short one on the stack, what is beyond that in pieces, so that its length needs no large
/// block of memory.
class PollList {
public:
    PollList() {}
    PollList(const PollList&) = delete;
    PollList& operator=(const PollList&) = delete;
    ~PollList() {
        while (Piece* piece = pieces_.pop_front()) {
            Own<Piece>::adopt(piece).reset();
        }
    }

    Result<void> fetch(UserInOut<PollDescriptor> from, u32 count) {
        used_ = std::min(count, kInline);
        TRY(mm::copy_in(inline_, from.address(), used_ * sizeof(PollDescriptor)));
        for (u32 done = used_; done < count;) {
            Own<Piece> piece = TRY(try_new<Piece>());
            piece->used = std::min(count - done, Piece::kEntries);
            TRY(mm::copy_in(piece->entries, from.address() + u64{done} * sizeof(PollDescriptor),
                            piece->used * sizeof(PollDescriptor)));
            done += piece->used;
            pieces_.push_back(*piece.release());
        }
        return {};
    }

    /// Only the third field of each is the program's to receive. EFAULT.
    Result<void> store_events(UserInOut<PollDescriptor> to) {
        VirtualAddress place = to.address() + offsetof(PollDescriptor, revents);
        bool stored = arch::copy_field_to_user(place, &inline_[0].revents, used_);
        place = place + used_ * sizeof(PollDescriptor);
        for (Piece& piece : pieces_) {
            stored = stored && arch::copy_field_to_user(place, &piece.entries[0].revents, piece.used);
            place = place + piece.used * sizeof(PollDescriptor);
        }
        return stored ? Result<void>() : fail(Errno::efault);
    }

    /// One look at all; how many have events.
    u32 look(vfs::FileDescriptorTable& table, event::PollWait& wait) {
        const vfs::DescriptorView view = table.view();
        u32 ready = look_at({inline_, used_}, table, view, wait);
        for (Piece& piece : pieces_) {
            ready += look_at({piece.entries, piece.used}, table, view, wait);
        }
        return ready;
    }

private:
    static constexpr u32 kInline = 100;
    struct Piece {
        static constexpr u32 kEntries = 500;
        Piece() {}
        ListNode node;
        u32 used = 0;
        PollDescriptor entries[kEntries];
    };

    static u32 look_at(std::span<PollDescriptor> entries, vfs::FileDescriptorTable& table,
                       const vfs::DescriptorView& view, event::PollWait& wait) {
        u32 ready = 0;
        for (PollDescriptor& entry : entries) {
            const vfs::PollEvents events =
                entry.fd < 0 ? 0 : look_at_descriptor(table, view, wait, Fd{entry.fd}, entry.events);
            entry.revents = static_cast<u16>(events);
            if (events != 0) {
                ++ready;
                wait.stop_registering();
            }
        }
        return ready;
    }

    u32 used_ = 0;  // of inline_
    PollDescriptor inline_[kInline];
    List<Piece, &Piece::node> pieces_;
};

/// How many are ready; 0 when the time is over. EINTR, ENOMEM, EINVAL, EFAULT.
Result<u64> poll_until(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count, Nanoseconds deadline) {
    if (count > self.descriptor_limit()) {
        return fail(Errno::einval);
    }
    PollList list;
    TRY(list.fetch(descriptors, count));
    event::PollWait wait;
    const auto outcome = TRY(wait.wait_until(deadline, [&] { return list.look(self.descriptors(), wait); }));
    TRY(list.store_events(descriptors));
    return outcome.interrupted ? fail(Errno::eintr) : Result<u64>(outcome.ready);
}

Result<u64> resume_poll(Caller& self, const u64 (&data)[6]);

Result<u64> poll_or_continue(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count, Nanoseconds deadline) {
    Result<u64> ready = poll_until(self, descriptors, count, deadline);
    if (!ready.ok() && ready.error() == Errno::eintr) {
        return self.interrupted({&resume_poll, {descriptors.address().value, count, deadline.value}});
    }
    return ready;
}

/// restart_syscall(2) after a stop: goes on until the deadline of the first call.
Result<u64> resume_poll(Caller& self, const u64 (&data)[6]) {
    return poll_or_continue(self, UserInOut<PollDescriptor>(data[0]), static_cast<u32>(data[1]), Nanoseconds{data[2]});
}

}  // namespace

/// poll(2).
Result<u64> sys_poll(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count, i32 milliseconds) {
    Nanoseconds deadline = Nanoseconds::never();
    if (milliseconds == 0) {
        deadline = {};
    } else if (milliseconds > 0) {
        deadline = time::now() + Nanoseconds::from_milliseconds(static_cast<u64>(milliseconds));
    }
    return poll_or_continue(self, descriptors, count, deadline);
}

/// ppoll(2). The kernel's version tells how much time is left.
Result<u64> sys_ppoll(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count,
                      UserInOut<TimeSpecification> timeout, UserIn<u64> mask, usize mask_size) {
    const Nanoseconds deadline = TRY(fetch_deadline(timeout));
    TRY(set_temporary_mask(self, mask, mask_size));
    Result<u64> ready = poll_until(self, descriptors, count, deadline);
    // As on Linux, that the rest cannot be told is no error.
    static_cast<void>(store_time_left(timeout, deadline));
    return ready;
}

}  // namespace cairn::syscall
