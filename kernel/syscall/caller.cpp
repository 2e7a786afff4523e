#include "kernel/syscall/caller.h"

#include "kernel/signal/deliver.h"
#include "kernel/signal/send.h"
#include "kernel/syscall/signal_mask.h"
#include "kernel/task/task.h"

namespace cairn::syscall {

vfs::FileDescriptorTable& Caller::descriptors() {
    return task.descriptors();
}

Result<Ref<vfs::File>> Caller::file(Fd fd) {
    return task.descriptors().find(fd);
}

Result<Ref<vfs::File>> Caller::file_or_path(Fd fd) {
    return task.descriptors().find(fd, true);
}

vfs::OperationContext Caller::context() {
    return task.context();
}

const vfs::Credentials& Caller::credentials() {
    return task.credentials();
}

u64 Caller::descriptor_limit() {
    return task.group().limits[task::Resource::OpenFiles].soft;  // one word, which prlimit(2) may change at any time
}

Result<Fd> Caller::install(Ref<vfs::File> file, bool close_on_exec) {
    return task.descriptors().add(std::move(file), descriptor_limit(), close_on_exec);
}

Failure Caller::interrupted(const Continuation& continuation) {
    task.set_restart(task::RestartKind::Continuation);
    task.continuation.resume = continuation.resume;
    for (usize i = 0; i < std::size(continuation.data); ++i) {
        task.continuation.data[i] = continuation.data[i];
    }
    return fail(Errno::eintr);
}

void Caller::forbid_restart() {
    task.set_restart(task::RestartKind::Never);
}

void Caller::signal_self(i32 signal) {
    static_cast<void>(signal::send_to_thread(
        task, signal::SignalInfo::from_process(signal, signal::kCodeUser, task.process_number(), credentials().uid)));
}

Result<void> set_temporary_mask(Caller&, UserIn<u64> mask, usize size) {
    if (mask.is_null()) {
        return {};
    }
    if (size != sizeof(u64)) {
        return fail(Errno::einval);
    }
    const u64 bits = TRY(mask.fetch());
    signal::set_temporary_mask(signal::SignalSet{bits});
    return {};
}

}  // namespace cairn::syscall
