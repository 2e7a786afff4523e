/// /proc/kmsg: the kernel's log as syslog(2) gives it out: "<level>[seconds] text" (proc_kmsg(5)). Each opener has a
/// reader of its own; what one has read the others still get.

#include "fs/procfs/system_files.h"
#include "kernel/base/log.h"

namespace cairn::procfs {

namespace {

class KernelLogFile final : public vfs::File {
public:
    using File::File;

    /// As many whole records as fit. Nothing new: EAGAIN for who does not want to wait; and nobody is told of a new
    /// record, so that others get the end of the file.
    Result<usize> read(vfs::OperationContext&, mm::IoSink& sink, u64&) override {
        sync::MutexGuard guard(position_mutex);
        const usize before = sink.moved();
        LogRecord record;
        while (reader_.read(record)) {
            char storage[kLogSubsystemLimit + kLogTextLimit + 64];
            TextBuffer text{std::span(storage)};
            const u64 microseconds = record.time.value / 1000;
            format_to(text, "<{}>[{:5}.{:06}] {}: {}\n", static_cast<u32>(record.level), microseconds / 1'000'000,
                      microseconds % 1'000'000, record.subsystem(), record.text());
            if (text.size() > sink.remaining()) {
                reader_ = LogReader(record.sequence);
                break;
            }
            TRY(sink.put(text.view()));
        }
        const usize moved = sink.moved() - before;
        return moved == 0 && non_blocking() ? Result<usize>(fail(Errno::eagain)) : Result<usize>(moved);
    }

private:
    void destroy() override { destroy_counted(this); }
    LogReader reader_ GUARDED_BY(position_mutex);
};

}  // namespace

Result<Ref<vfs::File>> open_kernel_log(vfs::OperationContext& context, vfs::Inode& inode,
                                       const vfs::OpenRequest& request, const Subject&) {
    if (!context.credentials.has(vfs::Capability::Syslog) && !context.credentials.has(vfs::Capability::SysAdmin)) {
        return fail(Errno::eperm);
    }
    return vfs::try_new_file<KernelLogFile>(Ref<vfs::Inode>(inode), request.flags, request.path);
}

}  // namespace cairn::procfs
