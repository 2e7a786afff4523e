/// The registry of character devices; see devices.h.

#include "fs/vfs/devices.h"

#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"

namespace cairn::vfs {

DeviceRegistry::~DeviceRegistry() {
    while (Entry* entry = entries_.pop_front()) {
        Own<Entry>::adopt(entry).reset();
    }
}

Result<void> DeviceRegistry::add(const CharacterDevice& device) {
    Own<Entry> entry = TRY(try_new<Entry>());
    entry->device = device;
    {
        SpinLockGuard guard(lock_);
        for (const Entry& other : entries_) {
            const CharacterDevice& taken = other.device;
            if (taken.major == device.major && taken.first_minor < device.first_minor + device.count &&
                device.first_minor < taken.first_minor + taken.count) {
                return fail(Errno::ebusy);
            }
        }
        entries_.push_back(*entry.release());
    }
    if (auto listener = listener_.load(Order::acquire)) {
        listener(device);
    }
    return {};
}

std::optional<CharacterDevice> DeviceRegistry::get(u32 index) {
    SpinLockGuard guard(lock_);
    Entry* entry = entries_.front();
    for (; entry != nullptr && index != 0; --index) {
        entry = entries_.next(*entry);
    }
    return entry == nullptr ? std::nullopt : std::optional<CharacterDevice>(entry->device);
}

Result<Ref<File>> DeviceRegistry::open(OperationContext& context, Inode& inode, const OpenRequest& request) {
    DeviceNumber number = inode.attributes().device;
    decltype(CharacterDevice::open) driver = nullptr;
    {
        SpinLockGuard guard(lock_);
        for (const Entry& entry : entries_) {
            const CharacterDevice& device = entry.device;
            if (device.major == number.major && number.minor - device.first_minor < device.count) {
                driver = device.open;
                break;
            }
        }
    }
    return driver != nullptr ? driver(context, inode, request) : fail(Errno::enxio);
}

Result<void> register_character_device(const CharacterDevice& device) {
    return the_vfs().devices.add(device);
}

}  // namespace cairn::vfs
