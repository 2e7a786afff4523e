/// Signal frames and handlers, below any kernel (tests/support/small_kernel.h plays one). The code under test is
/// what a PC runs as well.

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/small_kernel.h"

namespace cairn {
namespace {

using namespace sim::small;

void set_handler(UserMachine& u, void (*handler)(UserMachine&)) {
    u.syscall(kSetHandler, register_user_function(handler, "handler"));
}

/// Counts at kData; the signal's number goes behind it.
void counting_handler(UserMachine& u) {
    u64 count = u.load<u64>(kData) + 1;
    u.store<u64>(kData, count);
    u.store<u64>(kData + 8 * count, u.argument(0));
}

TEST(UserSignal, AHandlerRunsAndEverythingComesBack) {
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

TEST(UserSignal, HandlersOfSeveralSignalsRunLastFirst) {
    expect_finished([](UserMachine& u) {
        set_handler(u, counting_handler);
        check(u.syscall(kRaiseTwo, 3, 9) == 0, "result");
        check(u.load<u64>(kData) == 2, "handlers");
        check(u.load<u64>(kData + 8) == 9 && u.load<u64>(kData + 16) == 3, "order");
        u.syscall(kFinish);
    });
}

TEST(UserSignal, AHandlerIsInterruptedByAnother) {
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

TEST(UserSignal, SignalsComeBetweenInstructions) {
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

TEST(UserSignal, AFaultIsRetriedAfterItsHandler) {
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

TEST(UserSignal, AHandlerLeavesForAnotherPlace) {
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

TEST(UserSignal, TheAlternateStackIsUsedAndNotLeft) {
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

TEST(UserSignal, ForgedFramesAreRefused) {
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

TEST(UserSignal, PrivilegesDoNotComeFromAFrame) {
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

}  // namespace
}  // namespace cairn
