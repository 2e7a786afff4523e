#include "kernel/syscall/memory.h"

#include "fs/vfs/mount_tree.h"
#include "fs/vfs/regular_file.h"
#include "kernel/ptrace/access.h"
#include "kernel/task/file_mapping.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

using mm::MappingFlag;
using mm::MapRequest;

mm::MemoryLimits memory_limits(Caller& self) {
    mm::MemoryLimits limits;
    const bool may_lock = self.credentials().has(vfs::Capability::IpcLock);
    SpinLockGuard guard(self.task.group().lock);
    const task::ResourceLimits& all = self.task.group().limits;
    limits.address_space = all[task::Resource::AddressSpace].soft;
    limits.data = all[task::Resource::Data].soft;
    limits.locked = may_lock ? mm::MemoryLimits::kUnlimited : all[task::Resource::LockedMemory].soft;
    return limits;
}

u64 lowest_address(Caller& self) {
    constexpr u64 kLeast = 65536;
    return self.credentials().has(vfs::Capability::SysRawio) ? 0 : kLeast;
}

namespace {

constexpr u32 kProtectionGrowsDown = 0x01000000, kProtectionGrowsUp = 0x02000000;
constexpr u32 kShared = 1, kPrivate = 2, kSharedValidate = 3, kTypeMask = 0xf, kFixed = 0x10, kAnonymous = 0x20;
constexpr u32 k32Bit = 0x40, kGrowsDown = 0x100, kLocked = 0x2000, kNoReserve = 0x4000;
constexpr u32 kGrowingStack = mm::flag_bits(MappingFlag::GrowsDown) | mm::flag_bits(MappingFlag::Stack);
constexpr u32 kPopulate = 0x8000, kHugePages = 0x40000, kFixedNoReplace = 0x100000;
/// What MAP_SHARED_VALIDATE knows: the flags that there were before it, those without a meaning here among them.
constexpr u32 kOldFlags = 0x7c07f9f3;

mm::AddressSpace& space_of(Caller& self) {
    return self.task.address_space();
}

Result<void> check_may_lock(Caller& self) {
    if (memory_limits(self).locked == 0) {
        return fail(Errno::eperm);
    }
    return {};
}

/// What the file's access mode lets a mapping do (mmap(2): EACCES, EPERM, ENODEV).
Result<void> apply_file(vfs::File& file, u32 type, u32 flags, MapRequest& request) {
    if (file.is_path_only()) {
        return fail(Errno::ebadf);
    }
    if ((flags & kHugePages) != 0) {
        return fail(Errno::einval);
    }
    if (type == kSharedValidate && (flags & ~kOldFlags) != 0) {
        return fail(Errno::eopnotsupp);
    }
    if (!file.readable()) {
        return fail(Errno::eacces);
    }
    if (type != kPrivate) {
        if ((request.access & mm::kAccessWrite) != 0 && !file.writable()) {
            return fail(Errno::eacces);
        }
        if (!file.writable()) {
            request.maximum &= ~mm::kAccessWrite;
        }
    }
    // memfd_create(2), "File sealing".
    constexpr u32 kSealed = vfs::seal_flags::kWrite | vfs::seal_flags::kFutureWrite;
    const u32 seals = file.inode().seals.load(Order::acquire);
    if (type != kPrivate && seals != vfs::Inode::kNoSeals && (seals & kSealed) != 0) {
        if ((request.access & mm::kAccessWrite) != 0) {
            return fail(Errno::eperm);
        }
        request.maximum &= ~mm::kAccessWrite;
    }
    if (const vfs::Path* path = file.path()) {
        if (path->mount().has(vfs::mount_flags::kNoExec)) {
            if ((request.access & mm::kAccessExecute) != 0) {
                return fail(Errno::eperm);
            }
            request.maximum &= ~mm::kAccessExecute;
        }
    }
    if ((flags & kGrowsDown) != 0) {
        return fail(Errno::einval);
    }
    return {};
}

}  // namespace

/// mmap(2)
Result<u64> sys_mmap(Caller& self, u64 address, u64 length, u32 protection, u32 flags, Fd fd, u64 offset) {
    if ((offset & (kPageSize - 1)) != 0) {
        return fail(Errno::einval);
    }
    const u32 type = flags & kTypeMask;
    if (type != kShared && type != kPrivate && type != kSharedValidate) {
        return fail(Errno::einval);
    }
    MapRequest request;
    request.address = {align_down(address, kPageSize)};
    request.length = length;
    request.access = protection & mm::kAccessAll;
    request.populate = (flags & kPopulate) != 0;
    request.below_4g = (flags & k32Bit) != 0;
    request.lowest = lowest_address(self);
    if ((flags & (kFixed | kFixedNoReplace)) != 0) {
        if (!is_aligned(address, kPageSize)) {
            return fail(Errno::einval);
        }
        request.placement =
            (flags & kFixedNoReplace) != 0 ? MapRequest::Placement::FixedNoReplace : MapRequest::Placement::Fixed;
    }
    request.flags = (type != kPrivate ? mm::flag_bits(MappingFlag::Shared) : 0) |
                    ((flags & kGrowsDown) != 0 ? kGrowingStack : 0) |
                    ((flags & kLocked) != 0 ? mm::flag_bits(MappingFlag::Locked) : 0) |
                    ((flags & kNoReserve) != 0 ? mm::flag_bits(MappingFlag::NoReserve) : 0);
    if ((flags & kLocked) != 0) {
        TRY(check_may_lock(self));
    }
    if ((flags & kAnonymous) != 0) {
        if (type == kSharedValidate || (type == kShared && (flags & kGrowsDown) != 0)) {
            return fail(Errno::einval);
        }
        if ((flags & kHugePages) != 0) {
            return fail(Errno::enomem);  // there are none
        }
        const VirtualAddress at = TRY(space_of(self).map(request, memory_limits(self)));
        return at.value;
    }
    Ref<vfs::File> file = TRY(self.file(fd));
    TRY(apply_file(*file, type, flags, request));
    Ref<mm::MemoryObject> object = TRY(file->memory_object());
    Ref<mm::MappedFile> mapped = TRY(task::FileMapping::create(file));
    request.object = &*object;
    request.offset = offset;
    request.file = &*mapped;
    const VirtualAddress at = TRY(space_of(self).map(request, memory_limits(self)));
    return at.value;
}

/// munmap(2)
Result<void> sys_munmap(Caller& self, u64 address, u64 length) {
    if (!is_aligned(address, kPageSize) || length == 0 || length > ~u64{0} - kPageSize) {
        return fail(Errno::einval);
    }
    return space_of(self).unmap({address}, align_up(length, kPageSize));
}

/// mprotect(2)
Result<void> sys_mprotect(Caller& self, u64 address, u64 length, u32 protection) {
    constexpr u32 kGrows = kProtectionGrowsDown | kProtectionGrowsUp;
    if ((protection & kGrows) == kGrows || !is_aligned(address, kPageSize) ||
        (protection & ~(mm::kAccessAll | kGrows | 8)) != 0) {
        return fail(Errno::einval);
    }
    if (length == 0) {
        return {};
    }
    if (length > ~u64{0} - kPageSize || address + align_up(length, kPageSize) <= address) {
        return fail(Errno::enomem);
    }
    const auto range = (protection & kProtectionGrowsDown) != 0 ? mm::AddressSpace::ProtectRange::GrowsDown
                                                                : mm::AddressSpace::ProtectRange::Exact;
    return space_of(self).protect({address}, align_up(length, kPageSize), protection & mm::kAccessAll, range,
                                  memory_limits(self));
}

/// mremap(2)
Result<u64> sys_mremap(Caller& self, u64 address, u64 old_size, u64 new_size, u32 flags, u64 new_address) {
    constexpr u32 kMayMove = 1, kRemapFixed = 2, kDontUnmap = 4;
    if ((flags & ~(kMayMove | kRemapFixed | kDontUnmap)) != 0 ||
        ((flags & (kRemapFixed | kDontUnmap)) != 0 && (flags & kMayMove) == 0)) {
        return fail(Errno::einval);
    }
    const mm::AddressSpace::RemapRequest request{.address = {address},
                                                 .old_size = old_size,
                                                 .new_size = new_size,
                                                 .may_move = (flags & kMayMove) != 0,
                                                 .fixed = (flags & kRemapFixed) != 0,
                                                 .keep_old = (flags & kDontUnmap) != 0,
                                                 .new_address = {new_address},
                                                 .lowest = lowest_address(self)};
    const VirtualAddress at = TRY(space_of(self).remap(request, memory_limits(self)));
    return at.value;
}

/// madvise(2)
Result<void> sys_madvise(Caller& self, u64 address, u64 length, i32 advice) {
    return space_of(self).advise({address}, length, advice);
}

/// brk(2)
Result<u64> sys_brk(Caller& self, u64 address) {
    return space_of(self).set_break({address}, memory_limits(self)).value;
}

/// msync(2)
Result<void> sys_msync(Caller& self, u64 address, u64 length, i32 flags) {
    constexpr i32 kAsync = 1, kInvalidate = 2, kSync = 4;
    if ((flags & ~(kAsync | kInvalidate | kSync)) != 0 || (flags & (kAsync | kSync)) == (kAsync | kSync) ||
        !is_aligned(address, kPageSize)) {
        return fail(Errno::einval);
    }
    if (length > ~u64{0} - kPageSize || address + align_up(length, kPageSize) < address) {
        return fail(Errno::enomem);
    }
    if (length == 0) {
        return {};
    }
    return space_of(self).sync({address}, align_up(length, kPageSize), (flags & kSync) != 0,
                               (flags & kInvalidate) != 0);
}

/// mincore(2)
Result<void> sys_mincore(Caller& self, u64 address, u64 length, UserOut<u8> pages) {
    if (!is_aligned(address, kPageSize)) {
        return fail(Errno::einval);
    }
    if (address > arch::user_space_end().value || length > arch::user_space_end().value - address) {
        return fail(Errno::enomem);
    }
    u8 chunk[256];
    const u64 count = align_up(length, kPageSize) / kPageSize;
    for (u64 done = 0; done < count;) {
        const u64 part = count - done < sizeof chunk ? count - done : sizeof chunk;
        TRY(space_of(self).resident_pages({address + done * kPageSize}, std::span(chunk, part)));
        TRY(mm::copy_out(pages.address() + done, chunk, part));
        done += part;
    }
    return {};
}

namespace {

Result<void> lock(Caller& self, u64 address, u64 length, mm::AddressSpace::LockMode mode) {
    const u64 start = align_down(address, kPageSize);
    const u64 size = align_up(length + (address - start), kPageSize);
    if (size < length) {
        return fail(Errno::einval);
    }
    if (size == 0) {
        return {};
    }
    return space_of(self).lock({start}, size, mode, memory_limits(self));
}

}  // namespace

/// mlock(2)
Result<void> sys_mlock(Caller& self, u64 address, u64 length) {
    TRY(check_may_lock(self));
    return lock(self, address, length, mm::AddressSpace::LockMode::Lock);
}

/// mlock2(2)
Result<void> sys_mlock2(Caller& self, u64 address, u64 length, u32 flags) {
    constexpr u32 kOnFault = 1;
    if ((flags & ~kOnFault) != 0) {
        return fail(Errno::einval);
    }
    TRY(check_may_lock(self));
    return lock(self, address, length,
                flags != 0 ? mm::AddressSpace::LockMode::LockOnFault : mm::AddressSpace::LockMode::Lock);
}

/// munlock(2)
Result<void> sys_munlock(Caller& self, u64 address, u64 length) {
    return lock(self, address, length, mm::AddressSpace::LockMode::Unlock);
}

/// mlockall(2)
Result<void> sys_mlockall(Caller& self, u32 flags) {
    constexpr u32 kCurrent = 1, kFuture = 2, kOnFault = 4;
    if (flags == 0 || flags == kOnFault || (flags & ~(kCurrent | kFuture | kOnFault)) != 0) {
        return fail(Errno::einval);
    }
    TRY(check_may_lock(self));
    const auto mode =
        (flags & kOnFault) != 0 ? mm::AddressSpace::LockMode::LockOnFault : mm::AddressSpace::LockMode::Lock;
    return space_of(self).lock_all(mode, (flags & kCurrent) != 0, (flags & kFuture) != 0, memory_limits(self));
}

/// munlockall(2)
Result<void> sys_munlockall(Caller& self) {
    return space_of(self).lock_all(mm::AddressSpace::LockMode::Unlock, true, true);
}

namespace {

Result<Ref<mm::AddressSpace>> remote_space(Caller& self, i32 pid) {
    Ref<task::Task> target = TRY(g_kernel.tasks->find_task(pid));
    return ptrace::memory_of(self.task, *target, ptrace::WhichIds::Real);
}

enum class Direction : u8 { Read, Write };

Result<i64> transfer(Caller& self, i32 pid, UserIn<mm::IoSegment> local, u64 local_count, UserIn<mm::IoSegment> remote,
                     u64 remote_count, u64 flags, Direction direction) {
    constexpr u64 kMostSegments = 1024;
    if (flags != 0 || remote_count > kMostSegments) {
        return fail(Errno::einval);
    }
    IoVector own = TRY(IoVector::fetch(local, local_count));
    u64 asked = 0;
    for (u64 i = 0; i < remote_count; ++i) {
        const mm::IoSegment segment = TRY(remote.fetch(i));
        if (static_cast<i64>(segment.size) < 0) {
            return fail(Errno::einval);
        }
        asked |= segment.size;
    }
    if (asked == 0 || own.source().remaining() == 0) {
        return 0;  // whoever there is
    }
    Ref<mm::AddressSpace> space = TRY(remote_space(self, pid));
    mm::IoSource source = own.source();
    mm::IoSink sink = own.sink();
    std::byte chunk[512];
    i64 moved = 0;
    for (u64 i = 0; i < remote_count; ++i) {
        mm::IoSegment segment = TRY(remote.fetch(i));
        while (segment.size != 0) {
            const usize room = direction == Direction::Read ? sink.remaining() : source.remaining();
            usize part = segment.size < sizeof chunk ? segment.size : sizeof chunk;
            part = part < room ? part : room;
            if (part == 0) {
                return moved;
            }
            usize done = 0;
            if (direction == Direction::Read) {
                done = space->read_memory({segment.address}, std::span(chunk, part));
                done = done == 0 ? 0 : TRY(sink.put(chunk, done));
            } else {
                const usize taken = TRY(source.take(chunk, part));
                done = space->write_memory({segment.address}, std::span<const std::byte>(chunk, taken));
            }
            moved += static_cast<i64>(done);
            if (done != part) {
                return moved != 0 ? Result<i64>(moved) : Result<i64>(fail(Errno::efault));
            }
            segment.address += done;
            segment.size -= done;
        }
    }
    return moved;
}

}  // namespace

/// process_vm_readv(2)
Result<i64> sys_process_vm_readv(Caller& self, i32 pid, UserIn<mm::IoSegment> local, u64 local_count,
                                 UserIn<mm::IoSegment> remote, u64 remote_count, u64 flags) {
    return transfer(self, pid, local, local_count, remote, remote_count, flags, Direction::Read);
}

/// process_vm_writev(2)
Result<i64> sys_process_vm_writev(Caller& self, i32 pid, UserIn<mm::IoSegment> local, u64 local_count,
                                  UserIn<mm::IoSegment> remote, u64 remote_count, u64 flags) {
    return transfer(self, pid, local, local_count, remote, remote_count, flags, Direction::Write);
}

}  // namespace cairn::syscall
