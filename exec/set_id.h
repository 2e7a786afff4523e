#pragma once
/// The credentials of a new program: set-user-ID and set-group-ID bits, file capabilities, and what else changes for
/// a program that has more rights than its caller (E15; execve(2), capabilities(7)).

#include "fs/vfs/file.h"
#include "kernel/task/task.h"

namespace cairn::exec {

struct NewCredentials {
    Ref<vfs::Credentials> credentials;
    bool secure = false;          // AT_SECURE
    bool dumpable = true;         // PR_GET_DUMPABLE
    bool forgets_parent = false;  // PR_SET_PDEATHSIG
    u32 personality = ~u32{0};    // what is left of it
};

/// The most stack, in bytes, that a program with AT_SECURE inherits as its soft limit.
constexpr u64 kSecureStackLimit = 8 * kMiB;

/// ENOMEM; EPERM and EINVAL from the file's capabilities. Sleeps.
Result<NewCredentials> compute_credentials(task::Task& self, vfs::File& program);

}  // namespace cairn::exec
