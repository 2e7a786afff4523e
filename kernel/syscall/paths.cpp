/// Calls that change names; see paths.h.

#include "kernel/syscall/paths.h"

#include <algorithm>

#include "fs/vfs/vfs.h"
#include "kernel/syscall/path_arguments.h"

namespace cairn::syscall {

namespace {

constexpr Fd kWorkingDirectory{StartDirectory::kWorkingDirectory};

/// A buffer for the text of a path.
class TextPage {
public:
    static Result<TextPage> create() {
        char* text = static_cast<char*>(heap_allocate(vfs::kPathLimit, 1));
        if (text == nullptr) {
            return fail(Errno::enomem);
        }
        return TextPage(text);
    }
    TextPage(TextPage&& other) noexcept : text_(std::exchange(other.text_, nullptr)) {}
    TextPage& operator=(TextPage&&) = delete;
    ~TextPage() { heap_free(text_, vfs::kPathLimit, 1); }
    std::span<char> span() const { return {text_, vfs::kPathLimit}; }

private:
    explicit TextPage(char* text) : text_(text) {}
    char* text_;
};

}  // namespace

/// mkdir(2).
Result<void> sys_mkdir(Caller& self, UserCString path, u16 mode) {
    return sys_mkdirat(self, kWorkingDirectory, path, mode);
}
Result<void> sys_mkdirat(Caller& self, Fd start, UserCString path, u16 mode) {
    PathAt at;
    TRY(at.fetch(self, start, path));
    vfs::OperationContext context = self.context();
    return vfs::make_directory(context, at.text(), mode, at.options());
}

/// mknod(2).
Result<void> sys_mknod(Caller& self, UserCString path, u32 mode, u32 device) {
    return sys_mknodat(self, kWorkingDirectory, path, mode, device);
}
Result<void> sys_mknodat(Caller& self, Fd start, UserCString path, u32 mode, u32 device) {
    PathAt at;
    TRY(at.fetch(self, start, path));
    vfs::OperationContext context = self.context();
    return vfs::make_node(context, at.text(), mode, device, at.options());
}

/// rmdir(2).
Result<void> sys_rmdir(Caller& self, UserCString path) {
    return sys_unlinkat(self, kWorkingDirectory, path, at_flags::kRemoveDirectory);
}
/// unlink(2).
Result<void> sys_unlink(Caller& self, UserCString path) {
    return sys_unlinkat(self, kWorkingDirectory, path, 0);
}
Result<void> sys_unlinkat(Caller& self, Fd start, UserCString path, u32 flags) {
    if ((flags & ~at_flags::kRemoveDirectory) != 0) {
        return fail(Errno::einval);
    }
    PathAt at;
    TRY(at.fetch(self, start, path));
    vfs::OperationContext context = self.context();
    return flags != 0 ? vfs::remove_directory(context, at.text(), at.options())
                      : vfs::unlink(context, at.text(), at.options());
}

/// rename(2).
Result<void> sys_rename(Caller& self, UserCString old_path, UserCString new_path) {
    return sys_renameat2(self, kWorkingDirectory, old_path, kWorkingDirectory, new_path, 0);
}
Result<void> sys_renameat(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path) {
    return sys_renameat2(self, old_start, old_path, new_start, new_path, 0);
}
Result<void> sys_renameat2(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path,
                           u32 flags) {
    PathAt from;
    TRY(from.fetch(self, old_start, old_path));
    PathAt to;
    TRY(to.fetch(self, new_start, new_path));
    vfs::OperationContext context = self.context();
    return vfs::rename(context, from.text(), from.options(), to.text(), to.options(), flags);
}

/// link(2).
Result<void> sys_link(Caller& self, UserCString old_path, UserCString new_path) {
    return sys_linkat(self, kWorkingDirectory, old_path, kWorkingDirectory, new_path, 0);
}
Result<void> sys_linkat(Caller& self, Fd old_start, UserCString old_path, Fd new_start, UserCString new_path,
                        u32 flags) {
    if ((flags & ~(at_flags::kFollow | at_flags::kEmptyPath)) != 0) {
        return fail(Errno::einval);
    }
    if ((flags & at_flags::kEmptyPath) != 0 && !self.credentials().has(vfs::Capability::DacReadSearch)) {
        return fail(Errno::enoent);
    }
    u32 walk_flags = (flags & at_flags::kEmptyPath) | ((flags & at_flags::kFollow) != 0 ? 0 : at_flags::kNoFollow);
    FileTarget source = TRY(FileTarget::find(self, old_start, old_path, walk_flags));
    if (source.path() == nullptr) {
        return fail(Errno::exdev);
    }
    PathAt to;
    TRY(to.fetch(self, new_start, new_path));
    vfs::OperationContext context = self.context();
    return vfs::make_link(context, *source.path(), to.text(), to.options());
}

/// symlink(2).
Result<void> sys_symlink(Caller& self, UserCString target, UserCString path) {
    return sys_symlinkat(self, target, kWorkingDirectory, path);
}
Result<void> sys_symlinkat(Caller& self, UserCString target, Fd start, UserCString path) {
    PathName text;
    TRY(text.fetch(target));
    PathAt at;
    TRY(at.fetch(self, start, path));
    vfs::OperationContext context = self.context();
    return vfs::make_symbolic_link(context, text.text(), at.text(), at.options());
}

/// readlink(2).
Result<u64> sys_readlink(Caller& self, UserCString path, UserOut<std::byte> to, i32 size) {
    return sys_readlinkat(self, kWorkingDirectory, path, to, size);
}
Result<u64> sys_readlinkat(Caller& self, Fd start, UserCString path, UserOut<std::byte> to, i32 size) {
    if (size <= 0) {
        return fail(Errno::einval);
    }
    // An empty path means a link that was opened with O_PATH.
    FileTarget target = TRY(FileTarget::find(self, start, path, at_flags::kNoFollow | at_flags::kEmptyPath));
    if (target.inode().type() != vfs::FileType::SymbolicLink) {
        // Only a path can be empty by mistake.
        UserCString text = path;
        PathName name;
        TRY(name.fetch(text, PathName::Empty::Allowed));
        return fail(name.text().empty() ? Errno::enoent : Errno::einval);
    }
    TextPage page = TRY(TextPage::create());
    vfs::OperationContext context = self.context();
    usize length = TRY(target.inode().read_link(context, page.span()));
    length = std::min(length, static_cast<usize>(size));
    TRY(mm::copy_out(to.address(), page.span().data(), length));
    return u64{length};
}

/// chdir(2).
Result<void> sys_chdir(Caller& self, UserCString path) {
    PathAt at;
    TRY(at.fetch(self, path));
    vfs::WalkOptions options = at.options();
    options.want_directory = true;
    vfs::OperationContext context = self.context();
    vfs::Path directory = TRY(vfs::walk(context, at.text(), options));
    TRY(vfs::check_permission(self.credentials(), directory.inode(), static_cast<u32>(vfs::Access::Execute)));
    context.filesystem.set_working_directory(std::move(directory));
    return {};
}

/// fchdir(2).
Result<void> sys_fchdir(Caller& self, Fd fd) {
    Ref<vfs::File> file = TRY(self.file_or_path(fd));
    if (file->path() == nullptr || !file->inode().is_directory()) {
        return fail(Errno::enotdir);
    }
    TRY(vfs::check_permission(self.credentials(), file->inode(), static_cast<u32>(vfs::Access::Execute)));
    self.context().filesystem.set_working_directory(*file->path());
    return {};
}

/// getcwd(2): the kernel's call returns the length with the NUL.
Result<u64> sys_getcwd(Caller& self, UserOut<std::byte> to, usize size) {
    vfs::FilesystemContext& filesystem = self.context().filesystem;
    vfs::Path directory = filesystem.working_directory();
    if (directory.dentry().is_deleted()) {
        return fail(Errno::enoent);
    }
    TextPage page = TRY(TextPage::create());
    std::span<char> room = page.span();
    room.back() = '\0';
    std::string_view text = TRY(vfs::path_text(directory, filesystem.root(), room.first(room.size() - 1), false));
    usize length = text.size() + 1;
    if (length > size) {
        return fail(Errno::erange);
    }
    TRY(mm::copy_out(to.address(), text.data(), length));
    return u64{length};
}

/// chroot(2).
Result<void> sys_chroot(Caller& self, UserCString path) {
    PathAt at;
    TRY(at.fetch(self, path));
    vfs::WalkOptions options = at.options();
    options.want_directory = true;
    vfs::OperationContext context = self.context();
    vfs::Path directory = TRY(vfs::walk(context, at.text(), options));
    TRY(vfs::check_permission(self.credentials(), directory.inode(), static_cast<u32>(vfs::Access::Execute)));
    if (!self.credentials().has(vfs::Capability::SysChroot)) {
        return fail(Errno::eperm);
    }
    context.filesystem.set_root(std::move(directory));
    return {};
}

/// umask(2).
Result<u64> sys_umask(Caller& self, u32 mask) {
    return u64{self.context().filesystem.exchange_umask(static_cast<u16>(mask & 0777))};
}

}  // namespace cairn::syscall
