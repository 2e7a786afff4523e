#pragma once
/// shmctl, semctl and msgctl, as far as they do the same: IPC_STAT, IPC_SET, IPC_RMID, IPC_INFO, and the kind's own
/// …_STAT, …_INFO and …_STAT_ANY.

#include "kernel/ipc/ipc.h"
#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// struct shminfo64, shm_info, seminfo, msginfo.
union IpcInformationRecord {
    u64 longs[9];
    i32 integers[18];
};

/// What is different.
struct IpcControl {
    procfs::IpcKind kind;
    i32 statistics;   // the number of …_STAT; …_INFO and …_STAT_ANY follow it
    u16 record_size;  // bytes of the Record that programs know
    /// …_INFO: what is used, or else IPC_INFO: the limits. Returns the size.
    usize (*inform)(bool of_use, const ipc::Table::Figures& figures, IpcInformationRecord& record);
};
/// EINVAL also for commands that it does not know.
Result<i32> control(Caller& self, const IpcControl& kind, i32 id, i32 command, UserInOut<std::byte> buffer);

inline i32 integer_limit(ipc::Limit which) {
    return static_cast<i32>(g_kernel.ipc->limit(which));
}

}  // namespace cairn::syscall
