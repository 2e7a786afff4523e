#include "kernel/task/pidfd.h"

#include "fs/anonymous/anonymous_files.h"
#include "fs/procfs/procfs.h"

namespace cairn::task {

namespace {

constinit const char kPidFileTag = 0;

class PidFile final : public vfs::File {
public:
    PidFile(Ref<vfs::Inode> inode, u32 flags, Ref<Pid> pid)
        : File(std::move(inode), vfs::open_flags::kReadWrite | flags), pid_(std::move(pid)) {}

    Pid& pid() const { return *pid_; }

    /// Readable once the process has ended, and hung up once it was waited for (pidfd_open(2)).
    vfs::PollEvents poll(vfs::PollRegistrar* registrar) override {
        if (registrar != nullptr) {
            registrar->watch(pid_->ended);
        }
        SpinLockGuard guard(g_kernel.tasks->lock);
        if (pid_->process == nullptr) {
            return vfs::kPollIn | vfs::kPollReadNormal | vfs::kPollHup;
        }
        return pid_->process->zombie ? vfs::kPollIn | vfs::kPollReadNormal : 0;
    }
    const void* kind() const override { return &kPidFileTag; }
    void describe(TextBuffer& text) override {
        i32 number = pid_->number();
        {
            SpinLockGuard guard(g_kernel.tasks->lock);
            number = pid_->process == nullptr ? -1 : number;
        }
        format_to(text, "Pid:\t{}\nNSpid:\t{}\n", number, number);
    }
    void describe_link(TextBuffer& text) override { text.append("anon_inode:[pidfd]"); }

private:
    void destroy() override { destroy_counted(this); }
    const Ref<Pid> pid_;
};

}  // namespace

Result<PreparedPidFd> prepare_pidfd(Task& caller, Pid& pid, u32 flags) {
    u64 limit = 0;
    {
        SpinLockGuard guard(caller.group().lock);
        limit = caller.group().limits[Resource::OpenFiles].soft;
    }
    Ref<vfs::File> file = TRY(vfs::try_new_file<PidFile>(g_kernel.anonymous_files->shared_inode(),
                                                         flags & vfs::open_flags::kNonBlock, Ref<Pid>(pid)));
    vfs::FileDescriptorTable::Reservation slot = TRY(caller.descriptors().reserve(limit, true));
    return PreparedPidFd(std::move(slot), std::move(file));
}

Result<Ref<Pid>> pid_of_file(vfs::File& file) {
    if (file.kind() != &kPidFileTag) {
        return fail(Errno::ebadf);
    }
    return Ref<Pid>(static_cast<PidFile&>(file).pid());
}

Result<Ref<Pid>> pid_of_file_or_directory(vfs::File& file) {
    if (file.kind() == &kPidFileTag) {
        return pid_of_file(file);
    }
    const i32 number = TRY(procfs::process_of_directory(file.inode()));
    Ref<Pid> pid(TRY(g_kernel.tasks->find_process(number))->pid());
    // Held, the number goes to nobody else: if the directory is still its process's, it stays so.
    static_cast<void>(TRY(procfs::process_of_directory(file.inode())));
    return pid;
}

}  // namespace cairn::task
