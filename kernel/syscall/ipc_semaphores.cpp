/// semget(2), semop(2), semctl(2).

#include <algorithm>

#include "kernel/base/own_array.h"
#include "kernel/syscall/ipc.h"
#include "kernel/syscall/ipc_control.h"
#include "kernel/syscall/timeout.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

namespace {

using ipc::kHighestValue;
using ipc::SemaphoreOperation;
using ipc::SemaphoreSet;

constexpr i32 kGetProcess = 11, kGetValue = 12, kGetAll = 13, kCountZeroWaiters = 15;
constexpr i32 kSetValue = 16, kSetAll = 17, kStatistics = 18;

usize inform(bool of_use, const ipc::Table::Figures& figures, IpcInformationRecord& record) {
    using ipc::Limit;
    constexpr i32 kEntries = 32000 * 32000, kUndoPerProcess = 500, kUndoSize = 20;
    const i32 values[] = {kEntries,
                          integer_limit(Limit::Sets),
                          integer_limit(Limit::AllSemaphores),
                          kEntries,
                          integer_limit(Limit::SetSize),
                          integer_limit(Limit::Operations),
                          kUndoPerProcess,
                          of_use ? static_cast<i32>(figures.objects) : kUndoSize,
                          kHighestValue,
                          of_use ? static_cast<i32>(figures.size) : kHighestValue};
    std::ranges::copy(values, record.integers);
    return sizeof values;
}

Result<void> check_alive_locked(const SemaphoreSet& set) REQUIRES(set.lock) {
    return set.removed ? fail(Errno::eidrm) : Result<void>();
}

Result<i32> set_value(SemaphoreSet& set, i32 number, i32 value) {
    SpinLockGuard guard(set.lock);
    TRY(check_alive_locked(set));
    const auto index = static_cast<usize>(number);
    set.semaphores[index] = {value, ipc::caller_process()};
    set.values_set_locked(index, 1);
    return 0;
}

Result<i32> get_all(SemaphoreSet& set, u64 to) {
    OwnArray<u16> values = TRY(OwnArray<u16>::create(set.size()));
    {
        SpinLockGuard guard(set.lock);
        TRY(check_alive_locked(set));
        for (usize i = 0; i < values.size(); ++i) {
            values[i] = static_cast<u16>(set.semaphores[i].value);
        }
    }
    TRY(UserOut<u16>(to).store(values.span()));
    return 0;
}

Result<i32> set_all(SemaphoreSet& set, u64 from) {
    OwnArray<u16> values = TRY(OwnArray<u16>::create(set.size()));
    TRY(UserIn<u16>(from).fetch(values.span()));
    for (const u16 value : values.span()) {
        if (value > kHighestValue) {
            return fail(Errno::erange);
        }
    }
    SpinLockGuard guard(set.lock);
    TRY(check_alive_locked(set));
    for (usize i = 0; i < values.size(); ++i) {
        set.semaphores[i] = {values[i], ipc::caller_process()};
    }
    set.values_set_locked(0, values.size());
    return 0;
}

Result<i32> get_one(SemaphoreSet& set, i32 number, i32 command) {
    SpinLockGuard guard(set.lock);
    TRY(check_alive_locked(set));
    const auto index = static_cast<u32>(number);
    switch (command) {
        case kGetValue:
            return set.semaphores[index].value;
        case kGetProcess:
            return set.semaphores[index].process;
        default:
            return static_cast<i32>(set.waiters_locked(index, command == kCountZeroWaiters));
    }
}

/// The commands on values: first the permission, then the number.
Result<i32> values(Caller& self, i32 id, i32 number, i32 command, u64 argument) {
    const bool sets = command == kSetValue || command == kSetAll;
    const i32 value = static_cast<i32>(argument);
    if (command == kSetValue && (value < 0 || value > kHighestValue)) {
        return fail(Errno::erange);
    }
    Ref<ipc::Object> object = TRY(g_kernel.ipc->semaphores.find(id));
    auto& set = static_cast<SemaphoreSet&>(*object);
    const bool in_range = number >= 0 && static_cast<usize>(number) < set.size();
    if (command == kSetValue && !in_range) {
        return fail(Errno::einval);
    }
    TRY(set.check(self.credentials(), sets ? ipc::kMayWrite : ipc::kMayRead));
    switch (command) {
        case kGetAll:
            return get_all(set, argument);
        case kSetAll:
            return set_all(set, argument);
        case kSetValue:
            return set_value(set, number, value);
        default:
            return in_range ? get_one(set, number, command) : Result<i32>(fail(Errno::einval));
    }
}

}  // namespace

/// semget(2)
Result<i32> sys_semget(Caller& self, i32 key, i32 count, u32 flags) {
    if (count < 0 || static_cast<u64>(count) > g_kernel.ipc->limit(ipc::Limit::SetSize)) {
        return fail(Errno::einval);
    }
    return g_kernel.ipc->semaphores.get({self.credentials(), key, static_cast<u64>(count), flags});
}

/// semtimedop(2)
Result<void> sys_semtimedop(Caller& self, i32 id, UserIn<SemaphoreOperation> from, u32 count,
                            UserInOut<TimeSpecification> timeout) {
    constexpr usize kFew = 8;
    SemaphoreOperation few[kFew];
    OwnArray<SemaphoreOperation> many;
    const Nanoseconds deadline = TRY(fetch_deadline(timeout));
    if (count > g_kernel.ipc->limit(ipc::Limit::Operations)) {
        return fail(Errno::e2big);
    }
    if (count == 0) {
        return fail(Errno::einval);
    }
    if (count > kFew) {
        many = TRY(OwnArray<SemaphoreOperation>::create(count));
    }
    const std::span<SemaphoreOperation> operations = count > kFew ? many.span() : std::span(few, count);
    TRY(from.fetch(operations));
    return ipc::operate(self.task, id, operations, deadline);
}

/// semop(2)
Result<void> sys_semop(Caller& self, i32 id, UserIn<SemaphoreOperation> operations, u32 count) {
    return sys_semtimedop(self, id, operations, count, {});
}

/// semctl(2)
Result<i32> sys_semctl(Caller& self, i32 id, i32 number, i32 command, u64 argument) {
    constexpr IpcControl kKind{procfs::IpcKind::Semaphores, kStatistics, 104, &inform};
    if (id < 0) {
        return fail(Errno::einval);
    }
    return command >= kGetProcess && command <= kSetAll
               ? values(self, id, number, command, argument)
               : control(self, kKind, id, command, UserInOut<std::byte>(argument));
}

}  // namespace cairn::syscall
