/// /proc/PID/mounts, mountinfo and mountstats: the mounts that the process can reach from its root
/// (proc_pid_mountinfo(5)).

#include <algorithm>

#include "fs/procfs/process_files.h"
#include "fs/vfs/vfs.h"

namespace cairn::procfs {

namespace {

constexpr std::string_view kSpecial = " \t\n\\#";
constexpr std::string_view kSpecialInPaths = " \t\n\\";

void show_mount_options(const vfs::Mount& mount, Text& text) {
    struct Option {
        u32 flag;
        std::string_view name;
    };
    constexpr Option kOptions[] = {
        {vfs::mount_flags::kNoSetId, ",nosuid"},
        {vfs::mount_flags::kNoDevices, ",nodev"},
        {vfs::mount_flags::kNoExec, ",noexec"},
        {vfs::mount_flags::kNoAccessTime, ",noatime"},
        {vfs::mount_flags::kNoDirectoryAccessTime, ",nodiratime"},
    };
    text.append(mount.is_read_only() ? "ro" : "rw");
    for (const Option& option : kOptions) {
        text.append(mount.has(option.flag) ? option.name : "");
    }
    text.append(mount.has(vfs::mount_flags::kNoAccessTime) ? "" : ",relatime");
}

void show_filesystem_options(const vfs::Mount& mount, Text& text) {
    char storage[512];
    TextBuffer options{std::span(storage)};
    mount.superblock().describe_options(options);
    text.append(options.view());
}

void show_source(const vfs::Mount& mount, Text& text) {
    text.escaped(mount.source().empty() ? std::string_view("none") : mount.source(), kSpecial);
}

/// The path of the mounted directory within its filesystem, whose root is "/".
void show_place_in_filesystem(const vfs::Mount& mount, std::span<char> buffer, Text& text) {
    usize start = buffer.size();
    vfs::the_vfs().dentries.with_tree([&] {
        const vfs::Dentry* entry = &mount.root();
        while (const vfs::Dentry* parent = entry->parent_under_guard()) {
            const std::string_view name = entry->name().text();
            if (name.size() + 1 > start) {
                break;
            }
            start -= name.size() + 1;
            buffer[start] = '/';
            std::copy_n(name.data(), name.size(), &buffer[start] + 1);
            entry = parent;
        }
    });
    const std::string_view path(buffer.data() + start, buffer.size() - start);
    text.escaped(path.empty() ? std::string_view("/") : path, kSpecialInPaths);
}

/// Calls `show(mount, parent's id, path)` for each mount that the process can reach, oldest first.
template <typename ShowMount>
Result<void> for_each_mount(Request& request, ShowMount show) {
    std::optional<Ref<vfs::FilesystemContext>> directories = TRY(Request::processes().directories(request.id()));
    if (!directories) {
        return fail(Errno::einval);
    }
    const vfs::Path root = (*directories)->root();
    OwnArray<char> buffer = TRY(OwnArray<char>::create_for_overwrite(vfs::kPathLimit));
    vfs::MountTree& tree = vfs::the_vfs().mounts;
    u32 id = 0;
    while (std::optional<vfs::MountTree::Entry> entry = tree.next(id)) {
        vfs::Mount& mount = *entry->mount;
        id = mount.id() + 1;
        const vfs::Path place(Ref<vfs::Mount>(mount), Ref<vfs::Dentry>(mount.root()));
        Result<std::string_view> path = vfs::path_text(place, root, buffer.span(), false);
        if (path.ok() && path.value().starts_with('/')) {
            TRY(show(mount, entry->parent_id, path.value()));
        }
    }
    return {};
}

}  // namespace

Result<void> show_mounts(Request& request, Text& text) {
    return for_each_mount(request, [&](vfs::Mount& mount, u32, std::string_view path) -> Result<void> {
        show_source(mount, text);
        text.append(' ');
        text.escaped(path, kSpecialInPaths);
        text.format(" {} ", mount.superblock().type_name());
        show_mount_options(mount, text);
        show_filesystem_options(mount, text);
        text.append(" 0 0\n");
        return {};
    });
}

Result<void> show_mount_information(Request& request, Text& text) {
    OwnArray<char> inner = TRY(OwnArray<char>::create_for_overwrite(vfs::kPathLimit));
    return for_each_mount(request, [&](vfs::Mount& mount, u32 parent, std::string_view path) -> Result<void> {
        const vfs::DeviceNumber device = mount.superblock().device();
        text.format("{} {} {}:{} ", mount.id(), parent, device.major, device.minor);
        show_place_in_filesystem(mount, inner.span(), text);
        text.append(' ');
        text.escaped(path, kSpecialInPaths);
        text.append(' ');
        show_mount_options(mount, text);
        text.format(" - {} ", mount.superblock().type_name());
        show_source(mount, text);
        text.append(mount.is_read_only() ? " ro" : " rw");
        show_filesystem_options(mount, text);
        text.append('\n');
        return {};
    });
}

Result<void> show_mount_statistics(Request& request, Text& text) {
    return for_each_mount(request, [&](vfs::Mount& mount, u32, std::string_view path) -> Result<void> {
        text.append(mount.source().empty() ? "no device" : "device ");
        if (!mount.source().empty()) {
            text.escaped(mount.source(), kSpecial);
        }
        text.append(" mounted on ");
        text.escaped(path, kSpecialInPaths);
        text.format(" with fstype {}\n", mount.superblock().type_name());
        return {};
    });
}

}  // namespace cairn::procfs
