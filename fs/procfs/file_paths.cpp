/// See file_paths.h.

#include "fs/procfs/file_paths.h"

#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/vfs.h"

namespace cairn::procfs {

namespace {

/// A file that nobody finds by walking: what it is tells more than where it is.
bool has_place(vfs::File& file) {
    const vfs::Path* path = file.path();
    return path != nullptr && !(path->mount().is_internal() && path->dentry().is_root());
}

}  // namespace

Result<void> describe_path(vfs::OperationContext& context, const vfs::Path& path, Text& text) {
    OwnArray<char> buffer = TRY(OwnArray<char>::create_for_overwrite(vfs::kPathLimit));
    const vfs::Path root = context.filesystem.root();
    text.append(TRY(vfs::path_text(path, root, buffer.span())));
    return {};
}

Result<void> describe_file(vfs::OperationContext& context, vfs::File& file, Text& text) {
    if (has_place(file)) {
        return describe_path(context, *file.path(), text);
    }
    char storage[256];
    TextBuffer name{std::span(storage)};
    file.describe_link(name);
    text.append(name.view());
    return {};
}

Result<vfs::Path> path_of_file(vfs::File& file) {
    if (const vfs::Path* path = file.path()) {
        return *path;
    }
    return path_of_inode(file.inode());
}

Result<vfs::Path> path_of_inode(vfs::Inode& inode) {
    vfs::Superblock& superblock = inode.superblock();
    Ref<vfs::Dentry> entry = TRY(vfs::Dentry::create_root(superblock, Ref<vfs::Inode>(inode)));
    Ref<vfs::Mount> mount =
        TRY(vfs::Mount::create(Ref<vfs::Superblock>(superblock), Ref<vfs::Dentry>(*entry), "none", 0));
    mount->make_internal();
    return vfs::Path(std::move(mount), std::move(entry));
}

u32 mount_of_file(vfs::File& file) {
    return file.path() != nullptr ? file.path()->mount().id() : 0;
}

}  // namespace cairn::procfs
