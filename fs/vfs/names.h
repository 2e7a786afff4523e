#pragma once
/// Inside the VFS: giving a file its first name. names.cpp has the calls of path.h that change names.

#include "fs/vfs/vfs.h"

namespace cairn::vfs {

/// What is there already when a name is to be created.
enum class IfPresent : u8 {
    Refuse,  // EEXIST
    Take,    // open(O_CREAT): the other one's file will do
};
struct CreatedName {
    Ref<Dentry> entry;
    bool is_new;
};
/// Creates a file in a directory in which `name` was not found; takes its lock and checks permissions.
Result<CreatedName> create_name(OperationContext& context, const Path& directory, std::string_view name,
                                CreateRequest& request, IfPresent if_present);

/// Fills in owner and group, and applies umask and what a set-group-id directory does (inode(7)).
void complete_request(OperationContext& context, Inode& directory, CreateRequest& request);

/// Whether the caller may take the entry (not negative) out of its directory: EROFS, EACCES, EPERM (sticky bit).
Result<void> check_removal(OperationContext& context, const Path& directory, const Dentry& entry);

}  // namespace cairn::vfs
