/// What every inode has: attributes, times, link count, write access; and the answers of files that cannot do what
/// is asked. See inode.h.

#include "fs/vfs/inode.h"

#include "fs/vfs/directory_file.h"
#include "fs/vfs/file_capabilities.h"
#include "fs/vfs/file_locks.h"
#include "fs/vfs/regular_file.h"
#include "fs/vfs/vfs.h"
#include "kernel/time/clock.h"
#include "mm/page_cache.h"

namespace cairn::vfs {

FileTime FileTime::now() {
    u64 now = time::wall_now().value;
    return {static_cast<i64>(now / 1'000'000'000), static_cast<u32>(now % 1'000'000'000)};
}

Inode::Inode(Superblock& superblock, u64 number, const InodeAttributes& attributes)
    : attributes_(attributes),
      superblock_(superblock),
      number_(number),
      type_(attributes.type),
      owner_(u64{attributes.uid} | u64{attributes.gid} << 32),
      mode_(attributes.permissions) {}

Inode::~Inode() {
    delete_locks(locks_.load(Order::relaxed));
}

InodeAttributes Inode::attributes() {
    InodeAttributes copy;
    {
        SpinLockGuard guard(attribute_lock);
        copy = attributes_;
    }
    if (mm::PageCache* cache = page_cache()) {
        copy.size = cache->size();
        copy.blocks = cache->resident_pages() * (kPageSize / 512);
    }
    return copy;
}

Ownership Inode::ownership() {
    if (std::optional<Ownership> quick = quick_ownership()) {
        return *quick;
    }
    InodeAttributes all = attributes();
    return {all.uid, all.gid, all.permissions};
}

void Inode::set_ownership(const Ownership& ownership) {
    FileTime now = FileTime::now();
    SpinLockGuard guard(attribute_lock);
    attributes_.uid = ownership.uid;
    attributes_.gid = ownership.gid;
    attributes_.permissions = ownership.permissions;
    attributes_.change_time = now;
    times_changed();
    owner_.store(u64{ownership.uid} | u64{ownership.gid} << 32, Order::relaxed);
    mode_.store(ownership.permissions, Order::relaxed);
}

Result<void> Inode::change_attributes(OperationContext&, const AttributeChange& change) {
    if ((change.what & AttributeChange::kSize) != 0) {
        mm::PageCache* cache = page_cache();
        if (cache == nullptr) {
            return fail(Errno::einval);
        }
        TRY(cache->resize(change.size));
        touch_modification_time();
    }
    if ((change.what & (AttributeChange::kPermissions | AttributeChange::kUid | AttributeChange::kGid)) != 0) {
        Ownership next = ownership();
        next.permissions = (change.what & AttributeChange::kPermissions) != 0 ? change.permissions : next.permissions;
        next.uid = (change.what & AttributeChange::kUid) != 0 ? change.uid : next.uid;
        next.gid = (change.what & AttributeChange::kGid) != 0 ? change.gid : next.gid;
        set_ownership(next);
    }
    if ((change.what & (AttributeChange::kAccessTime | AttributeChange::kModificationTime)) != 0) {
        FileTime now = FileTime::now();
        SpinLockGuard guard(attribute_lock);
        if ((change.what & AttributeChange::kAccessTime) != 0) {
            attributes_.access_time = change.access_time;
        }
        if ((change.what & AttributeChange::kModificationTime) != 0) {
            attributes_.modification_time = change.modification_time;
        }
        attributes_.change_time = now;
        times_changed();
    }
    return {};
}

// --- Directories -------------------------------------------------------------------------------------------------

Result<Ref<Inode>> Inode::find_child(OperationContext&, std::string_view) {
    return fail(is_directory() ? Errno::enoent : Errno::enotdir);
}
Result<Ref<Inode>> Inode::create_child(OperationContext&, std::string_view, const CreateRequest& request) {
    // What Linux says of procfs and the like: open(2) and link(2) get EACCES and EPERM there.
    return fail(request.type == FileType::Regular ? Errno::eacces : Errno::eperm);
}
Result<void> Inode::link_child(OperationContext&, std::string_view, Inode&) {
    return fail(Errno::eperm);
}
Result<void> Inode::remove_child(OperationContext&, std::string_view, Inode&) {
    return fail(Errno::eperm);
}
Result<void> Inode::rename_child(OperationContext&, const Rename&) {
    return fail(Errno::eperm);
}
Result<Ref<Inode>> Inode::create_unnamed(OperationContext&, const CreateRequest&) {
    return fail(Errno::eopnotsupp);
}
Result<u64> Inode::read_directory(OperationContext&, u64, DirectorySink&) {
    return fail(Errno::enotdir);
}

// --- Links and files ---------------------------------------------------------------------------------------------

Result<usize> Inode::read_link(OperationContext&, std::span<char>) {
    return fail(Errno::einval);
}
Result<bool> Inode::follow_magic_link(OperationContext&, PathHolder&) {
    return false;
}

Result<Ref<File>> Inode::open(OperationContext& context, const OpenRequest& request) {
    switch (type_) {
        case FileType::Regular:
            return page_cache() != nullptr ? RegularFile::create(*this, request) : fail(Errno::einval);
        case FileType::Directory:
            return DirectoryFile::create(*this, request);
        case FileType::CharacterDevice:
            return the_vfs().devices.open(context, *this, request);
        case FileType::Fifo: {
            auto open_fifo = the_vfs().hooks.open_fifo;
            return open_fifo != nullptr ? open_fifo(context, *this, request) : fail(Errno::enxio);
        }
        default:
            return fail(Errno::enxio);
    }
}

Result<Ref<mm::MemoryObject>> Inode::memory_object() {
    if (mm::PageCache* cache = page_cache()) {
        return Ref<mm::MemoryObject>(static_cast<mm::MemoryObject&>(*cache));
    }
    return fail(Errno::enodev);
}

Result<usize> Inode::get_attribute(std::string_view, std::span<std::byte>) {
    return fail(Errno::eopnotsupp);
}
Result<void> Inode::set_attribute(std::string_view, std::span<const std::byte>, u32) {
    return fail(Errno::eopnotsupp);
}
Result<usize> Inode::list_attributes(std::span<char>, TrustedNames) {
    return usize{0};
}
Result<void> Inode::remove_attribute(std::string_view) {
    return fail(Errno::eopnotsupp);
}

// --- Kept by the VFS ---------------------------------------------------------------------------------------------

bool Inode::acquire_write_access() {
    i32 seen = write_access_.load(Order::relaxed);
    while (seen >= 0) {
        if (write_access_.compare_exchange(seen, seen + 1, Order::acquire, Order::relaxed)) {
            return true;
        }
    }
    return false;
}

void Inode::release_write_access() {
    write_access_.fetch_sub(1, Order::release);
}

bool Inode::deny_write_access() {
    i32 seen = write_access_.load(Order::relaxed);
    while (seen <= 0) {
        if (write_access_.compare_exchange(seen, seen - 1, Order::acquire, Order::relaxed)) {
            return true;
        }
    }
    return false;
}

void Inode::allow_write_access() {
    write_access_.fetch_add(1, Order::release);
}

Result<FileLockList*> Inode::locks() {
    if (FileLockList* present = find_locks()) {
        return present;
    }
    FileLockList* made = TRY(create_locks());
    FileLockList* expected = nullptr;
    if (locks_.compare_exchange(expected, made, Order::acq_rel, Order::acquire)) {
        return made;
    }
    delete_locks(made);
    return expected;
}

void Inode::update_access_time() {
    // relatime: at most once a day, unless the file changed since.
    constexpr i64 kDay = 24 * 60 * 60;
    FileTime now = FileTime::now();
    SpinLockGuard guard(attribute_lock);
    const FileTime& last = attributes_.access_time;
    if (last <= attributes_.modification_time || last <= attributes_.change_time ||
        now.seconds - last.seconds >= kDay) {
        attributes_.access_time = now;
        times_changed();
    } else {
        access_time_settled_.store(arch::tick_counter() | 1, Order::relaxed);
    }
}

void Inode::touch_modification_time() {
    FileTime now = FileTime::now();
    SpinLockGuard guard(attribute_lock);
    attributes_.modification_time = now;
    attributes_.change_time = now;
    times_changed();
}

void Inode::add_links(i32 count, const FileTime& now) {
    SpinLockGuard guard(attribute_lock);
    attributes_.link_count = static_cast<u32>(static_cast<i32>(attributes_.link_count) + count);
    attributes_.change_time = now;
    times_changed();
}

u32 Inode::link_count() {
    SpinLockGuard guard(attribute_lock);
    return attributes_.link_count;
}

void Inode::drop_privileges(const Credentials& credentials) {
    if (may_have_attributes()) {
        static_cast<void>(remove_attribute(kFileCapabilitiesName));
    }
    u16 permissions = mode_.load(Order::relaxed);
    constexpr u16 kGroupExecute = 0010;
    if ((permissions & (kSetUserId | kSetGroupId)) == 0 || credentials.has(Capability::Fsetid)) {
        return;
    }
    u32 next = permissions & ~u32{kSetUserId};
    if ((permissions & kGroupExecute) != 0) {
        next &= ~u32{kSetGroupId};  // without the execute bit it once meant mandatory locking
    }
    Ownership ownership = published_ownership();
    ownership.permissions = static_cast<u16>(next);
    set_ownership(ownership);
}

}  // namespace cairn::vfs
