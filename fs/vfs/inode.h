#pragma once
/// Inode: a file as the filesystem has it, whatever its names. Filesystems derive from it and override what
/// their files can do; everything that every file has (owner, mode, times, locks) is here.
///
/// Locks: `directory_lock` (rank Directory) is held exclusively by the VFS around every change of a directory's names,
/// `data_lock` (rank InodeData) by writers of a regular file's contents and size; `attribute_lock` (rank Inode,
/// spinlock) protects the attributes. Operations are called by the VFS after its permission checks.

#include <optional>
#include <span>
#include <string_view>

#include "fs/vfs/credentials.h"
#include "fs/vfs/notify.h"
#include "fs/vfs/operation_context.h"
#include "kernel/base/ref.h"
#include "kernel/sync/mutex.h"
#include "kernel/sync/rw_lock.h"
#include "mm/memory_object.h"

namespace cairn::mm {
class PageCache;
}

namespace cairn::vfs {

class Dentry;
class File;
class Inode;
class Superblock;
class FileLockList;
struct OpenRequest;

/// inode(7): S_IFMT.
enum class FileType : u16 {
    Fifo = 0010000,
    CharacterDevice = 0020000,
    Directory = 0040000,
    BlockDevice = 0060000,
    Regular = 0100000,
    SymbolicLink = 0120000,
    Socket = 0140000,
    Anonymous = 0,  // eventfd and the like: st_mode is 0600 without a type
};
constexpr u16 kPermissionBits = 07777;
constexpr u16 kSetUserId = 04000;
constexpr u16 kSetGroupId = 02000;
constexpr u16 kSticky = 01000;

/// Seconds and nanoseconds since 1970, as struct timespec.
struct FileTime {
    i64 seconds = 0;
    u32 nanoseconds = 0;
    constexpr auto operator<=>(const FileTime&) const = default;
    static FileTime now();
};

/// A device number as Linux's new_encode_dev packs it for stat(2): makedev(3).
struct DeviceNumber {
    u32 major = 0;
    u32 minor = 0;
    constexpr bool operator==(const DeviceNumber&) const = default;
    constexpr u64 encode() const {
        return (u64{minor} & 0xff) | ((u64{major} & 0xfff) << 8) | ((u64{minor} & ~u64{0xff}) << 12) |
               ((u64{major} & ~u64{0xfff}) << 32);
    }
    static constexpr DeviceNumber decode(u64 device) {
        return {static_cast<u32>(((device >> 8) & 0xfff) | ((device >> 32) & ~u64{0xfff})),
                static_cast<u32>((device & 0xff) | ((device >> 12) & ~u64{0xff}))};
    }
};

/// What stat(2) shows.
struct InodeAttributes {
    FileType type = FileType::Regular;
    u16 permissions = 0;  // with set-id and sticky bits
    u32 link_count = 1;
    UserId uid = 0;
    GroupId gid = 0;
    DeviceNumber device;  // of a device file
    u64 size = 0;
    u64 blocks = 0;  // of 512 bytes
    u32 block_size = 4096;
    FileTime access_time, modification_time, change_time, birth_time;
};

/// What decides who may use a file.
struct Ownership {
    UserId uid = 0;
    GroupId gid = 0;
    u16 permissions = 0;
};

/// For chmod, chown, utimensat and truncate; only what is set changes.
struct AttributeChange {
    static constexpr u32 kPermissions = 1, kUid = 2, kGid = 4, kSize = 8, kAccessTime = 16, kModificationTime = 32;
    u32 what = 0;
    u16 permissions = 0;
    UserId uid = 0;
    GroupId gid = 0;
    u64 size = 0;
    FileTime access_time{}, modification_time{};
};

/// What a new name is to become: open(O_CREAT), mkdir, mknod, symlink.
struct CreateRequest {
    FileType type = FileType::Regular;
    u16 permissions = 0;  // umask is already applied
    UserId uid = 0;
    GroupId gid = 0;
    DeviceNumber device{};
    std::string_view link_target{};    // of a symbolic link
    const void* parameters = nullptr;  // of what only one filesystem makes; it knows their type
};

/// Receives directory entries (getdents64(2)). Returns false when it has no room: the entry was not taken.
class DirectorySink {
public:
    virtual bool entry(std::string_view name, u64 inode, FileType type, u64 next_offset) = 0;
    /// The reading that began at `start` is over, and `next` comes behind the last entry taken. Returns where the next
    /// reading begins: before what was taken and could not be delivered after all.
    virtual u64 finish([[maybe_unused]] u64 start, u64 next) { return next; }

protected:
    ~DirectorySink() = default;
};

/// Whether a list of extended attributes has the names that only CAP_SYS_ADMIN may use (xattr(7)).
enum class TrustedNames : u8 { Hidden, Shown };
constexpr std::string_view kTrustedPrefix = "trusted.";

class Inode : public RefCounted<Inode> {
public:
    Inode(Superblock& superblock, u64 number, const InodeAttributes& attributes);

    Superblock& superblock() const { return superblock_; }
    u64 number() const { return number_; }
    FileType type() const { return type_; }
    bool is_directory() const { return type_ == FileType::Directory; }
    bool is_regular() const { return type_ == FileType::Regular; }

    /// A consistent copy; the size is the file's present one. Virtual for files whose figures are made up (procfs).
    virtual InodeAttributes attributes();
    /// Owner and mode for permission checks, without a lock; only where they change through set_ownership() alone.
    /// Nothing: attributes() must be asked.
    std::optional<Ownership> quick_ownership() const {
        return publishes_ownership_ ? std::optional(published_ownership()) : made_up_ownership();
    }
    Ownership ownership();
    /// Whether CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH open what the mode forbids. Not /proc/sys.
    virtual bool yields_to_capabilities() const { return true; }
    /// Applies a change that was permitted. Size: truncation of a regular file, with data_lock held. EIO, ENOSPC,
    /// EFBIG.
    virtual Result<void> change_attributes(OperationContext& context, const AttributeChange& change);

    // --- Directories. All with directory_lock held (shared for find and read_directory). ------------------------
    /// The inode that `name` (no "." or "..") leads to; ENOENT.
    virtual Result<Ref<Inode>> find_child(OperationContext& context, std::string_view name);
    virtual Result<Ref<Inode>> create_child(OperationContext& context, std::string_view name, const CreateRequest&);
    virtual Result<void> link_child(OperationContext& context, std::string_view name, Inode& target);
    /// unlink(2) and rmdir(2): ENOTEMPTY.
    virtual Result<void> remove_child(OperationContext& context, std::string_view name, Inode& child);
    /// rename(2): `replaced` is what stands under the new name, if anything; with `exchange` both change places. Both
    /// directories' locks are held.
    struct Rename {
        std::string_view old_name;
        Inode& moved;
        Inode& new_directory;
        std::string_view new_name;
        Inode* replaced;
        bool exchange;
        bool leave_whiteout;
    };
    virtual Result<void> rename_child(OperationContext& context, const Rename& rename);
    /// An unnamed regular file (O_TMPFILE).
    virtual Result<Ref<Inode>> create_unnamed(OperationContext& context, const CreateRequest&);
    /// Entries from `offset` (0: the first after "." and "..", which the VFS emits) on; returns the offset to go on
    /// from.
    virtual Result<u64> read_directory(OperationContext& context, u64 offset, DirectorySink& sink);
    /// Whether names found (or not found) may be kept in the dentry cache. False for procfs's processes. What says true
    /// keeps its own name too where the others' come and go, so that it can be mounted on.
    virtual bool names_are_stable() const { return true; }

    // --- Symbolic links --------------------------------------------------------------------------------------
    /// The target's text, into `to`; returns its length. EINVAL for what is no link.
    virtual Result<usize> read_link(OperationContext& context, std::span<char> to);
    /// The same where it stands, if it never changes as long as the inode is there; empty: read_link() must be asked.
    virtual std::string_view link_text() const { return {}; }
    /// A "magic" link (/proc/PID/fd/N, exe, cwd) leads straight to an object: sets `to`. False: an ordinary link.
    virtual Result<bool> follow_magic_link(OperationContext& context, struct PathHolder& to);

    // --- Files -----------------------------------------------------------------------------------------------
    /// Makes the open file. Regular files, directories, FIFOs, devices. ENXIO for sockets.
    virtual Result<Ref<File>> open(OperationContext& context, const OpenRequest& request);
    /// What mmap(2) and execve(2) read: the page cache. ENODEV.
    virtual Result<Ref<mm::MemoryObject>> memory_object();
    /// The contents of a regular file that lives in the page cache; null for those whose text is made up. The VFS's
    /// RegularFile reads and writes it.
    virtual mm::PageCache* page_cache() { return nullptr; }

    // --- Extended attributes, with data_lock held: EOPNOTSUPP unless a filesystem has them; then ENODATA, ERANGE, and
    // EINVAL for a prefix without a name. Without room in `value` or `names`: the length alone.
    virtual Result<usize> get_attribute(std::string_view name, std::span<std::byte> value);
    virtual Result<void> set_attribute(std::string_view name, std::span<const std::byte> value, u32 flags);
    virtual Result<usize> list_attributes(std::span<char> names, TrustedNames trusted);
    virtual Result<void> remove_attribute(std::string_view name);
    /// False: there is certainly none.
    virtual bool may_have_attributes() const { return true; }

    /// The last name went and nobody has the file open: the filesystem may free it. From the last Ref.
    void last_reference_dropped() { destroy(); }

    sync::RwLock<LockRank::Directory> directory_lock;
    sync::Mutex<LockRank::InodeData> data_lock;
    SpinLock<LockRank::Inode> attribute_lock;

    /// The pipe of a FIFO, or the socket that is bound to the name, while somebody has it open. Not counted: it
    /// clears this before it dies, and who reads it takes a reference under the lock.
    void* attachment GUARDED_BY(attribute_lock) = nullptr;
    /// inotify(7).
    InodeWatches watches;

    // --- Kept by the VFS -------------------------------------------------------------------------------------
    /// Writers minus, execs: ETXTBSY. Positive: open for writing so often; negative: being executed so often.
    [[nodiscard]] bool acquire_write_access();
    void release_write_access();
    [[nodiscard]] bool deny_write_access();
    void allow_write_access();
    /// Record locks and flocks on the file; made at first use. ENOMEM.
    Result<FileLockList*> locks();
    FileLockList* find_locks() const { return locks_.load(Order::acquire); }
    /// As relatime says (mount(8)), but up to a second late: whoever reads on and on asks the clock once.
    void touch_access_time() {
        constexpr u64 kRecent = u64{1} << 30;  // less than a second's ticks
        const u64 settled = access_time_settled_.load(Order::relaxed);
        if (settled == 0 || arch::tick_counter() - settled >= kRecent) {
            update_access_time();
        }
    }
    void touch_modification_time();
    /// Changes the change time, too.
    void add_links(i32 count, const FileTime& now);
    u32 link_count();
    void set_ownership(const Ownership& ownership);
    /// A write takes the file's capabilities away, and by somebody without CAP_FSETID the set-id bits (capabilities(7),
    /// write(2)). With data_lock held.
    void drop_privileges(const Credentials& credentials);
    /// open(O_TMPFILE) without O_EXCL: linkat(2) may still give the file its first name.
    Atomic<bool> may_get_first_name{false};
    /// memfd_create(2)'s seals (F_ADD_SEALS); kNoSeals: the file has none and never will.
    static constexpr u32 kNoSeals = ~u32{0};
    Atomic<u32> seals{kNoSeals};
    /// What a FIFO's or a bound socket's inode stands for while it is in use; of fs/pipe and fs/socket, which
    /// synchronise it.
    Atomic<void*> attached_object{nullptr};

protected:
    ~Inode();
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;

    /// For quick_ownership(): what set_ownership() was given last,
    Ownership published_ownership() const {
        const u64 owner = owner_.load(Order::relaxed);
        return {static_cast<u32>(owner), static_cast<u32>(owner >> 32), mode_.load(Order::relaxed)};
    }
    /// or what is no attribute of the file.
    virtual std::optional<Ownership> made_up_ownership() const { return std::nullopt; }
    /// In a constructor: owner and mode change through set_ownership() alone.
    void publish_ownership() { publishes_ownership_ = true; }

    InodeAttributes attributes_;  // under attribute_lock; the size of regular files is the page cache's
    /// Call whenever one of attributes_'s times changes. With attribute_lock held.
    void times_changed() { access_time_settled_.store(0, Order::relaxed); }

private:
    void update_access_time();

    Superblock& superblock_;
    const u64 number_;
    const FileType type_;
    bool publishes_ownership_ = false;
    Atomic<u64> owner_{0};  // uid, gid << 32; written under attribute_lock with attributes_
    Atomic<u16> mode_{0};
    /// The counter of ticks when the access time was last found to be new enough, if no time changed since; 0: look
    /// again. Written under attribute_lock.
    Atomic<u64> access_time_settled_{0};
    Atomic<i32> write_access_{0};
    Atomic<FileLockList*> locks_{nullptr};
};

}  // namespace cairn::vfs
