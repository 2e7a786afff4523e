#include "tests/support/exercise_world.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "tests/support/call_texts.h"
#include "tests/support/user_calls.h"

namespace cairn::sim {

using namespace user;

namespace {

constexpr const char* kRoot = "/world";

/// Several texts at once.
VirtualAddress second_text(UserMachine& u, const char* string) {
    return text(u, string, 4);
}

void make_directory(UserMachine& u, const char* path) {
    u.syscall(SYS_mkdir, text(u, path), 0755);
}

i64 make_file(UserMachine& u, const char* path, const char* contents, u32 mode) {
    const i64 fd = u.syscall(SYS_open, text(u, path), O_RDWR | O_CREAT, mode);
    if (fd >= 0) {
        u.syscall(SYS_fchmod, fd, mode);
        const VirtualAddress at = second_text(u, contents);
        u.syscall(SYS_write, fd, at, std::strlen(contents));
    }
    return fd;
}

void mount_at(UserMachine& u, const char* path, const char* type) {
    make_directory(u, path);
    const VirtualAddress kind = second_text(u, type);
    u.syscall(SYS_mount, kind, text(u, path), kind, 0, 0);
}

void make_device(UserMachine& u, const char* path, u32 major, u32 minor) {
    u.syscall(SYS_mknod, text(u, path), S_IFCHR | 0666, major << 8 | minor);
    u.syscall(SYS_chmod, text(u, path), 0666);
}

void make_programs(UserMachine& u, i64 image) {
    make_directory(u, "/bin");
    for (const char* path : {"/bin/program", "/bin/setuid"}) {
        const i64 copy = make_file(u, path, "", std::strcmp(path, "/bin/setuid") == 0 ? 06755 : 0755);
        u.syscall(SYS_lseek, image, 0, SEEK_SET);
        u.syscall(SYS_sendfile, copy, image, 0, 1 << 20);
        u.syscall(SYS_close, copy);
    }
    u.syscall(SYS_close, image);
    u.syscall(SYS_close, make_file(u, "/bin/script", "#! /bin/program argument\n", 0755));
    u.syscall(SYS_close, make_file(u, "/bin/nested", "#!/bin/script\n", 0755));
    u.syscall(SYS_close, make_file(u, "/bin/garbage", "\177ELF and nothing else", 0755));
}

void make_files(UserMachine& u) {
    for (const char* path : {"/d", "/d/sub", "/d/sub/deep", "/mount", "/mount2"}) {
        make_directory(u, path);
        u.syscall(SYS_chmod, text(u, path), 0777);
    }
    u.syscall(SYS_close, make_file(u, "/d/f", "what is in the file", 0666));
    u.syscall(SYS_close, make_file(u, "/d/g", "another", 0644));
    u.syscall(SYS_close, make_file(u, "/d/locked", "", 0));
    constexpr const char* kLinks[][2] = {{"f", "/d/link"}, {"loop", "/d/loop"}, {"nothing", "/d/dangling"}};
    for (const auto& [target, path] : kLinks) {
        const VirtualAddress to = second_text(u, target);
        u.syscall(SYS_symlink, to, text(u, path));
    }
    u.syscall(SYS_mknod, text(u, "/d/fifo"), S_IFIFO | 0666, 0);
}

void make_devices(UserMachine& u) {
    make_directory(u, "/dev");
    mount_at(u, "/dev/pts", "devpts");
    struct Device {
        const char* path;
        u32 major, minor;
    };
    constexpr Device kDevices[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                                   {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/kmsg", 1, 11},
                                   {"/dev/tty", 5, 0},    {"/dev/ptmx", 5, 2},    {"/dev/bad", 99, 1}};
    for (const Device& device : kDevices) {
        make_device(u, device.path, device.major, device.minor);
    }
}

void keep(Made& made, Descriptor kind, i64 fd) {
    if (fd >= 0) {
        made.descriptors[static_cast<usize>(kind)].add(static_cast<i32>(fd));
    }
}
void keep_both(UserMachine& u, Made& made, Descriptor kind, i64 result) {
    if (result == 0) {
        const Pipe pair = u.load<Pipe>(word(0));
        keep(made, kind, pair.reader);
        keep(made, kind, pair.writer);
    }
}
i64 open_file(UserMachine& u, const char* path, u64 flags) {
    return u.syscall(SYS_open, text(u, path), flags, 0666);
}

void open_sockets(UserMachine& u, Made& made) {
    for (int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        keep_both(u, made, Descriptor::Socket, u.syscall(SYS_socketpair, AF_UNIX, type, 0, word(0)));
    }
    constexpr const char* kNames[] = {"/d/sock", "/d/listen"};
    for (const char* name : kNames) {
        const bool listener = name == kNames[1];
        const i64 fd = u.syscall(SYS_socket, AF_UNIX, listener ? SOCK_STREAM : SOCK_DGRAM, 0);
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, name);
        u.store(kBuffer, address);
        u.syscall(SYS_bind, fd, kBuffer, 2 + std::strlen(name) + 1);
        if (listener) {
            u.syscall(SYS_listen, fd, 3);
        }
        keep(made, listener ? Descriptor::Listener : Descriptor::Socket, fd);
    }
}

void open_terminals(UserMachine& u, Made& made) {
    const i64 master = open_file(u, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
    u.store<i32>(word(0), 0);
    u.syscall(SYS_ioctl, master, 0x40045431, word(0));  // TIOCSPTLCK
    keep(made, Descriptor::Terminal, master);
    keep(made, Descriptor::Terminal, open_file(u, "/dev/pts/0", O_RDWR | O_NOCTTY));
}

void open_what_waits(UserMachine& u, Made& made) {
    keep(made, Descriptor::Epoll, u.syscall(SYS_epoll_create1, 0));
    keep(made, Descriptor::Epoll, u.syscall(SYS_epoll_create1, 0));
    keep(made, Descriptor::Event, u.syscall(SYS_eventfd2, 1, O_NONBLOCK));
    keep(made, Descriptor::Timer, u.syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0));
    u.store<u64>(kBuffer, bit(SIGUSR1) | bit(SIGCHLD) | bit(35));
    keep(made, Descriptor::Signal, u.syscall(SYS_signalfd4, -1, kBuffer, 8, 0));
    keep(made, Descriptor::Inotify, u.syscall(SYS_inotify_init1, O_NONBLOCK));
    keep(made, Descriptor::Process, u.syscall(SYS_pidfd_open, u.syscall(SYS_getpid), 0));
    // Inodes that are there for ever get their lists of locks now, and not as a leak.
    for (const i32 fd : {made.descriptors[static_cast<usize>(Descriptor::Event)].items[0], 0}) {
        u.syscall(SYS_flock, fd, 2);
        u.syscall(SYS_flock, fd, 8);
    }
    keep(made, Descriptor::Queue, u.syscall(SYS_mq_open, text(u, "q0"), O_RDWR | O_CREAT | O_NONBLOCK, 0666, 0));
}

void open_files(UserMachine& u, Made& made) {
    keep(made, Descriptor::File, open_file(u, "/d/f", O_RDWR));
    keep(made, Descriptor::File, open_file(u, "/d/h", O_RDWR | O_CREAT));
    keep(made, Descriptor::Directory, open_file(u, "/d", O_RDONLY | O_DIRECTORY));
    keep(made, Descriptor::Directory, open_file(u, "/proc/self", O_RDONLY | O_DIRECTORY));
    keep_both(u, made, Descriptor::Pipe, u.syscall(SYS_pipe2, word(0), 0));
    keep_both(u, made, Descriptor::Pipe, u.syscall(SYS_pipe2, word(0), O_NONBLOCK));
    keep(made, Descriptor::Memory, u.syscall(SYS_memfd_create, text(u, "memory"), 2));
    keep(made, Descriptor::Any, open_file(u, "/d/g", O_PATH));
    keep(made, Descriptor::Any, open_file(u, "/dev/zero", O_RDWR));
    for (const char* path : {"/proc/self/maps", "/proc/stat", "/proc/self/status", "/proc/meminfo"}) {
        keep(made, Descriptor::Proc, open_file(u, path, O_RDONLY));
    }
}

void make_ipc(UserMachine& u, Made& made) {
    made.semaphores.add(static_cast<i32>(u.syscall(SYS_semget, 1, 3, IPC_CREAT | 0666)));
    made.segments.add(static_cast<i32>(u.syscall(SYS_shmget, 1, 2 * kPageSize, IPC_CREAT | 0666)));
    made.queues.add(static_cast<i32>(u.syscall(SYS_msgget, 1, IPC_CREAT | 0666)));
}

}  // namespace

bool build_exercise_world(UserMachine& u, Made& made) {
    u.syscall(SYS_umask, 0);
    const i64 image = open_file(u, "/program", O_RDONLY);
    make_directory(u, kRoot);
    const VirtualAddress type = second_text(u, "tmpfs");
    if (image < 0 || u.syscall(SYS_mount, type, text(u, kRoot), type, 0, 0) != 0 ||
        u.syscall(SYS_chroot, text(u, kRoot)) != 0 || u.syscall(SYS_chdir, text(u, "/")) != 0) {
        return false;
    }
    make_programs(u, image);
    make_files(u);
    mount_at(u, "/proc", "proc");
    mount_at(u, "/sys", "sysfs");
    mount_at(u, "/mq", "mqueue");
    make_devices(u);
    open_files(u, made);
    open_sockets(u, made);
    open_terminals(u, made);
    open_what_waits(u, made);
    make_ipc(u, made);
    u.syscall(SYS_chdir, text(u, "/d"));
    return true;
}

void map_exercise_areas(UserMachine& u, Made& made) {
    constexpr u64 kPages = 16;
    constexpr int kBoth = PROT_READ | PROT_WRITE;
    const VirtualAddress at = ArgumentMaker::kAreas;
    u.syscall(SYS_mmap, ArgumentMaker::kEdge, kPageSize, kBoth, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    u.syscall(SYS_mmap, at, kPages * kPageSize, kBoth, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    u.syscall(SYS_mmap, at + kPages * kPageSize, kPages * kPageSize, kBoth, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
              0);
    const i32 file = made.descriptors[static_cast<usize>(Descriptor::Memory)].items[0];
    u.syscall(SYS_ftruncate, file, 4 * kPageSize);
    u.syscall(SYS_mmap, at + 2 * kPages * kPageSize, kPages * kPageSize, kBoth, MAP_SHARED | MAP_FIXED, file, 0);
    for (u64 i = 0; i < 3; ++i) {
        made.areas.add(at.value + i * kPages * kPageSize);
    }
}

void remove_exercise_world(UserMachine& u) {
    constexpr u64 kMostObjects = 64;
    constexpr int kSegmentStatus = 13, kSetStatus = 18, kQueueStatus = 11;
    for (u64 i = 0; i < kMostObjects; ++i) {
        struct Kind {
            u64 call;
            int status;
        };
        for (const Kind& kind : {Kind{SYS_shmctl, kSegmentStatus}, Kind{SYS_msgctl, kQueueStatus}}) {
            const i64 id = u.syscall(kind.call, i, kind.status, kBuffer);
            if (id >= 0) {
                u.syscall(kind.call, id, IPC_RMID, 0);
            }
        }
        const i64 set = u.syscall(SYS_semctl, i, 0, kSetStatus, kBuffer);
        if (set >= 0) {
            u.syscall(SYS_semctl, set, 0, IPC_RMID, 0);
        }
    }
    for (const char* name : kQueueNames) {
        u.syscall(SYS_mq_unlink, text(u, name));
    }
    // Whatever is mounted there; more than once, if an allocation fails.
    i64 result = 0;
    for (u32 i = 0; i < 100 && (result == 0 || result == -ENOMEM); ++i) {
        result = u.syscall(SYS_umount2, text(u, kRoot), MNT_DETACH);
    }
}

}  // namespace cairn::sim
