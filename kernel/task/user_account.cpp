#include "kernel/task/user_account.h"

#include "kernel/base/own.h"
#include "kernel/task/task_table.h"

namespace cairn::task {

UserAccountTable::~UserAccountTable() = default;

UserAccount* UserAccountTable::find_locked(vfs::UserId uid) {
    UserAccount* found = accounts_.partition_point([uid](const UserAccount& account) { return account.uid() < uid; });
    return found != nullptr && found->uid() == uid ? found : nullptr;
}

Result<Ref<UserAccount>> UserAccount::find_or_create(vfs::UserId uid) {
    UserAccountTable& table = g_kernel.tasks->accounts;
    Ref<UserAccount> fresh = TRY(try_new_ref<UserAccount>(uid));
    {
        SpinLockGuard guard(table.lock_);
        UserAccount* found = table.find_locked(uid);
        if (found == nullptr || !found->try_acquire_reference()) {
            if (found != nullptr) {
                table.accounts_.remove(*found);  // dying; it will find itself unlinked
            }
            table.accounts_.insert(*fresh);
            return fresh;
        }
        // `fresh` is dropped below, outside the lock; it was never in the table.
        return Ref<UserAccount>::adopt(*found);
    }
}

void UserAccount::last_reference_dropped() {
    UserAccountTable& table = g_kernel.tasks->accounts;
    {
        SpinLockGuard guard(table.lock_);
        if (tree_node.linked()) {
            table.accounts_.remove(*this);
        }
    }
    destroy_counted(this);
}

}  // namespace cairn::task
