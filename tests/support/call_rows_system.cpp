/// Rows for memory, credentials, scheduling and the system as a whole; and all rows together.

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "tests/support/call_table.h"

namespace cairn::sim {

namespace {

using enum Makes;
constexpr Argument kProtection = one_of<PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC,
                                        PROT_READ | PROT_WRITE | PROT_EXEC, 0x01000003, 0x80>();
constexpr Argument kIdPointer = room(4);
constexpr Argument kWhich = one_of<0, 1, 2, 3>();
constexpr Argument kPolicy = one_of<0, 1, 2, 3, 5, 6, 0x40000001, 9>();
constexpr Argument kSegments = is(Meaning::Segments);
constexpr Argument kRemote = is(Meaning::RemoteSegments);
constexpr Argument kCount = one_of<1, 2, 0, 1025>();

constexpr Row kRows[] = {
    {SYS_mmap,
     {kArea, kLength, kProtection,
      one_of<MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS | 0x40 | 0x40000>()},
     Area},
    {SYS_mmap,
     {kArea, kLength, kProtection,
      one_of<MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SHARED | MAP_FIXED, MAP_PRIVATE | MAP_POPULATE>(), fd(),
      one_of<0, 4096, 8192, 100, ~u64{4095}>()},
     Area},
    {SYS_mmap,
     {{}, kLength, kProtection, one_of<MAP_PRIVATE, MAP_SHARED>(), fd(Descriptor::Memory), one_of<0, 4096>()},
     Area},
    {SYS_mprotect, {kArea, kLength, kProtection}},
    {SYS_munmap, {kArea, kLength}},
    {SYS_brk, {one_of<0, 0x700000, 0x800000, 0x100>()}},
    {SYS_brk, {kArea}},
    {SYS_mremap, {kArea, kLength, kLength, one_of<0, 1, 3, 5, 4, 2>(), kArea}, Area},
    {SYS_msync, {kArea, kLength, one_of<1, 2, 4, 6, 5, 8>()}},
    {SYS_mincore, {kArea, kLength, room(256)}},
    {SYS_madvise,
     {kArea, kLength, one_of<0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 100, 999>()}},
    {SYS_mlock, {kArea, kLength}},
    {SYS_mlock2, {kArea, kLength, one_of<0, 1, 2>()}},
    {SYS_munlock, {kArea, kLength}},
    {SYS_mlockall, {one_of<1, 2, 3, 4, 5, 0>()}},
    {SYS_munlockall},
    {SYS_process_vm_readv, {kOtherProcess, kSegments, kCount, kRemote, kCount, one_of<0, 0, 1>()}},
    {SYS_process_vm_writev, {kOtherProcess, kSegments, kCount, kRemote, kCount, one_of<0, 0, 1>()}},
    {SYS_process_madvise, {fd(Descriptor::Process), kRemote, kCount, one_of<20, 21, 3, 4, 25>(), one_of<0, 1>()}},
    {SYS_membarrier, {one_of<0, 1, 2, 4, 8, 16, 32, 64, 128, 512>(), one_of<0, 0, 1>(), one_of<0, 1, 99>()}},
    {SYS_rseq, {kArea, one_of<32, 32, 28>(), one_of<0, 1, 2>(), one_of<0x53053053, 1>()}},

    {SYS_getuid},
    {SYS_geteuid},
    {SYS_getgid},
    {SYS_getegid},
    {SYS_getresuid, {kIdPointer, kIdPointer, kIdPointer}},
    {SYS_getresgid, {kIdPointer, kIdPointer, kIdPointer}},
    {SYS_setuid, {kUser}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_setgid, {kUser}},
    {SYS_setreuid, {kUser, kUser}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_setregid, {kUser, kUser}},
    {SYS_setresuid, {kUser, kUser, kUser}, Nothing, {}, 0, Frequency::Seldom},
    {SYS_setresgid, {kUser, kUser, kUser}},
    {SYS_setfsuid, {kUser}},
    {SYS_setfsgid, {kUser}},
    {SYS_getgroups, {one_of<0, 1, 32, ~0u>(), room(128)}},
    {SYS_setgroups, {one_of<0, 1, 8, 70000>(), bytes(256)}},
    {SYS_capget, {is(Meaning::CapabilityHeader), room(24)}},
    {SYS_capset, {is(Meaning::CapabilityHeader), is(Meaning::CapabilityData)}, Nothing, {}, 0, Frequency::Seldom},

    {SYS_getrlimit, {is(Meaning::Resource), room(16)}},
    {SYS_setrlimit, {is(Meaning::Resource), is(Meaning::Limit)}},
    {SYS_prlimit64, {kOtherProcess, is(Meaning::Resource), is(Meaning::Limit), room(16)}},
    {SYS_sched_yield},
    {SYS_getpriority, {kWhich, kProcess}},
    {SYS_setpriority, {kWhich, kProcess, one_of<0, 5, ~0u, 100>()}},
    {SYS_ioprio_set, {kWhich, kProcess, one_of<0, 0x4000, 0x6003, 0x2007, 0xffff>()}},
    {SYS_ioprio_get, {kWhich, kProcess}},
    {SYS_sched_getaffinity, {kProcess, one_of<8, 128, 4, 7>(), room(128)}},
    {SYS_sched_setaffinity, {kProcess, one_of<8, 1, 0, 128>(), bytes(128)}},
    {SYS_sched_getscheduler, {kProcess}},
    {SYS_sched_setscheduler, {kOtherProcess, kPolicy, is(Meaning::SchedulingParameter)}},
    {SYS_sched_getparam, {kProcess, room(4)}},
    {SYS_sched_setparam, {kOtherProcess, is(Meaning::SchedulingParameter)}},
    {SYS_sched_getattr, {kProcess, room(56), one_of<48, 56, 40, 0, 5000>(), one_of<0, 0, 1>()}},
    {SYS_sched_setattr, {kOtherProcess, is(Meaning::SchedulingAttributes), one_of<0, 0, 1>()}},
    {SYS_sched_get_priority_max, {kPolicy}},
    {SYS_sched_get_priority_min, {kPolicy}},
    {SYS_sched_rr_get_interval, {kProcess, room(16)}},
    {SYS_getcpu, {room(4), room(4)}},
    {SYS_kcmp, {kProcess, kProcess, one_of<0, 1, 2, 3, 4, 5, 6, 7, 8>(), fd(), fd()}},

    {SYS_uname, {room(390)}},
    {SYS_sethostname, {bytes(64), one_of<3, 0, 64, 65, ~0u>()}},
    {SYS_setdomainname, {bytes(64), one_of<3, 0, 64, 65, ~0u>()}},
    {SYS_sysinfo, {room(112)}},
    {SYS_syslog, {one_of<0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11>(), room(1024), one_of<1024, 1, 0, 8, ~0u>()}},
    {SYS_getrandom, {room(600), one_of<600, 8, 0>(), bits(7)}, Nothing, {}, 2},
    // Never a command that ends the machine.
    {SYS_reboot, {one_of<0xfee1dead, 0>(), one_of<672274793, 369367448, 1>(), one_of<0x89abcdef, 0, 0x12345>()}},
    {SYS_vhangup},
};

constexpr usize kMostRows = 512;
struct AllRows {
    std::array<Row, kMostRows> rows{};
    usize count = 0;
};
const AllRows& all() {
    static const AllRows kAll = [] {
        AllRows made;
        for (u32 number = 0; number < kMostRows; ++number) {
            for (std::span<const Row> part : {file_rows(), path_rows(), wait_rows(), process_rows(), system_rows()}) {
                for (const Row& row : part) {
                    if (row.number == number) {
                        made.rows[made.count++] = row;
                    }
                }
            }
        }
        return made;
    }();
    return kAll;
}

}  // namespace

std::span<const Row> system_rows() {
    return kRows;
}

std::span<const Row> call_rows() {
    return {all().rows.data(), all().count};
}

std::span<const Row> rows_of(u32 number) {
    const std::span<const Row> rows = call_rows();
    const auto first = std::ranges::find_if(rows, [&](const Row& row) { return row.number == number; });
    const auto last = std::find_if(first, rows.end(), [&](const Row& row) { return row.number != number; });
    return {first, last};
}

}  // namespace cairn::sim
