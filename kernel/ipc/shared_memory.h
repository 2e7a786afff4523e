#pragma once
/// Shared memory segments (shmget(2)): memory objects as tmpfs's files are, which shmat(2) maps. Each call of it makes
/// an Attachment, the "file" of its mappings; a segment counts those (shm_nattch), wherever munmap(2) and fork(2) have
/// brought them. No lock of a segment is ever held while mappings change, and no two segments' locks are held together.

#include "kernel/ipc/object.h"
#include "kernel/task/user_account.h"
#include "mm/address_space.h"
#include "mm/page_cache.h"

namespace cairn::ipc {

class Segment final : public Object {
public:
    static constexpr u32 kToBeRemoved = 01000, kLocked = 02000;    // in permission.mode
    static constexpr u32 kNoReserve = 010000, kHugePages = 04000;  // shmget(2)'s flags

    static Result<Ref<Object>> create(const GetRequest& request);
    static Result<void> accept(const Object& object, u64 size);

    u64 bytes() const { return bytes_; }
    mm::PageCache& memory() const { return *memory_; }
    u64 size() const override { return align_up(bytes_, kPageSize) / kPageSize; }
    void describe_locked(u64 (&to)[Record::kFigures]) const override REQUIRES(lock);
    u64 resident() const override { return memory_->resident_pages() * kPageSize; }
    bool stays_until_unused_locked() override REQUIRES(lock);
    void remove_locked() override REQUIRES(lock) { unlock_pages_locked(); }
    const i32 key;  // that it was made with

    /// One mapping more or less; the count is for shmat(2), while it makes the first. EACCES, EIDRM.
    Result<void> hold(const vfs::Credentials& who, u32 wanted);
    void attached();
    void detached();
    void let_go();

    /// SHM_LOCK and SHM_UNLOCK; `limit` is RLIMIT_MEMLOCK. EPERM, EIDRM, ENOMEM.
    Result<void> lock_pages(task::UserAccount& account, const vfs::Credentials& who, u64 limit);
    Result<void> unlock_pages(const vfs::Credentials& who);

    Segment(Ref<mm::PageCache> memory, u64 bytes, i32 its_key)
        : key(its_key), bytes_(bytes), memory_(std::move(memory)) {}

private:
    Result<void> check_may_lock_locked(const vfs::Credentials& who) const REQUIRES(lock);
    void unlock_pages_locked() REQUIRES(lock);
    void destroy() override { destroy_counted(this); }

    i64 attach_time_ GUARDED_BY(lock) = 0, detach_time_ GUARDED_BY(lock) = 0;
    i32 creator_ GUARDED_BY(lock) = caller_process(), last_ GUARDED_BY(lock) = 0;
    u64 attachments_ GUARDED_BY(lock) = 0;
    const u64 bytes_;
    const Ref<mm::PageCache> memory_;
    std::optional<Ref<task::UserAccount>> locker_ GUARDED_BY(lock);  // whose limit the pages count for while kLocked
};

/// shmat(2)'s flags.
namespace attach_flags {
constexpr u32 kReadOnly = 010000, kRound = 020000, kRemap = 040000, kExecute = 0100000;
}
struct AttachRequest {
    i32 id;
    u64 address;
    u32 flags;
    u64 lowest;  // address that may be mapped
};
/// shmat(2). EINVAL, EACCES, EIDRM, ENOMEM, EPERM.
Result<VirtualAddress> attach(mm::AddressSpace& space, const vfs::Credentials& who, const AttachRequest& request,
                              const mm::MemoryLimits& limits);

}  // namespace cairn::ipc
