/// memfd_create(2): unnamed files on a tmpfs that no walk reaches. See tmpfs.h.

#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/regular_file.h"
#include "fs/vfs/vfs.h"

namespace cairn::fs::tmpfs {

Result<void> initialize() {
    Options options = Options::defaults();
    options.size_pages = 0;
    options.inodes = 0;
    Ref<TmpfsSuperblock> superblock = TRY(TmpfsSuperblock::create(options));
    Ref<vfs::Mount> mount = TRY(mount_internally(*superblock));
    vfs::the_vfs().memory_files = std::move(mount);
    return {};
}

Result<Ref<vfs::Mount>> mount_internally(TmpfsSuperblock& superblock) {
    Ref<vfs::Dentry> root = TRY(superblock.root_dentry());
    Ref<vfs::Mount> mount = TRY(vfs::Mount::create(Ref<vfs::Superblock>(static_cast<vfs::Superblock&>(superblock)),
                                                   std::move(root), superblock.type_name(), 0));
    mount->make_internal();
    return mount;
}

Result<Ref<vfs::File>> create_memory_file(vfs::OperationContext& context, std::string_view name, u32 flags) {
    vfs::Mount& mount = **vfs::the_vfs().memory_files;
    auto& superblock = static_cast<TmpfsSuperblock&>(mount.superblock());
    bool executable = (flags & memfd_flags::kNoExecSeal) == 0;
    vfs::CreateRequest request{.type = vfs::FileType::Regular,
                               .permissions = static_cast<u16>(executable ? 0777 : 0666),
                               .uid = context.credentials.fsuid,
                               .gid = context.credentials.fsgid};
    const vfs::FileTime now = vfs::FileTime::now();
    Ref<vfs::Inode> inode = TRY(superblock.create_inode(request, now));
    inode->add_links(-1, now);
    namespace seals = vfs::seal_flags;
    bool sealable = (flags & (memfd_flags::kAllowSealing | memfd_flags::kNoExecSeal)) != 0;
    inode->seals.store((sealable ? 0 : seals::kSeal) | (executable ? 0 : seals::kExecute), Order::relaxed);

    char text[vfs::kNameLimit + 1];
    TextBuffer label{std::span(text)};
    format_to(label, "memfd:{}", name);
    Ref<vfs::Dentry> entry = TRY(vfs::Dentry::create(mount.root(), label.view(), &*inode));
    vfs::the_vfs().dentries.forget_deleted(*entry);
    vfs::Path path(Ref<vfs::Mount>(mount), std::move(entry));
    vfs::OpenRequest open{vfs::open_flags::kReadWrite | vfs::open_flags::kLargeFile, &path};
    return inode->open(context, open);
}

}  // namespace cairn::fs::tmpfs
