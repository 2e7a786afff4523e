// The probe: a program without a C library, which tests start with execve to see what a new image finds.
//
//   probe                   ends with status 42
//   probe exit N            ends with status N
//   probe dump              prints argc, argv, envp, auxv and the registers, one fact a line
//   probe cat FILE          prints a file
//   probe pause             prints "ready" and sleeps until a signal ends it
//   probe write-text        writes to its own code; the status is 1 if it lives
//   probe write-constant    the same for constant data
//   probe run-stack         runs a `ret` on the stack; ends with 0
//   probe run-data          the same in .data
//   probe zero              ends with 0 if all of .bss is zero
//   probe exec FILE ARG...  becomes FILE
//   probe who               dump, then what prctl, personality and getrlimit say, then /proc/self/status
//
// Compiled with INTERPRETER it is what PT_INTERP names: it prints "interpreter" and jumps to AT_ENTRY.
typedef unsigned long word;

word entry_registers[18];
static char zeros[3 * 4096 + 123];
static const char constant[] = "constant";
static unsigned char data_code[] = {0xc3};
static char output[1 << 15];
static word used;

static long call(long number, long a, long b, long c) {
    long result;
    // SAFETY: the system call convention of x86-64 Linux.
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static void flush(void) {
    word done = 0;
    while (done < used) {
        long count = call(1, 1, (long)(output + done), (long)(used - done));
        if (count <= 0) {
            break;
        }
        done += (word)count;
    }
    used = 0;
}

__attribute__((noreturn)) static void end(long status) {
    flush();
    for (;;) {
        call(231, status, 0, 0);
    }
}

static void put(const char* text) {
    while (*text != 0) {
        if (used == sizeof output) {
            flush();
        }
        output[used++] = *text++;
    }
}

static void put_number(word value) {
    char digits[24];
    int at = 23;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(digits + at);
}

static int same(const char* a, const char* b) {
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static long number(const char* text) {
    long value = 0;
    while (*text >= '0' && *text <= '9') {
        value = value * 10 + (*text++ - '0');
    }
    return value;
}

static void put_fact(const char* name, word value) {
    put(name);
    put(" ");
    put_number(value);
    put("\n");
}

static void dump(word* stack) {
    // No table of pointers: a static PIE would have to relocate it first.
    static const char names[][8] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",    "r9",
                                        "r10", "r11", "r12", "r13", "r14", "r15", "rsp", "rflags"};
    put_fact("argc", stack[0]);
    word* at = stack + 1;
    for (; *at != 0; at++) {
        put("arg ");
        put((const char*)*at);
        put("\n");
    }
    for (at++; *at != 0; at++) {
        put("env ");
        put((const char*)*at);
        put("\n");
    }
    for (at++; *at != 0; at += 2) {
        put("aux ");
        put_number(at[0]);
        put(" ");
        if (at[0] == 15 || at[0] == 31) {
            put((const char*)at[1]);
        } else {
            put_number(at[1]);
        }
        put("\n");
        if (at[0] == 25) {
            put_fact("random0", ((const word*)at[1])[0]);
            put_fact("random1", ((const word*)at[1])[1]);
        }
    }
    for (int i = 0; i < 17; i++) {
        put("register ");
        put_fact(names[i], entry_registers[i]);
    }
    word fs = 1;
    word gs = 1;
    call(158, 0x1003, (long)&fs, 0);
    call(158, 0x1004, (long)&gs, 0);
    put_fact("register fs_base", fs);
    put_fact("register gs_base", gs);
    unsigned control = 0;
    unsigned short x87 = 0;
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(control), "=m"(x87));
    put_fact("register mxcsr", control);
    put_fact("register fcw", x87);
    put_fact("address code", (word)&dump);
    put_fact("address stack", (word)stack);
    put_fact("address brk", (word)call(12, 0, 0, 0));
}

static void cat(const char* path) {
    char buffer[512];
    long file = call(2, (long)path, 0, 0);
    if (file < 0) {
        end(-file);
    }
    for (;;) {
        long count = call(0, file, (long)buffer, sizeof buffer);
        if (count <= 0) {
            end(count == 0 ? 0 : 255);
        }
        call(1, 1, (long)buffer, count);
    }
}

static long control(long option, long argument) {
    register long fourth __asm__("r10") = 0;
    register long fifth __asm__("r8") = 0;
    long result;
    // SAFETY: the system call convention of x86-64 Linux; 157 is prctl.
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(157), "D"(option), "S"(argument), "d"(0), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return result;
}

static void who(word* stack) {
    dump(stack);
    put_fact("dumpable", (word)control(3, 0));
    put_fact("keepcaps", (word)control(7, 0));
    put_fact("securebits", (word)control(27, 0));
    put_fact("no-new-privileges", (word)control(39, 0));
    int signal = -1;
    control(2, (long)&signal);
    put_fact("death-signal", (word)signal);
    put_fact("personality", (word)call(135, 0xffffffff, 0, 0));
    word limit[2] = {0, 0};
    call(97, 3, (long)limit, 0);
    put_fact("stack-limit", limit[0]);
    flush();
    cat("/proc/self/status");
}

static void run(const void* code) {
    __asm__ volatile("call *%0" : : "r"(code) : "memory");
}

static void poke(volatile char* at) {
    *at = *at;
}

__attribute__((used, noreturn)) void probe_main(word* stack) {
#ifdef INTERPRETER
    word* at = stack + 1 + stack[0] + 1;
    while (*at++ != 0) {
    }
    word entry = 0;
    for (; *at != 0; at += 2) {
        entry = at[0] == 9 ? at[1] : entry;
    }
    put_fact("interpreter", (word)&probe_main);
    flush();
    // SAFETY: goes on where the kernel would have without an interpreter, with the stack as it was.
    __asm__ volatile("mov %0, %%rsp; jmp *%1" : : "r"(stack), "r"(entry) : "memory");
    __builtin_unreachable();
#else
    char** argv = (char**)(stack + 1);
    const char* what = stack[0] > 1 ? argv[1] : "";
    if (same(what, "exit")) {
        end(number(argv[2]));
    } else if (same(what, "dump")) {
        dump(stack);
        end(0);
    } else if (same(what, "who")) {
        who(stack);
    } else if (same(what, "cat")) {
        cat(argv[2]);
    } else if (same(what, "pause")) {
        put("ready\n");
        flush();
        for (;;) {
            call(34, 0, 0, 0);
        }
    } else if (same(what, "write-text")) {
        poke((char*)&probe_main);
        end(1);
    } else if (same(what, "write-constant")) {
        poke((char*)constant);
        end(1);
    } else if (same(what, "run-stack")) {
        volatile unsigned char code[] = {0xc3};
        run((const void*)code);
        end(0);
    } else if (same(what, "run-data")) {
        run(data_code);
        end(0);
    } else if (same(what, "zero")) {
        word sum = 0;
        for (word i = 0; i < sizeof zeros; i++) {
            sum |= (unsigned char)((volatile char*)zeros)[i];
        }
        end(sum != 0);
    } else if (same(what, "exec")) {
        char** envp = argv + stack[0] + 1;
        end(-call(59, (long)argv[2], (long)(argv + 2), (long)envp));
    }
    end(42);
#endif
}

// SAFETY: the entry point: registers as the kernel left them are stored before anything uses them.
__asm__(
    ".globl _start\n"
    "_start:\n"
    "    mov %rax, entry_registers(%rip)\n"
    "    mov %rbx, entry_registers+8(%rip)\n"
    "    mov %rcx, entry_registers+16(%rip)\n"
    "    mov %rdx, entry_registers+24(%rip)\n"
    "    mov %rsi, entry_registers+32(%rip)\n"
    "    mov %rdi, entry_registers+40(%rip)\n"
    "    mov %rbp, entry_registers+48(%rip)\n"
    "    mov %r8, entry_registers+56(%rip)\n"
    "    mov %r9, entry_registers+64(%rip)\n"
    "    mov %r10, entry_registers+72(%rip)\n"
    "    mov %r11, entry_registers+80(%rip)\n"
    "    mov %r12, entry_registers+88(%rip)\n"
    "    mov %r13, entry_registers+96(%rip)\n"
    "    mov %r14, entry_registers+104(%rip)\n"
    "    mov %r15, entry_registers+112(%rip)\n"
    "    mov %rsp, entry_registers+120(%rip)\n"
    "    pushf\n"
    "    pop %rax\n"
    "    mov %rax, entry_registers+128(%rip)\n"
    "    xor %ebp, %ebp\n"
    "    mov %rsp, %rdi\n"
    "    and $-16, %rsp\n"
    "    call probe_main\n"
    "    hlt\n");
