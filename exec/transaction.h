#pragma once
/// execve(2) and execveat(2): the transaction of the process contract, section E.
///
/// Phase one prepares everything that can fail, owned by local objects: the arguments, the files (pinned, so that
/// renaming a path changes nothing), a complete address space with its stack, the credentials. Then the other
/// threads are ended; from there on only a fatal signal can intervene. Phase two commits and cannot fail.

#include "fs/vfs/path.h"
#include "kernel/task/task.h"

namespace cairn::exec {

/// Where argv and envp come from: user memory, or the kernel (the first process).
class ArgumentSource {
public:
    /// Number of strings. EFAULT, E2BIG beyond what could ever fit.
    virtual Result<u64> count() = 0;
    /// Pushes string `index` with `push`. EFAULT, E2BIG, ENOMEM.
    virtual Result<void> push(class ArgumentBlock& block, u64 index, bool environment) = 0;

protected:
    ~ArgumentSource() = default;
};

struct ExecuteRequest {
    std::string_view path;
    /// execveat: where it begins and how it is walked.
    vfs::WalkOptions walk;
    /// execveat: the descriptor, for the name under which an interpreter opens the file; -100: none.
    i32 directory = -100;
    bool descriptor_closes = false;  // it has close-on-exec
    ArgumentSource& arguments;
    ArgumentSource& environment;
};

/// Replaces the calling thread's program. On success returns the frame with which user mode begins, and nothing of the
/// old program is left. EINTR with task.restart Always: another exec of the group went on meanwhile and a signal
/// wants to be handled first (E07).
Result<arch::TrapFrame> execute(task::Task& self, const ExecuteRequest& request);

/// The first program, from kernel mode: tries `path` with these words. On success does not return.
Result<void> execute_first_program(std::string_view path, std::span<const std::string_view> arguments,
                                   std::span<const std::string_view> environment);

}  // namespace cairn::exec
