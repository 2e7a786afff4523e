/// User mode of the machine itself, below any kernel: a few lines play one. Signal frames, user registers and
/// atomic accesses are the code that a PC runs as well.

#include <gtest/gtest.h>

#include <cstring>

#include "arch/host/fiber.h"
#include "arch/host/user_program.h"
#include "arch/long_mode/signal_frame_layout.h"
#include "arch/upcalls.h"
#include "tests/support/elf_image.h"
#include "tests/support/explorer.h"

namespace cairn {
namespace {

using arch::ThreadContext;
using arch::TrapFrame;
using arch::host::register_user_function;
using arch::host::RunResult;
using arch::host::UserMachine;
using Format = arch::LongModeFormat;

// --- A kernel of a few lines ----------------------------------------------------------------------

constexpr PhysicalAddress kRoot{0x10'0000};
constexpr PhysicalAddress kTables[3] = {{0x10'1000}, {0x10'2000}, {0x10'3000}};  // of levels 2, 1, 0
constexpr u64 kPages = 0x11'0000;                                                // one behind the other
constexpr VirtualAddress kUser{0x0000'1234'5660'0000};                           // a table's worth of pages
constexpr u64 kMappable = 64;                                                    // come on demand
constexpr VirtualAddress kStackTop = kUser + kMappable * kPageSize;
constexpr VirtualAddress kData = kUser;
constexpr VirtualAddress kForbidden = kUser + 256 * kPageSize;
constexpr u64 kAll = Format::kPresent | Format::kWritable | Format::kUser;

enum Call : u64 {
    kAdd = 1000,
    kRestartTwice,
    kRaise,
    kRaiseTwo,
    kFork,
    kWait,
    kExec,
    kExit,
    kFinish,
    kSetHandler,
    kAltStack,
    kSigreturn = 15
};

struct Thread {
    ThreadContext context;
    u64 vector_pattern = 0;
    alignas(16) u8 stack[64 * kKiB];
};

struct TestKernel {
    PerCpu cpu;
    ThreadContext boot;
    Thread threads[2];
    Thread* current = nullptr;
    u64 handler = 0;
    u32 pending = 0;  // signals to deliver, by number
    u64 mask = 0;
    arch::SignalStack alternate;
    bool allow_forbidden = false;
    u32 restarts = 0;
    u32 bad_frames = 0;
    bool signal_on_interrupt = false;
    VirtualAddress child_entry;
};
TestKernel* kernel = nullptr;

void check(bool condition, const char* what) {
    if (!condition) {
        arch::host::fail_run(what);
    }
}

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
    std::byte siginfo[128] = {};
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

RunResult run_once(void (*function)(UserMachine&), u64 seed, void (*prepare)() = nullptr) {
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

void expect_finished(void (*function)(UserMachine&), void (*prepare)() = nullptr) {
    for (u64 seed = 1; seed <= 100; ++seed) {
        RunResult result = run_once(function, seed, prepare);
        ASSERT_EQ(result.ending, arch::host::Ending::Finished) << "seed " << seed << ": " << result.failure;
    }
}

// --- Entry and system calls -----------------------------------------------------------------------

TEST(UserMode, BeginsWithClearRegistersAndMakesCalls) {
    expect_finished([](UserMachine& u) {
        const TrapFrame& frame = u.registers();
        u64 all = frame.rax | frame.rbx | frame.rcx | frame.rdx | frame.rsi | frame.rdi | frame.rbp | frame.r8 |
                  frame.r9 | frame.r10 | frame.r11 | frame.r12 | frame.r13 | frame.r14 | frame.r15;
        check(all == 0 && !arch::in_syscall(frame), "registers");
        check(u.stack_pointer() == kStackTop, "stack");
        check(u.syscall(kAdd, 3, 0, 0, 0, 0, -5) == -2, "arguments and result");
        u.store<u64>(kData, 0xabc);
        check(u.load<u64>(kData) == 0xabc, "memory");
        u.syscall(kFinish);
    });
}

TEST(UserMode, ACallIsMadeAgain) {
    expect_finished([](UserMachine& u) {
        check(u.syscall(kRestartTwice, 42) == 42, "result");
        check(kernel->restarts == 3, "calls");
        u.syscall(kFinish);
    });
}

void child_of_fork(UserMachine& u) {
    check(arch::syscall_result(u.registers()) == 0, "result in the child");
    check(u.load<u64>(kData) == 1, "memory of the child");
    check(arch::vector_registers_hold(5), "vector registers of the child");
    arch::fill_vector_registers(6);
    u.store<u64>(kData, 2);
    u.syscall(kExit);
}

TEST(UserMode, AForkedChildGoesOnElsewhere) {
    expect_finished([](UserMachine& u) {
        u.store<u64>(kData, 1);
        arch::fill_vector_registers(5);
        VirtualAddress child = register_user_function(child_of_fork, "child");
        check(u.fork_into(child, kFork) == 77, "result in the parent");
        u.syscall(kWait);
        check(u.load<u64>(kData) == 2, "the child did not run");
        check(arch::vector_registers_hold(5), "vector registers of the parent");
        u.syscall(kFinish);
    });
}

TEST(UserMode, ExecStartsAnew) {
    expect_finished([](UserMachine& u) {
        arch::fill_vector_registers(5);
        u.syscall(kExec, register_user_function(
                             [](UserMachine& next) {
                                 check(next.registers().rdi == 0, "registers");
                                 check(arch::vector_registers_hold(0), "vector registers");
                                 next.syscall(kFinish);
                             },
                             "next"));
    });
}

// --- Signals --------------------------------------------------------------------------------------

void set_handler(UserMachine& u, void (*handler)(UserMachine&)) {
    u.syscall(kSetHandler, register_user_function(handler, "handler"));
}

/// Counts at kData; the signal's number goes behind it.
void counting_handler(UserMachine& u) {
    u64 count = u.load<u64>(kData) + 1;
    u.store<u64>(kData, count);
    u.store<u64>(kData + 8 * count, u.argument(0));
}

TEST(UserMode, AHandlerRunsAndEverythingComesBack) {
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            check(h.argument(0) == 12, "number");
            check(h.load<int>({h.argument(1)}) == 12, "siginfo");
            auto context = h.load<arch::UserContext>({h.argument(2)});
            check(context.registers.rbx == 0xb, "rbx");
            check(context.registers.trap_number == 14 && context.registers.error_code == 6, "trap");
            check(context.registers.fault_address == kForbidden.value, "cr2");
            check(h.stack_pointer().value % 16 == 8, "alignment");
            check(h.stack_pointer().value < kStackTop.value - 128, "red zone");
            check(h.load<u64>(h.stack_pointer()) == 0x1234, "return address");
            check(arch::vector_registers_hold(0), "initial vector registers");
            arch::fill_vector_registers(99);
            h.registers().rbx = 1;
            check(h.syscall(kAdd, 1, 0, 0, 0, 0, 1) == 2, "call in the handler");
            counting_handler(h);
        });
        arch::fill_vector_registers(7);
        u.registers().rbx = 0xb;
        check(u.syscall(kRaise, 12) == 0, "result");
        check(u.load<u64>(kData) == 1, "handler");
        check(u.registers().rbx == 0xb, "register");
        check(u.registers().rsp == kStackTop.value, "stack pointer");
        check(arch::vector_registers_hold(7), "vector registers");
        check(kernel->mask == 0, "mask");
        u.syscall(kFinish);
    });
}

TEST(UserMode, HandlersOfSeveralSignalsRunLastFirst) {
    expect_finished([](UserMachine& u) {
        set_handler(u, counting_handler);
        check(u.syscall(kRaiseTwo, 3, 9) == 0, "result");
        check(u.load<u64>(kData) == 2, "handlers");
        check(u.load<u64>(kData + 8) == 9 && u.load<u64>(kData + 16) == 3, "order");
        u.syscall(kFinish);
    });
}

TEST(UserMode, AHandlerIsInterruptedByAnother) {
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            counting_handler(h);
            if (h.argument(0) < 20) {
                u64 first = h.argument(0);
                h.syscall(kRaiseTwo, first + 10, first + 11);
                check(h.argument(0) == first, "locals");
            }
        });
        u.syscall(kRaise, 9);
        // 9, then 20 and 19, and 19 raises 30 and 29.
        check(u.load<u64>(kData) == 5, "handlers");
        check(u.registers().rsp == kStackTop.value, "stack pointer");
        u.syscall(kFinish);
    });
}

TEST(UserMode, SignalsComeBetweenInstructions) {
    static constinit u32 handled = 0;
    handled = 0;
    expect_finished(
        [](UserMachine& u) {
            set_handler(u, [](UserMachine& h) {
                h.store<u64>(kData + 8, h.load<u64>(kData + 8) + 1);
                ++handled;
            });
            for (u32 i = 0; i < 20; ++i) {
                arch::arm_timer(arch::monotonic_now());
                u64 value = u.load<u64>(kData);
                u.pause();
                u.store<u64>(kData, value + 1);
            }
            check(u.load<u64>(kData) == 20, "the interrupted program");
            kernel->signal_on_interrupt = false;
            u.syscall(kFinish);
        },
        [] { kernel->signal_on_interrupt = true; });
    EXPECT_GT(handled, 100u);
}

TEST(UserMode, AFaultIsRetriedAfterItsHandler) {
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            check(h.argument(0) == 11, "number");
            counting_handler(h);
            kernel->allow_forbidden = true;
        });
        u.store<u64>(kForbidden, 5);
        check(u.load<u64>(kData) == 1, "handler");
        check(u.load<u64>(kForbidden) == 5, "access");
        u.syscall(kFinish);
    });
}

TEST(UserMode, AHandlerLeavesForAnotherPlace) {
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            VirtualAddress elsewhere = register_user_function(
                [](UserMachine& e) {
                    check(e.argument(0) == 4711, "register");
                    e.syscall(kFinish);
                },
                "elsewhere");
            auto context = h.load<arch::UserContext>({h.argument(2)});
            context.registers.rip = elsewhere.value;
            context.registers.rdi = 4711;
            h.store({h.argument(2)}, context);
        });
        u.syscall(kRaise, 12);
        check(false, "the interrupted program went on");
    });
}

TEST(UserMode, TheAlternateStackIsUsedAndNotLeft) {
    expect_finished([](UserMachine& u) {
        static constexpr VirtualAddress kBase = kData + 4 * kPageSize;
        static constexpr u64 kSize = 2 * kPageSize;
        set_handler(u, [](UserMachine& h) {
            check(h.stack_pointer() > kBase && h.stack_pointer() <= kBase + kSize, "stack");
            auto context = h.load<arch::UserContext>({h.argument(2)});
            check(context.stack.base == kBase.value && context.stack.size == kernel->alternate.size, "uc_stack");
            counting_handler(h);
        });
        u.syscall(kAltStack, kBase, kSize);
        u.syscall(kRaise, 12);
        check(u.load<u64>(kData) == 1, "handler");
        u.syscall(kAltStack, kBase, arch::minimum_signal_stack());
        u.syscall(kRaise, 12);
        check(u.load<u64>(kData) == 2, "the smallest stack");
        u.syscall(kAltStack, kBase, 500);
        u.syscall(kRaise, 12);
        check(false, "a frame beyond the stack");
    });
    EXPECT_EQ(kernel->bad_frames, 1u);
}

/// A handler that changes its frame; sigreturn must then refuse it.
template <typename Change>
void expect_refused(Change) {
    static_assert(std::is_empty_v<Change>);
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            auto context = h.load<arch::UserContext>({h.argument(2)});
            Change{}(h, context);
            h.store({h.argument(2)}, context);
        });
        u.syscall(kRaise, 12);
        check(false, "the frame was accepted");
    });
    EXPECT_EQ(kernel->bad_frames, 1u);
}

TEST(UserMode, ForgedFramesAreRefused) {
    expect_refused([](UserMachine&, arch::UserContext& context) { context.registers.cs = 0x10; });
    expect_refused([](UserMachine&, arch::UserContext& context) { context.registers.vector_state = 64; });
    expect_refused([](UserMachine& h, arch::UserContext& context) {
        h.store<u64>({context.registers.vector_state + 512}, ~u64{0});  // XSTATE_BV
    });
    expect_refused([](UserMachine& h, arch::UserContext& context) {
        h.store<u64>({context.registers.vector_state + 520}, 1);  // XCOMP_BV
    });
    expect_refused([](UserMachine& h, arch::UserContext& context) {
        h.store<u32>({context.registers.vector_state + 24}, ~u32{0});  // MXCSR
    });
}

TEST(UserMode, PrivilegesDoNotComeFromAFrame) {
    expect_finished([](UserMachine& u) {
        set_handler(u, [](UserMachine& h) {
            auto context = h.load<arch::UserContext>({h.argument(2)});
            context.registers.rflags = 0x3000 | 0x20'0000 | 0x1;  // IOPL, ID, and carry; no interrupts
            context.registers.ss = 0x18;
            context.registers.vector_state = 0;
            h.store({h.argument(2)}, context);
        });
        arch::fill_vector_registers(7);
        u.syscall(kRaise, 12);
        const TrapFrame& frame = u.registers();
        check(frame.rflags == 0x203, "flags");
        check(frame.cs == arch::kUserCodeSegment && frame.ss == arch::kUserDataSegment, "segments");
        check(arch::vector_registers_hold(0), "vector registers without an area");
        u.syscall(kFinish);
    });
}

// --- Registers and memory as the kernel sees them -------------------------------------------------

TEST(UserMode, RegistersAreReadAndWritten) {
    expect_finished([](UserMachine& u) {
        ThreadContext& context = kernel->current->context;
        u.syscall(kAdd, 1, 2, 3, 4, 5, 6);
        arch::UserRegisters registers;
        arch::read_user_registers(context, registers);
        check(registers.orig_rax == kAdd && registers.rdi == 1 && registers.r9 == 6, "read");
        registers.rdi = 9;
        registers.orig_rax = ~u64{0};
        registers.rflags = ~u64{0};
        registers.fs_base = 0x1000;
        check(arch::write_user_registers(context, registers).ok(), "write");
        check(context.frame.rdi == 9 && !arch::in_syscall(context.frame), "written");
        check(context.frame.rflags == (0x202 | 0x54dd5), "flags");
        check(arch::fs_base(context) == 0x1000, "base");
        registers.cs = 0x10;
        check(arch::write_user_registers(context, registers).error() == Errno::eio, "kernel selector");
        registers.cs = arch::kUserCodeSegment;
        registers.gs_base = arch::user_space_end().value;
        check(arch::write_user_registers(context, registers).error() == Errno::eio, "kernel base");
        check(arch::set_fs_base(context, arch::user_space_end().value).error() == Errno::eperm, "base of the kernel");
        u.syscall(kFinish);
    });
}

TEST(UserMode, VectorStateIsReadAndWritten) {
    expect_finished([](UserMachine& u) {
        ThreadContext& context = kernel->current->context;
        arch::fill_vector_registers(3);
        alignas(64) std::byte image[576];
        check(arch::read_vector_state(context, image) == sizeof image, "size");
        u64 four = 4;
        std::memcpy(image + 160, &four, sizeof four);
        check(arch::write_vector_state(context, image).ok(), "write");
        check(arch::vector_registers_hold(4), "written");
        check(arch::write_vector_state(context, std::span(image).first(511)).error() == Errno::einval, "size");
        image[512 + 20] = std::byte{1};
        check(arch::write_vector_state(context, image).error() == Errno::einval, "header");
        check(arch::write_vector_state(context, std::span(image).first(512)).ok(), "legacy part");
        u.syscall(kFinish);
    });
}

TEST(UserMode, MemoryIsReachedFromTheKernel) {
    expect_finished([](UserMachine& u) {
        constexpr VirtualAddress kEdge = kUser + kMappable * kPageSize;  // nothing behind it
        u.store<u64>(kEdge + (0 - u64{8}), 0x0063'6261'6463'6261);       // "abcdabc"
        char text[100];
        Result<usize> length = arch::copy_string_from_user(text, kEdge + (0 - u64{8}), sizeof text);
        check(length.ok() && length.value() == 7 && std::strcmp(text, "abcdabc") == 0, "string");
        check(arch::copy_string_from_user(text, kEdge + (0 - u64{8}), 5).value() == 5, "limit");
        u.store<u8>(kEdge + (0 - u64{1}), 'x');
        check(arch::copy_string_from_user(text, kEdge + (0 - u64{8}), sizeof text).error() == Errno::efault, "end");
        check(arch::clear_user(kEdge + (0 - u64{6}), 10) == 4, "clear");
        check(u.load<u64>(kEdge + (0 - u64{8})) == 0x6261, "cleared");

        u.store<u32>(kData, 10);
        check(arch::user_load_u32(kData).value() == 10, "load");
        check(arch::user_compare_exchange_u32(kData, 9, 1).value() == 10, "compare");
        check(arch::user_compare_exchange_u32(kData, 10, 11).value() == 10, "exchange");
        using Operation = arch::UserAtomicOperation;
        check(arch::user_fetch_operation(kData, Operation::Add, 4).value() == 11, "add");
        check(arch::user_fetch_operation(kData, Operation::AndNot, 1).value() == 15, "andnot");
        check(arch::user_fetch_operation(kData, Operation::Xor, 0xf).value() == 14, "xor");
        check(arch::user_fetch_operation(kData, Operation::Or, 4).value() == 1, "or");
        check(arch::user_fetch_operation(kData, Operation::Set, 100).value() == 5, "set");
        check(u.load<u32>(kData) == 100, "result");
        check(arch::user_load_u32(kForbidden).error() == Errno::efault, "fault");
        check(arch::user_load_u32(kData + 2).error() == Errno::einval, "alignment");
        check(arch::user_load_u32({~u64{3}}).error() == Errno::efault, "kernel address");
        u.syscall(kFinish);
    });
}

// --- Images ---------------------------------------------------------------------------------------

TEST(UserMode, AnImageMapsItsEntry) {
    VirtualAddress entry = register_user_function(child_of_fork, "child");
    for (bool moved : {false, true}) {
        std::vector<std::byte> image = sim::build_elf_image({.entry = entry, .position_independent = moved});
        Elf64_Ehdr header;
        std::memcpy(&header, image.data(), sizeof header);
        EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
        bool mapped = false;
        for (u32 i = 0; i < header.e_phnum; ++i) {
            Elf64_Phdr segment;
            std::memcpy(&segment, image.data() + header.e_phoff + i * sizeof segment, sizeof segment);
            EXPECT_LE(segment.p_offset + segment.p_filesz, image.size());
            bool code = segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0;
            mapped = mapped ||
                     (code && header.e_entry >= segment.p_vaddr && header.e_entry < segment.p_vaddr + segment.p_memsz);
        }
        EXPECT_TRUE(mapped);
        EXPECT_EQ(header.e_entry % kPageSize, entry.value % kPageSize);
    }
}

// --- I/O ports ------------------------------------------------------------------------------------

TEST(UserMode, PortsReachADevice) {
    struct Device : arch::host::PortDevice {
        u8 value = 0;
        u8 read8(u16) override { return value; }
        void write8(u16 port, u8 written) override { value = static_cast<u8>(written + port % 8); }
    } device;
    EXPECT_EQ(arch::io_read8(0x3f8), 0xff);
    arch::host::connect_ports(0x3f8, 8, device);
    arch::io_write8(0x3f9, 4);
    EXPECT_EQ(arch::io_read8(0x3ff), 5);
    EXPECT_EQ(arch::io_read8(0x400), 0xff);
    arch::host::disconnect_ports(device);
    EXPECT_EQ(arch::io_read8(0x3f8), 0xff);
}

}  // namespace
}  // namespace cairn
