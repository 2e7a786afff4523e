/// /dev/kmsg; see kernel_log_device.h.

#include "fs/devtmpfs/kernel_log_device.h"

#include <algorithm>

#include "kernel/base/log.h"

namespace cairn::fs::devtmpfs {

namespace {

using vfs::OperationContext;

class KernelLogFile final : public vfs::File {
public:
    KernelLogFile(Ref<vfs::Inode> inode, u32 flags, const vfs::Path* path) : File(std::move(inode), flags, path) {
        guard_more_by_position();
    }
    bool seekable() const override { return true; }

    /// EPIPE when records were overwritten before they were read, EAGAIN when there is none and the file is
    /// non-blocking. A blocking read of an empty log waits for nobody knows what: it gets end of file.
    Result<usize> read(OperationContext&, mm::IoSink& sink, u64&) override {
        LogRecord record;
        u64 lost_before = reader_.lost();
        bool found = reader_.read(record);
        if (reader_.lost() != lost_before) {
            reader_ = LogReader(found ? record.sequence : reader_.position());
            return fail(Errno::epipe);
        }
        if (!found) {
            return non_blocking() ? Result<usize>(fail(Errno::eagain)) : usize{0};
        }
        char storage[kLogSubsystemLimit + kLogTextLimit + 64];
        TextBuffer text{std::span(storage)};
        format_to(text, "{},{},{},-;{}: {}\n", static_cast<u32>(record.level), record.sequence,
                  record.time.value / 1000, record.subsystem(), record.text());
        if (text.size() > sink.remaining()) {
            reader_ = LogReader(record.sequence);
            return fail(Errno::einval);
        }
        return sink.put(text.view());
    }

    /// "<level>text": a record, whose subsystem is "user".
    Result<usize> write(OperationContext&, mm::IoSource& source, u64&) override {
        char storage[kLogTextLimit];
        usize whole = source.remaining();
        usize taken = TRY(source.take(storage, std::min(whole, sizeof(storage))));
        source.skip(source.remaining());
        std::string_view text(storage, taken);
        LogLevel level = LogLevel::Warning;
        if (text.size() >= 3 && text[0] == '<' && text[1] >= '0' && text[1] <= '9') {
            usize end = std::min(text.find('>'), text.size());
            u32 priority = 0;
            for (char c : text.substr(1, end == 0 ? 0 : end - 1)) {
                priority = priority * 10 + static_cast<u32>(c - '0');
            }
            level = static_cast<LogLevel>(priority & 7);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        while (!text.empty() && text.back() == '\n') {
            text.remove_suffix(1);
        }
        log_write(level, "user", text);
        return whole;
    }

    /// SEEK_SET 0: the oldest record; SEEK_END 0: behind the newest.
    Result<u64> seek(OperationContext&, i64 offset, u32 whence) override {
        constexpr u32 kSet = 0;
        constexpr u32 kEnd = 2;
        if (offset != 0) {
            return fail(Errno::espipe);
        }
        if (whence == kSet) {
            reader_ = LogReader();
        } else if (whence == kEnd) {
            LogRecord record;
            while (reader_.read(record)) {
            }
        } else {
            return fail(Errno::einval);
        }
        return u64{0};
    }

private:
    void destroy() override { destroy_counted(this); }
    LogReader reader_;  // under position_mutex
};

}  // namespace

Result<Ref<vfs::File>> open_kernel_log(OperationContext&, vfs::Inode& inode, const vfs::OpenRequest& request) {
    return vfs::try_new_file<KernelLogFile>(Ref<vfs::Inode>(inode), request.flags, request.path);
}

}  // namespace cairn::fs::devtmpfs
