#include "kernel/syscall/other_processes.h"

#include <bit>

#include "fs/epoll/epoll_file.h"
#include "kernel/base/random.h"
#include "kernel/ptrace/access.h"
#include "kernel/task/pidfd.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using task::Task;

namespace {

/// kcmp(2)'s `type`.
enum What : i32 { kFile, kMemory, kFiles, kDirectories, kHandlers, kIo, kUndo, kWatchedFile };

/// struct kcmp_epoll_slot (whose last member is longer in kcmp(2) than in linux/kcmp.h).
struct WatchedFile {
    u32 instance, fd, number;
};

/// EBADF.
Result<Ref<vfs::File>> file_of(Task& task, u64 fd) {
    std::optional<Ref<vfs::FileDescriptorTable>> table = task.descriptors_of_other();
    return table ? (*table)->find(Fd{static_cast<i32>(fd)}) : Result<Ref<vfs::File>>(fail(Errno::ebadf));
}

/// EBADF, EINVAL, ENOENT.
Result<const void*> watched_file_of(Task& task, u64 address) {
    const WatchedFile slot = TRY(UserIn<WatchedFile>(address).fetch());
    Ref<vfs::File> file = TRY(file_of(task, slot.instance));
    epoll::Epoll* instance = epoll::find_epoll(*file);
    return instance == nullptr ? Result<const void*>(fail(Errno::einval))
                               : instance->watched_file(static_cast<i32>(slot.fd), slot.number);
}

/// Null for both where neither has one. EINVAL, EBADF …
Result<const void*> part_of(Task& task, i32 what, u64 index) {
    using Part = Task::Part;
    constexpr Part kParts[] = {{}, Part::Memory, Part::Files, Part::Directories, Part::Handlers, {}, Part::Undo};
    switch (what) {
        case kFile: {
            const Ref<vfs::File> file = TRY(file_of(task, index));
            return static_cast<const void*>(&*file);
        }
        case kIo:
            return static_cast<const void*>(nullptr);
        case kWatchedFile:
            return watched_file_of(task, index);
        default:
            return what > kFile && what < kWatchedFile ? task.identity_of(kParts[what])
                                                       : Result<const void*>(fail(Errno::einval));
    }
}

/// Addresses are ordered as nobody outside can foresee, but always the same way.
u64 disguised(const void* address) {
    static constinit Atomic<u64> secret{0};
    u64 number = secret.load(Order::relaxed);
    if (number == 0) {
        u64 drawn = 0;
        random_bytes(std::as_writable_bytes(std::span(&drawn, 1)));
        if (secret.compare_exchange(number, drawn | 1, Order::relaxed, Order::relaxed)) {
            number = drawn | 1;
        }
    }
    return (std::bit_cast<u64>(address) ^ number) * number;
}

}  // namespace

/// kcmp(2)
Result<i32> sys_kcmp(Caller& self, i32 first, i32 second, i32 what, u64 first_index, u64 second_index) {
    Ref<Task> one = TRY(g_kernel.tasks->find_task(first));
    Ref<Task> other = TRY(g_kernel.tasks->find_task(second));
    TRY(ptrace::check_access(self.task, *one, ptrace::WhichIds::Real));
    TRY(ptrace::check_access(self.task, *other, ptrace::WhichIds::Real));
    // The second of kWatchedFile says where in that process the file is watched.
    const void* left = TRY(part_of(*one, what == kWatchedFile ? i32{kFile} : what, first_index));
    const void* right = TRY(part_of(*other, what, second_index));
    if (left == right) {
        return 0;
    }
    return disguised(left) < disguised(right) ? 1 : 2;
}

/// process_madvise(2): what another process would not notice, and for oneself all of madvise(2).
Result<i64> sys_process_madvise(Caller& self, Fd pidfd, UserIn<mm::IoSegment> from, u64 count, i32 advice, u32 flags) {
    constexpr i32 kWillNeed = 3, kCold = 20, kPageOut = 21, kCollapse = 25;
    if (flags != 0) {
        return fail(Errno::einval);
    }
    const IoVector segments = TRY(IoVector::fetch(from, count));
    Ref<vfs::File> file = TRY(self.file(pidfd));
    Ref<task::Pid> pid = TRY(task::pid_of_file(*file));
    Ref<Task> target = TRY(g_kernel.tasks->find_task(pid->number()));
    std::optional<Ref<mm::AddressSpace>> space = target->address_space_of_other();
    if (!space) {
        return fail(Errno::esrch);
    }
    if (&**space != &self.task.address_space()) {
        if (!ptrace::check_access(self.task, *target, ptrace::WhichIds::Filesystem).ok()) {
            return fail(Errno::eacces);
        }
        if (advice != kWillNeed && advice != kCold && advice != kPageOut && advice != kCollapse) {
            return fail(Errno::einval);
        }
        if (!self.credentials().has(vfs::Capability::SysNice)) {
            return fail(Errno::eperm);
        }
    }
    i64 advised = 0;
    for (const mm::IoSegment& segment : segments.segments()) {
        Result<void> done = (*space)->advise({segment.address}, segment.size, advice);
        if (!done.ok()) {
            return advised != 0 ? Result<i64>(advised) : Result<i64>(done.failure());
        }
        advised += static_cast<i64>(segment.size);
    }
    return advised;
}

}  // namespace cairn::syscall
