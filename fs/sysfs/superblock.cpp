/// The filesystem as a whole; see sysfs.h.

#include "drivers/devices/device_tree.h"
#include "fs/procfs/inodes.h"
#include "fs/sysfs/sysfs.h"

namespace cairn::sysfs {

namespace {

class SysSuperblock final : public vfs::Superblock {
public:
    std::string_view type_name() const override { return "sysfs"; }
    Ref<vfs::Inode> root() override { return *root_; }
    vfs::FilesystemStatistics statistics() override {
        vfs::FilesystemStatistics statistics;
        statistics.magic = 0x6265'6572;
        return statistics;
    }
    void unmounted() override { root_.reset(); }

    Result<void> make_root() {
        static constexpr Entry kRoot = branch({}, &root_entries);
        root_ = TRY(procfs::make_inode(*this, procfs::kRootNumber, kRoot, {}));
        return {};
    }

private:
    void destroy() override { destroy_counted(this); }
    std::optional<Ref<vfs::Inode>> root_;
};

}  // namespace

Result<Ref<vfs::Superblock>> mount(vfs::OperationContext&, std::string_view, std::string_view) {
    Ref<SysSuperblock> superblock = TRY(try_new_ref<SysSuperblock>());
    TRY(superblock->make_root());
    // There from now on, whether a driver has something for them or not: a look at them changes nothing.
    for (std::string_view path : kSharedPaths) {
        static_cast<void>(TRY(devices::tree().make_path(path)));
    }
    return Ref<vfs::Superblock>::adopt(superblock.release());
}

}  // namespace cairn::sysfs
