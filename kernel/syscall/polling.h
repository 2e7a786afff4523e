#pragma once
/// Waiting for descriptors: poll(2), ppoll(2), select(2), pselect(2), and the epoll(7) calls.

#include "fs/epoll/epoll.h"
#include "fs/event/poll_wait.h"
#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// struct pollfd.
struct PollDescriptor {
    i32 fd;
    u16 events;
    u16 revents;
};
/// struct __kernel_timespec and struct __kernel_old_timeval.
struct TimeSpecification {
    i64 seconds;
    i64 nanoseconds;
};
struct TimeValue {
    i64 seconds;
    i64 microseconds;
};
/// What the sixth argument of pselect6 points to.
struct MaskArgument {
    u64 mask;
    u64 size;
};

/// What poll and select have to say of a descriptor: POLLNVAL for one that is not open. `view` is the table's, taken
/// since the thread last slept.
inline vfs::PollEvents look_at_descriptor(vfs::FileDescriptorTable& table, const vfs::DescriptorView& view,
                                          event::PollWait& wait, Fd fd, vfs::PollEvents interest) {
    if (view) [[likely]] {
        vfs::File* file = view.find(fd);
        return file != nullptr ? wait.look(*file, interest) : vfs::kPollNval;
    }
    Result<vfs::DescriptorReference> file = table.borrow(fd);
    return file.ok() ? wait.look(*file.value(), interest) : vfs::kPollNval;
}

Result<u64> sys_poll(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count, i32 milliseconds);
Result<u64> sys_ppoll(Caller& self, UserInOut<PollDescriptor> descriptors, u32 count,
                      UserInOut<TimeSpecification> timeout, UserIn<u64> mask, usize mask_size);
Result<u64> sys_select(Caller& self, i32 count, UserInOut<u64> readable, UserInOut<u64> writable,
                       UserInOut<u64> exceptional, UserInOut<TimeValue> timeout);
Result<u64> sys_pselect6(Caller& self, i32 count, UserInOut<u64> readable, UserInOut<u64> writable,
                         UserInOut<u64> exceptional, UserInOut<TimeSpecification> timeout, UserIn<MaskArgument> mask);

Result<Fd> sys_epoll_create(Caller& self, i32 size);
Result<Fd> sys_epoll_create1(Caller& self, u32 flags);
Result<void> sys_epoll_ctl(Caller& self, Fd instance, i32 operation, Fd fd, UserIn<epoll::EpollEvent> event);
Result<u64> sys_epoll_wait(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit, i32 milliseconds);
Result<u64> sys_epoll_pwait(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit, i32 milliseconds,
                            UserIn<u64> mask, usize mask_size);
Result<u64> sys_epoll_pwait2(Caller& self, Fd instance, UserOut<epoll::EpollEvent> events, i32 limit,
                             UserIn<TimeSpecification> timeout, UserIn<u64> mask, usize mask_size);

}  // namespace cairn::syscall
