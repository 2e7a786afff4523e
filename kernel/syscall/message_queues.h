#pragma once
/// POSIX message queues (mq_overview(7)).

#include "fs/mqueue/mqueue.h"
#include "kernel/syscall/polling.h"
#include "kernel/syscall/time.h"

namespace cairn::syscall {

Result<Fd> sys_mq_open(Caller& self, UserCString name, u32 flags, u16 mode, UserIn<mqueue::Attributes> attributes);
Result<void> sys_mq_unlink(Caller& self, UserCString name);
Result<void> sys_mq_timedsend(Caller& self, Fd fd, UserIn<std::byte> text, u64 size, u32 priority,
                              UserIn<TimeSpecification> timeout);
Result<u64> sys_mq_timedreceive(Caller& self, Fd fd, UserOut<std::byte> text, u64 size, UserOut<u32> priority,
                                UserIn<TimeSpecification> timeout);
Result<void> sys_mq_notify(Caller& self, Fd fd, UserIn<std::byte> event);
Result<void> sys_mq_getsetattr(Caller& self, Fd fd, UserIn<mqueue::Attributes> fresh, UserOut<mqueue::Attributes> old);

}  // namespace cairn::syscall
