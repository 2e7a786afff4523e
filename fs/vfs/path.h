#pragma once
/// Path: a place in the tree that a process sees: a directory entry seen through a mount. And the walk that finds
/// one by name (path_resolution(7)).

#include <optional>
#include <span>
#include <string_view>

#include "fs/vfs/inode.h"
#include "fs/vfs/operation_context.h"
#include "kernel/base/ref.h"

namespace cairn::vfs {

class Dentry;
class File;
class Mount;

/// Longest path with its NUL, and longest name (limits.h).
constexpr usize kPathLimit = 4096;
constexpr usize kNameLimit = 255;
constexpr u32 kLinkLimit = 40;

class Path {
public:
    Path(Ref<Mount> mount, Ref<Dentry> dentry);
    Path(const Path&);
    Path(Path&& other) noexcept
        : mount_(std::exchange(other.mount_, nullptr)), dentry_(std::exchange(other.dentry_, nullptr)) {}
    Path& operator=(Path other) noexcept {
        std::swap(mount_, other.mount_);
        std::swap(dentry_, other.dentry_);
        return *this;
    }
    ~Path() {
        if (mount_ != nullptr) {
            drop();
        }
    }

    Mount& mount() const { return *mount_; }
    Dentry& dentry() const { return *dentry_; }
    Inode& inode() const;  // never a negative entry
    /// Goes on to another entry that is seen through the same mount.
    void step_to(Ref<Dentry> entry);
    bool same_as(const Path& other) const { return mount_ == other.mount_ && dentry_ == other.dentry_; }

private:
    void drop();
    // Counted; null when it was moved away.
    Mount* mount_;
    Dentry* dentry_;
};

/// Where follow_magic_link puts its answer.
struct PathHolder {
    std::optional<Path> path;
};

/// Where a relative path begins: null means the working directory.
struct WalkOptions {
    const Path* start = nullptr;
    bool follow_last_link = true;
    bool allow_empty = false;     // AT_EMPTY_PATH: "" is `start` itself
    bool want_directory = false;  // ENOTDIR otherwise
    u32 resolve = 0;              // openat2(2)'s RESOLVE_*
};

/// The existing file that `name` leads to. ENOENT, ENOTDIR, EACCES (search permission), ELOOP, ENAMETOOLONG.
Result<Path> walk(OperationContext& context, std::string_view name, const WalkOptions& options = {});

/// The directory in which the last component stands, and that component ("." and ".." included; trailing slashes are
/// noted). For create, unlink, rename.
struct ParentAndName {
    Path parent;
    std::string_view name;  // a part of the text that was given to walk_parent
    bool trailing_slash;
};
Result<ParentAndName> walk_parent(OperationContext& context, std::string_view name, const WalkOptions& options = {});

/// open(2): walks, checks permissions, creates and truncates as the flags say, and opens. `permissions` is the third
/// argument without umask applied.
Result<Ref<File>> open(OperationContext& context, std::string_view name, u32 flags, u16 permissions,
                       const WalkOptions& options = {});
/// Opens what a path leads to (permissions are checked).
Result<Ref<File>> open_path(OperationContext& context, const Path& path, u32 flags);
/// For execve: a regular file with an execute bit that the caller may use, not on a noexec mount; writers are kept
/// out until the last reference to the file goes. EACCES, ETXTBSY and walk()'s errors.
Result<Ref<File>> open_executable(OperationContext& context, std::string_view name, const WalkOptions& options = {});

/// The absolute path as seen from `root`, written at the end of `buffer`; the text, or ENAMETOOLONG. A deleted file
/// gets " (deleted)" when `mark_deleted`. Unreachable from root: "(unreachable)" in front.
Result<std::string_view> path_text(const Path& path, const Path& root, std::span<char> buffer,
                                   bool mark_deleted = true);

// --- The calls that change names (fs/vfs/names.cpp): all check permissions --------------------------------------
Result<void> make_directory(OperationContext&, std::string_view name, u16 permissions, const WalkOptions& = {});
Result<void> make_node(OperationContext&, std::string_view name, u32 mode, u64 device, const WalkOptions& = {});
Result<void> make_symbolic_link(OperationContext&, std::string_view target, std::string_view name,
                                const WalkOptions& = {});
Result<void> make_link(OperationContext&, const Path& target, std::string_view name, const WalkOptions& = {});
Result<void> unlink(OperationContext&, std::string_view name, const WalkOptions& = {});
Result<void> remove_directory(OperationContext&, std::string_view name, const WalkOptions& = {});
Result<void> rename(OperationContext&, std::string_view old_name, const WalkOptions& old_start,
                    std::string_view new_name, const WalkOptions& new_start, u32 flags);

// --- Permissions and attributes ----------------------------------------------------------------------------------
enum class Access : u8 { Execute = 1, Write = 2, Read = 4 };  // bits, as access(2) has them
/// EACCES. Uses fsuid/fsgid and the capabilities DAC_OVERRIDE, DAC_READ_SEARCH.
Result<void> check_permission(const Credentials& credentials, Inode& inode, u32 access);
/// A file whose attributes are to change: one found by a path, or an open one, which may have no path.
struct AttributeTarget {
    AttributeTarget(const Path& path);
    AttributeTarget(File& file);
    Inode& inode;
    bool read_only;    // by its mount
    const Path* path;  // for who watches the directory; null for a file without a path
};
Result<void> change_mode(OperationContext&, const AttributeTarget&, u16 permissions);
Result<void> change_owner(OperationContext&, const AttributeTarget&, u32 uid, u32 gid);  // ~0: unchanged
/// utimensat(2): what becomes of each of the two times.
struct TimesRequest {
    enum class Kind : u8 { Set, Now, Omit };
    Kind access = Kind::Now;
    Kind modification = Kind::Now;
    FileTime access_time, modification_time;
};
Result<void> change_times(OperationContext&, const AttributeTarget&, const TimesRequest&);
Result<void> truncate(OperationContext&, const Path&, u64 size);
/// The same for a file that is open for writing (ftruncate(2)). EINVAL.
Result<void> truncate(OperationContext&, File&, u64 size);
/// Whether the caller may act as the file's owner.
bool is_owner_or_capable(const Credentials&, Inode&);

}  // namespace cairn::vfs
