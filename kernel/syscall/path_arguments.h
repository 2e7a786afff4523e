#pragma once
/// What calls that take a path share beyond caller.h: the *at calls' triple of directory, path and flags, and the file
/// that it means. Local values of one call.

#include "kernel/syscall/caller.h"

namespace cairn::syscall {

/// The flags of the *at calls (fcntl.h).
namespace at_flags {
constexpr u32 kNoFollow = 0x100, kRemoveDirectory = 0x200, kEffectiveIds = 0x200, kFollow = 0x400;
constexpr u32 kNoAutomount = 0x800, kEmptyPath = 0x1000, kStatxSync = 0x6000;
/// None of Linux's: absolute paths, too, begin at the start (RESOLVE_IN_ROOT).
constexpr u32 kStartIsRoot = 0x8000'0000;
}  // namespace at_flags

/// A path with what it is relative to.
class PathAt {
public:
    /// Once. `flags` may have kNoFollow, kEmptyPath and kStartIsRoot. PathName's and StartDirectory's errors, ENOTDIR.
    Result<void> fetch(Caller& self, Fd start, UserCString path, u32 flags = 0);
    /// Relative to the working directory.
    Result<void> fetch(Caller& self, UserCString path, u32 flags = 0) {
        return fetch(self, Fd{StartDirectory::kWorkingDirectory}, path, flags);
    }
    std::string_view text() const { return name_.text(); }
    vfs::WalkOptions options() const;
    vfs::File* file() const { return directory_.file(); }

private:
    PathName name_;
    StartDirectory directory_;
    u32 flags_ = 0;
};

/// An existing file, named by a path or by a descriptor (which may be of something without a path).
class FileTarget {
public:
    static Result<FileTarget> find(Caller& self, Fd start, UserCString path, u32 flags);
    static Result<FileTarget> find(Caller& self, UserCString path, u32 flags = 0) {
        return find(self, Fd{StartDirectory::kWorkingDirectory}, path, flags);
    }
    enum class PathsToo : u8 { No, Yes };
    static Result<FileTarget> of_descriptor(Caller& self, Fd fd, PathsToo paths_too = PathsToo::No);

    vfs::Inode& inode() const { return file_ ? (*file_)->inode() : path_->inode(); }
    /// Null for what has none.
    const vfs::Path* path() const { return file_ ? (*file_)->path() : &*path_; }
    vfs::AttributeTarget for_change() const;

    explicit FileTarget(vfs::Path path) : path_(std::move(path)) {}
    explicit FileTarget(Ref<vfs::File> file) : file_(std::move(file)) {}

private:
    std::optional<vfs::Path> path_;
    std::optional<Ref<vfs::File>> file_;
};

}  // namespace cairn::syscall
