/// The arguments that most calls on files have: path names, starting directories, lists of buffers. See caller.h.

#include "kernel/syscall/path_arguments.h"

#include <algorithm>

namespace cairn::syscall {

void PathName::free_long() {
    heap_free(long_, vfs::kPathLimit, 1);
}

/// From the beginning: the program may have changed what was read of it so far.
Result<void> PathName::fetch_long(UserCString from) {
    long_ = static_cast<char*>(heap_allocate(vfs::kPathLimit, 1));
    if (long_ == nullptr) {
        return fail(Errno::enomem);
    }
    size_ = TRY(from.fetch(std::span(long_, vfs::kPathLimit)));
    return {};
}

Result<void> PathName::fetch(UserCString from, Empty empty) {
    Result<usize> size = from.fetch(std::span(short_));
    if (size.ok()) {
        size_ = size.value();
    } else if (size.error() == Errno::enametoolong) {
        TRY(fetch_long(from));
    } else {
        return size.failure();
    }
    return size_ == 0 && empty == Empty::Refused ? fail(Errno::enoent) : Result<void>();
}

Result<StartDirectory> StartDirectory::find(Caller& self, Fd fd) {
    StartDirectory directory;
    if (fd.value != kWorkingDirectory) {
        directory.file_ = TRY(self.file_or_path(fd));
    }
    return directory;
}

IoVector::~IoVector() {
    heap_free(segments_, count_ * sizeof(mm::IoSegment), alignof(mm::IoSegment));
}

Result<IoVector> IoVector::fetch(UserIn<mm::IoSegment> from, u64 count) {
    constexpr u64 kSegmentLimit = 1024;  // UIO_MAXIOV
    if (count > kSegmentLimit) {
        return fail(Errno::einval);
    }
    if (count == 0) {
        return IoVector(nullptr, 0, 0);
    }
    usize bytes = count * sizeof(mm::IoSegment);
    auto* segments = static_cast<mm::IoSegment*>(heap_allocate(bytes, alignof(mm::IoSegment)));
    if (segments == nullptr) {
        return fail(Errno::enomem);
    }
    std::uninitialized_value_construct_n(segments, count);
    IoVector vector(segments, count, 0);
    TRY(from.fetch(std::span(segments, count)));
    for (mm::IoSegment& segment : std::span(segments, count)) {
        if (segment.size > ~u64{0} >> 1) {
            return fail(Errno::einval);
        }
        // What is too much in all is cut, as Linux does (readv(2): a partial transfer), of several after a look at all.
        if (count > 1 && !segment.is_in_user_space()) {
            return fail(Errno::efault);
        }
        segment.size = std::min<u64>(segment.size, vfs::kTransferLimit - vector.total_);
        vector.total_ += segment.size;
    }
    return vector;
}

Result<void> PathAt::fetch(Caller& self, Fd start, UserCString path, u32 flags) {
    flags_ = flags;
    bool may_be_empty = (flags & at_flags::kEmptyPath) != 0;
    TRY(name_.fetch(path, may_be_empty ? PathName::Empty::Allowed : PathName::Empty::Refused));
    // An absolute path needs no start, whatever the descriptor is.
    bool absolute = (flags & at_flags::kStartIsRoot) == 0 && !text().empty() && text().front() == '/';
    if (absolute || start.value == StartDirectory::kWorkingDirectory) {
        return {};
    }
    directory_ = TRY(StartDirectory::find(self, start));
    return directory_.path() == nullptr && !text().empty() ? fail(Errno::enotdir) : Result<void>();
}

vfs::WalkOptions PathAt::options() const {
    vfs::WalkOptions options;
    options.start = directory_.path();
    options.follow_last_link = (flags_ & at_flags::kNoFollow) == 0;
    options.allow_empty = (flags_ & at_flags::kEmptyPath) != 0;
    return options;
}

Result<FileTarget> FileTarget::find(Caller& self, Fd start, UserCString path, u32 flags) {
    PathAt at;
    TRY(at.fetch(self, start, path, flags));
    if (at.text().empty() && at.file() != nullptr) {
        return FileTarget(Ref<vfs::File>(*at.file()));
    }
    vfs::OperationContext context = self.context();
    Result<vfs::Path> found = vfs::walk(context, at.text(), at.options());
    return found.ok() ? Result<FileTarget>(FileTarget(std::move(found.value()))) : found.failure();
}

Result<FileTarget> FileTarget::of_descriptor(Caller& self, Fd fd, PathsToo paths_too) {
    Ref<vfs::File> file = TRY(paths_too == PathsToo::Yes ? self.file_or_path(fd) : self.file(fd));
    return FileTarget(std::move(file));
}

vfs::AttributeTarget FileTarget::for_change() const {
    return file_ ? vfs::AttributeTarget(**file_) : vfs::AttributeTarget(*path_);
}

}  // namespace cairn::syscall
