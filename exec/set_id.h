#pragma once
/// The credentials of a new program: set-user-ID and set-group-ID bits, and what becomes of capabilities (E15;
/// execve(2), capabilities(7)).

#include "fs/vfs/file.h"
#include "kernel/task/task.h"

namespace cairn::exec {

struct NewCredentials {
    Ref<vfs::Credentials> credentials;
    bool secure = false;  // AT_SECURE
    bool gained = false;  // other ids than the caller's: not dumpable, no death signal
};

/// ENOMEM.
Result<NewCredentials> compute_credentials(task::Task& self, vfs::File& program);

}  // namespace cairn::exec
