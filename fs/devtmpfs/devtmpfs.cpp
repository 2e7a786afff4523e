/// The filesystem of device nodes; see devtmpfs.h.

#include "fs/devtmpfs/devtmpfs.h"

#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs/filesystem_context.h"
#include "fs/vfs/names.h"
#include "kernel/base/log.h"

namespace cairn::fs::devtmpfs {

namespace {

vfs::Mount& device_mount() {
    return **vfs::the_vfs().device_files;
}

Result<void> make_node(vfs::OperationContext& context, const vfs::Path& root, const vfs::CharacterDevice& device,
                       u32 index) {
    char storage[vfs::kNameLimit];
    TextBuffer name{std::span(storage)};
    name.append(device.name);
    if (device.count > 1) {
        format_to(name, "{}", device.first_name_number + index);
    }
    vfs::CreateRequest request{.type = vfs::FileType::CharacterDevice,
                               .permissions = device.permissions,
                               .device = {device.major, device.first_minor + index}};
    TRY(vfs::create_name(context, root, name.view(), request, vfs::IfPresent::Take));
    return {};
}

/// Calls `change(context)` with the credentials of the first program and devtmpfs as the root.
template <typename Change>
Result<void> as_administrator(Change change) {
    Ref<vfs::Credentials> credentials = TRY(vfs::Credentials::create_for_init());
    const vfs::Path root(Ref<vfs::Mount>(device_mount()), Ref<vfs::Dentry>(device_mount().root()));
    vfs::FilesystemContext filesystem(root, root, 0);
    vfs::OperationContext context{*credentials, filesystem};
    return change(context);
}

Result<void> make_nodes(const vfs::CharacterDevice& device) {
    if (device.name.empty()) {
        return {};
    }
    Ref<vfs::Credentials> credentials = TRY(vfs::Credentials::create_for_init());
    vfs::Path root(Ref<vfs::Mount>(device_mount()), Ref<vfs::Dentry>(device_mount().root()));
    vfs::FilesystemContext filesystem(root, root, 0);
    vfs::OperationContext context{*credentials, filesystem};
    for (u32 i = 0; i < device.count; ++i) {
        TRY(make_node(context, root, device, i));
    }
    return {};
}

void device_registered(const vfs::CharacterDevice& device) {
    Result<void> made = make_nodes(device);
    if (!made.ok()) {
        log_warning("devtmpfs", "no node for {}: {}", device.name, made.error());
    }
}

}  // namespace

Result<void> initialize() {
    tmpfs::Options options = tmpfs::Options::defaults();
    options.mode = 0755;
    Ref<tmpfs::TmpfsSuperblock> made = TRY(tmpfs::TmpfsSuperblock::create(options, "devtmpfs"));
    Ref<vfs::Superblock> superblock = Ref<vfs::Superblock>::adopt(made.release());
    Ref<vfs::Dentry> root = TRY(superblock->root_dentry());
    Ref<vfs::Mount> mount = TRY(vfs::Mount::create(std::move(superblock), std::move(root), "devtmpfs", 0));
    mount->make_internal();
    vfs::the_vfs().device_files = std::move(mount);
    vfs::DeviceRegistry& devices = vfs::the_vfs().devices;
    devices.set_listener(&device_registered);
    u32 index = 0;
    while (std::optional<vfs::CharacterDevice> device = devices.get(index++)) {
        TRY(make_nodes(*device));
    }
    return {};
}

Result<void> add_node(std::string_view name, vfs::DeviceNumber number, u16 permissions) {
    return as_administrator([&](vfs::OperationContext& context) -> Result<void> {
        for (usize slash = name.find('/'); slash != std::string_view::npos; slash = name.find('/', slash + 1)) {
            Result<void> made = vfs::make_directory(context, name.substr(0, slash), 0755);
            if (!made.ok() && made.error() != Errno::eexist) {
                return made;
            }
        }
        constexpr u32 kCharacterDevice = 0020000;
        return vfs::make_node(context, name, kCharacterDevice | permissions, number.encode());
    });
}

Result<void> remove_node(std::string_view name) {
    return as_administrator([&](vfs::OperationContext& context) { return vfs::unlink(context, name); });
}

Result<Ref<vfs::Superblock>> mount(vfs::OperationContext&, std::string_view, std::string_view) {
    return Ref<vfs::Superblock>(device_mount().superblock());
}

}  // namespace cairn::fs::devtmpfs
