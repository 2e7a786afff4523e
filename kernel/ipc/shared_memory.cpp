#include "kernel/ipc/shared_memory.h"

#include "kernel/base/format.h"
#include "kernel/ipc/ipc.h"

namespace cairn::ipc {

namespace {

class Attachment final : public mm::MappedFile {
public:
    explicit Attachment(Ref<Segment> segment) : segment_(std::move(segment)) {}

    /// As Linux has it: a file of a filesystem that is never mounted, with the id for its number.
    Identity identity() const override { return {1, static_cast<u64>(segment_->id())}; }
    usize describe(std::span<char> to) const override {
        TextBuffer text(to);
        format_to(text, "/SYSV{:08x} (deleted)", static_cast<u32>(segment_->key));
        return text.size();
    }
    void mapping_begins() override { segment_->attached(); }
    void mapping_ends() override { segment_->detached(); }
    u64 attached_bytes() const override { return segment_->bytes(); }

private:
    void destroy() override { destroy_counted(this); }
    const Ref<Segment> segment_;
};

}  // namespace

Result<Ref<Object>> Segment::create(const GetRequest& request) {
    Ipc& all = *g_kernel.ipc;
    if (request.size == 0 || request.size > all.limit(Limit::SegmentBytes)) {
        return fail(Errno::einval);
    }
    const u64 limit = all.limit(Limit::AllPages);
    if (request.size > ~u64{0} - kPageSize || align_up(request.size, kPageSize) / kPageSize > limit) {
        return fail(Errno::enospc);
    }
    if ((request.flags & kHugePages) != 0) {
        return fail(Errno::enomem);  // there are none
    }
    Ref<mm::PageCache> memory = TRY(mm::PageCache::create(nullptr, request.size));
    Ref<Segment> segment = TRY(try_new_ref<Segment>(std::move(memory), request.size, request.key));
    return Ref<Object>::adopt(segment.release());
}

Result<void> Segment::accept(const Object& object, u64 size) {
    return static_cast<const Segment&>(object).bytes_ < size ? fail(Errno::einval) : Result<void>();
}

void Segment::describe_locked(u64 (&to)[Record::kFigures]) const {
    to[0] = bytes_;
    to[1] = static_cast<u64>(attach_time_);
    to[2] = static_cast<u64>(detach_time_);
    to[3] = static_cast<u64>(change_time);
    to[4] = word_of(creator_, last_);
    to[5] = attachments_;
}

bool Segment::stays_until_unused_locked() {
    if (attachments_ == 0) {
        return false;
    }
    permission.mode |= kToBeRemoved;
    return true;
}

Result<void> Segment::hold(const vfs::Credentials& who, u32 wanted) {
    SpinLockGuard guard(lock);
    TRY(check_locked(who, wanted));
    if (removed) {
        return fail(Errno::eidrm);
    }
    ++attachments_;
    return {};
}

void Segment::attached() {
    SpinLockGuard guard(lock);
    ++attachments_;
    attach_time_ = wall_seconds();
    last_ = caller_process();
}

void Segment::detached() {
    {
        SpinLockGuard guard(lock);
        detach_time_ = wall_seconds();
        last_ = caller_process();
    }
    let_go();
}

void Segment::let_go() {
    bool unused = false;
    {
        SpinLockGuard guard(lock);
        unused = --attachments_ == 0 && (permission.mode & kToBeRemoved) != 0;
    }
    if (unused) {
        g_kernel.ipc->segments.remove_unused(*this);
    }
}

Result<void> Segment::check_may_lock_locked(const vfs::Credentials& who) const {
    if (!who.has(vfs::Capability::IpcLock) && who.euid != permission.uid && who.euid != permission.creator_uid) {
        return fail(Errno::eperm);
    }
    return removed ? fail(Errno::eidrm) : Result<void>();
}

Result<void> Segment::lock_pages(task::UserAccount& account, const vfs::Credentials& who, u64 limit) {
    const bool privileged = who.has(vfs::Capability::IpcLock);
    std::optional<Ref<task::UserAccount>> locker{Ref<task::UserAccount>(account)};  // then the one before
    SpinLockGuard guard(lock);
    TRY(check_may_lock_locked(who));
    if (!privileged && limit == 0) {
        return fail(Errno::eperm);
    }
    if ((permission.mode & kLocked) != 0) {
        return {};
    }
    const u64 before = account.locked_pages.fetch_add(size(), Order::relaxed);
    if (!privileged && before + size() > limit / kPageSize) {
        account.locked_pages.fetch_sub(size(), Order::relaxed);
        return fail(Errno::enomem);
    }
    permission.mode |= kLocked;
    std::swap(locker_, locker);
    return {};
}

Result<void> Segment::unlock_pages(const vfs::Credentials& who) {
    SpinLockGuard guard(lock);
    TRY(check_may_lock_locked(who));
    unlock_pages_locked();
    return {};
}

void Segment::unlock_pages_locked() {
    if ((permission.mode & kLocked) != 0) {
        permission.mode &= ~kLocked;
        (*locker_)->locked_pages.fetch_sub(size(), Order::relaxed);
    }
}

Result<VirtualAddress> attach(mm::AddressSpace& space, const vfs::Credentials& who, const AttachRequest& request,
                              const mm::MemoryLimits& limits) {
    using namespace attach_flags;
    const u64 address = (request.flags & kRound) != 0 ? align_down(request.address, kPageSize) : request.address;
    const bool replaces = (request.flags & kRemap) != 0;
    if (!is_aligned(address, kPageSize) || (replaces && address == 0)) {
        return fail(Errno::einval);
    }
    const bool writes = (request.flags & kReadOnly) == 0;
    const bool executes = (request.flags & kExecute) != 0;
    const u32 unavailable = writes ? 0 : mm::kAccessWrite;
    mm::MapRequest wanted;
    wanted.access = (mm::kAccessRead | mm::kAccessWrite | (executes ? mm::kAccessExecute : 0)) & ~unavailable;
    wanted.maximum = mm::kAccessAll & ~unavailable;
    Ref<Object> object = TRY(g_kernel.ipc->segments.find(request.id));
    Ref<Segment> segment(static_cast<Segment&>(*object));
    if (!replaces && address + segment->bytes() < address) {
        return fail(Errno::einval);
    }
    TRY(segment->hold(who, kMayRead | (writes ? kMayWrite : 0) | (executes ? kMayExecute : 0)));
    Result<Ref<Attachment>> attachment = try_new_ref<Attachment>(segment);
    if (!attachment.ok()) {
        segment->let_go();
        return attachment.failure();
    }
    wanted.address = {address};
    wanted.length = segment->bytes();
    using Placement = mm::MapRequest::Placement;
    // An address of 0 means none here, but one that SHM_RND made 0 is one.
    wanted.placement = request.address == 0 ? Placement::Hint : replaces ? Placement::Fixed : Placement::FixedNoReplace;
    wanted.flags = mm::flag_bits(mm::MappingFlag::Shared) | mm::flag_bits(mm::MappingFlag::DontMerge);
    wanted.lowest = request.lowest;
    wanted.object = &segment->memory();
    wanted.file = &*attachment.value();
    Result<VirtualAddress> mapped = space.map(wanted, limits);
    segment->let_go();
    const bool occupied = !mapped.ok() && mapped.error() == Errno::eexist;
    return occupied ? Result<VirtualAddress>(fail(Errno::einval)) : mapped;
}

}  // namespace cairn::ipc
