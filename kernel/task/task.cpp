#include "kernel/task/task.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/own.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/ptrace/tracing.h"
#include "kernel/signal/process_timers.h"
#include "kernel/time/clock.h"

namespace cairn::task {

ThreadGroup::ThreadGroup(Ref<Pid> pid, Ref<signal::SignalHandlers> handlers_, Ref<event::SignalQueue> queue,
                         const ResourceLimits& limits_)
    : ProcessIdentity(pid->number()),
      handlers(std::move(handlers_)),
      signal_queue(std::move(queue)),
      limits(limits_),
      start_time(time::now()),
      pid_(std::move(pid)) {}

ThreadGroup::~ThreadGroup() {
    ASSERT(threads.empty() && children.empty() && tracees.empty());
    signal::QueuedSignalList freed;
    pending.discard(signal::SignalSet::all(), freed);
}

Task::Task(Ref<Pid> pid, Ref<ThreadGroup> group, Ref<vfs::Credentials> credentials,
           Ref<vfs::FileDescriptorTable> descriptors, Ref<vfs::FilesystemContext> filesystem, Ref<UserAccount> account)
    : start_time(time::now()),
      pid_(std::move(pid)),
      group_(std::move(group)),
      credentials_(std::move(credentials)),
      descriptors_(std::move(descriptors)),
      filesystem_(std::move(filesystem)),
      account_(std::move(account)) {
    account_->threads.fetch_add(1, Order::relaxed);
    syscall_work.store(g_kernel.tasks->initial_syscall_work, Order::relaxed);
    g_kernel.tasks->thread_count.fetch_add(1, Order::relaxed);
}

Task::~Task() {
    ASSERT(!is_traced());
    leave_account();
    g_kernel.tasks->thread_count.fetch_sub(1, Order::relaxed);
}

void Task::leave_account() {
    if (counted_.exchange(false, Order::relaxed)) {
        account_->threads.fetch_sub(1, Order::relaxed);
    }
    signal::QueuedSignalList freed;
    SpinLockGuard guard(group_->lock);
    pending.discard(signal::SignalSet::all(), freed);
    if (group_->reaped) {
        group_->pending.discard(signal::SignalSet::all(), freed);
    }
}

const void* Task::identity_of(Part part) {
    SpinLockGuard guard(group_->lock);
    switch (part) {
        case Part::Memory:
            return address_space_ ? &**address_space_ : nullptr;
        case Part::Files:
            return descriptors_ ? &**descriptors_ : nullptr;
        case Part::Directories:
            return filesystem_ ? &**filesystem_ : nullptr;
        case Part::Handlers:
            return &*group_->handlers;
        case Part::Undo:
            return undo_list ? &**undo_list : nullptr;
    }
    __builtin_unreachable();
}

bool Task::shares_directories_outside_locked() {
    u32 own = 0;
    for_each_thread(*group_,
                    [&](Task& task) { own += task.filesystem_ && &**task.filesystem_ == &**filesystem_ ? 1 : 0; });
    return (*filesystem_)->users.load(Order::relaxed) > own;
}

Task::Outside Task::seen_from_outside() {
    SpinLockGuard guard(group_->lock);
    return {credentials_, address_space_, group_->dumpable.load(Order::relaxed) == 1};
}

Ref<vfs::Credentials> Task::credentials_of_other() {
    SpinLockGuard guard(group_->lock);
    return credentials_;
}

std::optional<Ref<vfs::FileDescriptorTable>> Task::descriptors_of_other() {
    SpinLockGuard guard(group_->lock);
    return descriptors_;
}

std::optional<Ref<vfs::FilesystemContext>> Task::filesystem_of_other() {
    SpinLockGuard guard(group_->lock);
    return filesystem_;
}

std::optional<Ref<UtsNamespace>> Task::names_of_other() {
    SpinLockGuard guard(group_->lock);
    return names_;
}

std::optional<Ref<mm::AddressSpace>> Task::address_space_of_other() {
    SpinLockGuard guard(group_->lock);
    return address_space_;
}

std::optional<mm::SpaceStatistics> Task::memory_of_other_locked() {
    return address_space_ ? std::optional((*address_space_)->statistics()) : std::nullopt;
}

mm::AddressSpace* Task::space_of_other_locked() {
    return address_space_ ? &**address_space_ : nullptr;
}

Ref<vfs::Credentials> Task::exchange_credentials(Ref<vfs::Credentials> fresh) {
    SpinLockGuard guard(group_->lock);
    return std::exchange(credentials_, std::move(fresh));
}

std::optional<Ref<vfs::FileDescriptorTable>> Task::exchange_descriptors(
    std::optional<Ref<vfs::FileDescriptorTable>> fresh) {
    SpinLockGuard guard(group_->lock);
    std::swap(descriptors_, fresh);
    return fresh;
}

std::optional<Ref<vfs::FilesystemContext>> Task::exchange_filesystem(std::optional<Ref<vfs::FilesystemContext>> fresh) {
    SpinLockGuard guard(group_->lock);
    std::swap(filesystem_, fresh);
    if (fresh) {
        (*fresh)->users.fetch_sub(1, Order::acq_rel);
    }
    return fresh;
}

std::optional<Ref<UtsNamespace>> Task::exchange_names(std::optional<Ref<UtsNamespace>> fresh) {
    SpinLockGuard guard(group_->lock);
    std::swap(names_, fresh);
    return fresh;
}

std::optional<Ref<mm::AddressSpace>> Task::exchange_address_space(std::optional<Ref<mm::AddressSpace>> fresh) {
    SpinLockGuard guard(group_->lock);
    swap_address_space_locked(fresh);
    return fresh;
}

void Task::become(std::optional<Ref<mm::AddressSpace>>& space, Ref<vfs::Credentials>& credentials, u32 dumpable) {
    SpinLockGuard guard(group_->lock);
    swap_address_space_locked(space);
    std::swap(credentials_, credentials);
    group_->dumpable.store(dumpable, Order::relaxed);
}

/// With interrupts off the scheduler sees the thread's pointer and the loaded space change together.
void Task::swap_address_space_locked(std::optional<Ref<mm::AddressSpace>>& fresh) {
    mm::AddressSpace* space = fresh ? &**fresh : nullptr;
    std::swap(address_space_, fresh);
    sched::Thread& self = thread();
    mm::AddressSpace* before = self.address_space();
    self.set_address_space(space);
    if (space != before) {
        mm::switch_address_space(before, space);
    }
}

void Task::set_address_space(Ref<mm::AddressSpace> space) {
    thread().set_address_space(&*space);
    address_space_ = std::move(space);
}

Ref<UserAccount> Task::exchange_account(Ref<UserAccount> fresh) {
    fresh->threads.fetch_add(1, Order::relaxed);
    account_->threads.fetch_sub(1, Order::relaxed);
    SpinLockGuard guard(group_->lock);
    return std::exchange(account_, std::move(fresh));
}

vfs::OperationContext Task::context() {
    vfs::OperationContext context{*credentials_, **filesystem_};
    context.lock_owner = &**descriptors_;
    context.file_size_limit = group_->limits[Resource::FileSize].soft;
    context.identity = &*group_;
    return context;
}

namespace {

struct RestartCode {
    RestartKind kind;
    i64 number;
};
constexpr RestartCode kRestartCodes[] = {{RestartKind::HandlerDecides, 512},
                                         {RestartKind::Always, 513},
                                         {RestartKind::WithoutHandler, 514},
                                         {RestartKind::Continuation, 516}};

}  // namespace

u64 restart_code(RestartKind kind) {
    for (const RestartCode& code : kRestartCodes) {
        if (code.kind == kind) {
            return static_cast<u64>(-code.number);
        }
    }
    return static_cast<u64>(-static_cast<i64>(static_cast<i32>(Errno::eintr)));
}

RestartKind restart_kind_of(u64 result) {
    for (const RestartCode& code : kRestartCodes) {
        if (result == static_cast<u64>(-code.number)) {
            return code.kind;
        }
    }
    return RestartKind::None;
}

std::string_view Task::Name::view() const {
    return {text, static_cast<usize>(std::find(text, text + kNameSize, '\0') - text)};
}

Task::Name Task::name() const {
    u64 words[kNameSize / 8];
    for (usize i = 0; i < kNameSize / 8; ++i) {
        words[i] = name_[i].load(Order::relaxed);
    }
    Name name;
    std::memcpy(name.text, words, sizeof words);
    return name;
}

void Task::set_name(std::string_view name) {
    // Two words, each written at once: a reader may see a mixture of two names, but never unterminated memory.
    u64 words[kNameSize / 8] = {};
    std::memcpy(words, name.data(), name.size() < kNameSize - 1 ? name.size() : kNameSize - 1);
    for (usize i = 0; i < kNameSize / 8; ++i) {
        name_[i].store(words[i], Order::relaxed);
    }
}

CpuTimes Task::cpu_times() const {
    const sched::Thread::RunTimes times = thread().run_times();
    return {.user = times.user, .system = times.system};
}

ProcessTimes Task::times() const {
    const sched::ThreadStatistics figures = thread().statistics();
    ProcessTimes times{cpu_times()};
    times.reads = reads.load(Order::relaxed);
    times.writes = writes.load(Order::relaxed);
    times.bytes_read = bytes_read.load(Order::relaxed);
    times.bytes_written = bytes_written.load(Order::relaxed);
    times.minor_faults = minor_faults.load(Order::relaxed);
    times.major_faults = major_faults.load(Order::relaxed);
    times.voluntary_switches = figures.voluntary_switches;
    times.involuntary_switches = figures.involuntary_switches;
    return times;
}

}  // namespace cairn::task
