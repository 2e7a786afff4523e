/// Open files: position, flags, closing, and the answers of kinds that cannot do what is asked. See file.h.

#include "fs/vfs/file.h"

#include "fs/vfs/file_locks.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

namespace {

/// Flags of open(2) that are used up by opening (F_GETFL does not show them).
constexpr u32 kSpent = open_flags::kCreate | open_flags::kExclusive | open_flags::kNoControllingTerminal |
                       open_flags::kTruncate | open_flags::kCloseOnExec;

// Access mode 3 is neither: such a file is good for ioctl(2) only.
constexpr bool mode_reads(u32 flags) {
    return (flags & open_flags::kPath) == 0 && ((flags + 1) & 1) != 0;
}
constexpr bool mode_writes(u32 flags) {
    return (flags & open_flags::kPath) == 0 && ((flags + 1) & 2) != 0;
}

}  // namespace

File::File(Ref<Inode> inode, u32 flags, const Path* path)
    : inode_(std::move(inode)), flags_(flags & ~kSpent), readable_(mode_reads(flags)), writable_(mode_writes(flags)) {
    if (path != nullptr) {
        path_.emplace(*path);
    }
}

File::~File() = default;

void File::set_flags(u32 changeable) {
    u32 seen = flags();
    while (!flags_.compare_exchange(seen, (seen & ~open_flags::kChangeable) | (changeable & open_flags::kChangeable),
                                    Order::relaxed, Order::relaxed)) {
    }
    if (((seen ^ changeable) & open_flags::kAsync) != 0) {
        async_changed();
    }
}

void File::set_owner(i32 target, const Credentials& credentials) {
    owner_users_.store(u64{credentials.euid} << 32 | credentials.uid, Order::relaxed);
    owner_process.store(target, Order::release);
}

AsyncOwner File::async_owner() const {
    const i32 target = owner_process.load(Order::acquire);
    const u64 users = owner_users_.load(Order::relaxed);
    return {target, owner_signal.load(Order::relaxed), async_descriptor.load(Order::relaxed),
            static_cast<UserId>(users), static_cast<UserId>(users >> 32)};
}

void File::last_reference_dropped() {
    watches.let_go(*this);
    notify(*this, writable_ ? notify_events::kCloseWrite : notify_events::kCloseNoWrite);
    release_file_locks(*this);
    closed();
    if (owes_write_access_) {
        inode_->release_write_access();
        path_->mount().writers.fetch_sub(1, Order::release);
    }
    if (owes_denied_writes_) {
        inode_->allow_write_access();
    }
    // Lookups of descriptors may still look at this object's count, but at nothing else: the inode and the mount
    // need not wait for them.
    {
        Ref<Inode> inode(std::move(inode_));
    }
    path_.reset();
    sync::call_after_grace_period(head_, [](sync::ReadSideHead& head) {
        object_of_member<File, sync::ReadSideHead, &File::head_>(&head)->destroy();
    });
}

Result<usize> File::read(OperationContext&, mm::IoSink&, u64&) {
    return fail(Errno::einval);
}
Result<usize> File::write(OperationContext&, mm::IoSource&, u64&) {
    return fail(Errno::einval);
}
PollEvents File::poll(PollRegistrar*) {
    return kPollIn | kPollOut | kPollReadNormal | kPollWriteNormal;
}
Result<u64> File::ioctl(OperationContext&, u32, u64) {
    return fail(Errno::enotty);
}
Result<void> File::synchronize(OperationContext&, bool) {
    return fail(Errno::einval);
}
Result<void> File::allocate(OperationContext&, u32, u64, u64) {
    return fail(Errno::enodev);
}
Result<Ref<mm::MemoryObject>> File::memory_object() {
    return fail(Errno::enodev);
}
Result<void> File::read_directory(OperationContext&, DirectorySink&) {
    return fail(Errno::enotdir);
}
Result<void> File::descriptor_closed(OperationContext&) {
    return {};
}
void File::describe(TextBuffer&) {}
void File::describe_link(TextBuffer& text) {
    format_to(text, "anon_inode:[{}]", inode().number());
}

Result<u64> File::seek(OperationContext&, i64 offset, u32 whence) {
    enum : u32 { Set, Current, End, Data, Hole };
    i64 base = 0;
    u64 size = 0;
    switch (whence) {
        case Set:
            break;
        case Current:
            base = static_cast<i64>(position());
            break;
        case End:
            base = static_cast<i64>(inode().attributes().size);
            break;
        case Data:
        case Hole:
            // Without knowledge of holes all of the file is data.
            size = inode().attributes().size;
            if (offset < 0 || static_cast<u64>(offset) >= size) {
                return fail(Errno::enxio);
            }
            return whence == Data ? static_cast<u64>(offset) : size;
        default:
            return fail(Errno::einval);
    }
    i64 target = 0;
    if (__builtin_add_overflow(base, offset, &target)) {
        return fail(Errno::einval);
    }
    if (target < 0) {
        return fail(Errno::einval);
    }
    return static_cast<u64>(target);
}

Result<usize> File::report_transfer(Result<usize> result, u32 event) {
    if (result.ok() && result.value() != 0 && !nobody_watches()) [[unlikely]] {
        notify(*this, event);
    }
    return result;
}

namespace {

/// What a transfer with flags of its own may ask for. Seldom, so apart from the usual way.
[[gnu::noinline]] Result<void> check_transfer_flags(const File& file, u32 flags, u32 (File::*known)() const) {
    constexpr u32 kBoth = transfer_flags::kAppend | transfer_flags::kNoAppend;
    if ((flags & ~(file.*known)()) != 0) {
        return fail(Errno::eopnotsupp);
    }
    return (flags & kBoth) == kBoth ? fail(Errno::einval) : Result<void>();
}

/// What every transfer begins with, in Linux's order of errors: the access mode, the range, then what is to be special.
inline Result<void> begin_transfer(const File& file, bool permitted, mm::IoCursor& bytes, u32 flags,
                                   u32 (File::*known)() const) {
    if (!permitted) [[unlikely]] {
        return fail(Errno::ebadf);
    }
    if (!bytes.is_reachable()) [[unlikely]] {
        return fail(Errno::efault);
    }
    static_cast<void>(bytes.truncate(kTransferLimit));
    if (flags == 0 || bytes.remaining() == 0) [[likely]] {
        return {};
    }
    return check_transfer_flags(file, flags, known);
}

/// Keeps the position to one transfer at a time. If the descriptor of a process with one thread is the only reference,
/// nobody else can move it, and the lock is spared: two locked instructions for each read. Linux does the same
/// (fdget_pos), and like there a second one who takes the file out of this process in the middle of a transfer
/// (pidfd_getfd(2)) may see the position before it.
class PositionGuard {
public:
    explicit PositionGuard(File& file) NO_THREAD_SAFETY_ANALYSIS
        : mutex_(file.reference_count() != 1 || file.position_guards_more() ? &file.position_mutex : nullptr) {
        if (mutex_ != nullptr) {
            mutex_->lock();
        }
    }
    ~PositionGuard() NO_THREAD_SAFETY_ANALYSIS {
        if (mutex_ != nullptr) {
            mutex_->unlock();
        }
    }
    PositionGuard(const PositionGuard&) = delete;
    PositionGuard& operator=(const PositionGuard&) = delete;

private:
    sync::Mutex<LockRank::FilePosition>* mutex_;
};

}  // namespace

Result<usize> File::read_at_position(OperationContext& context, mm::IoSink& sink) {
    TRY(begin_transfer(*this, readable_, sink, context.transfer, &File::known_transfer_flags));
    if (!seekable()) {
        u64 ignored = 0;
        return report_transfer(read(context, sink, ignored), notify_events::kAccess);
    }
    PositionGuard guard(*this);
    u64 offset = position();
    Result<usize> result = read(context, sink, offset);
    position_.store(offset, Order::relaxed);
    return report_transfer(std::move(result), notify_events::kAccess);
}

Result<usize> File::write_at_position(OperationContext& context, mm::IoSource& source) {
    TRY(begin_transfer(*this, writable_, source, context.transfer, &File::known_write_flags));
    if (!seekable()) {
        u64 ignored = 0;
        return report_transfer(write(context, source, ignored), notify_events::kModify);
    }
    PositionGuard guard(*this);
    u64 offset = position();
    Result<usize> result = write(context, source, offset);
    position_.store(offset, Order::relaxed);
    return report_transfer(std::move(result), notify_events::kModify);
}

Result<usize> File::read_at(OperationContext& context, mm::IoSink& sink, u64 offset) {
    if (!seekable()) {
        return fail(Errno::espipe);
    }
    TRY(begin_transfer(*this, readable_, sink, context.transfer, &File::known_transfer_flags));
    return report_transfer(read(context, sink, offset), notify_events::kAccess);
}

Result<usize> File::write_at(OperationContext& context, mm::IoSource& source, u64 offset) {
    if (!seekable()) {
        return fail(Errno::espipe);
    }
    TRY(begin_transfer(*this, writable_, source, context.transfer, &File::known_write_flags));
    return report_transfer(write(context, source, offset), notify_events::kModify);
}

Result<u64> File::seek_position(OperationContext& context, i64 offset, u32 whence) {
    if (!seekable()) {
        return fail(Errno::espipe);
    }
    sync::MutexGuard guard(position_mutex);
    u64 target = TRY(seek(context, offset, whence));
    position_.store(target, Order::relaxed);
    return target;
}

namespace {

class PathFile final : public File {
public:
    PathFile(const Path& path, u32 flags) : File(Ref<Inode>(path.inode()), flags, &path) {}
    PollEvents poll(PollRegistrar*) override { return kPollNval; }

private:
    void destroy() override { destroy_counted(this); }
};

}  // namespace

Result<Ref<File>> create_path_file(const Path& path, u32 flags) {
    return try_new_file<PathFile>(path, flags);
}

}  // namespace cairn::vfs
