#pragma once
/// File: an open file description (open(2)): what descriptors of one or many processes refer to. Devices, pipes,
/// sockets, epoll and so on derive from it. Counted; the last reference closes it.
///
/// Locks: `position_mutex` (rank FilePosition) makes read and write of a shared seekable file atomic with
/// respect to the offset; a file that only one thread can reach does without. Status flags are an atomic.

#include <optional>

#include "fs/vfs/async_list.h"
#include "fs/vfs/file_watch.h"
#include "fs/vfs/inode.h"
#include "fs/vfs/path.h"
#include "fs/vfs/poll.h"
#include "kernel/base/format.h"
#include "kernel/sync/read_side.h"
#include "mm/io_buffer.h"

namespace cairn::vfs {

/// open(2)'s flags on x86-64 (asm-generic/fcntl.h).
namespace open_flags {
constexpr u32 kReadOnly = 0, kWriteOnly = 1, kReadWrite = 2, kAccessMode = 3;
constexpr u32 kCreate = 0100, kExclusive = 0200, kNoControllingTerminal = 0400, kTruncate = 01000;
constexpr u32 kAppend = 02000, kNonBlock = 04000, kDataSync = 010000, kAsync = 020000, kDirect = 040000;
constexpr u32 kLargeFile = 0100000, kDirectory = 0200000, kNoFollow = 0400000, kNoAccessTime = 01000000;
constexpr u32 kCloseOnExec = 02000000, kSync = 04010000, kPath = 010000000, kTemporary = 020200000;
/// What fcntl(F_SETFL) may change.
constexpr u32 kChangeable = kAppend | kNonBlock | kAsync | kDirect | kNoAccessTime;
}  // namespace open_flags

/// RWF_*, which preadv2(2) and pwritev2(2) say for one transfer.
namespace transfer_flags {
constexpr u32 kHighPriority = 1, kDataSync = 2, kSync = 4, kNoWait = 8, kAppend = 16, kNoAppend = 32, kNoSignal = 256;
/// What files take that Linux reads and writes through iterators; others know only kHighPriority.
constexpr u32 kUsual = kHighPriority | kDataSync | kSync | kAppend | kNoAppend | kNoSignal;
}  // namespace transfer_flags

/// No transfer moves more (MAX_RW_COUNT).
constexpr u64 kTransferLimit = 0x7fff'f000;

/// How a file is opened; the path is where it was found.
struct OpenRequest {
    u32 flags = 0;               // open_flags
    const Path* path = nullptr;  // null for files without a name
    /// The same path, if the opener has no further use for it: who cannot fail any more may move it into the file.
    Path* spare_path = nullptr;
};

class File : public RefCounted<File> {
public:
    /// `flags`: access mode and status flags. A file that was opened by a path keeps it.
    File(Ref<Inode> inode, u32 flags, const Path* path = nullptr);

    Inode& inode() const { return *inode_; }
    /// For who has just made it without a path.
    void keep_path(Path&& path) { path_.emplace(std::move(path)); }
    /// Where it was opened; null for pipes and the like.
    const Path* path() const { return path_ ? &*path_ : nullptr; }
    u32 flags() const { return flags_.load(Order::relaxed); }
    void set_flags(u32 changeable);
    bool readable() const { return readable_; }
    bool writable() const { return writable_; }
    bool is_path_only() const { return (flags() & open_flags::kPath) != 0; }
    bool non_blocking() const { return (flags() & open_flags::kNonBlock) != 0; }
    bool non_blocking(const OperationContext& context) const {
        return non_blocking() || (context.transfer & transfer_flags::kNoWait) != 0;
    }

    // --- What a kind of file overrides -----------------------------------------------------------------------
    /// Whether there is an offset: lseek, pread, pwrite work. Otherwise `offset` below is ignored and those fail with
    /// ESPIPE.
    virtual bool seekable() const { return false; }
    /// The transfer_flags that reads and writes of this kind of file take. Others: EOPNOTSUPP.
    virtual u32 known_transfer_flags() const { return transfer_flags::kHighPriority; }
    virtual u32 known_write_flags() const { return known_transfer_flags(); }
    /// Moves bytes from the file; `offset` is advanced by those moved. 0: end of file. EAGAIN when it would wait
    /// and the file is non-blocking (or `nonblocking` says so), EINTR when interrupted before the first byte.
    virtual Result<usize> read(OperationContext& context, mm::IoSink& sink, u64& offset);
    virtual Result<usize> write(OperationContext& context, mm::IoSource& source, u64& offset);
    /// Whether there can be events to wait for; epoll refuses other files (EPERM).
    virtual bool tells_events() const { return !inode().is_regular() && !inode().is_directory(); }
    /// The present events. With a registrar, first registers it with every queue that a change would wake.
    virtual PollEvents poll(PollRegistrar* registrar);
    virtual Result<u64> ioctl(OperationContext& context, u32 command, u64 argument);
    /// The size that SEEK_END counts from; SEEK_DATA/HOLE.
    virtual Result<u64> seek(OperationContext& context, i64 offset, u32 whence);
    virtual Result<void> synchronize(OperationContext& context, bool data_only);
    virtual Result<void> allocate(OperationContext& context, u32 mode, u64 offset, u64 length);
    virtual Result<Ref<mm::MemoryObject>> memory_object();
    /// Directories: entries from the file's offset on. ENOTDIR.
    virtual Result<void> read_directory(OperationContext& context, DirectorySink& sink);
    /// Some descriptor of the file is closed (not necessarily the last): flush. Its error is close(2)'s.
    virtual Result<void> descriptor_closed(OperationContext& context);
    /// A line for /proc/PID/fdinfo beyond pos, flags, mnt_id (eventfd-count: …).
    virtual void describe(TextBuffer& text);
    /// The text of /proc/PID/fd/N for a file without a path: "pipe:[123]", "socket:[123]", "anon_inode:[eventpoll]".
    virtual void describe_link(TextBuffer& text);
    /// Which kind it is, for code that must know (sockets, epoll, pipes): each kind compares the address of a tag of
    /// its own.
    virtual const void* kind() const { return nullptr; }

    /// read(2) and write(2): checks the access mode and the position, applies O_APPEND, RLIMIT_FSIZE.
    Result<usize> read_at_position(OperationContext& context, mm::IoSink& sink);
    Result<usize> write_at_position(OperationContext& context, mm::IoSource& source);
    /// pread(2), pwrite(2): ESPIPE unless seekable.
    Result<usize> read_at(OperationContext& context, mm::IoSink& sink, u64 offset);
    Result<usize> write_at(OperationContext& context, mm::IoSource& source, u64 offset);
    Result<u64> seek_position(OperationContext& context, i64 offset, u32 whence);
    u64 position() const { return position_.load(Order::relaxed); }

    /// F_SETOWN, F_SETSIG.
    Atomic<i32> owner_process{0};
    Atomic<i32> owner_signal{0};
    Atomic<i32> async_descriptor{0};  // under which O_ASYNC was set
    /// F_SETOWN: a process or minus a group, on behalf of whoever calls.
    void set_owner(i32 target, const Credentials& credentials);
    AsyncOwner async_owner() const;

    /// What open(2) took for the file and its last reference gives back: a writer of the inode and the mount, or for
    /// execve(2) the promise that nobody writes to it (ETXTBSY).
    void owe_write_access() { owes_write_access_ = true; }
    void owe_denied_writes() { owes_denied_writes_ = true; }
    /// Who watches the file without holding it (epoll). last_reference_dropped() begins with watches.let_go(*this).
    FileWatches watches;

    void last_reference_dropped();

    sync::Mutex<LockRank::FilePosition> position_mutex;
    /// Whether `position_mutex` protects more than the position, so that it is needed in any case.
    bool position_guards_more() const { return position_guards_more_; }

protected:
    ~File();
    /// In a constructor.
    void guard_more_by_position() { position_guards_more_ = true; }
    /// O_ASYNC was set or cleared: pipes and sockets enter or leave their lists.
    virtual void async_changed() {}
    /// Before the inode goes: leaves wait queues and the like. Thread context; may sleep.
    virtual void closed() {}
    /// destroy_counted(this) with the concrete type.
    virtual void destroy() = 0;

    Atomic<u64> position_{0};  // written under position_mutex

private:
    /// Bytes were moved: tells who watches.
    Result<usize> report_transfer(Result<usize> result, u32 event);

    Ref<Inode> inode_;
    std::optional<Path> path_;
    Atomic<u32> flags_;
    Atomic<u64> owner_users_{0};  // uid, and euid in the upper half
    const bool readable_;
    const bool writable_;
    bool owes_write_access_ = false;   // set before the file is shared
    bool owes_denied_writes_ = false;  // the same
    bool position_guards_more_ = false;
    sync::ReadSideHead head_;
};

/// Makes an open file of a concrete kind. ENOMEM.
template <typename Concrete, typename... Arguments>
Result<Ref<File>> try_new_file(Arguments&&... arguments) {
    Ref<Concrete> file = TRY(try_new_ref<Concrete>(std::forward<Arguments>(arguments)...));
    return Ref<File>::adopt(file.release());
}

/// A file opened with O_PATH: a place in the tree and nothing more.
Result<Ref<File>> create_path_file(const Path& path, u32 flags);

}  // namespace cairn::vfs
