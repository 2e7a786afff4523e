#include "tests/support/disk_files.h"

#include <algorithm>
#include <cstring>

#include "arch/arch.h"
#include "fs/vfs/inode.h"
#include "fs/vfs/path.h"
#include "kernel/base/own.h"
#include "kernel/base/panic.h"
#include "mm/page_cache.h"

namespace cairn::sim {

namespace {

class DiskInode final : public vfs::Inode, private mm::PageStore {
public:
    DiskInode(vfs::Superblock& superblock, const vfs::InodeAttributes& attributes, std::span<const std::byte> image)
        : Inode(superblock, superblock.next_inode_number(), attributes), image_(image) {}

    Result<void> make_cache() {
        cache_ = TRY(mm::PageCache::create(this, image_.size()));
        return {};
    }
    mm::PageCache* page_cache() override { return &**cache_; }
    void drop_pages() {
        sync::MutexGuard guard(data_lock);
        must((*cache_)->resize(0), "dropping pages");
        must((*cache_)->resize(image_.size()), "dropping pages");
    }

private:
    Result<void> read_page(u64 index, FrameNumber frame) override {
        if (disk_failures().should_fail()) {
            return fail(Errno::eio);
        }
        const std::span<const std::byte> rest = image_.subspan(std::min<usize>(index * kPageSize, image_.size()));
        std::memcpy(arch::direct_map(frame.address()), rest.data(), std::min<usize>(rest.size(), kPageSize));
        return {};
    }
    void destroy() override { destroy_counted(this); }

    const std::span<const std::byte> image_;
    std::optional<Ref<mm::PageCache>> cache_;
};

constexpr usize kMostFiles = 4;
/// The root directory keeps them.
DiskInode* files[kMostFiles];
usize file_count = 0;
mm::FailureInjector failures;

}  // namespace

mm::FailureInjector& disk_failures() {
    return failures;
}

void forget_disk_files() {
    file_count = 0;
    failures.disarm();
}

void add_disk_file(vfs::OperationContext& context, std::string_view path, std::span<const std::byte> image, u16 mode) {
    ASSERT(file_count < kMostFiles && path.front() == '/');
    const vfs::Path root = must(vfs::walk(context, "/"), "the root directory");
    vfs::InodeAttributes attributes;
    attributes.permissions = mode;
    attributes.link_count = 0;
    attributes.size = image.size();
    Ref<DiskInode> inode = must(try_new_ref<DiskInode>(root.inode().superblock(), attributes, image), "a file");
    must(inode->make_cache(), "its page cache");
    files[file_count++] = &*inode;
    sync::ExclusiveGuard guard(root.inode().directory_lock);
    must(root.inode().link_child(context, path.substr(1), *inode), "its name");
}

void drop_disk_pages() {
    for (usize i = 0; i < file_count; ++i) {
        files[i]->drop_pages();
    }
}

}  // namespace cairn::sim
