// The first program of a machine that tools/bench boots to see what the way there costs: says how many ticks of the
// time-stamp counter have passed when its first instruction runs (with QEMU's -icount: how many instructions), and how
// much memory is left, and switches the machine off. No C library, whose start would count, too.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

asm(R"(
    .globl _start
_start:
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov %rdx, %rdi
    and $-16, %rsp
    call first
)");

namespace {

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
    long result = number;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}

long address(const void* object) {
    return reinterpret_cast<long>(object);
}

void print(const char* text, long length) {
    call(SYS_write, 1, address(text), length);
}

void print_number(unsigned long number) {
    char digits[24];
    char* at = digits + sizeof digits;
    *--at = '\n';
    do {
        *--at = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print(at, digits + sizeof digits - at);
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void first(unsigned long ticks) {
    constexpr char kTicks[] = "\nfirst program: ticks ";
    print(kTicks, sizeof kTicks - 1);
    print_number(ticks);
    call(SYS_mkdir, address("/proc"), 0755);
    call(SYS_mount, address("proc"), address("/proc"), address("proc"));
    const long file = call(SYS_open, address("/proc/meminfo"), O_RDONLY);
    char text[4096];
    const long length = call(SYS_read, file, address(text), sizeof text);
    print(text, length);
    constexpr char kEnd[] = "first program: end\n";
    print(kEnd, sizeof kEnd - 1);
    call(SYS_ioctl, 1, TCSBRK, 1);  // tcdrain
    constexpr long kMagic = 0xfee1dead, kMagic2 = 672274793, kPowerOff = 0x4321fedc;
    call(SYS_reboot, kMagic, kMagic2, kPowerOff);
    for (;;) {
        call(SYS_pause);
    }
}
