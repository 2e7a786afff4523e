#include "tests/support/small_kernel.h"

#include "arch/host/fiber.h"
#include "tests/support/explorer.h"

namespace cairn::sim::small {

TestKernel* kernel = nullptr;

void check(bool condition, const char* what) {
    if (!condition) {
        arch::host::fail_run(what);
    }
}

namespace {

u64& entry(PhysicalAddress table, VirtualAddress address, u32 level) {
    u64 index = (address.value >> (12 + 9 * level)) & 511;
    return static_cast<u64*>(arch::direct_map(table))[index];
}

bool on_page_fault(const arch::TrapDetails& details) {
    if (arch::is_page_fault(details)) {
        u64 page = (details.fault_address.value - kUser.value) / kPageSize;
        bool known = details.fault_address >= kUser && (page < kMappable || (page == 256 && kernel->allow_forbidden));
        if (known) {
            entry(kTables[2], details.fault_address, 0) = (kPages + page * kPageSize) | kAll;
            return true;
        }
    }
    if (details.from_user) {
        kernel->pending |= 1u << 11;
    }
    return false;
}

void switch_to(Thread& next) {
    Thread& self = *kernel->current;
    arch::InterruptState state = arch::disable_interrupts();
    kernel->current = &next;
    arch::context_switch(self.context, next.context);
    kernel->current = &self;
    arch::restore_interrupts(state);
}

/// What a thread begins with: the user frame that stands in its context.
void start_in_user_mode(void* argument) {
    auto& thread = *static_cast<Thread*>(argument);
    TrapFrame frame = thread.context.frame;
    arch::enter_user_mode(frame);
}

void prepare_thread(Thread& thread, const TrapFrame& frame) {
    arch::context_initialize(thread.context, thread.stack + sizeof thread.stack, sizeof thread.stack,
                             start_in_user_mode, &thread);
    thread.context.vector_pattern = &thread.vector_pattern;
    thread.context.frame = frame;
}

void fork(TrapFrame& frame) {
    TrapFrame child = frame;
    arch::set_syscall_result(child, 0);
    prepare_thread(kernel->threads[1], child);
    check(arch::context_copy_user_state(kernel->threads[1].context, kernel->threads[0].context).ok(), "copy");
    arch::set_syscall_result(frame, 77);
}

void sigreturn(TrapFrame& frame) {
    Result<arch::SignalReturn> result = arch::pop_signal_frame(frame);
    if (result.ok()) {
        kernel->mask = result.value().mask;
    } else {
        ++kernel->bad_frames;
        arch::host::finish_run();
    }
}

void on_syscall(TrapFrame& frame) {
    check(arch::interrupts_enabled() && arch::in_syscall(frame), "state of a system call");
    check(&frame == &arch::user_frame(kernel->current->context), "place of the frame");
    u64 first = arch::syscall_argument(frame, 0);
    switch (arch::syscall_number(frame)) {
        case kAdd:
            arch::set_syscall_result(frame, first + arch::syscall_argument(frame, 5));
            return;
        case kRestartTwice:
            if (kernel->restarts++ < 2) {
                arch::restart_syscall(frame, kRestartTwice);
            } else {
                arch::set_syscall_result(frame, first);
            }
            return;
        case kRaise:
            kernel->pending |= 1u << first;
            arch::set_syscall_result(frame, 0);
            return;
        case kRaiseTwo:
            kernel->pending |= 1u << first | 1u << arch::syscall_argument(frame, 1);
            arch::set_syscall_result(frame, 0);
            return;
        case kFork:
            return fork(frame);
        case kWait:
            switch_to(kernel->threads[1]);
            return;
        case kExec:
            arch::context_reset_user_state(kernel->current->context);
            arch::enter_user_mode(arch::initial_user_frame({first}, kStackTop));
        case kExit:
            switch_to(kernel->threads[0]);
            check(false, "an ended thread runs");
            return;
        case kFinish:
            arch::host::finish_run();
        case kSetHandler:
            kernel->handler = first;
            return;
        case kAltStack:
            kernel->alternate = {.base = first, .size = arch::syscall_argument(frame, 1)};
            return;
        case kSigreturn:
            return sigreturn(frame);
        default:
            check(false, "unknown call");
    }
}

void deliver(TrapFrame& frame, int signal) {
    std::byte siginfo[arch::kSignalInfoBytes] = {};
    std::memcpy(siginfo, &signal, sizeof signal);
    arch::SignalFrameRequest request{.signal = signal,
                                     .siginfo = siginfo,
                                     .handler = kernel->handler,
                                     .restorer = 0x1234,
                                     .mask = kernel->mask,
                                     .alternate_stack = kernel->alternate,
                                     .enter_alternate_stack = kernel->alternate.size != 0,
                                     .confine_to_alternate = kernel->alternate.size != 0,
                                     .trap_number = 14,
                                     .trap_error_code = 6,
                                     .fault_address = kForbidden.value};
    if (arch::push_signal_frame(frame, request).ok()) {
        kernel->mask |= u64{1} << signal;
    } else {
        ++kernel->bad_frames;
        arch::host::finish_run();
    }
}

void on_user_return(TrapFrame& frame) {
    check(!arch::interrupts_enabled(), "interrupts on the way to user mode");
    check(arch::is_user_frame(frame), "a kernel's frame");
    while (kernel->pending != 0) {
        int signal = __builtin_ctz(kernel->pending);
        kernel->pending &= kernel->pending - 1;
        arch::enable_interrupts();
        deliver(frame, signal);
        arch::disable_interrupts();
    }
}

void (*first_function)(UserMachine&) = nullptr;

void boot() {
    arch::initialize_cpu(kernel->cpu);
    arch::host::note_memory_used({{0x10'0000}, {0x30'0000}});
    entry(kRoot, kUser, 3) = kTables[0].value | kAll;
    entry(kTables[0], kUser, 2) = kTables[1].value | kAll;
    entry(kTables[1], kUser, 1) = kTables[2].value | kAll;
    arch::load_address_space(kRoot, 1, arch::TagContents::Flush);
    arch::host::begin_exploring();
    Thread& thread = kernel->threads[0];
    VirtualAddress start = register_user_function(first_function, "first");
    prepare_thread(thread, arch::initial_user_frame(start, kStackTop));
    kernel->current = &thread;
    arch::context_switch(kernel->boot, thread.context);
}

}  // namespace

RunResult run_once(void (*function)(UserMachine&), u64 seed, void (*prepare)()) {
    static TestKernel storage;
    std::destroy_at(&storage);
    kernel = std::construct_at(&storage);
    first_function = function;
    if (prepare != nullptr) {
        prepare();
    }
    RunResult result = sim::on_bare_machine(boot)({.seed = seed,
                                                   .on_interrupt =
                                                       [](arch::InterruptKind, u32) {
                                                           if (kernel->signal_on_interrupt) {
                                                               kernel->pending |= 1u << 10;
                                                           }
                                                       },
                                                   .on_page_fault = on_page_fault,
                                                   .on_syscall = on_syscall,
                                                   .on_user_return = on_user_return});
    for (Thread& thread : kernel->threads) {
        arch::host::forget_stack_contents(thread.stack, sizeof thread.stack);
    }
    return result;
}

void expect_finished(void (*function)(UserMachine&), void (*prepare)()) {
    for (u64 seed = 1; seed <= 100; ++seed) {
        RunResult result = run_once(function, seed, prepare);
        ASSERT_EQ(result.ending, arch::host::Ending::Finished) << "seed " << seed << ": " << result.failure;
    }
}

}  // namespace cairn::sim::small
