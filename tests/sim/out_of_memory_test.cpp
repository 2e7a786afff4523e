/// The end of all memory: who has the most of it is ended, and nobody else notices, whatever locks his accesses hold.

#include <gtest/gtest.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr VirtualAddress kMuch{0x2000'0000};
constexpr u64 kMost = 64 * kMiB;

/// Takes pages until there are none.
void take_all(UserMachine& c) {
    for (u64 at = 0; at < kMost; at += kMost / 8) {
        c.syscall(SYS_mmap, kMuch + at, kMost / 8, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    }
    for (u64 at = 0; at < kMost; at += kPageSize) {
        c.store<u8>(kMuch + at, 1);
    }
    require(false, "more memory than there is");
}

TEST(OutOfMemory, EndsWhoHasTheMost) {
    EXPLORE_PROCESSES(
        "out of memory", {.memory = 12 * kMiB},
        [](UserMachine& u) {
            const i64 hog = fork(u, take_all);
            // Each of these copies goes to a page that is not there yet, some under the lock of a directory, a file,
            // a pipe.
            const i64 directory = u.syscall(SYS_open, text(u, "/"), O_RDONLY | O_DIRECTORY);
            const i64 file = u.syscall(SYS_open, text(u, "/init"), O_RDONLY);
            const Pipe ends = pipe(u, 0);
            i64 ended = 0;
            while ((ended = wait(u, hog, WNOHANG)) == 0) {
                const u64 size = 4 * kPageSize;
                const VirtualAddress fresh{static_cast<u64>(u.syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                                                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))};
                require(u.syscall(SYS_lseek, directory, 0, SEEK_SET) == 0, "lseek");
                require(u.syscall(SYS_getdents64, directory, fresh, 1024) > 0, "getdents64");
                require(u.syscall(SYS_pread64, file, fresh + kPageSize, 64, 0) == 64, "pread64");
                require(u.syscall(SYS_write, ends.writer, fresh + 2 * kPageSize, 8) == 8, "write");
                require(u.syscall(SYS_read, ends.reader, fresh + 3 * kPageSize, 8) == 8, "read");
                require(u.syscall(SYS_munmap, fresh, size) == 0, "munmap");
            }
            require(ended == hog && status(u) == SIGKILL, "the end of the one with the most");
        },
        20);
}

TEST(OutOfMemory, AlsoWhenItsFirstThreadHasEnded) {
    EXPLORE_PROCESSES(
        "out of memory, leader gone", {.memory = 12 * kMiB},
        [](UserMachine& u) {
            const i64 hog = fork(u, [](UserMachine& c) {
                start_thread(c, take_all, 0);
                exit_thread(c);
            });
            expect_end(u, hog, SIGKILL, "the end of the one with the most");
        },
        5);
}

}  // namespace
}  // namespace cairn
