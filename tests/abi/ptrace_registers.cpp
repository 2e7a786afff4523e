// ptrace(2): registers, memory, single steps and hardware breakpoints.
#include "tests/abi/support/tracee.h"

using namespace abi_test;

namespace {

struct Guarded {
    volatile uint64_t before;
    volatile uint64_t word;
    volatile uint64_t after;
};
Guarded g_guarded;
volatile int g_calls;

[[gnu::noinline]] void marked() {
    g_calls = g_calls + 1;
    asm volatile("");
}

std::string trap_text(pid_t pid) {
    siginfo_t info{};
    EXPECT_OK(trace_to(PTRACE_GETSIGINFO, pid, info));
    return signal_name(info.si_signo) + " code " + std::to_string(info.si_code);
}

unsigned long address_of(const volatile void* at) {
    return reinterpret_cast<unsigned long>(at);
}

}  // namespace

TEST(PtraceRegisters, AreReadAndWritten) {
    // The tracee stands in a system call; what it finds in RBX … behind it is what the tracer put there.
    pid_t pid = start_tracee([] {
        uint64_t found[4];
        asm volatile(
            "movq $1, %%rbx\n\tmovq $2, %%r12\n\tmovq $3, %%r13\n\tmovq $39, %%rax\n\tsyscall\n\t"
            "movq %%rax, 0(%0)\n\tmovq %%rbx, 8(%0)\n\tmovq %%r12, 16(%0)\n\tmovq %%r13, 24(%0)"
            :
            : "r"(found)
            : "rax", "rbx", "rcx", "r11", "r12", "r13", "memory");
        EXPECT_EQ(0x1111u, found[0]);
        EXPECT_EQ(0x2222u, found[1]);
        EXPECT_EQ(0x3333u, found[2]);
        EXPECT_EQ(3u, found[3]);
    });
    user_regs_struct registers{};
    do {
        ASSERT_OK(trace(PTRACE_SYSCALL, pid));
        EXPECT_STOP("SIGTRAP", pid);
        ASSERT_OK(trace_to(PTRACE_GETREGS, pid, registers));
    } while (registers.orig_rax != SYS_getpid || registers.rbx != 1 ||
             registers.rax != static_cast<unsigned long>(pid));
    EXPECT_EQ(2u, registers.r12);
    EXPECT_EQ(0x33u, registers.cs);
    EXPECT_EQ(0x2bu, registers.ss);
    EXPECT_EQ(registers.rip, registers.rcx);
    EXPECT_EQ(registers.eflags | 0, registers.r11);
    registers.rax = 0x1111;
    registers.rbx = 0x2222;
    ASSERT_OK(trace_to(PTRACE_SETREGS, pid, registers));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(r12), 0x3333));
    iovec piece{&registers, 24};
    ASSERT_OK(trace_to(PTRACE_GETREGSET, pid, piece, NT_PRSTATUS));
    EXPECT_EQ(24u, piece.iov_len);
    EXPECT_EQ(0x3333, peek_user(pid, USER_REGISTER(r12)));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceRegisters, RefusesWhatAProgramMayNotHave) {
    pid_t pid = start_tracee([] {});
    user_regs_struct registers{};
    ASSERT_OK(trace_to(PTRACE_GETREGS, pid, registers));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEUSER, pid, USER_REGISTER(cs), 0x10));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEUSER, pid, USER_REGISTER(fs_base), 1ul << 63));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEUSER, pid, 3, 0));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEUSER, pid, sizeof(struct user), 0));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEUSER, pid, sizeof(user_regs_struct) + 8, 0));
    EXPECT_EQ(0, peek_user(pid, sizeof(user_regs_struct) + 8));
    // Privileged flags are passed over.
    long flags = peek_user(pid, USER_REGISTER(eflags));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(eflags), static_cast<unsigned long>(flags) ^ 0x3200));
    EXPECT_EQ(flags, peek_user(pid, USER_REGISTER(eflags)));
    EXPECT_ERRNO(EFAULT, trace(PTRACE_GETREGS, pid, 0, 8));
    iovec piece{&registers, 20};
    EXPECT_ERRNO(EINVAL, trace_to(PTRACE_GETREGSET, pid, piece, NT_PRSTATUS));
    piece.iov_len = 8;
    EXPECT_ERRNO(EINVAL, trace_to(PTRACE_GETREGSET, pid, piece, 0x7777));
    end_tracee(pid);
}

TEST(PtraceRegisters, Vectors) {
    pid_t pid = start_tracee([] {
        alignas(16) uint64_t value[2] = {0x0123456789abcdef, 0xfedcba9876543210};
        alignas(16) uint64_t after[2] = {};
        asm volatile("movdqa (%0), %%xmm5\n\tmovq $39, %%rax\n\tsyscall\n\tmovdqa %%xmm5, (%1)"
                     :
                     : "r"(value), "r"(after)
                     : "rax", "rcx", "r11", "xmm5", "memory");
        EXPECT_EQ(7u, after[0]);
        EXPECT_EQ(0xfedcba9876543210u, after[1]);
    });
    user_fpregs_struct vectors{};
    auto low = [&] {
        uint64_t word;
        memcpy(&word, reinterpret_cast<char*>(vectors.xmm_space) + 5 * 16, sizeof word);
        return word;
    };
    do {
        ASSERT_OK(trace(PTRACE_SYSCALL, pid));
        EXPECT_STOP("SIGTRAP", pid);
        ASSERT_OK(trace_to(PTRACE_GETFPREGS, pid, vectors));
    } while (low() != 0x0123456789abcdef);
    EXPECT_EQ(0x1f80u, vectors.mxcsr);
    std::vector<char> area(16384);
    iovec all{area.data(), area.size()};
    ASSERT_OK(trace_to(PTRACE_GETREGSET, pid, all, NT_X86_XSTATE));
    EXPECT_GE(all.iov_len, 576u);
    EXPECT_EQ(0, memcmp(area.data() + 160, vectors.xmm_space, 256));
    uint64_t features;
    memcpy(&features, area.data() + 464, sizeof features);
    EXPECT_EQ(3u, features & 3);
    uint64_t seven = 7;
    memcpy(area.data() + 160 + 5 * 16, &seven, sizeof seven);
    ASSERT_OK(trace_to(PTRACE_SETREGSET, pid, all, NT_X86_XSTATE));
    ASSERT_OK(trace_to(PTRACE_GETFPREGS, pid, vectors));
    EXPECT_EQ(7u, low());
    iovec part{&vectors, 512};
    ASSERT_OK(trace_to(PTRACE_SETREGSET, pid, part, NT_PRFPREG));
    part.iov_len = 8;
    EXPECT_ERRNO(EINVAL, trace_to(PTRACE_SETREGSET, pid, part, NT_PRFPREG));
    vectors.mxcsr = 0xffffffff;
    EXPECT_ERRNO(EINVAL, trace_to(PTRACE_SETFPREGS, pid, vectors));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceMemory, WordsAndProcMem) {
    static volatile uint64_t word = 0x1122334455667788;
    static const volatile uint64_t constant = 0x1234;
    char* page = map_pages(1, PROT_NONE);
    pid_t pid = start_tracee([] {
        EXPECT_EQ(5u, word);
        EXPECT_EQ(6u, constant);
    });
    uint64_t got = 0;
    ASSERT_OK(trace_to(PTRACE_PEEKDATA, pid, got, address_of(&word)));
    EXPECT_EQ(0x1122334455667788u, got);
    ASSERT_OK(trace(PTRACE_POKEDATA, pid, address_of(&word), 5));
    // Through a mapping that may only be read, into a copy of its own.
    ASSERT_OK(trace(PTRACE_POKETEXT, pid, address_of(&constant), 6));
    EXPECT_EQ(0x1234u, constant);
    EXPECT_ERRNO(EIO, trace_to(PTRACE_PEEKDATA, pid, got, 16));
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEDATA, pid, 16, 1));
    EXPECT_ERRNO(EFAULT, trace(PTRACE_PEEKDATA, pid, address_of(&word), 16));
    int mem = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_OK(mem);
    EXPECT_EQ(8, pread(mem, &got, 8, static_cast<off_t>(address_of(&word))));
    EXPECT_EQ(5u, got);
    got = 77;
    EXPECT_EQ(8, pwrite(mem, &got, 8, static_cast<off_t>(address_of(page) + 8)));
    got = 0;
    EXPECT_EQ(8, pread(mem, &got, 8, static_cast<off_t>(address_of(page) + 8)));
    EXPECT_EQ(77u, got);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 0", pid);
}

TEST(PtraceMemory, ASharedReadOnlyMappingIsNotForced) {
    write_file("file", std::string(kPage, 'a'));
    int file = open("file", O_RDONLY);
    void* page = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file, 0);
    void* own = mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, file, 0);
    pid_t pid = start_tracee([] {});
    EXPECT_ERRNO(EIO, trace(PTRACE_POKEDATA, pid, address_of(page), 1));
    EXPECT_OK(trace(PTRACE_POKEDATA, pid, address_of(own), 1));
    EXPECT_EQ("aaaa", read_file("file").substr(0, 4));
    end_tracee(pid);
}

TEST(PtraceStep, OneInstructionAtATime) {
    pid_t pid = start_tracee([] {
        asm volatile("nop\n\tnop\n\tnop\n\tmovq $39, %%rax\n\tsyscall\n\tnop" : : : "rax", "rcx", "r11");
        _exit(3);
    });
    // To where the nops are.
    std::string trail;
    int nops = 0;
    for (int i = 0; i < 100'000 && nops < 4; ++i) {
        unsigned long rip = static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip)));
        uint64_t code = 0;
        ASSERT_OK(trace_to(PTRACE_PEEKTEXT, pid, code, rip));
        EXPECT_EQ(0, peek_user(pid, USER_REGISTER(eflags)) & 0x100);
        bool nop = (code & 0xff) == 0x90;
        ASSERT_OK(trace(PTRACE_SINGLESTEP, pid));
        EXPECT_STOP("SIGTRAP", pid);
        if ((nop && nops < 3 && (code & 0xffff) == 0x9090) || nops > 0) {
            ++nops;
            unsigned long now = static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip)));
            trail += " +" + std::to_string(now - rip) + " " + trap_text(pid);
        }
    }
    note("steps" + trail);
    note_stops("then", pid, PTRACE_SINGLESTEP, 3);
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 3", pid);
}

TEST(PtraceStep, OverASystemCall) {
    pid_t pid = start_tracee([] {
        syscall(SYS_getppid);
        _exit(3);
    });
    do {
        ASSERT_OK(trace(PTRACE_SYSCALL, pid));
        EXPECT_STOP("SIGTRAP", pid);
    } while (peek_user(pid, USER_REGISTER(orig_rax)) != SYS_getppid);
    unsigned long before = static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip)));
    ASSERT_OK(trace(PTRACE_SINGLESTEP, pid));
    EXPECT_STOP("SIGTRAP", pid);
    note("behind the call: +" +
         std::to_string(static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip))) - before) + " " +
         trap_text(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 3", pid);
}

namespace {

void handler_of_step(int) {
    marked();
}

}  // namespace

TEST(PtraceStep, IntoAHandler) {
    pid_t pid = start_tracee([] {
        handle(SIGUSR1, handler_of_step);
        raise(SIGUSR1);
        _exit(3);
    });
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGUSR1", pid);
    ASSERT_OK(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
    EXPECT_STOP("SIGTRAP", pid);
    EXPECT_EQ(address_of(reinterpret_cast<void*>(handler_of_step)),
              static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip))));
    note(trap_text(pid));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 3", pid);
}

TEST(PtraceBreakpoint, AnInstructionInTheText) {
    pid_t pid = start_tracee([] {
        marked();
        _exit(g_calls);
    });
    unsigned long place = address_of(reinterpret_cast<void*>(marked));
    uint64_t code = 0;
    ASSERT_OK(trace_to(PTRACE_PEEKTEXT, pid, code, place));
    ASSERT_OK(trace(PTRACE_POKETEXT, pid, place, (code & ~0xfful) | 0xcc));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP", pid);
    note(trap_text(pid));
    EXPECT_EQ(place + 1, static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip))));
    ASSERT_OK(trace(PTRACE_POKETEXT, pid, place, code));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, USER_REGISTER(rip), place));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 1", pid);
}

TEST(PtraceDebugRegisters, WhatTheyTake) {
    pid_t pid = start_tracee([] {});
    struct Write {
        int number;
        unsigned long value;
    };
    const Write writes[] = {
        {0, 0x1001},
        {0, 0xffff800000000000},
        {0, 0x7fffffffe000},
        {0, 0x7ffffffff000},
        {0, 0x1000},
        {4, 1},
        {5, 1},
        {6, 0x123},
        {6, 0},
        {7, 0x1},
        {7, 0x2},
        {7, 0x10001},
        {7, 0x20001},
        {7, 0x30001},
        {7, 0x50001},
        {7, 0x90001},
        {7, 0xd0001},
        {7, 0x40001},
        {7, 0xf00d0055},
        {7, 0},
        {0, 0x1001},
        {7, 0xd0001},
        {7, 0x50001},
        {7, 0x10001},
        {0, 0x1000},
        {7, 0},
        {7, 0x12001},
        {7, 0x10701},
        {7, 0},
        {7, 0x100010001},
        {7, 0},
    };
    for (int i = 0; i < 8; ++i) {
        note("at first " + std::to_string(i) + ": " + std::to_string(peek_user(pid, DEBUG_REGISTER(i))));
    }
    int step = 0;
    for (const Write& write : writes) {
        long result = trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(write.number), write.value);
        note(std::to_string(step++) + ": " + (result == 0 ? "ok" : errno_name(errno)) + ", then " +
             std::to_string(peek_user(pid, DEBUG_REGISTER(write.number))));
    }
    end_tracee(pid);
}

TEST(PtraceDebugRegisters, AWatchpointOnData) {
    pid_t pid = start_tracee([] {
        g_guarded.before = 1;
        g_guarded.word = 2;
        g_guarded.after = 3;
        (void)g_guarded.word;
        // Another process has no watchpoints, nor what a call of the kernel's writes for the program.
        child([] { g_guarded.word = 9; });
        int ends[2];
        ASSERT_OK(pipe(ends));
        ASSERT_EQ(8, write(ends[1], "12345678", 8));
        ASSERT_EQ(8, read(ends[0], const_cast<uint64_t*>(&g_guarded.word), 8));
        g_guarded.word = 4;
        _exit(6);
    });
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(0), address_of(&g_guarded.word)));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(7), 0x90001));
    for (uint64_t expected : {2u, 4u}) {
        ASSERT_OK(trace(PTRACE_CONT, pid));
        std::string stop = next_stop(pid);
        if (stop == "SIGCHLD") {
            ASSERT_OK(trace(PTRACE_CONT, pid));
            stop = next_stop(pid);
        }
        EXPECT_EQ("SIGTRAP", stop);
        uint64_t word = 0;
        ASSERT_OK(trace_to(PTRACE_PEEKDATA, pid, word, address_of(&g_guarded.word)));
        EXPECT_EQ(expected, word);
        EXPECT_EQ(1, peek_user(pid, DEBUG_REGISTER(6)) & 0xf);
        note(trap_text(pid));
        ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(6), 0));
    }
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 6", pid);
}

TEST(PtraceDebugRegisters, ABreakpointOnAnInstruction) {
    pid_t pid = start_tracee([] {
        marked();
        marked();
        _exit(g_calls);
    });
    unsigned long place = address_of(reinterpret_cast<void*>(marked));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(1), place));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(7), 1 << 2));
    for (int i = 0; i < 2; ++i) {
        ASSERT_OK(trace(PTRACE_CONT, pid));
        EXPECT_STOP("SIGTRAP", pid);
        EXPECT_EQ(place, static_cast<unsigned long>(peek_user(pid, USER_REGISTER(rip))));
        EXPECT_EQ(2, peek_user(pid, DEBUG_REGISTER(6)) & 0xf);
        note(trap_text(pid));
    }
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("exit 2", pid);
}

TEST(PtraceDebugRegisters, ExecRemovesThem) {
    write_probe("probe");
    pid_t pid = start_tracee([] { execl("probe", "probe", nullptr); });
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(0), 0x1000));
    ASSERT_OK(trace(PTRACE_POKEUSER, pid, DEBUG_REGISTER(7), 0x90001));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    EXPECT_STOP("SIGTRAP", pid);
    EXPECT_EQ(0, peek_user(pid, DEBUG_REGISTER(0)));
    EXPECT_EQ(0, peek_user(pid, DEBUG_REGISTER(7)));
    end_tracee(pid);
}

namespace {

void exec_of_a_set_id_program(bool privileged) {
    // E15, traps L and N.
    ASSERT_OK(chmod(".", 0755));
    write_probe("probe", Probe::Static, 04755);
    auto body = [] {
        pid_t pid = start_tracee([] { execl("probe", "probe", nullptr); });
        ASSERT_OK(trace(PTRACE_CONT, pid));
        EXPECT_STOP("SIGTRAP", pid);
        note("ids " + proc_status("Uid", std::to_string(pid)));
        note("rights " + proc_status("CapPrm", std::to_string(pid)));
        end_tracee(pid);
    };
    if (!privileged) {
        as_user(1000, [&] {
            prctl(PR_SET_DUMPABLE, 1);
            body();
        });
        return;
    }
    pid_t pid = start_child([] {
        raise(SIGSTOP);
        become_user(1000, 1000);
        prctl(PR_SET_DUMPABLE, 1);
        execl("probe", "probe", nullptr);
    });
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
    ASSERT_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC));
    EXPECT_STOP("SIGSTOP+stop", pid);
    ASSERT_OK(kill(pid, SIGCONT));
    ASSERT_OK(trace(PTRACE_CONT, pid));
    for (std::string stop; stop != "SIGTRAP+exec";) {
        stop = next_stop(pid);
        if (stop != "SIGTRAP+exec") {
            ASSERT_OK(trace(PTRACE_CONT, pid));
        }
    }
    note("ids " + proc_status("Uid", std::to_string(pid)));
    end_tracee(pid);
}

}  // namespace

TEST(PtraceExec, ASetIdProgramGetsNothingUnderATracer) {
    exec_of_a_set_id_program(false);
}

TEST(PtraceExec, ASetIdProgramUnderAPrivilegedTracer) {
    exec_of_a_set_id_program(true);
}
