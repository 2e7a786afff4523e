#pragma once
/// System V IPC (sysvipc(7)).

#include "kernel/ipc/semaphore.h"
#include "kernel/syscall/polling.h"

namespace cairn::syscall {

Result<i32> sys_shmget(Caller& self, i32 key, u64 size, u32 flags);
Result<u64> sys_shmat(Caller& self, i32 id, u64 address, u32 flags);
Result<void> sys_shmdt(Caller& self, u64 address);
Result<i32> sys_shmctl(Caller& self, i32 id, i32 command, UserInOut<std::byte> buffer);
Result<i32> sys_semget(Caller& self, i32 key, i32 count, u32 flags);
Result<void> sys_semop(Caller& self, i32 id, UserIn<ipc::SemaphoreOperation> operations, u32 count);
Result<void> sys_semtimedop(Caller& self, i32 id, UserIn<ipc::SemaphoreOperation> operations, u32 count,
                            UserInOut<TimeSpecification> timeout);
Result<i32> sys_semctl(Caller& self, i32 id, i32 number, i32 command, u64 argument);
Result<i32> sys_msgget(Caller& self, i32 key, u32 flags);
Result<void> sys_msgsnd(Caller& self, i32 id, UserIn<std::byte> message, u64 size, u32 flags);
Result<u64> sys_msgrcv(Caller& self, i32 id, UserOut<std::byte> message, u64 size, i64 type, u32 flags);
Result<i32> sys_msgctl(Caller& self, i32 id, i32 command, UserInOut<std::byte> buffer);

}  // namespace cairn::syscall
