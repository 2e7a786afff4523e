#pragma once
/// The texts that calls of the exerciser are given. The first of each pool are what exists when it begins.

#include <span>

#include "tests/support/call_table.h"

namespace cairn::sim {

inline constexpr const char* kPaths[] = {
    "/d/f",
    "/d/g",
    "d/f",
    "/d",
    "/",
    ".",
    "..",
    "/d/link",
    "/d/loop",
    "/d/dangling",
    "/d/fifo",
    "/d/locked",
    "/bin/program",
    "/nothing",
    "/d/f/x",
    "",
    "/d/n0",
    "/d/n1",
    "/d/sub/deep",
    "f",
    "/d/./../d//f",
    "/mount",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts/ptmx",
    "/dev/pts/0",
    "/dev/pts",
    "/dev/kmsg",
    "/dev/console",
    "/dev/bad",
    "/proc",
    "/proc/self",
    "/proc/thread-self",
    "/proc/self/status",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/maps",
    "/proc/self/smaps",
    "/proc/self/environ",
    "/proc/self/cmdline",
    "/proc/self/comm",
    "/proc/self/fd",
    "/proc/self/fd/3",
    "/proc/self/fd/5",
    "/proc/self/fdinfo/3",
    "/proc/self/fdinfo",
    "/proc/self/task",
    "/proc/self/limits",
    "/proc/self/io",
    "/proc/self/mem",
    "/proc/self/auxv",
    "/proc/self/cwd",
    "/proc/self/exe",
    "/proc/self/root",
    "/proc/self/mounts",
    "/proc/self/mountinfo",
    "/proc/self/mountstats",
    "/proc/self/oom_score",
    "/proc/self/oom_score_adj",
    "/proc/self/wchan",
    "/proc/self/cgroup",
    "/proc/self/sched",
    "/proc/self/schedstat",
    "/proc/self/ns",
    "/proc/self/ns/uts",
    "/proc/self/ns/pid",
    "/proc/self/personality",
    "/proc/self/syscall",
    "/proc/self/stack",
    "/proc/self/loginuid",
    "/proc/self/uid_map",
    "/proc/self/setgroups",
    "/proc/self/timers",
    "/proc/self/pagemap",
    "/proc/self/clear_refs",
    "/proc/self/coredump_filter",
    "/proc/self/timerslack_ns",
    "/proc/self/children",
    "/proc/self/task/1",
    "/proc/1/stat",
    "/proc/1/status",
    "/proc/2/stat",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/cpuinfo",
    "/proc/version",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/interrupts",
    "/proc/devices",
    "/proc/kmsg",
    "/proc/cmdline",
    "/proc/swaps",
    "/proc/partitions",
    "/proc/diskstats",
    "/proc/vmstat",
    "/proc/zoneinfo",
    "/proc/buddyinfo",
    "/proc/slabinfo",
    "/proc/softirqs",
    "/proc/locks",
    "/proc/consoles",
    "/proc/misc",
    "/proc/net",
    "/proc/net/unix",
    "/proc/net/dev",
    "/proc/sysvipc/msg",
    "/proc/sysvipc/shm",
    "/proc/sysvipc/sem",
    "/proc/key-users",
    "/proc/sys/kernel",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/ostype",
    "/proc/sys/kernel/msgmni",
    "/proc/sys/kernel/sem",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/pipe-max-size",
    "/proc/sys/fs/mqueue",
    "/proc/sys/fs/mqueue/msg_max",
    "/sys",
    "/sys/devices/system/cpu/online",
    "/sys/devices/system/cpu",
    "/sys/class/tty",
    "/sys/kernel",
    "/mq",
    "/mq/q0",
    "@long name",
    "@long path",
};
inline constexpr const char* kDirectories[] = {"/d", "/", ".", "/d/sub", "/proc", "/dev", "/nothing", "/d/f"};
inline constexpr const char* kNewPaths[] = {"/d/n0",   "/d/n1",    "/d/n2",  "/d/sub/n", "n0",
                                            "/d/n0/x", "/d/link",  "/d/f",   "",         "@long name",
                                            "/proc/x", "/mount/x", "/d/sub", "/mq/q1"};
inline constexpr const char* kPrograms[] = {
    "/bin/program", "/bin/setuid", "/bin/script", "/bin/garbage", "/d/f", "/nothing", "/d", "/proc/self/exe", "",
    "/bin/nested"};
inline constexpr const char* kMountPoints[] = {"/mount", "/mount2",  "/d/sub",   "/",
                                               "/d/f",   "/nothing", "/mount/x", "/proc"};
inline constexpr const char* kFilesystemTypes[] = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "ramfs", "bad", ""};
inline constexpr const char* kMountOptions[] = {
    "",      "size=64k", "mode=700,nr_inodes=3", "size=1%", "ptmxmode=666,newinstance", "hidepid=2",
    "bad=1", "size=x",   "gid=5,mode=620",       "uid=1000"};
inline constexpr const char* kAttributeNames[] = {
    "user.a", "user.b", "trusted.a", "security.capability", "security.a", "system.posix_acl_access",
    "bad",    "user.",  "",          "@long name"};
inline constexpr const char* kQueueNames[] = {"q0", "q1", "q2", "", "q/0", "@long name", "."};
inline constexpr const char* kNames[] = {"name", "a", "", "a name with spaces and more", "/slash", "@long name"};

inline std::span<const char* const> texts_of(Texts pool) {
    switch (pool) {
        case Texts::Path:
        case Texts::Kinds:
            return kPaths;
        case Texts::Directory:
            return kDirectories;
        case Texts::NewPath:
            return kNewPaths;
        case Texts::Program:
            return kPrograms;
        case Texts::MountPoint:
            return kMountPoints;
        case Texts::FilesystemType:
            return kFilesystemTypes;
        case Texts::MountOptions:
            return kMountOptions;
        case Texts::AttributeName:
            return kAttributeNames;
        case Texts::QueueName:
            return kQueueNames;
        case Texts::Name:
            return kNames;
    }
    return kNames;
}

}  // namespace cairn::sim
