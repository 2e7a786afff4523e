/// select(2) and pselect(2).

#include <algorithm>
#include <bit>

#include "kernel/base/own_array.h"
#include "kernel/syscall/polling.h"
#include "kernel/syscall/signal_mask.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

/// What makes a descriptor readable, writable, exceptional (select(2), "Correspondence between select() and poll()").
constexpr vfs::PollEvents kReadSet =
    vfs::kPollReadNormal | vfs::kPollReadBand | vfs::kPollIn | vfs::kPollHup | vfs::kPollErr | vfs::kPollNval;
constexpr vfs::PollEvents kWriteSet =
    vfs::kPollWriteBand | vfs::kPollWriteNormal | vfs::kPollOut | vfs::kPollErr | vfs::kPollNval;
constexpr vfs::PollEvents kExceptionalSet = vfs::kPollPri | vfs::kPollNval;
constexpr vfs::PollEvents kSets[3] = {kReadSet, kWriteSet, kExceptionalSet};

/// The three sets that go in and the three that come out: six rows of `words` words, on the stack if they are short.
class SelectSets {
public:
    SelectSets() = default;
    SelectSets(const SelectSets&) = delete;
    SelectSets& operator=(const SelectSets&) = delete;

    Result<void> fetch(const UserInOut<u64> (&user)[3], u32 count) {
        words_ = (count + 63) / 64;
        if (words_ > kInline) {
            bits_ = TRY(OwnArray<u64>::create(usize{6} * words_));
            rows_ = bits_.data();
        }
        for (u32 set = 0; set < 3; ++set) {
            if (!user[set].is_null()) {
                TRY(mm::copy_in(wanted(set), user[set].address(), words_ * sizeof(u64)));
            }
            if (count % 64 != 0) {
                wanted(set)[words_ - 1] &= (u64{1} << count % 64) - 1;
            }
        }
        return {};
    }

    Result<void> store(const UserInOut<u64> (&user)[3]) {
        for (u32 set = 0; set < 3; ++set) {
            if (!user[set].is_null()) {
                TRY(mm::copy_out(user[set].address(), found(set), words_ * sizeof(u64)));
            }
        }
        return {};
    }

    /// EBADF: a descriptor that is asked about is not open.
    Result<void> check(vfs::FileDescriptorTable& table) {
        const vfs::DescriptorView view = table.view();
        for (u32 word = 0; word < words_; ++word) {
            const u64 bits = any_wanted(word);
            if (view ? (bits & ~view.open_descriptors(word)) != 0 : !are_open(table, word, bits)) {
                return fail(Errno::ebadf);
            }
        }
        return {};
    }

    /// One look at all; how many bits are set in what comes out.
    u64 look(vfs::FileDescriptorTable& table, event::PollWait& wait) {
        const vfs::DescriptorView view = table.view();
        u64 ready = 0;
        for (u32 word = 0; word < words_; ++word) {
            if (any_wanted(word) != 0) {
                ready += look_at(table, view, wait, word);
            }
        }
        return ready;
    }

private:
    static constexpr u32 kInline = 4;

    u64* wanted(u32 set) { return rows_ + usize{set} * words_; }
    u64* found(u32 set) { return rows_ + usize{3 + set} * words_; }
    u64 any_wanted(u32 word) { return wanted(0)[word] | wanted(1)[word] | wanted(2)[word]; }

    static bool are_open(vfs::FileDescriptorTable& table, u32 word, u64 bits) {
        for (; bits != 0; bits &= bits - 1) {
            if (!table.access(Fd{static_cast<i32>(word * 64 + static_cast<u32>(std::countr_zero(bits)))}).ok()) {
                return false;
            }
        }
        return true;
    }

    u32 look_at(vfs::FileDescriptorTable& table, const vfs::DescriptorView& view, event::PollWait& wait, u32 word) {
        const u64 sets[3] = {wanted(0)[word], wanted(1)[word], wanted(2)[word]};
        u64 result[3] = {};
        for (u64 bits = sets[0] | sets[1] | sets[2]; bits != 0; bits &= bits - 1) {
            const u64 mask = bits & -bits;
            const u32 bit = static_cast<u32>(std::countr_zero(bits));
            const vfs::PollEvents interest = ((sets[0] & mask) != 0 ? kReadSet : 0) |
                                             ((sets[1] & mask) != 0 ? kWriteSet : 0) |
                                             ((sets[2] & mask) != 0 ? kExceptionalSet : 0);
            const vfs::PollEvents events =
                look_at_descriptor(table, view, wait, Fd{static_cast<i32>(word * 64 + bit)}, interest);
            if (events == 0) {
                continue;
            }
            for (u32 set = 0; set < 3; ++set) {
                result[set] |= (events & kSets[set]) != 0 ? sets[set] & mask : 0;
            }
            if ((result[0] | result[1] | result[2]) != 0) {
                wait.stop_registering();
            }
        }
        u32 ready = 0;
        for (u32 set = 0; set < 3; ++set) {
            found(set)[word] = result[set];
            ready += static_cast<u32>(std::popcount(result[set]));
        }
        return ready;
    }

    u64 inline_[6 * kInline] = {};
    OwnArray<u64> bits_;
    u64* rows_ = inline_;
    u32 words_ = 0;
};

/// What lies beyond the table cannot be open; Linux ignores it likewise, in steps of 64.
u32 limit_count(Caller& self, i32 count) {
    const u64 limit = std::max<u64>(self.descriptor_limit(), 64);
    return static_cast<u32>(std::min<u64>(static_cast<u64>(count), (limit + 63) / 64 * 64));
}

Result<u64> select_until(Caller& self, i32 count, const UserInOut<u64> (&user)[3], Nanoseconds deadline) {
    if (count < 0) {
        return fail(Errno::einval);
    }
    SelectSets sets;
    TRY(sets.fetch(user, limit_count(self, count)));
    TRY(sets.check(self.descriptors()));
    event::PollWait wait;
    const auto outcome = TRY(wait.wait_until(deadline, [&] { return sets.look(self.descriptors(), wait); }));
    if (outcome.interrupted) {
        return fail(Errno::eintr);
    }
    TRY(sets.store(user));
    return outcome.ready;
}

}  // namespace

/// select(2). Linux tells how much time is left.
Result<u64> sys_select(Caller& self, i32 count, UserInOut<u64> readable, UserInOut<u64> writable,
                       UserInOut<u64> exceptional, UserInOut<TimeValue> timeout) {
    Nanoseconds deadline = Nanoseconds::never();
    if (!timeout.is_null()) {
        const TimeValue time = TRY(timeout.fetch());
        if (time.seconds < 0 || time.microseconds < 0) {
            return fail(Errno::einval);
        }
        // Microseconds may exceed a second here.
        const Nanoseconds seconds = TRY(duration_of({time.seconds, 0}));
        const Nanoseconds rest =
            TRY(duration_of({time.microseconds / 1'000'000, time.microseconds % 1'000'000 * 1'000}));
        const Nanoseconds duration = seconds + rest;
        deadline = duration.value == 0 ? Nanoseconds{} : time::now() + duration;
    }
    Result<u64> ready = select_until(self, count, {readable, writable, exceptional}, deadline);
    // As on Linux, nothing is said of a call that was not to wait.
    if (!timeout.is_null() && deadline.value != 0) {
        const u64 left = (deadline - time::now()).value / 1'000;
        static_cast<void>(timeout.store({static_cast<i64>(left / 1'000'000), static_cast<i64>(left % 1'000'000)}));
    }
    return ready;
}

/// pselect(2): the sixth argument points to the mask and its size, since there are only six.
Result<u64> sys_pselect6(Caller& self, i32 count, UserInOut<u64> readable, UserInOut<u64> writable,
                         UserInOut<u64> exceptional, UserInOut<TimeSpecification> timeout, UserIn<MaskArgument> mask) {
    MaskArgument argument{};
    if (!mask.is_null()) {
        argument = TRY(mask.fetch());
    }
    const Nanoseconds deadline = TRY(fetch_deadline(timeout));
    TRY(set_temporary_mask(self, UserIn<u64>(argument.mask), argument.size));
    Result<u64> ready = select_until(self, count, {readable, writable, exceptional}, deadline);
    static_cast<void>(store_time_left(timeout, deadline));
    return ready;
}

}  // namespace cairn::syscall
