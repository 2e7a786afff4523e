#include "exec/transaction.h"

#include <algorithm>
#include <array>

#include "exec/format.h"
#include "exec/new_image.h"
#include "exec/program_support.h"
#include "exec/set_id.h"
#include "exec/siblings.h"
#include "kernel/base/log.h"
#include "kernel/signal/process_timers.h"
#include "kernel/signal/send.h"
#include "kernel/task/exec_turn.h"
#include "kernel/task/exit.h"

namespace cairn::exec {

using task::Task;
using task::ThreadGroup;

namespace {

constexpr u32 kNoRandomize = 0x0040000;  // personality(2), ADDR_NO_RANDOMIZE

/// What is to be run after all scripts and interpreters have been followed.
struct Program {
    Ref<vfs::File> file;
    ElfHeader header;
    u64 auxiliary_flags = 0;
};

/// execveat's descriptor as a path: what AT_EXECFN, comm and a script's interpreter get to see.
class ProgramName {
public:
    explicit ProgramName(const ExecuteRequest& request) {
        TextBuffer text(std::span(storage_, sizeof storage_));
        const bool absolute = !request.path.empty() && request.path.front() == '/';
        if (request.directory < 0 || absolute) {
            view_ = request.path;
            return;
        }
        if (request.path.empty()) {
            format_to(text, "/dev/fd/{}", request.directory);
        } else {
            format_to(text, "/dev/fd/{}/{}", request.directory, request.path);
        }
        view_ = text.view();
        vanishes_ = request.descriptor_closes;
    }
    std::string_view view() const { return view_; }
    bool vanishes() const { return vanishes_; }
    /// comm: the last component.
    std::string_view base() const {
        const usize slash = view_.rfind('/');
        return slash == std::string_view::npos ? view_ : view_.substr(slash + 1);
    }

private:
    char storage_[vfs::kPathLimit + 32];
    std::string_view view_;
    bool vanishes_ = false;
};

/// Follows `#!` lines and binfmt_misc until an ELF file is reached (E04).
Result<Program> find_program(vfs::OperationContext& context, Ref<vfs::File> file, std::string_view path, bool vanishes,
                             ArgumentBlock& arguments) {
    const auto name = TRY((try_new<std::array<char, vfs::kPathLimit>>()));
    usize name_size = 0;
    for (u32 depth = 0;; ++depth) {
        FileBytes first = TRY(FileBytes::read(context, *file, 0, kFormatBytes));
        const FileBeginning beginning{.first_bytes = first.bytes(),
                                      .size = file->inode().attributes().size,
                                      .path = path,
                                      .path_vanishes = vanishes && depth == 0,
                                      .misc = find_misc_store()};
        Match match = TRY(recognize(beginning));
        if (!match.interpretation) {
            return Program{std::move(file), match.elf, 0};
        }
        if (depth == kMaxInterpreterDepth) {
            return fail(Errno::eloop);
        }
        Interpretation& by = *match.interpretation;
        TRY(put_interpreter_first(arguments, by, path));
        if (by.interpreter.empty()) {
            return fail(Errno::eacces);  // to Linux the working directory, which is not executable as a file
        }
        // `first` goes at the end of this turn, and with it what `by` refers to: the name is kept for the next one.
        name_size = std::min(by.interpreter.size(), name->size());
        std::copy_n(by.interpreter.data(), name_size, name->data());
        path = {name->data(), name_size};
        Ref<vfs::File> interpreter = TRY(vfs::open_executable(context, path));
        file = std::move(interpreter);
    }
}

Result<ArgumentBlock> collect_arguments(const ExecuteRequest& request, std::string_view name, u64 stack_limit) {
    const u64 argument_count = TRY(request.arguments.count());
    const u64 environment_count = TRY(request.environment.count());
    ArgumentBlock block = TRY(ArgumentBlock::create(stack_limit, argument_count, environment_count));
    TRY(block.push_program_name(name));
    for (u64 i = environment_count; i-- > 0;) {
        TRY(request.environment.push(block, i, true));
    }
    for (u64 i = argument_count; i-- > 0;) {
        TRY(request.arguments.push(block, i, false));
    }
    if (argument_count == 0) {
        TRY(block.push_argument(std::string_view("")));
    }
    return block;
}

AuxiliaryValues identities(const vfs::Credentials& who, bool secure, u64 flags) {
    AuxiliaryValues values;
    values.flags = flags;
    values.user_id = who.uid;
    values.effective_user_id = who.euid;
    values.group_id = who.gid;
    values.effective_group_id = who.egid;
    values.secure = secure;
    values.hardware_capabilities = arch::hwcap();
    values.hardware_capabilities2 = arch::hwcap2();
    values.minimum_signal_stack = arch::minimum_signal_stack();
    return values;
}

/// Everything that phase one has made.
struct Prepared {
    NewImage image;
    NewCredentials credentials;
    /// For the case that they are shared with another process when the siblings are gone.
    std::optional<Ref<signal::SignalHandlers>> handlers;
    std::optional<Ref<vfs::FileDescriptorTable>> descriptors;  // likewise
};

bool has_siblings(Task& self) {
    SpinLockGuard guard(self.group().lock);
    return self.group().thread_count > 1;
}

/// setuid(2) does not fail for RLIMIT_NPROC, since programs do not expect that; the execve behind it does.
Result<void> check_process_limit(Task& self) {
    if (!self.exceeds_process_limit) {
        return {};
    }
    SpinLockGuard guard(self.group().lock);
    if (self.account().threads.load(Order::relaxed) > self.group().limits[task::Resource::Processes].soft) {
        return fail(Errno::eagain);
    }
    self.exceeds_process_limit = false;
    return {};
}

Result<Prepared> prepare(Task& self, const ExecuteRequest& request, const ProgramName& name) {
    vfs::OperationContext context = self.context();
    u64 stack_limit = 0;
    {
        SpinLockGuard guard(self.group().lock);
        stack_limit = self.group().limits[task::Resource::Stack].soft;
    }
    Ref<vfs::File> file = TRY(vfs::open_executable(context, request.path, request.walk));
    ArgumentBlock arguments = TRY(collect_arguments(request, name.view(), stack_limit));
    Program program = TRY(find_program(context, std::move(file), name.view(), name.vanishes(), arguments));
    NewCredentials credentials = TRY(compute_credentials(self, *program.file));
    ImageRequest image_request{
        .program = *program.file,
        .header = program.header,
        .randomize = (self.group().personality.load(Order::relaxed) & credentials.personality & kNoRandomize) == 0,
        .stack_limit = credentials.secure ? std::min(stack_limit, kSecureStackLimit) : stack_limit,
        .values = identities(*credentials.credentials, credentials.secure, program.auxiliary_flags)};
    NewImage image = TRY(build_image(context, image_request, std::move(arguments)));
    Prepared prepared{std::move(image), std::move(credentials), {}, {}};
    // A sibling may yet make a process that shares them.
    if (self.group().handlers->reference_count() > 1 || has_siblings(self)) {
        prepared.handlers = TRY(self.group().handlers->copy());
    }
    if (self.descriptors().users.load(Order::relaxed) > 1) {
        prepared.descriptors = TRY(self.descriptors().copy());
    }
    return prepared;
}

/// E11: a table that another process shares is left to it; then what is marked goes.
void commit_descriptors(Task& self, Prepared& prepared) {
    vfs::FileDescriptorTable& table = self.descriptors();
    if (table.users.load(Order::acquire) > 1 && prepared.descriptors) {
        // A copy of this moment, since a sibling may have changed something since phase one; that one's is for when
        // there is no memory.
        Result<Ref<vfs::FileDescriptorTable>> fresh = table.copy();
        if (fresh.ok()) {
            std::swap(*prepared.descriptors, fresh.value());
            vfs::OperationContext context = self.context();
            context.lock_owner = &*fresh.value();
            fresh.value()->close_all(context);
        } else {
            (*prepared.descriptors)->follow(table);
        }
        std::optional<Ref<vfs::FileDescriptorTable>> old =
            self.exchange_descriptors(std::exchange(prepared.descriptors, std::nullopt));
        vfs::OperationContext context = self.context();
        context.lock_owner = &**old;
        if ((*old)->users.fetch_sub(1, Order::acq_rel) == 1) {
            (*old)->close_all(context);
        }
    }
    vfs::OperationContext context = self.context();
    self.descriptors().close_marked(context);
}

void commit_signals(Task& self, Prepared& prepared) {
    ThreadGroup& group = self.group();
    std::optional<Ref<signal::SignalHandlers>> old;
    if (prepared.handlers && group.handlers->reference_count() > 1) {
        SpinLockGuard guard(group.lock);
        (*prepared.handlers)->assign(*group.handlers);  // as they are now: a sibling may have changed them since
        old = std::exchange(group.handlers, std::move(*prepared.handlers));
        prepared.handlers.reset();
    }
    group.handlers->reset_handlers();
    self.alternate_stack = {0, 2, 0, 0};
    signal::delete_posix_timers(group);
    group.membarrier_registered.store(0, Order::relaxed);
}

/// Memory and rights: there is no moment at which a stranger could look into the new program with what was enough for
/// the old one (trap M). Returns the old memory.
std::optional<Ref<mm::AddressSpace>> commit_identity(Task& self, Prepared& prepared) {
    ThreadGroup& group = self.group();
    NewCredentials& fresh = prepared.credentials;
    if (fresh.forgets_parent) {
        self.parent_death_signal = 0;
    }
    group.personality.fetch_and(fresh.personality, Order::relaxed);
    if (fresh.secure) {
        SpinLockGuard guard(group.lock);
        u64& stack = group.limits[task::Resource::Stack].soft;
        stack = std::min(stack, kSecureStackLimit);
    }
    std::optional<Ref<mm::AddressSpace>> space = prepared.image.space;
    self.become(space, fresh.credentials, fresh.dumpable ? 1 : 0);
    return space;
}

/// Phase two: cannot fail. The old address space is returned to be dropped last.
std::optional<Ref<mm::AddressSpace>> commit(Task& self, Prepared& prepared, std::string_view base_name) {
    ThreadGroup& group = self.group();
    task::leave_memory(self);
    take_leaders_place(self);
    std::optional<Ref<mm::AddressSpace>> old = commit_identity(self, prepared);
    arch::context_reset_user_state(self.thread().context());
    commit_signals(self, prepared);
    self.set_name(base_name);
    commit_descriptors(self, prepared);
    {
        const std::span<const std::byte> vector = std::as_bytes(prepared.image.auxiliary_vector.entries());
        SpinLockGuard guard(group.lock);
        group.auxiliary_size = std::min(vector.size(), ThreadGroup::kAuxiliaryBytes);
        std::copy_n(vector.data(), group.auxiliary_size, group.auxiliary_vector);
    }
    {
        SpinLockGuard tree(g_kernel.tasks->lock);
        group.has_execed = true;
        group.exit_signal = signal::kSigChld;
    }
    return old;
}

/// E07: one execve at a time in a thread group.
class ExecTurn {
public:
    explicit ExecTurn(Task& self) : self_(self) {}
    ~ExecTurn() {
        if (taken_) {
            task::end_exec_turn(self_.group());
        }
    }
    ExecTurn(const ExecTurn&) = delete;
    ExecTurn& operator=(const ExecTurn&) = delete;

    Result<void> take() {
        TRY(task::begin_exec_turn(self_, self_.group()));
        taken_ = true;
        return {};
    }

private:
    Task& self_;
    bool taken_ = false;
};

}  // namespace

Result<arch::TrapFrame> execute(Task& self, const ExecuteRequest& request) {
    ExecTurn turn(self);
    TRY(check_process_limit(self));
    TRY(turn.take());
    const auto name = TRY(try_new<ProgramName>(request));  // too large for the stack
    Prepared prepared = TRY(prepare(self, request, *name));
    TRY(end_siblings(self));
    // The point of no return.
    arch::TrapFrame frame = arch::initial_user_frame(prepared.image.entry, prepared.image.stack_pointer);
    {
        const std::optional<Ref<mm::AddressSpace>> old = commit(self, prepared, name->base());
    }
    task::release_vfork_parent(self);  // E17: last of all
    return frame;
}

namespace {

/// Words that lie in kernel memory.
class KernelWords final : public ArgumentSource {
public:
    explicit KernelWords(std::span<const std::string_view> words) : words_(words) {}
    Result<u64> count() override { return words_.size(); }
    Result<void> push(ArgumentBlock& block, u64 index, bool environment) override {
        return environment ? block.push_environment(words_[index]) : block.push_argument(words_[index]);
    }

private:
    std::span<const std::string_view> words_;
};

}  // namespace

Result<void> execute_first_program(std::string_view path, std::span<const std::string_view> arguments,
                                   std::span<const std::string_view> environment) {
    KernelWords argument_words(arguments);
    KernelWords environment_words(environment);
    arch::TrapFrame frame =
        TRY(execute(task::current_task(),
                    {.path = path, .walk = {}, .arguments = argument_words, .environment = environment_words}));
    log_info("init", "running {}", path);
    arch::enter_user_mode(frame);
}

}  // namespace cairn::exec
