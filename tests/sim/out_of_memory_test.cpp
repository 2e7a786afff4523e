/// Memory that runs out: who ends, and who goes on.

#include <gtest/gtest.h>

#include <sys/prctl.h>

#include "tests/support/user_calls.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr VirtualAddress kPlace{0x1000'0000};
constexpr u32 kOver = 0;  // on the board

void use_pages(UserMachine& u, u64 count) {
    require(u.syscall(SYS_mmap, kPlace, count * kPageSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == static_cast<i64>(kPlace.value),
            "mmap");
    for (u64 i = 0; i < count; ++i) {
        u.store<u64>(kPlace + i * kPageSize, i);
    }
}

/// Uses more than each of the crowd, in a session of its own, and runs one command after the other.
void bystander(UserMachine& u) {
    u.syscall(SYS_setsid);
    use_pages(u, 256);
    while (board.words[kOver] == 0) {
        const i64 command = fork(u, [](UserMachine& c) { exit(c, 3); });
        require(command > 0, "a command beside the crowd");
        expect_end(u, command, exited(3), "how the command ended");
        sleep_nanoseconds(u, 5'000'000);
    }
    for (u64 i = 0; i < 256; ++i) {
        require(u.load<u64>(kPlace + i * kPageSize) == i, "memory of the bystander");
    }
    exit(u, 7);
}

void one_of_many(UserMachine& u) {
    use_pages(u, 60);
    for (;;) {
        sleep_nanoseconds(u, 1'000'000'000);
    }
}

template <u32 kUser>
void crowd(UserMachine& u) {
    u.syscall(SYS_setsid);
    u.syscall(SYS_setresuid, kUser, kUser, kUser);
    for (u32 i = 0; i < 120; ++i) {
        fork(u, one_of_many);
        sleep_nanoseconds(u, 1'000'000);
    }
    u32 ended = 0;
    while (wait(u, -1, WNOHANG) > 0) {
        require(status(u) == SIGKILL, "how one of many ended");
        ++ended;
    }
    require(ended != 0, "memory did not run out");
    board.words[kOver] = 1;
    u.syscall(SYS_kill, 0, SIGKILL);
}

void explore_crowd(const char* name, UserFunction leader) {
    static UserFunction start;
    start = leader;
    EXPLORE_PROCESSES(
        name, {.cpus = 2, .step_limit = 200'000'000},
        [](UserMachine& u) {
            const i64 other = fork(u, bystander);
            const i64 many = fork(u, start);
            require(other > 0 && many > 0, "fork");
            expect_end(u, other, exited(7), "the bystander was ended, or failed");
            require(wait(u, many) == many, "wait");
        },
        5);
}

TEST(OutOfMemory, ManyOfAUserEndAndNotTheLargest) {
    explore_crowd("a user's crowd", crowd<1000>);
}

TEST(OutOfMemory, ManyOfRootsSessionEndAndNotTheLargest) {
    explore_crowd("a crowd of root's", crowd<0>);
}

void greedy(UserMachine& u) {
    u.syscall(SYS_setsid);
    use_pages(u, 16 * kMiB / kPageSize);
    require(u.syscall(SYS_mmap, kPlace + kGiB, 16 * kMiB, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) > 0,
            "mmap");
    for (u64 at = 0; at < 16 * kMiB; at += kPageSize) {
        u.store<u64>(kPlace + kGiB + at, at);
    }
    require(false, "there was more memory than the machine has");
}

TEST(OutOfMemory, OneThatUsesMostOfItEnds) {
    EXPLORE_PROCESSES(
        "one with most of memory", {.cpus = 2, .step_limit = 200'000'000},
        [](UserMachine& u) {
            const i64 other = fork(u, bystander);
            const i64 one = fork(u, greedy);
            require(other > 0 && one > 0, "fork");
            expect_end(u, one, SIGKILL, "how the greedy one ended");
            board.words[kOver] = 1;
            expect_end(u, other, exited(7), "the bystander was ended, or failed");
        },
        5);
}

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
                const VirtualAddress fresh{static_cast<u64>(
                    u.syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))};
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

/// Waits in a session of its own, with the memory of one of the many.
void sharer(UserMachine& s) {
    s.syscall(SYS_setsid);
    while (board.words[kOver] == 0) {
        sleep_nanoseconds(s, 10'000'000);
    }
    exit(s, 0);
}

void one_of_many_with_sharer(UserMachine& u) {
    use_pages(u, 60);
    const VirtualAddress stack = stack_top(1);
    u.fork_into(address_of(sharer), SYS_clone, CLONE_VM | SIGCHLD, stack, 0, 0, 0);
    for (;;) {
        sleep_nanoseconds(u, 1'000'000'000);
    }
}

/// As crowd(), but the memory of each has another user, who is the reaper's when the first has ended.
void crowd_with_sharers(UserMachine& u) {
    u.syscall(SYS_setsid);
    u.syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
    u32 ended = 0;
    for (u32 i = 0; i < 120 && ended == 0; ++i) {
        fork(u, one_of_many_with_sharer);
        sleep_nanoseconds(u, 1'000'000);
        ended += wait(u, -1, WNOHANG) > 0;
    }
    require(ended != 0 && status(u) == SIGKILL, "memory did not run out");
    // Nobody asks for memory any more: whoever is to end has been chosen. As many more of those whose memory it was.
    sleep_nanoseconds(u, 100'000'000);
    while (wait(u, -1, WNOHANG) > 0) {
        require(status(u) == SIGKILL, "how one of many ended");
        ++ended;
    }
    require(ended % 2 == 0, "one was ended, and who had its memory, too, was not");
    board.words[kOver] = 1;
    u.syscall(SYS_kill, 0, SIGKILL);
    exit(u, 0);
}

TEST(OutOfMemory, WhoSharesTheMemoryOfOneOfManyEndsToo) {
    explore_crowd("a crowd with sharers", crowd_with_sharers);
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

/// Shares its memory with a sibling, which only sleeps, and takes all there is.
void take_all_together(UserMachine& c) {
    const UserFunction sleeper = [](UserMachine& s) {
        for (;;) {
            sleep_nanoseconds(s, 1'000'000'000);
        }
    };
    require(c.fork_into(address_of(sleeper), SYS_clone, CLONE_VM | CLONE_PARENT | SIGCHLD, stack_top(1), 0, 0, 0) > 0,
            "clone");
    take_all(c);
}

TEST(OutOfMemory, WhoSharesItsMemoryEndsToo) {  // as on Linux: else nothing would come back
    EXPLORE_PROCESSES(
        "out of memory, shared", {.memory = 12 * kMiB},
        [](UserMachine& u) {
            const i64 hog = fork(u, take_all_together);
            expect_end(u, hog, SIGKILL, "the end of the one with the most");
            require(wait(u, -1) > 0 && status(u) == SIGKILL, "the end of the other who had it");
        },
        10);
}

}  // namespace
}  // namespace cairn
