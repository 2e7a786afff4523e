/// The links of a process: exe, cwd, root, and ns (proc_pid_exe(5) and the others).

#include "fs/procfs/file_paths.h"
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

}  // namespace cairn::procfs
