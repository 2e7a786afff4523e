/// E19: every allocation that a call makes, and every read of a file from the disk, fails once, one after the other:
/// the caller is as it was, or the new image runs, and nothing stays behind. `tools/explore --failures` prints how many
/// there were.

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include <cstdio>

#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"
#include "tests/support/disk_files.h"
#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

enum class Point : u8 { Allocation, Read };

mm::FailureInjector& injector(Point point) {
    return point == Point::Allocation ? g_kernel.frames->failure_injector() : disk_failures();
}
void disarm() {
    injector(Point::Allocation).disarm();
    injector(Point::Read).disarm();
}

/// How many of each kind the call of the present test made. Kept outside the run.
struct Counts {
    u64 allocations = 0;
    u64 reads = 0;
};
Counts counts;

void count(Point point, u64 n) {
    (point == Point::Allocation ? counts.allocations : counts.reads) = n;
}

void expect_counts(const char* call, u64 allocations, u64 reads) {
    EXPECT_GE(counts.allocations, allocations);
    EXPECT_GE(counts.reads, reads);
    std::printf("failed in turn: %-44s %4llu allocations, %3llu reads; the caller intact, nothing left behind\n", call,
                static_cast<unsigned long long>(counts.allocations), static_cast<unsigned long long>(counts.reads));
    counts = {};
}

constexpr u64 kFewSchedules = 8;

#define EXPLORE_FAILURES(name, ...)                                                                   \
    do {                                                                                              \
        Exploration exploration = explore_processes("failures in " name, __VA_ARGS__, kFewSchedules); \
        ASSERT_FALSE(exploration.failure) << exploration.failure->report;                             \
    } while (false)

constexpr u64 kMostPoints = 2000;

bool is_error_of(Point point, i64 result) {
    return point == Point::Allocation ? result == -ENOMEM || result == -EAGAIN || result == -ENFILE : result == -EIO;
}

/// Makes `call` while its n-th allocation (or read) fails, for n = 0, 1, 2 … until none has failed. `call` returns its
/// result; what succeeded is undone by `undo`. `descriptor` is the lowest free one.
template <typename Call, typename Undo>
void fail_each(UserMachine& u, Point point, i64 descriptor, Call call, Undo undo) {
    for (u64 n = 0;; ++n) {
        require(n < kMostPoints, "no end of failures");
        drop_disk_pages(u);
        const u64 before = injector(point).failures();
        injector(point).fail_once_at(n);
        const i64 result = call();
        const bool failed = injector(point).failures() != before;
        disarm();
        require(result >= 0 || is_error_of(point, result), "the error");
        if (result >= 0) {
            undo(result);
        }
        const i64 lowest = u.syscall(SYS_dup, 0);
        require(lowest == descriptor, "a descriptor was left behind");
        u.syscall(SYS_close, lowest);
        require(u.load<u32>(word(30)) == 4711, "memory of the caller");
        if (!failed) {
            require(result >= 0, "a failure without cause");
            count(point, n);
            return;
        }
    }
}

/// Descriptors 0 and 1, and pages that are there, so that no access of user mode needs memory. Returns the lowest
/// descriptor that is free.
i64 prepare(UserMachine& u) {
    u.store<u32>(word(30), 4711);
    u.store<u8>(kText, 0);
    u.store<u8>(kBuffer, 0);
    pipe(u, 31);
    const i64 lowest = u.syscall(SYS_dup, 0);
    u.syscall(SYS_close, lowest);
    return lowest;
}
void close_both(UserMachine& u, VirtualAddress pair) {
    const Pipe ends = u.load<Pipe>(pair);
    u.syscall(SYS_close, ends.reader);
    u.syscall(SYS_close, ends.writer);
}

// --- Files ----------------------------------------------------------------------------------------------------------

TEST(ProcessFailure, OfPipe) {
    EXPLORE_FAILURES("pipe", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u), [&] { return u.syscall(SYS_pipe2, word(0), 0); },
            [&](i64) { close_both(u, word(0)); });
    });
    expect_counts("pipe", 3, 0);
}

TEST(ProcessFailure, OfSocketpair) {
    EXPLORE_FAILURES("socketpair", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u),
            [&] { return u.syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, word(0)); },
            [&](i64) { close_both(u, word(0)); });
    });
    expect_counts("socketpair", 3, 0);
}

TEST(ProcessFailure, OfOpen) {
    EXPLORE_FAILURES("open", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        text(u, "/file");
        fail_each(
            u, Point::Allocation, lowest, [&] { return u.syscall(SYS_open, kText, O_CREAT | O_RDWR, 0600); },
            [&](i64 descriptor) {
                u.syscall(SYS_close, descriptor);
                require(u.syscall(SYS_unlink, kText) == 0, "unlink");
            });
        u.syscall(SYS_unlink, kText);
    });
    expect_counts("open(O_CREAT)", 3, 0);
}

void nothing(UserMachine& u) {
    exit(u);
}

TEST(ProcessFailure, OfRead) {
    EXPLORE_FAILURES("read",
                     {.cpus = 1, .programs = {{.path = "/disk", .start = nothing, .on_disk = true}}, .rehearse = true},
                     [](UserMachine& u) {
                         prepare(u);
                         const i64 file = u.syscall(SYS_open, text(u, "/disk"), O_RDONLY, 0);
                         const auto read = [&] { return u.syscall(SYS_pread64, file, kBuffer, 4096, 4096); };
                         fail_each(u, Point::Allocation, file + 1, read, [](i64) {});
                         fail_each(u, Point::Read, file + 1, read, [](i64) {});
                         u.syscall(SYS_close, file);
                     });
    expect_counts("read of a file on a disk", 1, 1);
}

// --- Memory ---------------------------------------------------------------------------------------------------------

i64 map_populated(UserMachine& u, int flags, i64 file) {
    return u.syscall(SYS_mmap, 0x1000'0000, 4 * kPageSize, PROT_READ | PROT_WRITE, flags | MAP_POPULATE | MAP_FIXED,
                     file, 0);
}

TEST(ProcessFailure, OfMmap) {
    EXPLORE_FAILURES("mmap", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u), [&] { return map_populated(u, MAP_SHARED | MAP_ANONYMOUS, -1); },
            [&](i64 at) { u.syscall(SYS_munmap, at, 4 * kPageSize); });
    });
    expect_counts("mmap, anonymous and shared, populated", 3, 0);
}

TEST(ProcessFailure, OfMmapOfPrivateMemory) {
    EXPLORE_FAILURES("mmap, private", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u), [&] { return map_populated(u, MAP_PRIVATE | MAP_ANONYMOUS, -1); },
            [&](i64 at) { u.syscall(SYS_munmap, at, 4 * kPageSize); });
    });
    expect_counts("mmap, anonymous and private, populated", 3, 0);
}

TEST(ProcessFailure, OfMmapOfAFile) {
    EXPLORE_FAILURES("mmap of a file",
                     {.cpus = 1, .programs = {{.path = "/disk", .start = nothing, .on_disk = true}}, .rehearse = true},
                     [](UserMachine& u) {
                         prepare(u);
                         const i64 file = u.syscall(SYS_open, text(u, "/disk"), O_RDONLY, 0);
                         const auto map = [&] { return map_populated(u, MAP_PRIVATE, file); };
                         const auto unmap = [&](i64 at) { u.syscall(SYS_munmap, at, 4 * kPageSize); };
                         fail_each(u, Point::Allocation, file + 1, map, unmap);
                         fail_each(u, Point::Read, file + 1, map, unmap);
                         u.syscall(SYS_close, file);
                     });
    expect_counts("mmap of a file on a disk, populated", 3, 1);
}

// --- Processes and threads ------------------------------------------------------------------------------------------

TEST(ProcessFailure, OfFork) {
    EXPLORE_FAILURES("fork", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u), [&] { return fork(u, [](UserMachine& c) { exit(c, 3); }); },
            [&](i64 child) { expect_end(u, child, exited(3), "the child's status"); });
    });
    expect_counts("fork", 3, 0);
}

TEST(ProcessFailure, OfVfork) {
    EXPLORE_FAILURES("vfork", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u), [&] { return vfork(u, [](UserMachine& c) { exit(c, 3); }); },
            [&](i64 child) { expect_end(u, child, exited(3), "the child's status"); });
    });
    expect_counts("vfork", 3, 0);
}

TEST(ProcessFailure, OfClone) {
    EXPLORE_FAILURES("clone", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        fail_each(
            u, Point::Allocation, prepare(u),
            [&] { return start_thread(u, [](UserMachine& t) { exit_thread(t); }, 0); },
            [&](i64) { join_thread(u, 0); });
    });
    expect_counts("clone of a thread", 3, 0);
}

TEST(ProcessFailure, OfClone3) {
    EXPLORE_FAILURES("clone3", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        // Shared: what the call stores there must not need a copy of the page, for which somebody would be ended.
        const VirtualAddress pidfd{static_cast<u64>(
            u.syscall(SYS_mmap, 0, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))};
        u.store<u32>(pidfd, 0);
        const i64 lowest = prepare(u);
        clone_args arguments{};
        arguments.flags = CLONE_PIDFD;
        arguments.pidfd = pidfd.value;
        arguments.exit_signal = SIGCHLD;
        u.store(kBuffer, arguments);
        fail_each(
            u, Point::Allocation, lowest,
            [&] {
                return u.fork_into(address_of([](UserMachine& c) { exit(c, 3); }), SYS_clone3, kBuffer,
                                   sizeof arguments);
            },
            [&](i64 child) {
                expect_end(u, child, exited(3), "the child's status");
                u.syscall(SYS_close, u.load<u32>(pidfd));
            });
    });
    expect_counts("clone3 with a pidfd", 3, 0);
}

// --- execve ---------------------------------------------------------------------------------------------------------

void new_image(UserMachine& u) {
    disarm();
    exit(u, 3);
}

struct Execution {
    const char* path;
    Point point;
    bool with_thread;  // so that handlers and descriptors are shared
};
/// Of the present round; in no memory that execve replaces.
Execution execution;

/// A child in which the execve's n-th allocation or read fails, and which then tries again.
void execute_with_failure(UserMachine& c) {
    if (execution.with_thread) {
        start_thread(c, [](UserMachine& t) { t.syscall(SYS_pause); }, 0);
    }
    // Its own copies of the pages that execve() writes to.
    c.store<u32>(word(30), 4711);
    c.store<u8>(kText, 0);
    mm::FailureInjector& failures = injector(execution.point);
    const u64 before = failures.failures();
    failures.fail_once_at(board.words[0]);
    const i64 result = execve(c, execution.path);
    disarm();
    require(is_error_of(execution.point, result), "the error");
    require(failures.failures() != before, "a failure without cause");
    require(c.load<u32>(word(30)) == 4711, "memory of the caller");
    require(c.syscall(SYS_gettid) == c.syscall(SYS_getpid), "the thread");
    if (execution.with_thread) {
        require(c.syscall(SYS_tgkill, c.syscall(SYS_getpid), c.load<u32>(word(kThreadWord)), 0) == 0, "its sibling");
    }
    execve(c, execution.path);
    require(false, "execve fails without failures");
}

void fail_each_execve(UserMachine& u, const char* path, Point point, bool with_thread = false) {
    execution = {path, point, with_thread};
    for (board.words[0] = 0;; ++board.words[0]) {
        require(board.words[0] < kMostPoints, "no end of failures");
        drop_disk_pages(u);
        const u64 before = injector(point).failures();
        const i64 child = fork(u, execute_with_failure);
        expect_end(u, child, exited(3), "the status");
        if (injector(point).failures() == before) {
            count(point, board.words[0]);
            return;
        }
    }
}

TEST(ProcessFailure, OfExecve) {
    EXPLORE_FAILURES("execve", {.cpus = 1, .programs = {{"/program", new_image}}, .rehearse = true},
                     [](UserMachine& u) {
                         prepare(u);
                         fail_each_execve(u, "/program", Point::Allocation);
                     });
    expect_counts("execve, static", 10, 0);
}

TEST(ProcessFailure, OfExecveWithSiblings) {
    EXPLORE_FAILURES("execve with siblings", {.cpus = 1, .programs = {{"/program", new_image}}, .rehearse = true},
                     [](UserMachine& u) {
                         prepare(u);
                         fail_each_execve(u, "/program", Point::Allocation, true);
                     });
    expect_counts("execve, static, with a sibling", 10, 0);
}

TEST(ProcessFailure, OfExecveFromADisk) {
    EXPLORE_FAILURES(
        "execve from a disk",
        {.cpus = 1, .programs = {{.path = "/program", .start = new_image, .on_disk = true}}, .rehearse = true},
        [](UserMachine& u) {
            prepare(u);
            fail_each_execve(u, "/program", Point::Allocation);
            fail_each_execve(u, "/program", Point::Read);
        });
    expect_counts("execve, static, on a disk", 10, 2);
}

TEST(ProcessFailure, OfExecveWithAnInterpreter) {
    EXPLORE_FAILURES(
        "execve with an interpreter",
        {.cpus = 1,
         .programs = {{.path = "/program", .start = nothing, .interpreter = "/interpreter", .on_disk = true},
                      {.path = "/interpreter", .start = new_image, .position_independent = true, .on_disk = true}},
         .rehearse = true},
        [](UserMachine& u) {
            prepare(u);
            fail_each_execve(u, "/program", Point::Allocation);
            fail_each_execve(u, "/program", Point::Read);
        });
    expect_counts("execve, dynamic, with its interpreter on a disk", 10, 3);
}

TEST(ProcessFailure, OfExecveOfAScript) {
    EXPLORE_FAILURES(
        "execve of a script",
        {.cpus = 1, .programs = {{.path = "/program", .start = new_image, .on_disk = true}}, .rehearse = true},
        [](UserMachine& u) {
            prepare(u);
            const i64 file = u.syscall(SYS_open, text(u, "/script"), O_WRONLY | O_CREAT, 0755);
            require(u.syscall(SYS_write, file, text(u, "#!/program word\n", 1), 16) == 16, "write");
            u.syscall(SYS_close, file);
            fail_each_execve(u, "/script", Point::Allocation);
            fail_each_execve(u, "/script", Point::Read);
            u.syscall(SYS_unlink, text(u, "/script"));
        });
    expect_counts("execve of a script, its interpreter on a disk", 10, 2);
}

TEST(ProcessFailure, OfAnything) {
    EXPLORE_PROCESSES(
        "random failures in fork, clone and execve",
        {.cpus = 3, .allocation_failures = 40, .programs = {{"/program", [](UserMachine& u) { exit(u); }}}},
        [](UserMachine& u) {
            u.store<u8>(kText, 0);
            u.syscall(SYS_pipe2, word(0), 0);
            fork(u, [](UserMachine& c) {
                start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
                execve(c, "/program");
                exit(c);
            });
            vfork(u, [](UserMachine& c) {
                execve(c, "/program", 1);
                exit(c);
            });
            wait(u);
        });
}

}  // namespace
}  // namespace cairn
