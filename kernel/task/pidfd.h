#pragma once
/// pidfds: descriptors that mean a process (pidfd_open(2)).

#include "kernel/task/task.h"

namespace cairn::task {

/// A pidfd whose number is known and which does not exist yet.
class PreparedPidFd {
public:
    PreparedPidFd(vfs::FileDescriptorTable::Reservation slot, Ref<vfs::File> file)
        : slot_(std::move(slot)), file_(std::move(file)) {}
    vfs::Fd fd() const { return slot_.fd(); }
    void install() && { static_cast<void>(std::move(slot_).install(std::move(file_))); }

private:
    vfs::FileDescriptorTable::Reservation slot_;
    Ref<vfs::File> file_;
};

/// `flags`: O_NONBLOCK. Close-on-exec is always set. EMFILE, ENOMEM.
Result<PreparedPidFd> prepare_pidfd(Task& caller, Pid& pid, u32 flags);
/// The pid that a pidfd means; EBADF for other files.
Result<Ref<Pid>> pid_of_file(vfs::File& file);
/// As pid_of_file, or for an open directory /proc/PID the process's; ESRCH when that is gone (pidfd_send_signal(2)).
Result<Ref<Pid>> pid_of_file_or_directory(vfs::File& file);

}  // namespace cairn::task
