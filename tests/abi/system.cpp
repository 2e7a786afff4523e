// What the system says of itself, and calls that belong nowhere else: uname, sysinfo, getrandom, sched_*, prctl,
// membarrier, rseq, the vDSO, unknown calls.
#include <elf.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

TEST(System, Uname) {
    utsname names{};
    ASSERT_OK(uname(&names));
    EXPECT_STREQ("Linux", names.sysname);
    EXPECT_STREQ("x86_64", names.machine);
    EXPECT_GE(atoi(names.release), 5);
    EXPECT_NE('\0', names.version[0]);
    child([] {
        ASSERT_OK(unshare(CLONE_NEWUTS));
        ASSERT_OK(sethostname("abi-host", 8));
        char name[65] = {};
        ASSERT_OK(gethostname(name, sizeof name));
        EXPECT_STREQ("abi-host", name);
        EXPECT_ERRNO(EINVAL, sethostname("x", 65));
        become_user(1000, 1000);
        EXPECT_ERRNO(EPERM, sethostname("x", 1));
    });
}

TEST(System, PersonalityChangesUname) {
    utsname usual{};
    ASSERT_OK(uname(&usual));
    std::string minor = std::string(usual.release).substr(2);
    for (unsigned long persona : {0x8UL, 0x0008UL | 0x8000000UL, 0x20000UL, 0x20008UL, 0x100UL, 0x1008UL, 0UL}) {
        ASSERT_OK(syscall(SYS_personality, persona));
        utsname names{};
        ASSERT_OK(uname(&names));
        note("personality " + std::to_string(persona) + ": " + names.machine);
        EXPECT_STREQ((persona & 0x20000) != 0 ? "2.6." : std::string(usual.release).substr(0, 4).c_str(),
                     std::string(names.release).substr(0, 4).c_str());
        EXPECT_EQ(static_cast<long>(persona), syscall(SYS_personality, 0xffffffff));
    }
}

TEST(System, SwapNeedsAFileWithSwap) {
    write_file("f", std::string(100000, 'x'), 0600);
    ASSERT_OK(mkdir("d", 0755));
    ASSERT_OK(mkfifo("p", 0600));
    auto on = [](const char* path, int flags = 0) { return syscall(SYS_swapon, path, flags); };
    auto off = [](const char* path) { return syscall(SYS_swapoff, path); };
    EXPECT_ERRNO(ENOENT, on("none"));
    EXPECT_ERRNO(ENOENT, off("none"));
    EXPECT_ERRNO(ENOENT, off(""));
    EXPECT_ERRNO(EISDIR, on("d"));
    EXPECT_ERRNO(EISDIR, off("d"));
    EXPECT_ERRNO(EFAULT, off(reinterpret_cast<char*>(8)));
    for (const char* path : {"f", "p", "/dev/null"}) {
        EXPECT_ERRNO(EINVAL, on(path)) << path;
        EXPECT_ERRNO(EINVAL, off(path)) << path;
    }
    EXPECT_ERRNO(EINVAL, on("none", 0x80000));
    as_user(1000, [&] {
        EXPECT_ERRNO(EPERM, on("none"));
        EXPECT_ERRNO(EPERM, off(reinterpret_cast<char*>(8)));
        EXPECT_ERRNO(EINVAL, on("none", -1));
    });
}

TEST(System, Sysinfo) {
    struct sysinfo info{};
    ASSERT_OK(sysinfo(&info));
    EXPECT_GT(info.totalram, 0u);
    EXPECT_LT(info.freeram, info.totalram);
    EXPECT_GT(info.procs, 0);
    EXPECT_EQ(1u, info.mem_unit);
    EXPECT_ERRNO(EFAULT, syscall(SYS_sysinfo, 8));
}

TEST(System, UnknownCallsAreEnosys) {
    EXPECT_ERRNO(ENOSYS, syscall(10'000));
    EXPECT_ERRNO(ENOSYS, syscall(-1));
    EXPECT_ERRNO(ENOSYS, syscall(400)) << "a hole in the table";
    EXPECT_ERRNO(ENOSYS, syscall(183)) << "afs_syscall";
}

TEST(System, NumberIsCutTo32Bits) {
    long result = 0;
    asm volatile("syscall" : "=a"(result) : "a"(0x100000000L + SYS_getpid) : "rcx", "r11", "memory");
    EXPECT_EQ(getpid(), result);
}

TEST(System, RegistersSurviveACall) {
    uint64_t after[6];
    asm volatile(
        "mov $1, %%edi\n mov $2, %%esi\n mov $3, %%edx\n mov $4, %%r10d\n mov $5, %%r8d\n mov $6, %%r9d\n"
        "mov $39, %%eax\n syscall\n"
        "mov %%rdi, %0\n mov %%rsi, 8+%0\n mov %%rdx, 16+%0\n mov %%r10, 24+%0\n mov %%r8, 32+%0\n mov %%r9, 40+%0\n"
        : "=m"(after)
        :
        : "rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rcx", "r11", "memory");
    for (uint64_t i = 0; i < 6; i++) {
        EXPECT_EQ(i + 1, after[i]);
    }
}

TEST(Random, Getrandom) {
    unsigned char a[64] = {};
    unsigned char b[64] = {};
    EXPECT_EQ(64, getrandom(a, 64, 0));
    EXPECT_EQ(64, getrandom(b, 64, GRND_NONBLOCK));
    EXPECT_NE(0, memcmp(a, b, 64));
    EXPECT_EQ(0, getrandom(a, 0, 0));
    EXPECT_ERRNO(EINVAL, getrandom(a, 1, 0x100));
    EXPECT_ERRNO(EINVAL, getrandom(a, 1, GRND_RANDOM | GRND_INSECURE));
    EXPECT_ERRNO(EFAULT, getrandom(reinterpret_cast<void*>(8), 64, 0));
    int ones = 0;
    for (int i = 0; i < 64; i++) {
        ones += __builtin_popcount(a[i]);
    }
    EXPECT_GT(ones, 150);
    EXPECT_LT(ones, 362);
}

TEST(Sched, Affinity) {
    cpu_set_t set;
    CPU_ZERO(&set);
    ASSERT_OK(sched_getaffinity(0, sizeof set, &set));
    int count = CPU_COUNT(&set);
    EXPECT_GE(count, 1);
    int first = 0;
    while (!CPU_ISSET(first, &set)) {
        first++;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
    EXPECT_EQ(first, sched_getcpu());
    child([first] {
        cpu_set_t inherited;
        CPU_ZERO(&inherited);
        ASSERT_OK(sched_getaffinity(0, sizeof inherited, &inherited));
        EXPECT_EQ(1, CPU_COUNT(&inherited));
        EXPECT_TRUE(CPU_ISSET(first, &inherited));
    });
    CPU_ZERO(&one);
    EXPECT_ERRNO(EINVAL, sched_setaffinity(0, sizeof one, &one));
    CPU_SET(1000, &one);
    EXPECT_ERRNO(EINVAL, sched_setaffinity(0, sizeof one, &one)) << "no such CPU";
    EXPECT_ERRNO(ESRCH, sched_getaffinity(0x3fffff, sizeof set, &set));
    EXPECT_ERRNO(EINVAL, syscall(SYS_sched_getaffinity, 0, 1, &set));
    unsigned cpu = 99;
    EXPECT_OK(syscall(SYS_getcpu, &cpu, nullptr, nullptr));
    EXPECT_EQ(static_cast<unsigned>(first), cpu);
}

TEST(Sched, EveryCpuCanBeUsed) {
    cpu_set_t set;
    CPU_ZERO(&set);
    ASSERT_OK(sched_getaffinity(0, sizeof set, &set));
    for (int cpu = 0; cpu < 64; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            child([cpu] {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                ASSERT_OK(sched_setaffinity(0, sizeof one, &one));
                EXPECT_EQ(cpu, sched_getcpu());
                child([cpu] { EXPECT_EQ(cpu, sched_getcpu()); });
            });
        }
    }
}

TEST(Sched, Policies) {
    EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0));
    sched_param parameter{};
    ASSERT_OK(sched_getparam(0, &parameter));
    EXPECT_EQ(0, parameter.sched_priority);
    EXPECT_EQ(99, sched_get_priority_max(SCHED_FIFO));
    EXPECT_EQ(1, sched_get_priority_min(SCHED_RR));
    EXPECT_EQ(0, sched_get_priority_max(SCHED_OTHER));
    EXPECT_ERRNO(EINVAL, sched_get_priority_max(99));
    EXPECT_OK(sched_setscheduler(0, SCHED_BATCH, &parameter));
    EXPECT_EQ(SCHED_BATCH, sched_getscheduler(0));
    EXPECT_OK(sched_setscheduler(0, SCHED_OTHER, &parameter));
    parameter.sched_priority = 5;
    EXPECT_ERRNO(EINVAL, sched_setscheduler(0, SCHED_OTHER, &parameter));
    parameter.sched_priority = 0;
    EXPECT_ERRNO(EINVAL, sched_setscheduler(0, SCHED_FIFO, &parameter));
    EXPECT_ERRNO(EINVAL, sched_setscheduler(0, 99, &parameter));
    EXPECT_ERRNO(ESRCH, sched_getscheduler(0x3fffff));
    EXPECT_OK(sched_yield());
    timespec slice{};
    EXPECT_OK(sched_rr_get_interval(0, &slice));
    as_user(1000, [] {
        sched_param high{};
        high.sched_priority = 5;
        EXPECT_ERRNO(EPERM, sched_setscheduler(0, SCHED_FIFO, &high));
    });
}

TEST(Prctl, Settings) {
    int value = -1;
    EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
    EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
    EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_DUMPABLE, 5));
    EXPECT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    EXPECT_OK(prctl(PR_GET_PDEATHSIG, &value));
    EXPECT_EQ(SIGUSR1, value);
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_PDEATHSIG, 99));
    child([] {
        int inherited = -1;
        EXPECT_OK(prctl(PR_GET_PDEATHSIG, &inherited));
        EXPECT_EQ(0, inherited) << "not the child's";
    });
    EXPECT_EQ(0, prctl(PR_GET_KEEPCAPS));
    EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)) << "no way back";
    child([] { EXPECT_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); });
    EXPECT_ERRNO(EINVAL, prctl(9999));
    EXPECT_OK(prctl(PR_SET_TIMERSLACK, 1000));
    EXPECT_EQ(1000, prctl(PR_GET_TIMERSLACK));
    EXPECT_EQ(PR_TSC_ENABLE, (prctl(PR_GET_TSC, &value), value));
    EXPECT_ERRNO(EFAULT, prctl(PR_SET_NAME, 8));
}

TEST(Prctl, DumpableFollowsTheIds) {
    child([] {
        EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
        ASSERT_OK(seteuid(5));
        EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
    });
}

TEST(Membarrier, Commands) {
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    ASSERT_GT(commands, 0);
    EXPECT_TRUE(commands & MEMBARRIER_CMD_GLOBAL);
    EXPECT_TRUE(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    EXPECT_ERRNO(EPERM, syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)) << "not registered";
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_membarrier, 1 << 20, 0, 0));
    EXPECT_ERRNO(EINVAL, syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0));
}

TEST(Rseq, RegisteredByTheLibrary) {
    struct alignas(32) Area {
        uint32_t cpu_id_start;
        uint32_t cpu_id;
        uint64_t critical_section;
        uint32_t flags;
        uint32_t padding[3];
    };
    static Area area;
    area.cpu_id = static_cast<uint32_t>(-1);
    // The C library has registered its own: the same thread cannot register another.
    errno = 0;
    long again = syscall(SYS_rseq, &area, sizeof area, 0, 0x53053053);
    int code = errno;
    if (again == 0) {
        EXPECT_LT(area.cpu_id, 4096u) << "it was not registered yet";
    } else {
        EXPECT_TRUE(code == EINVAL || code == EBUSY) << errno_name(code);
    }
    note("second registration: " + std::string(again == 0 ? "taken" : errno_name(code)));
    EXPECT_ERRNO(EINVAL, syscall(SYS_rseq, reinterpret_cast<char*>(&area) + 4, sizeof area, 0, 0x53053053));
}

// --- the vDSO ----------------------------------------------------------------------------------------

namespace {

// The address of a function in the vDSO, by its dynamic symbols.
void* vdso_symbol(const char* wanted) {
    auto base = getauxval(AT_SYSINFO_EHDR);
    if (base == 0) {
        return nullptr;
    }
    auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
    auto* program = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
    const Elf64_Dyn* dynamic = nullptr;
    unsigned long shift = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (program[i].p_type == PT_DYNAMIC) {
            dynamic = reinterpret_cast<const Elf64_Dyn*>(base + program[i].p_offset);
        } else if (program[i].p_type == PT_LOAD) {
            shift = base + program[i].p_offset - program[i].p_vaddr;
        }
    }
    const Elf64_Sym* symbols = nullptr;
    const char* strings = nullptr;
    const uint32_t* hash = nullptr;
    const uint32_t* gnu_hash = nullptr;
    for (; dynamic != nullptr && dynamic->d_tag != DT_NULL; dynamic++) {
        auto at = dynamic->d_un.d_ptr + shift;
        if (dynamic->d_tag == DT_SYMTAB) {
            symbols = reinterpret_cast<const Elf64_Sym*>(at);
        } else if (dynamic->d_tag == DT_STRTAB) {
            strings = reinterpret_cast<const char*>(at);
        } else if (dynamic->d_tag == DT_HASH) {
            hash = reinterpret_cast<const uint32_t*>(at);
        } else if (dynamic->d_tag == DT_GNU_HASH) {
            gnu_hash = reinterpret_cast<const uint32_t*>(at);
        }
    }
    if (symbols == nullptr || strings == nullptr) {
        return nullptr;
    }
    // Symbols lie before their strings; that bounds them where there is no DT_HASH.
    size_t count =
        hash != nullptr
            ? hash[1]
            : static_cast<size_t>(reinterpret_cast<const char*>(strings) - reinterpret_cast<const char*>(symbols)) /
                  sizeof(Elf64_Sym);
    (void)gnu_hash;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(strings + symbols[i].st_name, wanted) == 0) {
            return reinterpret_cast<void*>(symbols[i].st_value + shift);
        }
    }
    return nullptr;
}

}  // namespace

TEST(Vdso, HasItsFunctions) {
    for (const char* name : {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_getcpu"}) {
        EXPECT_NE(nullptr, vdso_symbol(name)) << name;
    }
}

TEST(Vdso, ClockAgreesWithTheSystemCall) {
    auto clock = reinterpret_cast<int (*)(clockid_t, timespec*)>(vdso_symbol("__vdso_clock_gettime"));
    ASSERT_NE(nullptr, clock);
    for (clockid_t id : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME}) {
        timespec before{};
        timespec middle{};
        timespec after{};
        syscall(SYS_clock_gettime, id, &before);
        EXPECT_EQ(0, clock(id, &middle));
        syscall(SYS_clock_gettime, id, &after);
        auto value = [](timespec t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
        EXPECT_LE(value(before), value(middle)) << id;
        EXPECT_LE(value(middle), value(after)) << id;
    }
    timespec unused{};
    EXPECT_EQ(-EINVAL, clock(999, &unused));
}

TEST(Vdso, ReadingTheClockMakesNoSystemCall) {
    // With a filter that kills at clock_gettime it is plain whether a system call is made.
    struct Instruction {
        uint16_t code;
        uint8_t jump_true, jump_false;
        uint32_t value;
    };
    Instruction program[] = {
        {0x20, 0, 0, 0}, {0x15, 0, 1, SYS_clock_gettime}, {0x06, 0, 0, 0}, {0x06, 0, 0, 0x7fff0000}};
    struct {
        unsigned short length;
        Instruction* first;
    } filter{4, program};
    child([&] {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, 2, &filter) != 0) {
            return;  // No filters here: nothing can be said.
        }
        timespec now{};
        for (int i = 0; i < 100; i++) {
            clock_gettime(CLOCK_MONOTONIC, &now);
        }
        _exit(0);
    });
}

// --- /proc, as far as programs rely on it ------------------------------------------------------------

TEST(Proc, SelfLinks) {
    char text[PATH_MAX] = {};
    ASSERT_OK(readlink("/proc/self", text, sizeof text));
    EXPECT_EQ(std::to_string(getpid()), text);
    memset(text, 0, sizeof text);
    ASSERT_OK(readlink("/proc/thread-self", text, sizeof text));
    EXPECT_EQ(std::to_string(getpid()) + "/task/" + std::to_string(getpid()), text);
    memset(text, 0, sizeof text);
    ASSERT_OK(readlink("/proc/self/cwd", text, sizeof text));
    char now[PATH_MAX];
    EXPECT_STREQ(getcwd(now, sizeof now), text);
    memset(text, 0, sizeof text);
    ASSERT_OK(readlink("/proc/self/root", text, sizeof text));
    EXPECT_STREQ("/", text);
    write_file("f", "");
    int file = open("f", O_RDONLY);
    memset(text, 0, sizeof text);
    ASSERT_OK(readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), text, sizeof text));
    EXPECT_EQ(std::string(now) + "/f", text);
}

TEST(Proc, StatusFields) {
    EXPECT_EQ(std::to_string(getpid()), proc_status("Pid"));
    EXPECT_EQ(std::to_string(getppid()), proc_status("PPid"));
    EXPECT_EQ("0\t0\t0\t0", proc_status("Uid"));
    EXPECT_EQ("0022", proc_status("Umask"));
    EXPECT_EQ("1", proc_status("Threads"));
    EXPECT_EQ("R (running)", proc_status("State"));
    EXPECT_NE("(none)", proc_status("VmRSS"));
    EXPECT_NE("(none)", proc_status("voluntary_ctxt_switches"));
}

TEST(Proc, StatFields) {
    std::string text = read_file("/proc/self/stat");
    int pid = 0;
    char state = 0;
    int parent = 0;
    int group = 0;
    int session = 0;
    sscanf(text.c_str(), "%d", &pid);
    sscanf(text.c_str() + text.rfind(')') + 2, "%c %d %d %d", &state, &parent, &group, &session);
    EXPECT_EQ(getpid(), pid);
    EXPECT_EQ('R', state);
    EXPECT_EQ(getppid(), parent);
    EXPECT_EQ(getpgrp(), group);
    EXPECT_EQ(getsid(0), session);
    EXPECT_EQ(52, std::count(text.begin(), text.end(), ' ') + 1);
}

TEST(Proc, ProcessesComeAndGo) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    std::string folder = "/proc/" + std::to_string(pid);
    EXPECT_TRUE(exists(folder));
    int status = open((folder + "/status").c_str(), O_RDONLY);
    EXPECT_OK(status);
    end.open();
    wait_for(pid);
    EXPECT_FALSE(exists(folder));
    char byte;
    EXPECT_ERRNO(ESRCH, read(status, &byte, 1));
}

TEST(Proc, MemoryAndSystemFiles) {
    for (const char* name :
         {"/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/uptime", "/proc/loadavg", "/proc/version",
          "/proc/mounts", "/proc/filesystems", "/proc/self/limits", "/proc/self/mountinfo", "/proc/self/statm",
          "/proc/sys/kernel/ostype", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/random/boot_id"}) {
        EXPECT_NE("", read_file(name)) << name;
    }
    EXPECT_EQ("Linux\n", read_file("/proc/sys/kernel/ostype"));
    EXPECT_EQ(0u, read_file("/proc/meminfo").rfind("MemTotal:", 0));
    EXPECT_EQ(0u, read_file("/proc/stat").rfind("cpu ", 0));
}

TEST(Proc, ReadOnlyAndUnknown) {
    EXPECT_ERRNO(ENOENT, open("/proc/self/none", O_RDONLY));
    EXPECT_ERRNO(ENOENT, open("/proc/99999999", O_RDONLY));
    EXPECT_ERRNO(ENOENT, mkdir("/proc/x", 0755));
    EXPECT_ERRNO(EPERM, unlink("/proc/uptime"));
}

TEST(Proc, AnothersSecretsAreClosed) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    std::string folder = "/proc/" + std::to_string(pid);
    as_user(1000, [&] {
        EXPECT_ERRNO(EACCES, open((folder + "/environ").c_str(), O_RDONLY));
        EXPECT_ERRNO(EACCES, open((folder + "/fd").c_str(), O_RDONLY));
        char text[10];
        EXPECT_ERRNO(EACCES, readlink((folder + "/exe").c_str(), text, sizeof text));
        EXPECT_OK(open((folder + "/status").c_str(), O_RDONLY));
    });
    end.open();
    wait_for(pid);
}
