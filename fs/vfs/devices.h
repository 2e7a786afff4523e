#pragma once
/// DeviceRegistry: which driver opens a character device file. A driver registers a range of minor numbers with a
/// name, and devtmpfs shows a node for each.
///
/// Lock: `lock_` (rank Devices). Registrations are for good.

#include "fs/vfs/inode.h"
#include "kernel/base/list.h"

namespace cairn::vfs {

/// A range of device numbers and who opens them.
struct CharacterDevice {
    u32 major = 0;
    u32 first_minor = 0;
    u32 count = 1;
    /// Under /dev; with a count above one the numbers first_name_number, +1 … are appended. Empty: no node. Lives for
    /// ever.
    std::string_view name;
    u16 permissions = 0600;
    u32 first_name_number = 0;
    Result<Ref<File>> (*open)(OperationContext& context, Inode& inode, const OpenRequest& request) = nullptr;
};

class DeviceRegistry {
public:
    /// ENOMEM, EBUSY (the numbers are taken). Thread context or start-up.
    Result<void> add(const CharacterDevice& device);
    /// Opens a device file. ENXIO when no driver has the number.
    Result<Ref<File>> open(OperationContext& context, Inode& inode, const OpenRequest& request);
    /// The n-th registration, for devtmpfs and /proc/devices.
    std::optional<CharacterDevice> get(u32 index);
    /// Called after each registration; devtmpfs makes the nodes.
    void set_listener(void (*listener)(const CharacterDevice& device)) { listener_.store(listener, Order::release); }

    ~DeviceRegistry();

private:
    struct Entry {
        ListNode node;
        CharacterDevice device;
    };
    SpinLock<LockRank::Devices> lock_;
    List<Entry, &Entry::node> entries_ GUARDED_BY(lock_);
    Atomic<void (*)(const CharacterDevice&)> listener_{nullptr};
};

/// The registry of g_kernel.vfs.
Result<void> register_character_device(const CharacterDevice& device);

}  // namespace cairn::vfs
