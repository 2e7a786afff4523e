/// The links of a process: exe, cwd, root, and ns (proc_pid_exe(5) and the others).

#include "fs/procfs/file_paths.h"
#include "fs/procfs/inodes.h"
#include "fs/procfs/namespace.h"
#include "fs/procfs/process_files.h"
#include "fs/vfs/filesystem_context.h"

namespace cairn::procfs {

namespace {

Result<Ref<vfs::FilesystemContext>> directories_of(const Request& request) {
    std::optional<Ref<vfs::FilesystemContext>> directories = TRY(Request::processes().directories(request.id()));
    return directories ? Result<Ref<vfs::FilesystemContext>>(std::move(*directories)) : fail(Errno::enoent);
}

}  // namespace

Result<vfs::Path> follow_executable(Request& request) {
    std::optional<vfs::Path> path = TRY(Request::processes().executable(request.id()));
    return path ? Result<vfs::Path>(std::move(*path)) : fail(Errno::enoent);
}

Result<vfs::Path> follow_working_directory(Request& request) {
    Ref<vfs::FilesystemContext> directories = TRY(directories_of(request));
    return directories->working_directory();
}

Result<vfs::Path> follow_root(Request& request) {
    Ref<vfs::FilesystemContext> directories = TRY(directories_of(request));
    return directories->root();
}

Result<void> show_executable(Request& request, Text& text) {
    const vfs::Path path = TRY(follow_executable(request));
    return describe_path(request.context, path, text);
}

Result<void> show_working_directory(Request& request, Text& text) {
    const vfs::Path path = TRY(follow_working_directory(request));
    return describe_path(request.context, path, text);
}

Result<void> show_root(Request& request, Text& text) {
    const vfs::Path path = TRY(follow_root(request));
    return describe_path(request.context, path, text);
}

// --- ns --------------------------------------------------------------------------------------------------------------

namespace {

constinit const char kNamespaceFileTag = 0;

constexpr std::string_view kind_of(Namespace which) {
    switch (which) {
        case Namespace::Time:
            return "time";
        case Namespace::ControlGroup:
            return "cgroup";
        case Namespace::Pid:
            return "pid";
        case Namespace::User:
            return "user";
        case Namespace::Uts:
            return "uts";
        case Namespace::Ipc:
            return "ipc";
        case Namespace::Network:
            return "net";
        case Namespace::Mount:
            break;
    }
    return "mnt";
}

class NamespaceInode final : public vfs::Inode {
public:
    NamespaceInode(vfs::Superblock& superblock, Namespace which_, std::optional<Ref<NamespaceObject>> object_)
        : Inode(superblock, object_ ? (*object_)->number() : static_cast<u32>(which_),
                attributes_for(vfs::FileType::Regular, 0444)),
          which(which_),
          object(std::move(object_)) {}
    Result<Ref<vfs::File>> open(vfs::OperationContext&, const vfs::OpenRequest& request) override;

    const Namespace which;
    const std::optional<Ref<NamespaceObject>> object;

private:
    void destroy() override { destroy_counted(this); }
};

/// A namespace that is open: for comparing (stat(2)) and setns(2).
class NamespaceFile final : public vfs::File {
public:
    using File::File;
    const void* kind() const override { return &kNamespaceFileTag; }
    void describe_link(TextBuffer& text) override {
        format_to(text, "{}:[{}]", kind_of(static_cast<NamespaceInode&>(inode()).which), inode().number());
    }

private:
    void destroy() override { destroy_counted(this); }
};

Result<Ref<vfs::File>> NamespaceInode::open(vfs::OperationContext&, const vfs::OpenRequest& request) {
    return vfs::try_new_file<NamespaceFile>(Ref<vfs::Inode>(*this), request.flags, request.path);
}

template <Namespace kWhich>
Result<std::optional<Ref<NamespaceObject>>> object_of(Request& request) {
    if constexpr (kWhich == Namespace::Uts) {
        return Request::processes().uts_namespace(request.id());
    }
    return std::optional<Ref<NamespaceObject>>();
}

template <Namespace kWhich>
Result<void> show_namespace(Request& request, Text& text) {
    const std::optional<Ref<NamespaceObject>> object = TRY(object_of<kWhich>(request));
    text.format("{}:[{}]", kind_of(kWhich), object ? (*object)->number() : static_cast<u32>(kWhich));
    return {};
}

template <Namespace kWhich>
Result<vfs::Path> follow_namespace(Request& request) {
    std::optional<Ref<NamespaceObject>> object = TRY(object_of<kWhich>(request));
    Ref<NamespaceInode> inode = TRY(try_new_ref<NamespaceInode>(request.link->superblock(), kWhich, std::move(object)));
    return path_of_inode(*inode);
}

template <Namespace kWhich>
constexpr Entry namespace_link(std::string_view name) {
    return {.name = name,
            .kind = Kind::Link,
            .permissions = kLinkPermissions,
            .show = &show_namespace<kWhich>,
            .look = Look::Read,
            .follow = &follow_namespace<kWhich>};
}

constexpr Entry kNamespaces[] = {
    namespace_link<Namespace::ControlGroup>("cgroup"),
    namespace_link<Namespace::Ipc>("ipc"),
    namespace_link<Namespace::Mount>("mnt"),
    namespace_link<Namespace::Network>("net"),
    namespace_link<Namespace::Pid>("pid"),
    namespace_link<Namespace::Pid>("pid_for_children"),
    namespace_link<Namespace::Time>("time"),
    namespace_link<Namespace::Time>("time_for_children"),
    namespace_link<Namespace::User>("user"),
    namespace_link<Namespace::Uts>("uts"),
};

}  // namespace

std::span<const Entry> namespace_entries() {
    return kNamespaces;
}

Result<OpenNamespace> namespace_of_file(vfs::File& file) {
    if (file.kind() != &kNamespaceFileTag) {
        return fail(Errno::einval);
    }
    const NamespaceInode& inode = static_cast<NamespaceInode&>(file.inode());
    return OpenNamespace{inode.which, inode.object};
}

}  // namespace cairn::procfs
