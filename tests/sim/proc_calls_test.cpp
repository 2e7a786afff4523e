/// What /proc says of processes and the system, and what is changed by writing there; the tracer's log.

#include <gtest/gtest.h>

#include "kernel/base/kernel.h"
#include "kernel/ptrace/tracing.h"
#include "kernel/task/task_table.h"
#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

char contents[4096];

/// Reads a whole file, which must not be larger than this can hold.
std::string_view read_all(UserMachine& u, const char* path) {
    const i64 file = open_at(u, path, O_RDONLY);
    usize size = 0;
    for (;;) {
        const i64 got = check_made(u.syscall(SYS_read, file, kBuffer, 1024));
        if (got == 0 || size + static_cast<usize>(got) > sizeof contents) {
            break;
        }
        u.load_bytes(kBuffer, contents + size, static_cast<usize>(got));
        size += static_cast<usize>(got);
    }
    expect(u, 0, SYS_close, file);
    return {contents, size};
}
void expect_contains(UserMachine& u, const char* path, std::string_view wanted) {
    require(read_all(u, path).find(wanted) != std::string_view::npos, path);
}

TEST(ProcCalls, AProcess) {
    check_calls("/proc/self", [](UserMachine& u) {
        expect(u, 0, SYS_prctl, 15, text(u, "some name"));
        expect_contains(u, "/proc/self/comm", "some name\n");
        expect_contains(u, "/proc/self/stat", "(some name) R ");
        expect_contains(u, "/proc/self/status", "Name:\tsome name\n");
        expect_contains(u, "/proc/self/status", "Threads:\t1\n");
        expect_contains(u, "/proc/self/status", "Uid:\t0\t0\t0\t0\n");
        expect_contains(u, "/proc/self/status", "SigBlk:\t0000000000000000\n");
        set_mask(u, SIG_BLOCK, bit(SIGUSR1));
        expect_contains(u, "/proc/self/status", "SigBlk:\t0000000000000200\n");
        expect(u, 0, SYS_kill, u.syscall(SYS_getpid), SIGUSR1);
        expect_contains(u, "/proc/self/status", "ShdPnd:\t0000000000000200\n");
        expect_contains(u, "/proc/self/limits",
                        "Max open files            1024                 4096                 files");
        expect_contains(u, "/proc/self/maps", "[stack]");
        expect_contains(u, "/proc/self/maps", "10000000-10010000 rw-p");
        expect_contains(u, "/proc/self/smaps", "Rss:");
        expect_contains(u, "/proc/self/io", "syscr: ");
        expect_contains(u, "/proc/self/cmdline", "/init");
        expect_contains(u, "/proc/self/mounts", "tmpfs");
        expect_contains(u, "/proc/self/mountinfo", " - proc ");
        expect_contains(u, "/proc/self/statm", " ");
        expect_contains(u, "/proc/self/cgroup", "0::/");
        expect_contains(u, "/proc/self/oom_score_adj", "0\n");
        require(read_all(u, "/proc/self/auxv").size() % 16 == 0, "auxv");
        require(read_all(u, "/proc/self/environ").size() == 0, "environ");
        expect_at(u, 2, SYS_readlink, "/proc/self/cwd", kBuffer, 100);
        expect_bytes(u, kBuffer, "/d");
        expect_at(u, 1, SYS_readlink, "/proc/self/root", kBuffer, 100);
    });
}

TEST(ProcCalls, WhatIsWrittenThere) {
    check_calls("/proc, writing", [](UserMachine& u) {
        const auto store = [](UserMachine& c, const char* path, const char* value, Must must) {
            const i64 file = open_at(c, path, O_WRONLY);
            check(write_text(c, file, value), must);
            expect(c, 0, SYS_close, file);
        };
        store(u, "/proc/self/comm", "other", 5);
        expect_contains(u, "/proc/self/comm", "other\n");
        store(u, "/proc/self/oom_score_adj", "500", 3);
        expect_contains(u, "/proc/self/oom_score_adj", "500\n");
        store(u, "/proc/self/oom_score_adj", "1001", -EINVAL);
        store(u, "/proc/self/oom_score_adj", "x", -EINVAL);
        store(u, "/proc/sys/kernel/hostname", "host", 4);
        expect_contains(u, "/proc/sys/kernel/hostname", "host\n");
        store(u, "/proc/sys/kernel/msgmni", "100", 3);
        expect_contains(u, "/proc/sys/kernel/msgmni", "100\n");
        store(u, "/proc/sys/kernel/sem", "250 32000 32 128", 16);
        expect_contains(u, "/proc/sys/kernel/sem", "250\t32000\t32\t128\n");
        // A process's memory, as far as it is mapped; also what it may not write itself.
        u.store<u64>(word(0), 0x1234);
        const i64 memory = open_at(u, "/proc/self/mem", O_RDWR);
        expect(u, 8, SYS_pread64, memory, word(1), 8, word(0).value);
        expect_memory<u64>(u, word(1), 0x1234);
        expect(u, 4, SYS_pwrite64, memory, word(0), 4, 0x40'1000);
        expect(u, -EIO, SYS_pread64, memory, word(1), 8, 0x1000);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            expect_at(c, -EACCES, SYS_open, "/proc/1/mem", O_RDONLY, 0);
            expect_at(c, -EACCES, SYS_open, "/proc/1/environ", O_RDONLY, 0);
            expect_at(c, -EACCES, SYS_readlink, "/proc/1/exe", kBuffer, 100);
            expect_at(c, -EACCES, SYS_open, "/proc/sys/kernel/hostname", O_WRONLY, 0);
            expect_contains(c, "/proc/self/status", "Uid:\t1000\t1000\t1000\t1000\n");
            exit(c, 0);
        });
    });
}

TEST(ProcCalls, Others) {
    check_calls("/proc/PID", [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    arrive(0);
                    t.syscall(SYS_pause);
                },
                0);
            c.syscall(SYS_pause);
        });
        await(u, 0);
        char path[64];
        TextBuffer name{std::span(path)};
        format_to(name, "/proc/{}/status", child);
        path[name.view().size()] = 0;
        expect_contains(u, path, "Threads:\t2\n");
        for (const char* file : {"stat", "statm", "maps", "cmdline", "limits", "io", "sched", "wchan", "oom_score",
                                 "mountinfo", "auxv", "smaps_rollup", "schedstat", "personality"}) {
            TextBuffer other{std::span(path)};
            format_to(other, "/proc/{}/{}", child, std::string_view(file));
            path[other.view().size()] = 0;
            require(!read_all(u, path).empty(), file);
        }
        TextBuffer tasks{std::span(path)};
        format_to(tasks, "/proc/{}/task", child);
        path[tasks.view().size()] = 0;
        const i64 directory = open_at(u, path, O_RDONLY | O_DIRECTORY);
        require(u.syscall(SYS_getdents64, directory, kBuffer, 1024) == 4 * 24, "., .., two threads");
        expect(u, 0, SYS_kill, child, SIGKILL);
        expect_end(u, child, SIGKILL, "kill");
        expect_at(u, -ENOENT, SYS_open, path, O_RDONLY, 0);
    });
}

TEST(ProcCalls, TheSystem) {
    check_calls("/proc", [](UserMachine& u) {
        expect_contains(u, "/proc/meminfo", "MemTotal:");
        expect_contains(u, "/proc/stat", "cpu1 ");
        expect_contains(u, "/proc/stat", "processes ");
        expect_contains(u, "/proc/filesystems", "\ttmpfs\n");
        expect_contains(u, "/proc/loadavg", "/");
        expect_contains(u, "/proc/uptime", ".");
        expect_contains(u, "/proc/version", "Linux version");
        expect_contains(u, "/proc/sysvipc/sem", "semid");
        expect_contains(u, "/proc/sysvipc/shm", "shmid");
        expect_contains(u, "/proc/sysvipc/msg", "msqid");
        expect_contains(u, "/proc/net/unix", "/d/listen");
        expect_contains(u, "/proc/sys/kernel/ostype", "Linux");
    });
}

TEST(ProcCalls, TheLogOfCalls) {
    check_calls("trace=syscalls", [](UserMachine& u) {
        // As if the kernel had been booted with trace=syscalls; the log says what a child does.
        g_kernel.tasks->initial_syscall_work = ptrace::work::kLog;
        const i64 child = fork(u, [](UserMachine& c) {
            c.syscall(SYS_access, text(c, "/d/f"), 4);
            c.syscall(SYS_access, 8, 4);
            c.syscall(9999);
            exit(c, 0);
        });
        g_kernel.tasks->initial_syscall_work = 0;
        check(wait(u, child), child);
    });
}

}  // namespace
}  // namespace cairn
