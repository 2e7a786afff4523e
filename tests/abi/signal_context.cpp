// The frame that a handler finds and that sigreturn takes: what is in it, what may be changed, what is refused; the
// alternate stack in it. Rule S02.
#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

using Change = void (*)(ucontext_t*);
Change change_context;
ucontext_t seen;
siginfo_t seen_info;

void on_signal(int, siginfo_t* info, void* context) {
    seen = *static_cast<ucontext_t*>(context);
    seen_info = *info;
    if (change_context != nullptr) {
        change_context(static_cast<ucontext_t*>(context));
    }
}

// Raises a signal whose handler changes the saved context like this.
void raise_and(Change change, int flags = 0) {
    change_context = change;
    handle_info(SIGUSR1, on_signal, flags);
    raise(SIGUSR1);
}

std::string end_of(Change change) {
    return status_text(run_child([=] { raise_and(change); }));
}

long long& reg(ucontext_t* context, int which) {
    return context->uc_mcontext.gregs[which];
}

// Faults on purpose, and goes on behind the instruction, which is two bytes long.
void fault_write(volatile char* at) {
    // SAFETY: movb %al, (%rcx); the handler skips it.
    asm volatile(".byte 0x88, 0x01" : : "c"(at), "a"(0) : "memory");
}
void skip_two(ucontext_t* context) {
    reg(context, REG_RIP) += 2;
}
void fault_read(volatile char* at) {
    // SAFETY: movb (%rcx), %al.
    asm volatile(".byte 0x8a, 0x01" : : "c"(at) : "rax", "memory");
}

struct RawAction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

}  // namespace

TEST(SignalContext, PlainHandlerGetsTheContextToo) {  // S02
    // Nothing in C says so, but the registers hold it with and without SA_SIGINFO; the information is not filled in.
    handle(SIGUSR1, reinterpret_cast<void (*)(int)>(reinterpret_cast<void*>(on_signal)), 0);
    change_context = nullptr;
    raise(SIGUSR1);
    EXPECT_EQ(7u, seen.uc_flags);
    EXPECT_EQ(0x33u, static_cast<uint64_t>(seen.uc_mcontext.gregs[REG_CSGSFS]) & 0xffff);
}

TEST(SignalContext, FlagsTellTheFormOfTheFrame) {  // S02
    raise_and(nullptr);
    EXPECT_EQ(7u, seen.uc_flags) << "XSAVE, SS, and a strict SS";
    EXPECT_EQ(nullptr, seen.uc_link);
}

TEST(SignalContext, SegmentsAreTheUsers) {  // S02
    raise_and(nullptr);
    uint64_t segments = static_cast<uint64_t>(seen.uc_mcontext.gregs[REG_CSGSFS]);
    EXPECT_EQ(0x33u, segments & 0xffff);
    EXPECT_EQ(0x2bu, segments >> 48);
}

TEST(SignalContext, MaskIsTheOneFromBefore) {  // S02
    block({SIGTERM});
    raise_and(nullptr);
    EXPECT_TRUE(sigismember(&seen.uc_sigmask, SIGTERM));
    EXPECT_FALSE(sigismember(&seen.uc_sigmask, SIGUSR1)) << "not with what the handler blocks";
    EXPECT_EQ(1ll << (SIGTERM - 1), seen.uc_mcontext.gregs[REG_OLDMASK]);
}

TEST(SignalContext, PageFaultTellsErrorAndAddress) {  // S05
    char* pages = map_pages(2, PROT_READ);
    (void)*static_cast<volatile char*>(pages + 5);
    handle_info(SIGSEGV, on_signal);
    change_context = skip_two;
    fault_write(pages + 5);
    EXPECT_EQ(14, seen.uc_mcontext.gregs[REG_TRAPNO]);
    EXPECT_EQ(7, seen.uc_mcontext.gregs[REG_ERR]) << "user, write, the page is there";
    EXPECT_EQ(pages + 5, reinterpret_cast<char*>(seen.uc_mcontext.gregs[REG_CR2]));
    EXPECT_EQ(pages + 5, seen_info.si_addr);
    munmap(pages, kPage);
    fault_read(pages + 9);
    EXPECT_EQ(4, seen.uc_mcontext.gregs[REG_ERR]) << "user, read, no page";
}

TEST(SignalContext, ErrorOfAnAbsentPageThatIsWritten) {  // S05
    char* page = map_pages(1);
    munmap(page, kPage);
    handle_info(SIGSEGV, on_signal);
    change_context = skip_two;
    fault_write(page);
    EXPECT_EQ(6, seen.uc_mcontext.gregs[REG_ERR]);
    EXPECT_EQ(SEGV_MAPERR, seen_info.si_code);
}

TEST(SignalContext, DivisionTellsItsTrap) {  // S05
    handle_info(SIGFPE, on_signal);
    change_context = skip_two;
    // SAFETY: div %ecx, two bytes, which the handler skips.
    asm volatile("xor %%ecx, %%ecx\n xor %%edx, %%edx\n mov $1, %%eax\n .byte 0xf7, 0xf1" : : : "rax", "rcx", "rdx");
    EXPECT_EQ(0, seen.uc_mcontext.gregs[REG_TRAPNO]);
    EXPECT_EQ(FPE_INTDIV, seen_info.si_code);
    EXPECT_EQ(reinterpret_cast<void*>(seen.uc_mcontext.gregs[REG_RIP]), seen_info.si_addr);
}

TEST(SignalContext, QuotientThatOverflowsIsTheSame) {  // S05
    handle_info(SIGFPE, on_signal);
    change_context = skip_two;
    // SAFETY: idiv %ecx of the smallest number by -1.
    asm volatile("mov $-1, %%ecx\n mov $0x80000000, %%eax\n cltd\n .byte 0xf7, 0xf9" : : : "rax", "rcx", "rdx");
    EXPECT_EQ(FPE_INTDIV, seen_info.si_code);
}

TEST(SignalContext, SoftwareInterruptsAreProtectionFaults) {  // S05
    handle_info(SIGSEGV, on_signal);
    change_context = skip_two;
    // SAFETY: int $0x21, two bytes, which the handler skips.
    asm volatile("int $0x21");
    EXPECT_EQ(SI_KERNEL, seen_info.si_code);
    EXPECT_EQ(13, seen.uc_mcontext.gregs[REG_TRAPNO]);
    // The error code, which names the entry of the table, is not QEMU's strength.
}

TEST(SignalContext, OverflowInterruptIsASegv) {  // S05
    handle_info(SIGSEGV, on_signal);
    change_context = nullptr;
    // SAFETY: int $4 traps, so that the next instruction is gone on with.
    asm volatile("int $4");
    EXPECT_EQ(SI_KERNEL, seen_info.si_code);
    EXPECT_EQ(4, seen.uc_mcontext.gregs[REG_TRAPNO]);
}

TEST(SignalContext, LongFormOfTheBreakpoint) {  // S05
    handle_info(SIGTRAP, on_signal);
    change_context = nullptr;
    // SAFETY: int $3 in two bytes.
    asm volatile(".byte 0xcd, 0x03");
    EXPECT_EQ(SI_KERNEL, seen_info.si_code);
    EXPECT_EQ(3, seen.uc_mcontext.gregs[REG_TRAPNO]);
}

TEST(SignalContext, InputAndOutputAreProtectionFaults) {  // S05
    handle_info(SIGSEGV, on_signal);
    change_context = skip_two;
    // SAFETY: in $0x80, %al, two bytes.
    asm volatile("in $0x80, %%al" : : : "rax");
    EXPECT_EQ(13, seen.uc_mcontext.gregs[REG_TRAPNO]);
    EXPECT_EQ(SI_KERNEL, seen_info.si_code);
}

TEST(SignalContext, TrapFlagThatIsSetTrapsOnce) {  // S02, S05
    static volatile int traps;
    handle_info(SIGTRAP, [](int, siginfo_t* info, void* context) {
        traps = traps + (info->si_code == TRAP_TRACE || info->si_code == TRAP_BRKPT ? 1 : 100);
        reg(static_cast<ucontext_t*>(context), REG_EFL) &= ~0x100LL;
    });
    raise_and([](ucontext_t* context) { reg(context, REG_EFL) |= 0x100; });
    EXPECT_EQ(1, traps);
}

TEST(SignalContext, PrivilegedFlagsAreNotTaken) {  // S02
    raise_and([](ucontext_t* context) { reg(context, REG_EFL) |= 0x3000 | 0x4000 | 0x20000; });
    uint64_t flags = 0;
    asm volatile("pushf\n pop %0" : "=r"(flags));
    EXPECT_EQ(0u, flags & (0x3000 | 0x4000 | 0x20000)) << "IOPL, nested task, virtual 8086";
}

TEST(SignalContext, InterruptsCannotBeTurnedOff) {  // S02
    raise_and([](ucontext_t* context) { reg(context, REG_EFL) &= ~0x200LL; });
    uint64_t flags = 0;
    asm volatile("pushf\n pop %0" : "=r"(flags));
    EXPECT_NE(0u, flags & 0x200);
}

TEST(SignalContext, ArithmeticFlagsAre) {  // S02
    change_context = [](ucontext_t* context) { reg(context, REG_EFL) |= 1; };
    handle_info(SIGUSR1, on_signal);
    unsigned char carry = 0;
    // SAFETY: a tkill by hand, so that nothing between it and setc changes the flags.
    asm volatile("clc\n syscall\n setc %0"
                 : "=r"(carry)
                 : "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1)
                 : "rcx", "r11", "memory");
    EXPECT_EQ(1, carry);
}

TEST(SignalContext, AddressOutsideUserSpaceKills) {  // S02
    EXPECT_EQ("SIGSEGV", end_of([](ucontext_t* c) { reg(c, REG_RIP) = static_cast<long long>(0xffffffff81000000); }));
    EXPECT_EQ("SIGSEGV", end_of([](ucontext_t* c) { reg(c, REG_RIP) = 0x0000800000000000; })) << "not canonical";
}

TEST(SignalContext, KernelCodeSegmentKills) {  // S02
    EXPECT_EQ("SIGSEGV", end_of([](ucontext_t* c) { reg(c, REG_CSGSFS) = (reg(c, REG_CSGSFS) & ~0xffffLL) | 0x10; }));
}

TEST(SignalContext, UnreadableVectorStateKills) {  // S02
    EXPECT_EQ("SIGSEGV", end_of([](ucontext_t* c) { c->uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(64); }));
}

TEST(SignalContext, NoVectorStateMeansTheInitialOne) {  // S02
    change_context = [](ucontext_t* c) { c->uc_mcontext.fpregs = nullptr; };
    handle_info(SIGUSR1, on_signal);
    uint64_t value = 5;
    // SAFETY: a tkill by hand between the two moves.
    asm volatile("movq %0, %%xmm5\n syscall\n movq %%xmm5, %0"
                 : "+r"(value)
                 : "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1)
                 : "rcx", "r11", "xmm5", "memory");
    EXPECT_EQ(0u, value);
}

TEST(SignalContext, VectorStateMayBeChanged) {  // S02
    change_context = [](ucontext_t* c) { c->uc_mcontext.fpregs->_xmm[5].element[0] = 77; };
    handle_info(SIGUSR1, on_signal);
    uint64_t value = 5;
    // SAFETY: as above.
    asm volatile("movq %0, %%xmm5\n syscall\n movq %%xmm5, %0"
                 : "+r"(value)
                 : "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1)
                 : "rcx", "r11", "xmm5", "memory");
    EXPECT_EQ(77u, value);
}

TEST(SignalContext, WithoutARestorerTheSignalKills) {  // S02
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    RawAction action{[](int) {}, 0, nullptr, 0};
                    ASSERT_OK(syscall(SYS_rt_sigaction, SIGUSR1, &action, nullptr, 8));
                    raise(SIGUSR1);
                }));
}

TEST(SignalContext, SigreturnOutOfTheBlueKills) {  // S02
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    char* page = map_pages(1);
                    // SAFETY: the stack is pointed at zeros; the process does not come back.
                    asm volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall\n hlt" : : "r"(page) : "rax", "memory");
                }));
}

TEST(SignalContext, WithoutItsMemoryRegistersStay) {  // S02
    // The record ends where there is none: nothing is restored, and the handler of SIGSEGV sees what sigreturn found.
    EXPECT_ENDS(
        "exit 0", run_child([] {
            char* area = map_pages(16);
            const stack_t wish{area, 0, 16 * kPage};
            sigaltstack(&wish, nullptr);
            handle_info(
                SIGSEGV,
                [](int, siginfo_t*, void* context) {
                    const auto* c = static_cast<ucontext_t*>(context);
                    _exit(c->uc_mcontext.gregs[REG_RBX] == 0x1234 && c->uc_mcontext.gregs[REG_RIP] != 0 ? 0 : 1);
                },
                SA_ONSTACK);
            char* half = map_pages(2);
            munmap(half + kPage, kPage);
            char* frame = half + kPage - 200;
            reinterpret_cast<ucontext_t*>(frame)->uc_mcontext.gregs[REG_CSGSFS] = 0x33 | 0x2bLL << 48;  // the last word
            // SAFETY: rt_sigreturn(2) with a bad frame, which does not return.
            asm volatile(
                "mov $0x1234, %%ebx\n\t"
                "mov %0, %%rsp\n\t"
                "mov $15, %%eax\n\t"
                "syscall"
                :
                : "r"(frame)
                : "rax", "rbx", "rcx", "r11", "memory");
        }));
}

TEST(SignalContext, BlockedSignalsOfASavedMaskComeAtOnce) {  // S02
    count_signals(SIGUSR2);
    block({SIGUSR2});
    raise(SIGUSR2);
    raise_and([](ucontext_t* c) { sigdelset(&c->uc_sigmask, SIGUSR2); });
    EXPECT_EQ(1, received(SIGUSR2));
}

TEST(SignalContext, KillCannotBeBlockedThroughTheFrame) {  // S02
    raise_and([](ucontext_t* c) { memset(&c->uc_sigmask, 0xff, 8); });
    uint64_t now = 0;
    ASSERT_OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &now, 8));
    EXPECT_EQ(~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)), now);
}

TEST(AlternateStackFrame, IsToldAndRestored) {  // S02
    char* area = map_pages(16);
    stack_t wish{area, 0, 16 * kPage};
    ASSERT_OK(sigaltstack(&wish, nullptr));
    raise_and(nullptr, SA_ONSTACK);
    EXPECT_EQ(area, seen.uc_stack.ss_sp);
    EXPECT_EQ(16 * kPage, seen.uc_stack.ss_size);
    EXPECT_EQ(0, seen.uc_stack.ss_flags) << "it was not in use before";
    static char* other;
    other = map_pages(16);
    raise_and([](ucontext_t* c) { c->uc_stack = {other, 0, 16 * kPage}; });
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(other, now.ss_sp) << "sigreturn sets what the frame says";
}

TEST(AlternateStackFrame, NonsenseInItIsIgnored) {  // S02
    char* area = map_pages(16);
    stack_t wish{area, 0, 16 * kPage};
    ASSERT_OK(sigaltstack(&wish, nullptr));
    raise_and([](ucontext_t* c) { c->uc_stack = {nullptr, 0x55, 1}; });
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(area, now.ss_sp);
}

namespace {

constexpr int kAutodisarm = static_cast<int>(1U << 31);

int set_autodisarming_stack() {
    const stack_t wish{map_pages(16), kAutodisarm, 16 * kPage};
    return sigaltstack(&wish, nullptr);
}

}  // namespace

TEST(AlternateStackFrame, AutodisarmComesBack) {  // S02
    ASSERT_OK(set_autodisarming_stack());
    static stack_t inside;
    handle(SIGUSR1, [](int) { sigaltstack(nullptr, &inside); }, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(SS_DISABLE, inside.ss_flags);
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(kAutodisarm, now.ss_flags) << "armed again by the return";
}

TEST(AlternateStackFrame, AutodisarmGoesForAnyHandler) {  // S02
    ASSERT_OK(set_autodisarming_stack());
    static stack_t inside;
    raise_and([](ucontext_t*) { sigaltstack(nullptr, &inside); });
    EXPECT_EQ(SS_DISABLE, inside.ss_flags) << "also one that does not run there";
    EXPECT_EQ(kAutodisarm, seen.uc_stack.ss_flags);
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(kAutodisarm, now.ss_flags) << "armed again by the return";
    const stack_t wish{nullptr, SS_DISABLE, 0};
    ASSERT_OK(sigaltstack(&wish, nullptr));
}

TEST(AlternateStackFrame, FlagsAreThoseThatWereGiven) {  // S02
    char* area = map_pages(16);
    for (const int flags : {0, int{SS_ONSTACK}}) {
        stack_t wish{area, flags, 16 * kPage};
        ASSERT_OK(sigaltstack(&wish, nullptr));
        static int nested;
        handle_info(
            SIGUSR2,
            [](int, siginfo_t*, void* context) { nested = static_cast<ucontext_t*>(context)->uc_stack.ss_flags; },
            SA_ONSTACK);
        raise_and([](ucontext_t*) { raise(SIGUSR2); }, SA_ONSTACK);
        EXPECT_EQ(flags, seen.uc_stack.ss_flags);
        EXPECT_EQ(flags, nested) << "not whether it is in use";
    }
    stack_t none{nullptr, SS_DISABLE, 0};
    ASSERT_OK(sigaltstack(&none, nullptr));
}

TEST(AlternateStackFrame, JumpOutLeavesItFree) {  // S02
                                                  // S02
    // Whether it is in use is judged by the stack pointer alone.
    char* area = map_pages(16);
    stack_t wish{area, 0, 16 * kPage};
    ASSERT_OK(sigaltstack(&wish, nullptr));
    raise_and(
        [](ucontext_t*) {
            stack_t inside{};
            sigaltstack(nullptr, &inside);
            EXPECT_EQ(SS_ONSTACK, inside.ss_flags);
        },
        SA_ONSTACK);
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(0, now.ss_flags);
    stack_t none{nullptr, SS_DISABLE, 0};
    EXPECT_OK(sigaltstack(&none, nullptr));
}

TEST(AlternateStackFrame, ChildThatSharesMemoryHasNone) {  // F02
    char* area = map_pages(16);
    stack_t wish{area, 0, 16 * kPage};
    ASSERT_OK(sigaltstack(&wish, nullptr));
    static volatile int flags[2];
    auto body = [](void* which) -> int {
        stack_t now{};
        syscall(SYS_sigaltstack, nullptr, &now);
        flags[reinterpret_cast<intptr_t>(which)] = now.ss_flags;
        return 0;
    };
    char* stack = map_pages(16) + 16 * kPage;
    wait_for(clone(body, stack, CLONE_VM | SIGCHLD, nullptr));
    wait_for(clone(body, stack, CLONE_VM | CLONE_VFORK | SIGCHLD, reinterpret_cast<void*>(1)));
    EXPECT_EQ(SS_DISABLE, flags[0]);
    EXPECT_EQ(0, flags[1]) << "vfork's keeps it, since its parent does not run";
}

TEST(AlternateStackFrame, FlagsThatAreNone) {  // S02
    char* area = map_pages(16);
    stack_t wish{area, 0x40, 16 * kPage};
    EXPECT_ERRNO(EINVAL, sigaltstack(&wish, nullptr));
    wish.ss_flags = SS_ONSTACK;
    EXPECT_OK(sigaltstack(&wish, nullptr)) << "allowed for no reason, and without effect";
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(0, now.ss_flags);
    wish = {nullptr, SS_DISABLE, 0};
    ASSERT_OK(sigaltstack(&wish, nullptr));
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(SS_DISABLE, now.ss_flags);
    EXPECT_EQ(0u, now.ss_size);
}
