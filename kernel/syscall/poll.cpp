/// poll(2) and ppoll(2).

#include <algorithm>

#include "kernel/syscall/polling.h"
#include "kernel/syscall/signal_mask.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

/// The program's array in pieces, so that its length needs no large block of memory.
class PollList {
public:
    PollList() = default;
    PollList(PollList&& other) noexcept { pieces_.splice_back(other.pieces_); }
    PollList& operator=(PollList&&) = delete;
    ~PollList() {
        while (Piece* piece = pieces_.pop_front()) {
            Own<Piece>::adopt(piece).reset();
        }
    }

    static Result<PollList> fetch(UserInOut<PollDescriptor> from, u32 count) {
        PollList list;
        for (u32 done = 0; done < count;) {
            Own<Piece> piece = TRY(try_new<Piece>());
            piece->used = std::min(count - done, Piece::kEntries);
            TRY(mm::copy_in(piece->entries, from.address() + u64{done} * sizeof(PollDescriptor),
                            piece->used * sizeof(PollDescriptor)));
            done += piece->used;
            list.pieces_.push_back(*piece.release());
        }
        return list;
    }

    /// Only the third field of each is the program's to receive.
    Result<void> store_events(UserInOut<PollDescriptor> to) {
        constexpr u64 kOffset = offsetof(PollDescriptor, revents);
        VirtualAddress place = to.address() + kOffset;
        for (Piece& piece : pieces_) {
            for (u32 i = 0; i < piece.used; ++i) {
                TRY(mm::copy_out(place, &piece.entries[i].revents, sizeof(u16)));
                place = place + sizeof(PollDescriptor);
            }
        }
        return {};
    }

    /// One look at all; how many have events.
    u32 look(vfs::FileDescriptorTable& table, event::PollWait& wait) {
        u32 ready = 0;
        for (Piece& piece : pieces_) {
            for (u32 i = 0; i < piece.used; ++i) {
                PollDescriptor& entry = piece.entries[i];
                entry.revents = static_cast<u16>(look_at(entry, table, wait));
                if (entry.revents != 0) {
                    ++ready;
                    wait.stop_registering();
                }
            }
        }
        return ready;
    }

private:
    struct Piece {
        static constexpr u32 kEntries = 500;
        Piece() {}
        ListNode node;
        u32 used = 0;
        PollDescriptor entries[kEntries];
    };

    static vfs::PollEvents look_at(const PollDescriptor& entry, vfs::FileDescriptorTable& table,
                                   event::PollWait& wait) {
        if (entry.fd < 0) {
            return 0;
        }
        return look_at_descriptor(table, wait, Fd{entry.fd}, entry.events);
    }

    List<Piece, &Piece::node> pieces_;
};

/// How many are ready; 0 when the time is over. EINTR, ENOMEM, EINVAL, EFAULT.
Result<u64> poll_until(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count, Nanoseconds deadline) {
    if (count > self.descriptor_limit()) {
        return fail(Errno::einval);
    }
    PollList list = TRY(PollList::fetch(descriptors, count));
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
