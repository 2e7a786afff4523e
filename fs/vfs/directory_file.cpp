/// Open directories; see directory_file.h.

#include "fs/vfs/directory_file.h"

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

namespace {

constexpr u64 kFirstOffset = 2;

/// Passes entries on with offsets as the open file counts them.
class ShiftedSink final : public DirectorySink {
public:
    explicit ShiftedSink(DirectorySink& inner) : inner_(inner) {}
    bool entry(std::string_view name, u64 inode, FileType type, u64 next_offset) override {
        return inner_.entry(name, inode, type, next_offset + kFirstOffset);
    }

private:
    DirectorySink& inner_;
};

}  // namespace

Result<Ref<File>> DirectoryFile::create(Inode& inode, const OpenRequest& request) {
    return try_new_file<DirectoryFile>(Ref<Inode>(inode), request.flags, request.path);
}

Result<usize> DirectoryFile::read(OperationContext&, mm::IoSink&, u64&) {
    return fail(Errno::eisdir);
}

Result<u64> DirectoryFile::seek(OperationContext& context, i64 offset, u32 whence) {
    constexpr u32 kSeekCurrent = 1;
    return whence <= kSeekCurrent ? File::seek(context, offset, whence) : fail(Errno::einval);
}

Result<void> DirectoryFile::synchronize(OperationContext&, bool) {
    return {};
}

Result<u64> DirectoryFile::emit(OperationContext& context, DirectorySink& sink, u64 position) {
    if (position == 0) {
        if (!sink.entry(".", inode().number(), FileType::Directory, 1)) {
            return position;
        }
        position = 1;
    }
    if (position == 1) {
        u64 number = inode().number();
        if (path() != nullptr) {
            Ref<Dentry> parent = path()->dentry().parent();
            number = parent->inode().number();
        }
        if (!sink.entry("..", number, FileType::Directory, kFirstOffset)) {
            return position;
        }
        position = kFirstOffset;
    }
    ShiftedSink shifted(sink);
    u64 next = TRY(inode().read_directory(context, position - kFirstOffset, shifted));
    return next + kFirstOffset;
}

Result<void> DirectoryFile::read_directory(OperationContext& context, DirectorySink& sink) {
    sync::MutexGuard position_guard(position_mutex);
    sync::SharedGuard names(inode().directory_lock);
    if (path() != nullptr && path()->dentry().is_deleted()) {
        return fail(Errno::enoent);
    }
    const u64 start = position();
    const u64 next = TRY(emit(context, sink, start));
    position_.store(sink.finish(start, next), Order::relaxed);
    if (path() == nullptr || !path()->mount().has(mount_flags::kNoAccessTime | mount_flags::kNoDirectoryAccessTime)) {
        inode().touch_access_time();
    }
    notify(*this, notify_events::kAccess);
    return {};
}

}  // namespace cairn::vfs
