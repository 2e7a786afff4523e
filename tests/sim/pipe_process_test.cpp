/// Pipes between processes. X01: descriptors are closed by their last holder, when it ends in whatever way: the reader
/// sees the end of file, the writer SIGPIPE.

#include <gtest/gtest.h>

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

TEST(ProcessPipe, AWriterThatLosesItsReaderGetsASignal) {
    EXPLORE_PROCESSES("SIGPIPE after some bytes", {}, [](UserMachine& u) {
        const Pipe ends = pipe(u);
        require(u.syscall(SYS_fcntl, ends.writer, F_SETPIPE_SZ, 4096) == 4096, "size");
        const i64 child = fork(u, [](UserMachine& c) {
            const Pipe both = c.load<Pipe>(word(0));
            c.syscall(SYS_close, both.reader);
            require(c.syscall(SYS_write, both.writer, kBuffer, 1) == 1, "the first byte");
            struct Parts {
                u64 of[3][2];
            };
            c.store(kText, Parts{{{kBuffer.value, 4096}, {kBuffer.value, 4096}, {kBuffer.value, 4096}}});
            c.syscall(SYS_writev, both.writer, kText, 3);
            exit(c);
        });
        u.syscall(SYS_close, ends.writer);
        u.syscall(SYS_read, ends.reader, kBuffer, 4096);
        u.syscall(SYS_close, ends.reader);
        expect_end(u, child, SIGPIPE, "status");
    });
}

}  // namespace
}  // namespace cairn
