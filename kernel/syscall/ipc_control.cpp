#include "kernel/syscall/ipc_control.h"

namespace cairn::syscall {

namespace {

constexpr i32 kRemove = 0, kSet = 1, kStatistics = 2, kInformation = 3;

/// IPC_SET. A queue's size may not grow beyond the limit without CAP_SYS_RESOURCE.
Result<void> set_locked(Caller& self, ipc::Object& object, const ipc::Record& fresh, bool is_queue)
    REQUIRES(object.lock) {
    constexpr u32 kNobody = ~u32{0};
    TRY(object.check_owner_locked(self.credentials()));
    const u64 bytes = fresh.figures[5];
    if (is_queue && bytes > g_kernel.ipc->limit(ipc::Limit::QueueBytes) &&
        !self.credentials().has(vfs::Capability::SysResource)) {
        return fail(Errno::eperm);
    }
    if (fresh.uid == kNobody || fresh.gid == kNobody) {
        return fail(Errno::einval);
    }
    object.set_permission_locked(fresh.uid, fresh.gid, fresh.mode);
    if (is_queue) {
        static_cast<ipc::MessageQueue&>(object).set_room_locked(bytes);
    }
    return {};
}

}  // namespace

Result<i32> control(Caller& self, const IpcControl& kind, i32 id, i32 command, UserInOut<std::byte> buffer) {
    ipc::Table& table = g_kernel.ipc->table(kind.kind);
    const VirtualAddress address = buffer.address();
    const i64 own = i64{command} - kind.statistics;  // 0: …_STAT, 1: …_INFO, 2: …_STAT_ANY
    if (command == kInformation || own == 1) {
        IpcInformationRecord record{};
        const ipc::Table::Figures figures = table.figures();
        const usize size = kind.inform(own == 1, figures, record);
        TRY(mm::copy_out(address, &record, size));
        return figures.highest_index;
    }
    const bool by_id = command == kStatistics || command == kSet || command == kRemove;
    if (!by_id && own != 0 && own != 2) {
        return fail(Errno::einval);
    }
    ipc::Record record{};
    if (command == kSet) {
        TRY(mm::copy_in(&record, address, kind.record_size));
    }
    Ref<ipc::Object> found = TRY(table.find(id, by_id ? ipc::Table::By::Id : ipc::Table::By::Index));
    ipc::Object& object = *found;
    if (command == kRemove) {
        TRY(table.remove(object, self.credentials()));
        return 0;
    }
    {
        SpinLockGuard guard(object.lock);
        if (command == kSet) {
            TRY(set_locked(self, object, record, kind.kind == procfs::IpcKind::Messages));
            return 0;
        }
        if (own != 2) {
            TRY(object.check_locked(self.credentials(), ipc::kMayRead));
        }
        if (object.removed) {
            return fail(Errno::eidrm);
        }
        record = object.record_locked();
    }
    TRY(mm::copy_out(address, &record, kind.record_size));
    return by_id ? 0 : object.id();
}

}  // namespace cairn::syscall
