/// Files in the page cache; see regular_file.h.

#include "fs/vfs/regular_file.h"

#include <algorithm>

#include "fs/vfs/mount_tree.h"
#include "mm/page_cache.h"

namespace cairn::vfs {

Result<Ref<File>> RegularFile::create(Inode& inode, const OpenRequest& request) {
    if (request.spare_path == nullptr) {
        return try_new_file<RegularFile>(Ref<Inode>(inode), request.flags, request.path);
    }
    Ref<File> file = TRY(try_new_file<RegularFile>(Ref<Inode>(inode), request.flags, nullptr));
    file->keep_path(std::move(*request.spare_path));
    return file;
}

Result<usize> RegularFile::read(OperationContext&, mm::IoSink& sink, u64& offset) {
    usize moved = TRY(cache().read(offset, sink));
    offset += moved;
    bool wanted = (flags() & open_flags::kNoAccessTime) == 0 &&
                  (path() == nullptr || !path()->mount().has(mount_flags::kNoAccessTime | mount_flags::kReadOnly));
    if (wanted) {
        inode().touch_access_time();
    }
    return moved;
}

Result<void> check_size_seals(Inode& inode, u64 from, u64 to) {
    u32 seals = inode.seals.load(Order::acquire);
    if (seals == Inode::kNoSeals) {
        return {};
    }
    bool forbidden =
        (to < from && (seals & seal_flags::kShrink) != 0) || (to > from && (seals & seal_flags::kGrow) != 0);
    return forbidden ? fail(Errno::eperm) : Result<void>();
}

namespace {

Result<void> check_write_seals(Inode& inode, u64 size, u64 offset, usize count) {
    u32 seals = inode.seals.load(Order::acquire);
    if (seals == Inode::kNoSeals) {
        return {};
    }
    if ((seals & (seal_flags::kWrite | seal_flags::kFutureWrite)) != 0) {
        return fail(Errno::eperm);
    }
    return check_size_seals(inode, size, std::max(size, offset + count));
}

}  // namespace

Result<usize> RegularFile::write(OperationContext& context, mm::IoSource& source, u64& offset) {
    if (source.remaining() == 0) {
        return usize{0};
    }
    sync::MutexGuard guard(inode().data_lock);
    const bool asked = (context.transfer & transfer_flags::kAppend) != 0;
    const bool appends = (flags() & open_flags::kAppend) != 0 && (context.transfer & transfer_flags::kNoAppend) == 0;
    u64 at = asked || appends ? cache().size() : offset;
    // setrlimit(2): what fits below the limit is written; nothing fits: EFBIG, and the call sends SIGXFSZ.
    u64 limit = std::min(context.file_size_limit, kFileSizeLimit);
    if (at >= limit) {
        return fail(Errno::efbig);
    }
    usize cut = source.truncate(static_cast<usize>(std::min<u64>(source.remaining(), limit - at)));
    Result<void> allowed = check_write_seals(inode(), cache().size(), at, source.remaining());
    if (!allowed.ok()) {
        return allowed.failure();
    }
    inode().drop_privileges(context.credentials);
    Result<usize> written = cache().write(at, source);
    source.expand(cut);
    if (written.ok()) {
        offset = at + written.value();
        inode().touch_modification_time();
    }
    return written;
}

Result<u64> RegularFile::seek(OperationContext& context, i64 offset, u32 whence) {
    constexpr u32 kSeekData = 3;
    constexpr u32 kSeekHole = 4;
    if (whence != kSeekData && whence != kSeekHole) {
        return File::seek(context, offset, whence);
    }
    if (offset < 0) {
        return fail(Errno::enxio);
    }
    return whence == kSeekData ? cache().seek_data(static_cast<u64>(offset))
                               : cache().seek_hole(static_cast<u64>(offset));
}

Result<void> RegularFile::synchronize(OperationContext&, bool) {
    return {};
}

[[gnu::cold]] Result<void> RegularFile::allocate(OperationContext& context, u32 mode, u64 offset, u64 length) {
    constexpr u32 kKeepSize = 1;
    constexpr u32 kPunchHole = 2;
    if (mode != 0 && mode != kKeepSize && mode != (kPunchHole | kKeepSize)) {
        return fail(Errno::eopnotsupp);
    }
    sync::MutexGuard guard(inode().data_lock);
    u64 end = offset + length;  // the caller has checked that it is a size
    if (mode == (kPunchHole | kKeepSize)) {
        u32 seals = inode().seals.load(Order::acquire);
        if (seals != Inode::kNoSeals && (seals & (seal_flags::kWrite | seal_flags::kFutureWrite)) != 0) {
            return fail(Errno::eperm);
        }
        TRY(cache().punch_hole(offset, length));
    } else {
        if (mode == 0 && end > cache().size()) {
            if (end > context.file_size_limit) {
                return fail(Errno::efbig);
            }
            TRY(check_size_seals(inode(), cache().size(), end));
        }
        TRY(cache().allocate(offset, length, mode == 0 ? mm::PageCache::KeepSize::No : mm::PageCache::KeepSize::Yes));
    }
    inode().drop_privileges(context.credentials);
    inode().touch_modification_time();
    return {};
}

void RegularFile::describe_link(TextBuffer& text) {
    format_to(text, "/#{} (deleted)", inode().number());
}

}  // namespace cairn::vfs
