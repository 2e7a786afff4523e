#include "fs/usb/usb_files.h"

#include "drivers/usb/nodes.h"
#include "fs/devtmpfs/devtmpfs.h"
#include "fs/vfs/devices.h"
#include "fs/vfs/file.h"
#include "kernel/base/log.h"

namespace cairn::fs::usb {

namespace {

namespace drivers = cairn::usb;

constexpr u32 kMajor = 189;
constexpr u32 kDevicesPerBus = 128;
/// More controllers than a PC has slots for.
constexpr u32 kBuses = 512;
constexpr u16 kPermissions = 0664;

class UsbFile final : public vfs::File {
public:
    using File::File;
    bool seekable() const override { return true; }
    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64& offset) override {
        std::byte bytes[256];
        usize moved = 0;
        while (sink.remaining() != 0) {
            const usize wanted = std::min(sink.remaining(), sizeof bytes);
            const usize got = TRY(drivers::node_list().read_descriptors(inode().attributes().device.minor, offset,
                                                                        std::span(bytes).first(wanted)));
            if (got == 0) {
                break;
            }
            const usize put = TRY(sink.put(bytes, got));
            moved += put;
            offset += put;
            if (put < wanted) {
                break;
            }
        }
        return moved;
    }

private:
    void destroy() override { destroy_counted(this); }
};

Result<Ref<vfs::File>> open_usb(vfs::OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    TRY(drivers::node_list().read_descriptors(inode.attributes().device.minor, 0, {}));
    return vfs::try_new_file<UsbFile>(Ref<vfs::Inode>(inode), request.flags, request.path);
}

class Nodes final : public drivers::NodeListener {
public:
    void added(u32 bus, u8 address) override {
        char storage[32];
        TextBuffer name{std::span(storage)};
        format_to(name, "bus/usb/{:03}/{:03}", bus, address);
        const u32 minor = (bus - 1) * kDevicesPerBus + address - 1;
        Result<void> made = devtmpfs::add_node(name.view(), {kMajor, minor}, kPermissions);
        if (!made.ok()) {
            log_warning("usb", "no node {}: {}", name.view(), made.error());
        }
    }
    void removed(u32 bus, u8 address) override {
        char storage[32];
        TextBuffer name{std::span(storage)};
        format_to(name, "bus/usb/{:03}/{:03}", bus, address);
        // Somebody may have taken it away already.
        static_cast<void>(devtmpfs::remove_node(name.view()));
    }
};

}  // namespace

Result<void> initialize() {
    TRY(drivers::NodeList::initialize());
    Own<Nodes> nodes = TRY(try_new<Nodes>());
    drivers::node_list().set_listener(*nodes.release());  // for ever
    return vfs::register_character_device({.major = kMajor,
                                           .first_minor = 0,
                                           .count = kBuses * kDevicesPerBus,
                                           .name = {},
                                           .permissions = kPermissions,
                                           .open = &open_usb});
}

}  // namespace cairn::fs::usb
