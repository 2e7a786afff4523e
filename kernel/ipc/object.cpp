#include "kernel/ipc/object.h"

#include <algorithm>

#include "fs/vfs/inode.h"
#include "kernel/task/task.h"

namespace cairn::ipc {

i64 wall_seconds() {
    return vfs::FileTime::now().seconds;
}

i32 caller_process() {
    const task::Task* caller = task::find_current_task();
    return caller == nullptr ? 0 : caller->process_number();
}

Result<void> Object::check_locked(const vfs::Credentials& who, u32 wanted) const {
    const Permission& own = permission;
    const u32 shift = who.euid == own.creator_uid || who.euid == own.uid                           ? 6
                      : who.in_effective_group(own.creator_gid) || who.in_effective_group(own.gid) ? 3
                                                                                                   : 0;
    const u32 any = wanted >> 6 | wanted >> 3 | wanted;
    const bool permitted = (any & ~(own.mode >> shift) & 7) == 0 || who.has(vfs::Capability::IpcOwner);
    return permitted ? Result<void>() : fail(Errno::eacces);
}

Record Object::record_locked() const {
    Record record{};
    record.key = permission.key;
    record.uid = permission.uid;
    record.gid = permission.gid;
    record.creator_uid = permission.creator_uid;
    record.creator_gid = permission.creator_gid;
    record.mode = permission.mode;
    record.sequence = static_cast<u16>(id_ >> kIndexBits);
    describe_locked(record.figures);
    return record;
}

Result<void> Object::check(const vfs::Credentials& who, u32 wanted) {
    SpinLockGuard guard(lock);
    TRY(check_locked(who, wanted));
    return removed ? fail(Errno::eidrm) : Result<void>();
}

Result<void> Object::check_owner_locked(const vfs::Credentials& who) const {
    if (removed) {
        return fail(Errno::eidrm);
    }
    const bool owns = who.euid == permission.creator_uid || who.euid == permission.uid;
    return owns || who.has(vfs::Capability::SysAdmin) ? Result<void>() : fail(Errno::eperm);
}

void Object::set_permission_locked(u32 uid, u32 gid, u32 mode) {
    permission.uid = uid;
    permission.gid = gid;
    permission.mode = (permission.mode & ~kModeBits) | (mode & kModeBits);
    change_time = wall_seconds();
}

Table::~Table() {
    while (std::optional<Ref<Object>> first = next(0)) {
        Object& object = **first;
        SpinLockGuard guard(lock_);
        SpinLockGuard object_guard(object.lock);
        take_out_locked(object);
    }
}

Object* Table::find_key(i32 key) const {
    Object* object =
        by_key_.partition_point([key](const Object& o) NO_THREAD_SAFETY_ANALYSIS { return o.permission.key < key; });
    return object != nullptr && object->permission.key == key ? object : nullptr;
}

Object* Table::at_or_after(u32 index) const {
    return by_index_.partition_point([index](const Object& object) { return object.index() < index; });
}

/// Goes round as Linux does, so that an id comes back as late as possible: at least over 64 indices, and over half as
/// many again as are in use.
Result<i32> Table::enter(Object& object) {
    constexpr u32 kLeastCycle = 64;
    const u64 most_size = most_size_.load(Order::relaxed);
    if (count_ >= std::min(most_objects_.load(Order::relaxed), kMostObjects) || object.size() > most_size ||
        size_ > most_size - object.size()) {
        return fail(Errno::enospc);
    }
    const u32 cycle = std::min(std::max(count_ * 3 / 2, kLeastCycle), static_cast<u32>(kMostObjects));
    const auto first_free = [this](u32 index) REQUIRES(lock_) {
        for (const Object* at = at_or_after(index); at != nullptr && at->index() == index; at = by_index_.next(*at)) {
            ++index;
        }
        return index;
    };
    const u32 from = cursor_ < cycle ? cursor_ : 0;
    u32 index = first_free(from);
    if (index >= cycle) {
        index = first_free(0);
    }
    if (index < cursor_) {
        sequence_ = (sequence_ + 1) & (~u32{0} >> (kIndexBits + 1));
    }
    cursor_ = index + 1;
    object.id_ = static_cast<i32>(sequence_ << kIndexBits | index);
    return object.id_;
}

Result<i32> Table::get(const GetRequest& request) {
    std::optional<Ref<Object>> made;
    for (;;) {
        {
            SpinLockGuard guard(lock_);
            if (Object* object = request.key == kPrivateKey ? nullptr : find_key(request.key)) {
                if ((request.flags & (kCreate | kExclusive)) == (kCreate | kExclusive)) {
                    return fail(Errno::eexist);
                }
                TRY(kind_.accept(*object, request.size));
                SpinLockGuard object_guard(object->lock);
                TRY(object->check_locked(request.who, request.flags));
                return object->id();
            }
            if (request.key != kPrivateKey && (request.flags & kCreate) == 0) {
                return fail(Errno::enoent);
            }
            if (made) {
                Object& object = **made;
                const i32 id = TRY(enter(object));
                by_index_.insert(object);
                if (request.key != kPrivateKey) {
                    by_key_.insert(object);
                }
                ++count_;
                size_ += object.size();
                object.acquire_reference();
                return id;
            }
        }
        made.emplace(TRY(kind_.create(request)));
        Object& object = **made;
        SpinLockGuard guard(object.lock);
        object.permission = {request.key,      request.who.euid, request.who.egid,
                             request.who.euid, request.who.egid, request.flags & kModeBits};
        object.change_time = wall_seconds();
    }
}

Result<Ref<Object>> Table::find(i32 id, By by) {
    const u32 index = static_cast<u32>(id) & (kMostObjects - 1);
    SpinLockGuard guard(lock_);
    Object* object = at_or_after(index);
    if (id < 0 || object == nullptr || (by == By::Id ? object->id() != id : object->index() != index)) {
        return fail(Errno::einval);
    }
    return Ref<Object>(*object);
}

std::optional<Ref<Object>> Table::next(u32 index) {
    SpinLockGuard guard(lock_);
    Object* object = at_or_after(index);
    return object == nullptr ? std::nullopt : std::optional(Ref<Object>(*object));
}

void Table::forget_key_locked(Object& object) {
    if (object.permission.key != kPrivateKey) {
        by_key_.remove(object);
        object.permission.key = kPrivateKey;
    }
}

/// The caller has a reference of its own.
void Table::take_out_locked(Object& object) {
    if (object.permission.key != kPrivateKey) {
        by_key_.remove(object);
    }
    by_index_.remove(object);
    --count_;
    size_ -= object.size();
    object.removed = true;
    object.remove_locked();
    object.release_reference();
}

Result<void> Table::remove(Object& object, const vfs::Credentials& who) {
    SpinLockGuard guard(lock_);
    SpinLockGuard object_guard(object.lock);
    TRY(object.check_owner_locked(who));
    if (object.stays_until_unused_locked()) {
        forget_key_locked(object);
    } else {
        take_out_locked(object);
    }
    return {};
}

void Table::remove_unused(Object& object) {
    SpinLockGuard guard(lock_);
    SpinLockGuard object_guard(object.lock);
    if (!object.removed && !object.stays_until_unused_locked()) {
        take_out_locked(object);
    }
}

Table::Figures Table::figures() {
    SpinLockGuard guard(lock_);
    const Object* last = by_index_.last();
    return {count_, last == nullptr ? 0 : static_cast<i32>(last->index()), size_};
}

}  // namespace cairn::ipc
