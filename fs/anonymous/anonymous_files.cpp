#include "fs/anonymous/anonymous_files.h"

#include "fs/pipe/pipe_file.h"
#include "kernel/base/kernel.h"

namespace cairn::anonymous {

namespace {

/// linux/magic.h.
constexpr u64 kPipeMagic = 0x50495045;
constexpr u64 kSocketMagic = 0x534F434B;
constexpr u64 kAnonymousMagic = 0x09041934;

class AnonymousInode final : public vfs::Inode {
public:
    using Inode::Inode;

    /// Through /proc/PID/fd/N: a pipe may be opened once more, the others may not.
    Result<Ref<vfs::File>> open(vfs::OperationContext& context, const vfs::OpenRequest& request) override {
        if (type() == vfs::FileType::Fifo) {
            return pipe::open_fifo(context, *this, request);
        }
        return fail(Errno::enxio);
    }

private:
    void destroy() override { destroy_counted(this); }
};

vfs::InodeAttributes attributes_of(vfs::FileType type, u16 permissions, vfs::UserId uid, vfs::GroupId gid) {
    vfs::InodeAttributes attributes;
    attributes.type = type;
    attributes.permissions = permissions;
    attributes.uid = uid;
    attributes.gid = gid;
    attributes.birth_time = vfs::FileTime::now();
    attributes.access_time = attributes.modification_time = attributes.change_time = attributes.birth_time;
    return attributes;
}

Result<Ref<vfs::Inode>> create_inode(vfs::Superblock& superblock, const vfs::InodeAttributes& attributes) {
    Ref<AnonymousInode> inode =
        TRY(try_new_ref<AnonymousInode>(superblock, superblock.next_inode_number(), attributes));
    return Ref<vfs::Inode>::adopt(inode.release());
}

class AnonymousSuperblock final : public vfs::Superblock {
public:
    AnonymousSuperblock(std::string_view name, u64 magic) : name_(name), magic_(magic) {}

    static Result<Ref<vfs::Superblock>> create(std::string_view name, u64 magic, vfs::FileType root_type) {
        Ref<AnonymousSuperblock> superblock = TRY(try_new_ref<AnonymousSuperblock>(name, magic));
        superblock->root_.emplace(TRY(create_inode(*superblock, attributes_of(root_type, 0600, 0, 0))));
        // For ever: the mounts that procfs makes for single files come and go, which unmounts nothing.
        superblock->mount_begins();
        return Ref<vfs::Superblock>::adopt(superblock.release());
    }

    std::string_view type_name() const override { return name_; }
    Ref<vfs::Inode> root() override { return *root_; }
    vfs::FilesystemStatistics statistics() override {
        vfs::FilesystemStatistics statistics;
        statistics.magic = magic_;
        return statistics;
    }

private:
    void destroy() override {
        root_.reset();
        destroy_counted(this);
    }

    const std::string_view name_;
    const u64 magic_;
    std::optional<Ref<vfs::Inode>> root_;
};

}  // namespace

Result<void> AnonymousFiles::initialize() {
    using vfs::FileType;
    Ref<vfs::Superblock> pipes = TRY(AnonymousSuperblock::create("pipefs", kPipeMagic, FileType::Directory));
    Ref<vfs::Superblock> sockets = TRY(AnonymousSuperblock::create("sockfs", kSocketMagic, FileType::Directory));
    Ref<vfs::Superblock> others =
        TRY(AnonymousSuperblock::create("anon_inodefs", kAnonymousMagic, FileType::Anonymous));
    Own<AnonymousFiles> files = TRY(try_new<AnonymousFiles>(std::move(pipes), std::move(sockets), std::move(others)));
    g_kernel.anonymous_files = files.release();
    return {};
}

void AnonymousFiles::shut_down() {
    Own<AnonymousFiles> files = Own<AnonymousFiles>::adopt(std::exchange(g_kernel.anonymous_files, nullptr));
}

Result<Ref<vfs::Inode>> AnonymousFiles::create_pipe_inode(const vfs::Credentials& owner) {
    return create_inode(*pipes_, attributes_of(vfs::FileType::Fifo, 0600, owner.fsuid, owner.fsgid));
}

Result<Ref<vfs::Inode>> AnonymousFiles::create_socket_inode(const vfs::Credentials& owner) {
    return create_inode(*sockets_, attributes_of(vfs::FileType::Socket, 0777, owner.fsuid, owner.fsgid));
}

}  // namespace cairn::anonymous
