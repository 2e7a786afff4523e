/// epoll_create(2), epoll_ctl(2), epoll_wait(2).

#include "fs/epoll/epoll_file.h"
#include "kernel/syscall/polling.h"
#include "kernel/syscall/signal_mask.h"
#include "kernel/syscall/timeout.h"

namespace cairn::syscall {

namespace {

constexpr i32 kAdd = 1, kDelete = 2, kModify = 3;  // EPOLL_CTL_*
constexpr i32 kLimit = 0x7fffffff / static_cast<i32>(sizeof(epoll::EpollEvent));
/// What may stand beside EPOLLEXCLUSIVE.
constexpr u32 kExclusiveCompanions = vfs::kPollIn | vfs::kPollOut | vfs::kPollErr | vfs::kPollHup | epoll::kWakeUp |
                                     epoll::kEdgeTriggered | epoll::kExclusive;

class UserEvents final : public epoll::EventSink {
public:
    explicit UserEvents(UserOut<epoll::EpollEvent> to) : to_(to) {}
    Result<void> put(const epoll::EpollEvent& event) override {
        TRY(to_.store(event, count_));
        ++count_;
        return {};
    }

private:
    UserOut<epoll::EpollEvent> to_;
    usize count_ = 0;
};

Result<u64> wait(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit, Nanoseconds deadline) {
    if (limit <= 0 || limit > kLimit) {
        return fail(Errno::einval);
    }
    vfs::DescriptorReference file = TRY(self.borrow(instance));
    epoll::Epoll* epoll = epoll::find_epoll(*file);
    if (epoll == nullptr) {
        return fail(Errno::einval);
    }
    UserEvents sink(events);
    return u64{TRY(epoll->wait(sink, static_cast<u32>(limit), deadline))};
}

Nanoseconds deadline_of(i32 milliseconds) {
    if (milliseconds <= 0) {
        return milliseconds == 0 ? Nanoseconds{} : Nanoseconds::never();
    }
    return time::now() + Nanoseconds::from_milliseconds(static_cast<u64>(milliseconds));
}

Result<void> check_exclusive(vfs::File& file, i32 operation, u32 events) {
    if ((events & epoll::kExclusive) == 0) {
        return {};
    }
    if (operation == kModify || epoll::find_epoll(file) != nullptr || (events & ~kExclusiveCompanions) != 0) {
        return fail(Errno::einval);
    }
    return {};
}

}  // namespace

/// epoll_create(2): the size has long had no meaning, but must be positive.
Result<Fd> sys_epoll_create(Caller& self, i32 size) {
    if (size <= 0) {
        return fail(Errno::einval);
    }
    return sys_epoll_create1(self, 0);
}

/// epoll_create1(2).
Result<Fd> sys_epoll_create1(Caller& self, u32 flags) {
    if ((flags & ~vfs::open_flags::kCloseOnExec) != 0) {
        return fail(Errno::einval);
    }
    Ref<vfs::File> file = TRY(epoll::create_epoll());
    return self.install(std::move(file), flags != 0);
}

/// epoll_ctl(2).
Result<void> sys_epoll_ctl(Caller& self, Fd instance, i32 operation, Fd fd, UserIn<epoll::EpollEvent> event) {
    epoll::EpollEvent wanted{};
    if (operation != kDelete) {
        wanted = TRY(event.fetch());
    }
    vfs::DescriptorReference file = TRY(self.borrow(instance));
    Ref<vfs::File> target = TRY(self.file(fd));
    if (!epoll::can_be_watched(*target)) {
        return fail(Errno::eperm);
    }
    epoll::Epoll* epoll = epoll::find_epoll(*file);
    if (epoll == nullptr || &*file == &*target) {
        return fail(Errno::einval);
    }
    TRY(check_exclusive(*target, operation, wanted.events));
    switch (operation) {
        case kAdd:
            return epoll->add(*target, fd.value, wanted.events, wanted.data());
        case kModify:
            return epoll->modify(*target, fd.value, wanted.events, wanted.data());
        case kDelete:
            return epoll->remove(*target, fd.value);
        default:
            return fail(Errno::einval);
    }
}

/// epoll_wait(2).
Result<u64> sys_epoll_wait(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit, i32 milliseconds) {
    return wait(self, instance, events, limit, deadline_of(milliseconds));
}

/// epoll_pwait(2).
Result<u64> sys_epoll_pwait(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit, i32 milliseconds,
                            UserIn<u64> mask, usize mask_size) {
    TRY(set_temporary_mask(self, mask, mask_size));
    return wait(self, instance, events, limit, deadline_of(milliseconds));
}

/// epoll_pwait2(2).
Result<u64> sys_epoll_pwait2(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit,
                             UserIn<TimeSpecification> timeout, UserIn<u64> mask, usize mask_size) {
    const Nanoseconds deadline = TRY(fetch_deadline(UserInOut<TimeSpecification>(timeout.address().value)));
    TRY(set_temporary_mask(self, mask, mask_size));
    return wait(self, instance, events, limit, deadline);
}

}  // namespace cairn::syscall
