/// Pipes between processes. X01: descriptors are closed by their last holder, when it ends in whatever way: the reader
/// sees the end of file, the writer SIGPIPE.
///
/// And E19: every allocation that fork, execve, pipe, open and mmap make fails once: the caller is as it was, and
/// nothing stays behind.

#include <gtest/gtest.h>

#include "kernel/base/kernel.h"
#include "mm/frame_allocator.h"
#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

TEST(ProcessPipe, EndsWithItsWriter) {
    EXPLORE_PROCESSES("end of file by exit", {}, [](UserMachine& u) {
        const Pipe ends = pipe(u);
        const i64 child = fork(u, [](UserMachine& c) {
            const Pipe both = c.load<Pipe>(word(0));
            c.syscall(SYS_close, both.reader);
            c.store<u32>(kBuffer, 0x1234);
            require(c.syscall(SYS_write, both.writer, kBuffer, 4) == 4, "write");
            exit(c);
        });
        u.syscall(SYS_close, ends.writer);
        require(u.syscall(SYS_read, ends.reader, kBuffer, 100) == 4, "read");
        require(u.load<u32>(kBuffer) == 0x1234, "the bytes");
        require(u.syscall(SYS_read, ends.reader, kBuffer, 100) == 0, "end of file");
        expect_end(u, child, exited(0), "status");
    });
}

TEST(ProcessPipe, EndsWhenItsWriterIsKilled) {
    EXPLORE_PROCESSES("end of file by SIGKILL", {.cpus = 3}, [](UserMachine& u) {
        const Pipe ends = pipe(u);
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(c, [](UserMachine& t) { t.syscall(SYS_pause); }, 0);
            c.syscall(SYS_read, c.load<Pipe>(word(0)).reader, kBuffer, 1);
            require(false, "read returned");
        });
        u.syscall(SYS_close, ends.writer);
        require(u.syscall(SYS_kill, child, SIGKILL) == 0, "kill");
        require(u.syscall(SYS_read, ends.reader, kBuffer, 100) == 0, "end of file");
        expect_end(u, child, SIGKILL, "status");
    });
}

TEST(ProcessPipe, AWriterWithoutReaderGetsASignal) {
    EXPLORE_PROCESSES("SIGPIPE", {}, [](UserMachine& u) {
        const Pipe ends = pipe(u);
        const i64 child = fork(u, [](UserMachine& c) {
            const Pipe both = c.load<Pipe>(word(0));
            c.syscall(SYS_close, both.reader);
            for (;;) {
                const i64 written = c.syscall(SYS_write, both.writer, kBuffer, 4096);
                require(written == 4096 || written == -EPIPE, "write");
            }
        });
        u.syscall(SYS_close, ends.writer);
        u.syscall(SYS_read, ends.reader, kBuffer, 1);
        u.syscall(SYS_close, ends.reader);
        expect_end(u, child, SIGPIPE, "status");
    });
}

// --- Failures of allocations ----------------------------------------------------------------------

mm::FailureInjector& injector() {
    return g_kernel.frames->failure_injector();
}

/// Makes `call` while its n-th allocation fails, for n = 0, 1, 2 … until none has failed. `call` returns its result;
/// what succeeded is undone by `undo`.
template <typename Call, typename Undo>
void fail_each_allocation(UserMachine& u, u64 least, i64 descriptor, Call call, Undo undo) {
    for (u64 n = 0;; ++n) {
        require(n < 2000, "no end of allocations");
        const u64 before = injector().failures();
        injector().fail_once_at(n);
        const i64 result = call();
        const bool failed = injector().failures() != before;
        injector().disarm();
        require(result >= 0 || result == -ENOMEM || result == -EAGAIN || result == -ENFILE, "the error");
        if (result >= 0) {
            undo(result);
        }
        // The lowest free descriptor tells whether one was left behind.
        const i64 lowest = u.syscall(SYS_dup, 0);
        require(lowest == descriptor, "a descriptor was left behind");
        u.syscall(SYS_close, lowest);
        require(u.load<u32>(word(30)) == 4711, "memory of the caller");
        if (!failed) {
            require(result >= 0, "a failure without cause");
            require(n >= least, "fewer allocations than there must be");
            return;
        }
    }
}

/// Descriptors 0 and 1, and pages that are there, so that no access of user mode needs memory.
i64 prepare(UserMachine& u) {
    u.store<u32>(word(30), 4711);
    u.store<u8>(kText, 0);
    u.store<u8>(kBuffer, 0);
    pipe(u, 31);
    const i64 lowest = u.syscall(SYS_dup, 0);
    u.syscall(SYS_close, lowest);
    return lowest;
}

constexpr u64 kFewSchedules = 8;

#define EXPLORE_FAILURES(name, ...)                                                    \
    do {                                                                               \
        Exploration exploration = explore_processes(name, __VA_ARGS__, kFewSchedules); \
        ASSERT_FALSE(exploration.failure) << exploration.failure->report;              \
    } while (false)

TEST(ProcessFailure, OfPipe) {
    EXPLORE_FAILURES("failures in pipe", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        fail_each_allocation(
            u, 3, lowest, [&] { return u.syscall(SYS_pipe2, word(0), 0); },
            [&](i64) {
                const Pipe ends = u.load<Pipe>(word(0));
                u.syscall(SYS_close, ends.reader);
                u.syscall(SYS_close, ends.writer);
            });
    });
}

TEST(ProcessFailure, OfOpen) {
    EXPLORE_FAILURES("failures in open", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        text(u, "/file");
        fail_each_allocation(
            u, 3, lowest, [&] { return u.syscall(SYS_open, kText, O_CREAT | O_RDWR, 0600); },
            [&](i64 descriptor) {
                u.syscall(SYS_close, descriptor);
                require(u.syscall(SYS_unlink, kText) == 0, "unlink");
            });
        u.syscall(SYS_unlink, kText);
    });
}

TEST(ProcessFailure, OfMmap) {
    EXPLORE_FAILURES("failures in mmap", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        fail_each_allocation(
            u, 3, lowest,
            [&] {
                return u.syscall(SYS_mmap, 0x1000'0000, 4 * kPageSize, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE | MAP_FIXED, -1, 0);
            },
            [&](i64 at) { u.syscall(SYS_munmap, at, 4 * kPageSize); });
    });
}

TEST(ProcessFailure, OfFork) {
    EXPLORE_FAILURES("failures in fork", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        fail_each_allocation(
            u, 3, lowest, [&] { return fork(u, [](UserMachine& c) { exit(c, 3); }); },
            [&](i64 child) { expect_end(u, child, exited(3), "the child's status"); });
    });
}

TEST(ProcessFailure, OfClone) {
    EXPLORE_FAILURES("failures in clone", {.cpus = 1, .rehearse = true}, [](UserMachine& u) {
        const i64 lowest = prepare(u);
        fail_each_allocation(
            u, 3, lowest, [&] { return start_thread(u, [](UserMachine& t) { exit_thread(t); }, 0); },
            [&](i64) { join_thread(u, 0); });
    });
}

TEST(ProcessFailure, OfExecve) {
    EXPLORE_FAILURES("failures in execve",
                     {.cpus = 1,
                      .programs = {{"/program",
                                    [](UserMachine& u) {
                                        injector().disarm();
                                        exit(u, 3);
                                    }}},
                      .rehearse = true},
                     [](UserMachine& u) {
                         prepare(u);
                         for (board.words[0] = 0;; ++board.words[0]) {
                             require(board.words[0] < 2000, "no end of allocations");
                             const u64 before = injector().failures();
                             const i64 child = fork(u, [](UserMachine& c) {
                                 // Its own copies of the pages that execve() writes to.
                                 c.store<u32>(word(30), 4711);
                                 c.store<u8>(kText, 0);
                                 const u64 before = injector().failures();
                                 injector().fail_once_at(board.words[0]);
                                 const i64 result = execve(c, "/program");
                                 injector().disarm();
                                 require(result == -ENOMEM || result == -EAGAIN || result == -ENFILE, "the error");
                                 require(injector().failures() != before, "a failure without cause");
                                 require(c.load<u32>(word(30)) == 4711, "memory of the caller");
                                 require(c.syscall(SYS_gettid) == c.syscall(SYS_getpid), "the thread");
                                 execve(c, "/program");
                                 require(false, "execve fails without failures");
                             });
                             expect_end(u, child, exited(3), "the status");
                             if (injector().failures() == before) {
                                 require(board.words[0] >= 10, "fewer allocations than there must be");
                                 break;
                             }
                         }
                     });
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
