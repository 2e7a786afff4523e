/// The filesystem as a whole; see procfs.h.

#include "fs/procfs/inodes.h"
#include "fs/procfs/procfs.h"
#include "kernel/sched/scheduler.h"

namespace cairn::procfs {

namespace {

class ProcSuperblock final : public vfs::Superblock {
public:
    std::string_view type_name() const override { return "proc"; }
    Ref<vfs::Inode> root() override { return *root_; }
    vfs::FilesystemStatistics statistics() override {
        vfs::FilesystemStatistics statistics;
        statistics.magic = kMagic;
        return statistics;
    }
    void unmounted() override { root_.reset(); }

    Result<void> make_root_inode() {
        root_ = TRY(make_root(*this));
        return {};
    }

private:
    static constexpr u64 kMagic = 0x9fa0;
    void destroy() override { destroy_counted(this); }
    std::optional<Ref<vfs::Inode>> root_;
};

}  // namespace

Result<Ref<vfs::Superblock>> mount(vfs::OperationContext&, std::string_view, std::string_view) {
    Ref<ProcSuperblock> superblock = TRY(try_new_ref<ProcSuperblock>());
    TRY(superblock->make_root_inode());
    g_kernel.scheduler->load.begin();  // now somebody may come to read loadavg
    return Ref<vfs::Superblock>::adopt(superblock.release());
}

}  // namespace cairn::procfs
