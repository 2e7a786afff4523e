// Signal frames, alternate stacks, sigreturn, faults. Rules S02 and S05.
#include <cpuid.h>
#include <setjmp.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

volatile uintptr_t where;
siginfo_t seen;
ucontext_t context;
sigjmp_buf back;

void keep_stack(int) {
    int local;
    where = reinterpret_cast<uintptr_t>(&local);
}

void keep_and_leave(int, siginfo_t* info, void* data) {
    seen = *info;
    context = *static_cast<ucontext_t*>(data);
    siglongjmp(back, 1);
}

void set_alternate_stack(char* memory, size_t size, int flags = 0) {
    stack_t stack{memory, flags, size};
    ASSERT_OK(sigaltstack(&stack, nullptr));
}

bool within(uintptr_t at, const char* memory, size_t size) {
    uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
    return at >= begin && at < begin + size;
}

// Runs code that must fault, and keeps what the handler was told.
void provoke(int signal, const std::function<void()>& code) {
    memset(&seen, 0, sizeof seen);
    handle_info(signal, keep_and_leave);
    if (sigsetjmp(back, 1) == 0) {
        code();
        ADD_FAILURE() << "no fault";
    }
    EXPECT_EQ(signal, seen.si_signo);
}

uintptr_t fault_address() {
    return reinterpret_cast<uintptr_t>(seen.si_addr);
}

}  // namespace

TEST(AlternateStack, HandlersThatAskRunOnIt) {  // S02
    char* memory = map_pages(16);
    set_alternate_stack(memory, 16 * kPage);
    handle(SIGUSR1, keep_stack, SA_ONSTACK);
    handle(SIGUSR2, keep_stack);
    raise(SIGUSR1);
    EXPECT_TRUE(within(where, memory, 16 * kPage));
    raise(SIGUSR2);
    EXPECT_FALSE(within(where, memory, 16 * kPage));
}

TEST(AlternateStack, StateIsTold) {  // S02
    stack_t now{};
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(SS_DISABLE, now.ss_flags);
    char* memory = map_pages(16);
    set_alternate_stack(memory, 16 * kPage);
    static stack_t inside;
    handle(SIGUSR1, [](int) { sigaltstack(nullptr, &inside); }, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(SS_ONSTACK, inside.ss_flags);
    ASSERT_OK(sigaltstack(nullptr, &now));
    EXPECT_EQ(0, now.ss_flags);
    EXPECT_EQ(memory, now.ss_sp);
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    ASSERT_OK(sigaltstack(&off, &now));
    EXPECT_EQ(memory, now.ss_sp);
}

TEST(AlternateStack, CannotChangeWhileInUse) {  // S02
    static int code;
    set_alternate_stack(map_pages(16), 16 * kPage);
    handle(
        SIGUSR1,
        [](int) {
            static char other[65536];
            stack_t stack{other, 0, sizeof other};
            code = sigaltstack(&stack, nullptr) == 0 ? 0 : errno;
        },
        SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(EPERM, code);
}

TEST(AlternateStack, Errors) {  // S02
    stack_t tiny{map_pages(1), 0, 1000};
    EXPECT_ERRNO(ENOMEM, sigaltstack(&tiny, nullptr));
    stack_t wrong{map_pages(16), 7, 16 * kPage};
    EXPECT_ERRNO(EINVAL, sigaltstack(&wrong, nullptr));
    EXPECT_ERRNO(EFAULT, sigaltstack(reinterpret_cast<stack_t*>(8), nullptr));
}

TEST(AlternateStack, NestedHandlersStayOnIt) {  // S02
    static char* memory = map_pages(32);
    static bool nested;
    set_alternate_stack(memory, 32 * kPage);
    handle(
        SIGUSR1,
        [](int) {
            where = 0;
            raise(SIGUSR2);
            nested = within(where, memory, 32 * kPage);
        },
        SA_ONSTACK);
    handle(SIGUSR2, keep_stack, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_TRUE(nested);
}

TEST(AlternateStack, AutodisarmSwitchesItOff) {  // S02
    static stack_t inside;
    char* memory = map_pages(16);
    set_alternate_stack(memory, 16 * kPage, static_cast<int>(1U << 31));
    handle(SIGUSR1, [](int) { sigaltstack(nullptr, &inside); }, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(SS_DISABLE, inside.ss_flags & ~static_cast<int>(1U << 31));
    stack_t now{};
    sigaltstack(nullptr, &now);
    EXPECT_EQ(memory, now.ss_sp) << "and sigreturn on again";
}

TEST(AlternateStack, IsPerThread) {  // S02
    set_alternate_stack(map_pages(16), 16 * kPage);
    std::thread([] {
        stack_t now{};
        sigaltstack(nullptr, &now);
        EXPECT_EQ(SS_DISABLE, now.ss_flags);
    }).join();
}

TEST(AlternateStack, CatchesTheOverflowOfTheStack) {  // S02, S05
    EXPECT_ENDS("exit 7", run_child([] {
                    set_alternate_stack(map_pages(16), 16 * kPage);
                    handle(SIGSEGV, [](int) { _exit(7); }, SA_ONSTACK);
                    rlimit limit{1 << 20, 8 << 20};
                    setrlimit(RLIMIT_STACK, &limit);
                    volatile char* at = static_cast<char*>(__builtin_frame_address(0));
                    for (size_t i = 0; i < (16 << 20); i += kPage) {
                        at[-static_cast<ptrdiff_t>(i)] = 1;
                    }
                }));
}

TEST(AlternateStack, WithoutOneTheOverflowKills) {  // S05
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle(SIGSEGV, [](int) { _exit(7); });
                    // SAFETY: with a stack pointer that points nowhere no frame can be written.
                    asm volatile("xor %%esp, %%esp\n mov (%%rsp), %%rax" : : : "rax", "memory");
                }));
}

TEST(Frame, IsAlignedAndBelowTheRedZone) {  // S02
    static volatile uintptr_t entry;
    handle(SIGUSR1, [](int) { entry = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); });
    uint64_t low = 0;
    uint64_t high = 0;
    long pid = getpid();
    // SAFETY: the 128 bytes below the stack pointer must survive the handler; rbx keeps what they were.
    asm volatile(
        "movabs $0x1122334455667788, %%rax\n"
        "mov %%rax, -8(%%rsp)\n mov %%rax, -128(%%rsp)\n"
        "mov $62, %%eax\n mov %2, %%rdi\n mov $10, %%esi\n syscall\n"
        "mov -8(%%rsp), %0\n mov -128(%%rsp), %1\n"
        : "=&r"(high), "=&r"(low)
        : "r"(pid)
        : "rax", "rdi", "rsi", "rcx", "r11", "memory");
    EXPECT_EQ(0x1122334455667788UL, high);
    EXPECT_EQ(0x1122334455667788UL, low);
    // The frame address is the pushed rbp: the entry's stack pointer was 8 above, and 16n + 8.
    EXPECT_EQ(0u, entry % 16);
}

TEST(Frame, ContextHasTheRegisters) {  // S02
    static greg_t r12, r13, rip;
    handle_info(SIGTRAP, [](int, siginfo_t*, void* data) {
        auto* machine = &static_cast<ucontext_t*>(data)->uc_mcontext;
        r12 = machine->gregs[REG_R12];
        r13 = machine->gregs[REG_R13];
        rip = machine->gregs[REG_RIP];
    });
    greg_t next;
    // SAFETY: a breakpoint, whose handler returns behind it.
    asm volatile("mov $0xabc, %%r12\n mov $0xdef, %%r13\n int3\n lea 0(%%rip), %0\n" : "=r"(next) : : "r12", "r13");
    EXPECT_EQ(0xabc, r12);
    EXPECT_EQ(0xdef, r13);
    EXPECT_EQ(next - 7, rip) << "the instruction behind int3";
}

TEST(Frame, HandlerMayChangeTheRegisters) {  // S02
    handle_info(SIGTRAP, [](int, siginfo_t*, void* data) {
        static_cast<ucontext_t*>(data)->uc_mcontext.gregs[REG_RBX] = 0x5555;
        sigaddset(&static_cast<ucontext_t*>(data)->uc_sigmask, SIGUSR1);
    });
    uint64_t value = 0;
    // SAFETY: rbx is declared as changed.
    asm volatile("xor %%ebx, %%ebx\n int3\n mov %%rbx, %0" : "=r"(value) : : "rbx");
    EXPECT_EQ(0x5555u, value);
    sigset_t now{};
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_TRUE(sigismember(&now, SIGUSR1)) << "and the mask";
}

TEST(Frame, VectorRegistersAndFlagsSurvive) {  // S02
    handle(SIGUSR1, [](int) {
        // SAFETY: a handler that spoils what the frame must bring back.
        asm volatile("pxor %%xmm3, %%xmm3\n pxor %%xmm15, %%xmm15\n stc" : : : "xmm3", "xmm15", "cc");
        asm volatile("fninit\n fldpi" : : : "st");
        asm volatile("fninit");
    });
    uint64_t low = 0;
    uint64_t high = 0;
    uint64_t flags = 0;
    long pid = getpid();
    // SAFETY: only declared registers are changed.
    asm volatile(
        "movabs $0x1234567812345678, %%rax\n movq %%rax, %%xmm3\n movq %%rax, %%xmm15\n"
        "mov $62, %%eax\n mov %3, %%rdi\n mov $10, %%esi\n clc\n syscall\n"
        "pushf\n pop %2\n movq %%xmm3, %0\n movq %%xmm15, %1"
        : "=&r"(low), "=&r"(high), "=&r"(flags)
        : "r"(pid)
        : "rax", "rdi", "rsi", "rcx", "r11", "xmm3", "xmm15", "memory", "cc");
    EXPECT_EQ(0x1234567812345678u, low);
    EXPECT_EQ(0x1234567812345678u, high);
    EXPECT_EQ(0u, flags & 1);
}

TEST(Frame, FloatingPointStateOfTheHandlerIsFresh) {  // S02
    static unsigned control;
    unsigned mine = 0x1f80 | 0x6000;
    // SAFETY: rounding towards zero, restored below.
    asm volatile("ldmxcsr %0" : : "m"(mine));
    handle(SIGUSR1, [](int) { asm volatile("stmxcsr %0" : "=m"(control)); });
    raise(SIGUSR1);
    unsigned after = 0;
    asm volatile("stmxcsr %0" : "=m"(after));
    unsigned usual = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(usual));
    EXPECT_EQ(0x7f80u, after);
    note("mxcsr in a handler " + std::to_string(control));
}

TEST(Frame, FlagsAreCleanInTheHandler) {  // S02
    static uint64_t flags;
    handle(SIGUSR1, [](int) { asm volatile("pushf\n pop %0" : "=r"(flags)); });
    long pid = getpid();
    // SAFETY: the direction flag is cleared again at once.
    asm volatile("std\n syscall\n cld" : : "a"(62L), "D"(pid), "S"(SIGUSR1) : "rcx", "r11", "memory", "cc");
    EXPECT_EQ(0u, flags & 0x500) << "direction and trap flag";
}

TEST(Frame, ForgedOneIsRefused) {  // S02
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle_info(SIGUSR1, [](int, siginfo_t*, void* data) {
                        static_cast<ucontext_t*>(data)->uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(1UL << 63);
                    });
                    raise(SIGUSR1);
                }));
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    // SAFETY: sigreturn with a stack that holds no frame.
                    asm volatile("mov $64, %%rsp\n mov $15, %%eax\n syscall" : : : "memory");
                }));
    // Kernel segments and flags in the frame must not become the program's.
    child([] {
        handle_info(SIGUSR1, [](int, siginfo_t*, void* data) {
            static_cast<ucontext_t*>(data)->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x20000;
        });
        raise(SIGUSR1);
        uint64_t flags;
        asm volatile("pushf\n pop %0" : "=r"(flags));
        EXPECT_EQ(0u, flags & 0x3000) << "I/O privilege";
        EXPECT_EQ(0x200u, flags & 0x200) << "interrupts";
    });
}

TEST(Frame, UnreadableStackKills) {  // S05
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle(SIGUSR1, keep_stack);
                    long pid = getpid();
                    asm volatile("mov $4096, %%rsp\n syscall" : : "a"(62L), "D"(pid), "S"(SIGUSR1) : "memory");
                }));
}

// --- faults ------------------------------------------------------------------------------------------

TEST(Fault, UnmappedIsMaperr) {  // S05
    char* memory = map_pages(1);
    munmap(memory, kPage);
    provoke(SIGSEGV, [=] { *reinterpret_cast<volatile char*>(memory + 123) = 1; });
    EXPECT_EQ(SEGV_MAPERR, seen.si_code);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) + 123, fault_address());
    EXPECT_EQ(14, context.uc_mcontext.gregs[REG_TRAPNO]);
    EXPECT_EQ(6, context.uc_mcontext.gregs[REG_ERR] & 7) << "a write from user mode, not present";
    EXPECT_EQ(fault_address(), static_cast<uintptr_t>(context.uc_mcontext.gregs[REG_CR2]));
}

TEST(Fault, ProtectionIsAccerr) {  // S05
    char* memory = map_pages(1, PROT_READ);
    provoke(SIGSEGV, [=] { *reinterpret_cast<volatile char*>(memory + 5) = 1; });
    EXPECT_EQ(SEGV_ACCERR, seen.si_code);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) + 5, fault_address());
    char* none = map_pages(1, PROT_NONE);
    provoke(SIGSEGV, [=] { (void)*reinterpret_cast<volatile char*>(none); });
    EXPECT_EQ(SEGV_ACCERR, seen.si_code);
}

TEST(Fault, ExecutionOfData) {  // S05
    char* memory = map_pages(1);
    memory[0] = '\xc3';
    provoke(SIGSEGV, [=] { reinterpret_cast<void (*)()>(memory)(); });
    EXPECT_EQ(SEGV_ACCERR, seen.si_code);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory), fault_address());
    EXPECT_EQ(reinterpret_cast<greg_t>(memory), context.uc_mcontext.gregs[REG_RIP]);
}

TEST(Fault, KernelAddressesAndNonCanonicalOnes) {  // S05
    provoke(SIGSEGV, [] { (void)*reinterpret_cast<volatile char*>(0xffffffff80000000UL); });
    note("kernel address: code " + std::to_string(seen.si_code) + " address " + std::to_string(fault_address()));
    provoke(SIGSEGV, [] { (void)*reinterpret_cast<volatile char*>(0x8000000000000000UL); });
    EXPECT_EQ(SI_KERNEL, seen.si_code);
    EXPECT_EQ(0u, fault_address());
}

TEST(Fault, NullPointer) {  // S05
    provoke(SIGSEGV, [] { (void)*static_cast<volatile char*>(nullptr); });
    EXPECT_EQ(SEGV_MAPERR, seen.si_code);
    EXPECT_EQ(0u, fault_address());
}

TEST(Fault, BehindTheEndOfAFileIsSigbus) {  // S05
    write_file("f", "short");
    int file = open("f", O_RDWR);
    char* memory = static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    provoke(SIGBUS, [=] { (void)*reinterpret_cast<volatile char*>(memory + kPage); });
    EXPECT_EQ(BUS_ADRERR, seen.si_code);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) + kPage, fault_address());
    EXPECT_EQ('s', memory[0]);
    EXPECT_EQ(0, memory[kPage - 1]) << "the rest of the last page is zero";
}

TEST(Fault, DivisionByZero) {  // S05
    provoke(SIGFPE, [] {
        volatile int zero = 0;
        volatile int result = 1;
        asm volatile("cltd\n idivl %1" : "+a"(*const_cast<int*>(&result)) : "r"(zero) : "edx");
    });
    EXPECT_EQ(FPE_INTDIV, seen.si_code);
    EXPECT_EQ(static_cast<greg_t>(fault_address()), context.uc_mcontext.gregs[REG_RIP]);
    EXPECT_EQ(0, context.uc_mcontext.gregs[REG_TRAPNO]);
}

TEST(Fault, VectorArithmetic) {  // S05
    unsigned vendor[4] = {};
    __cpuid(0x40000000, vendor[0], vendor[1], vendor[2], vendor[3]);
    if (memcmp(vendor + 1, "TCGTCGTCGTCG", 12) == 0) {
        GTEST_SKIP() << "the emulator raises no exceptions of SSE arithmetic";
    }
    provoke(SIGFPE, [] {
        unsigned control = 0x1f80 & ~0x200U;
        double one = 1;
        double zero = 0;
        asm volatile("ldmxcsr %2\n divsd %1, %0" : "+x"(one) : "x"(zero), "m"(control));
    });
    EXPECT_EQ(FPE_FLTDIV, seen.si_code);
}

TEST(Fault, X87Arithmetic) {  // S05
    provoke(SIGFPE, [] {
        unsigned short control = 0x37f & ~4;
        asm volatile("fninit\n fldcw %0\n fld1\n fldz\n fdivrp\n fwait" : : "m"(control));
    });
    asm volatile("fninit");
    EXPECT_EQ(FPE_FLTDIV, seen.si_code);
}

TEST(Fault, IllegalInstruction) {  // S05
    provoke(SIGILL, [] { asm volatile("ud2"); });
    EXPECT_EQ(ILL_ILLOPN, seen.si_code);
    EXPECT_EQ(static_cast<greg_t>(fault_address()), context.uc_mcontext.gregs[REG_RIP]);
}

TEST(Fault, PrivilegedInstruction) {  // S05
    provoke(SIGSEGV, [] { asm volatile("cli"); });
    EXPECT_EQ(SI_KERNEL, seen.si_code);
    provoke(SIGSEGV, [] { asm volatile("hlt"); });
    EXPECT_EQ(13, context.uc_mcontext.gregs[REG_TRAPNO]);
}

TEST(Fault, BreakpointAndSingleStep) {  // S05
    provoke(SIGTRAP, [] { asm volatile("int3"); });
    EXPECT_EQ(SI_KERNEL, seen.si_code);
    provoke(SIGTRAP, [] { asm volatile("pushf\n orl $0x100, (%rsp)\n popf\n nop\n nop"); });
    EXPECT_EQ(TRAP_TRACE, seen.si_code);
    EXPECT_EQ(1, context.uc_mcontext.gregs[REG_TRAPNO]);
}

TEST(Fault, BlockedOrIgnoredOneKills) {  // S05
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle(SIGSEGV, [](int) { _exit(1); });
                    block({SIGSEGV});
                    *static_cast<volatile char*>(nullptr) = 1;
                }));
    EXPECT_ENDS("SIGSEGV", run_child([] {
                    handle(SIGSEGV, SIG_IGN);
                    *static_cast<volatile char*>(nullptr) = 1;
                }));
    EXPECT_ENDS("SIGILL", run_child([] {
                    handle(SIGILL, [](int) { asm volatile("ud2"); });
                    asm volatile("ud2");
                }));
}

TEST(Fault, HandlerMayRepairIt) {  // S05
    static char* memory = map_pages(4, PROT_NONE);
    handle_info(SIGSEGV, [](int, siginfo_t* info, void*) {
        auto at = reinterpret_cast<uintptr_t>(info->si_addr) & ~(kPage - 1);
        mprotect(reinterpret_cast<void*>(at), kPage, PROT_READ | PROT_WRITE);
    });
    for (size_t i = 0; i < 4; i++) {
        *reinterpret_cast<volatile char*>(memory + i * kPage) = 1;
    }
    EXPECT_EQ(1, memory[3 * kPage]);
}

TEST(Fault, GoesToTheThreadThatFaulted) {  // S05
    static std::atomic<long> taker;
    handle_info(SIGSEGV, [](int, siginfo_t*, void*) {
        taker = syscall(SYS_gettid);
        syscall(SYS_exit, 0);
    });
    Gate done;
    pthread_t thread;
    long tid[1] = {0};
    static long* tid_out;
    tid_out = tid;
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            *tid_out = syscall(SYS_gettid);
            *static_cast<volatile char*>(nullptr) = 1;
            return nullptr;
        },
        nullptr);
    pthread_join(thread, nullptr);
    EXPECT_EQ(tid[0], taker.load());
}

TEST(Fault, CoreFlagInTheStatus) {  // S05
    int status = run_child([] { raise(SIGABRT); });
    EXPECT_FALSE(WCOREDUMP(status)) << "a limit of zero";
    status = run_child([] { raise(SIGTERM); });
    EXPECT_FALSE(WCOREDUMP(status));
}

TEST(Fault, SystemCallWithABadPointerIsEfaultNotASignal) {  // S05
    count_signals(SIGSEGV);
    char* none = map_pages(1, PROT_NONE);
    int ends[2];
    ASSERT_OK(pipe(ends));
    EXPECT_ERRNO(EFAULT, write(ends[1], none, 1));
    EXPECT_ERRNO(EFAULT, write(ends[1], reinterpret_cast<char*>(0xffffffff81000000UL), 1));
    EXPECT_EQ(3, write(ends[1], "abc", 3));
    EXPECT_ERRNO(EFAULT, read(ends[0], none, 1));
    EXPECT_ERRNO(EFAULT, syscall(SYS_uname, none));
    EXPECT_ERRNO(EFAULT, syscall(SYS_uname, 0xffffffff81000000UL));
    EXPECT_EQ(0, received(SIGSEGV));
}
