/// shmget(2), shmat(2), shmdt(2), shmctl(2).

#include "kernel/syscall/ipc.h"
#include "kernel/syscall/ipc_control.h"
#include "kernel/syscall/memory.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using ipc::Limit;

namespace {

constexpr i32 kLock = 11, kUnlock = 12, kStatistics = 13;

usize inform(bool of_use, const ipc::Table::Figures& figures, IpcInformationRecord& record) {
    ipc::Ipc& all = *g_kernel.ipc;
    u64* to = record.longs;
    if (!of_use) {
        to[0] = all.limit(Limit::SegmentBytes);
        to[1] = 1;
        to[2] = to[3] = all.limit(Limit::Segments);
        to[4] = all.limit(Limit::AllPages);
        return 9 * sizeof(u64);
    }
    to[0] = figures.objects;
    to[1] = figures.size;
    for (std::optional<Ref<ipc::Object>> next = all.segments.next(0); next;
         next = all.segments.next((*next)->index() + 1)) {
        to[2] += (*next)->resident() / kPageSize;
    }
    return 6 * sizeof(u64);
}

}  // namespace

/// shmget(2)
Result<i32> sys_shmget(Caller& self, i32 key, u64 size, u32 flags) {
    return g_kernel.ipc->segments.get({self.credentials(), key, size, flags});
}

/// shmat(2)
Result<u64> sys_shmat(Caller& self, i32 id, u64 address, u32 flags) {
    const VirtualAddress at = TRY(ipc::attach(self.task.address_space(), self.credentials(),
                                              {id, address, flags, lowest_address(self)}, memory_limits(self)));
    return at.value;
}

/// shmdt(2)
Result<void> sys_shmdt(Caller& self, u64 address) {
    return is_aligned(address, kPageSize) ? self.task.address_space().detach({address})
                                          : Result<void>(fail(Errno::einval));
}

/// shmctl(2)
Result<i32> sys_shmctl(Caller& self, i32 id, i32 command, UserInOut<std::byte> buffer) {
    constexpr IpcControl kKind{procfs::IpcKind::Segments, kStatistics, 112, &inform};
    if (id < 0) {
        return fail(Errno::einval);
    }
    if (command != kLock && command != kUnlock) {
        return control(self, kKind, id, command, buffer);
    }
    Ref<ipc::Object> object = TRY(g_kernel.ipc->segments.find(id));
    auto& segment = static_cast<ipc::Segment&>(*object);
    if (command == kLock) {
        TRY(segment.lock_pages(self.task.account(), self.credentials(), memory_limits(self).locked));
    } else {
        TRY(segment.unlock_pages(self.credentials()));
    }
    return 0;
}

}  // namespace cairn::syscall
