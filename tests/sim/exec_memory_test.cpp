/// execve and the memory that it leaves: while siblings change it, others share it, and strangers read it.
///
/// E02, E06: arguments are copied whole or not at all. E10, trap F: who shares the old memory never sees it change.
/// E14, X02, trap J: the robust list is walked and clear_child_tid woken in the old memory, in this order, under the
/// old thread id.

#include <sys/uio.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

// --- Siblings that change it ----------------------------------------------------------------------------------------

constexpr u32 kArgumentSize = 40;
/// On two pages, and the list of pointers on the second.
constexpr VirtualAddress kArgument{kShared.value + kPageSize - 20};
constexpr VirtualAddress kArgumentList{kShared.value + kPageSize + 256};

void map_private(UserMachine& u, u64 pages) {
    require(u.syscall(SYS_mmap, kShared, pages * kPageSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == static_cast<i64>(kShared.value),
            "mmap");
}
void put_argument(UserMachine& u) {
    map_private(u, 2);
    char letters[kArgumentSize];
    std::memset(letters, 'a', sizeof letters);
    letters[kArgumentSize - 1] = '\0';
    u.store_bytes(kArgument, letters, sizeof letters);
    u.store<u64>(kArgumentList, text(u, "/looks").value);
    u.store<u64>(kArgumentList + 8, kArgument.value);
    u.store<u64>(kArgumentList + 16, 0);
}
/// The new program of it: its argument is one of those that there were, and whole.
void look_at_argument(UserMachine& u) {
    require(u.load<u64>(u.stack_pointer()) == 2, "argc");
    const u64 at = u.load<u64>(u.stack_pointer() + 16);
    u32 length = 0;
    while (const char letter = u.load<char>({at + length})) {
        require(letter == 'a' || letter == 'b', "a letter of the argument");
        ++length;
    }
    require(length == kArgumentSize - 1, "the argument's length");
    require(u.load<u32>(word(0)) == 0, "memory of the new program");
    arrive(kNewProgram);
    exit(u, 1);
}
const std::vector<ProgramFile> kLooks = {{"/looks", look_at_argument}};

TEST(ExecMemory, ArgumentsAreUnmapped) {  // E02: EFAULT, or all of them
    EXPLORE_PROCESSES("execve against munmap of its arguments", {.cpus = 2, .programs = kLooks}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                put_argument(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        dawdle(t);
                        t.syscall(SYS_munmap, kShared + kPageSize * (1 - arch::host::random_below(2)), kPageSize);
                        sleep_for_ever(t);
                    },
                    0);
                const i64 result = c.syscall(SYS_execve, kText, kArgumentList, 0);
                require(result == -EFAULT, "execve failed for another reason");
                require(c.syscall(SYS_gettid) == c.syscall(SYS_getpid), "the thread");
                exit(c, 2);
            },
            exited(1), exited(2));
    });
}

TEST(ExecMemory, ArgumentsChange) {  // E02: measured and copied once
    EXPLORE_PROCESSES("execve against stores to its arguments", {.cpus = 2, .programs = kLooks}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                put_argument(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        for (u32 i = 0;; ++i) {
                            t.store<char>(kArgument + i % (kArgumentSize - 1), (i / kArgumentSize) % 2 ? 'a' : 'b');
                        }
                    },
                    0);
                c.syscall(SYS_execve, kText, kArgumentList, 0);
                require(false, "execve returned");
            },
            exited(1), exited(1));
    });
}

TEST(ExecMemory, ASiblingMapsAndUnmaps) {  // E08, E10: the old memory's lock is held by one that is to end
    EXPLORE_PROCESSES("execve against mmap, munmap and brk", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                start_thread(
                    c,
                    [](UserMachine& t) {
                        for (;;) {
                            map_private(t, 2);
                            t.store<u32>(kShared, 1);
                            t.syscall(SYS_munmap, kShared, 2 * kPageSize);
                            require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
                        }
                    },
                    0);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        const i64 end = t.syscall(SYS_brk, 0);
                        for (;;) {
                            t.syscall(SYS_brk, end + 8192);
                            t.store<u32>({static_cast<u64>(end) + 4096}, 1);
                            t.syscall(SYS_brk, end);
                        }
                    },
                    1);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

// --- Others that have it too ----------------------------------------------------------------------------------------

TEST(ExecMemory, ACopyOfItIsWritten) {  // F01, E10: pages that fork made common
    EXPLORE_PROCESSES("execve against copy-on-write of the parent", {.cpus = 3, .programs = kPrograms},
                      [](UserMachine& u) {
                          u.store<u32>(word(0), 1);
                          u.store<u32>(kBuffer, 1);
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      t.store<u32>(word(0), 3);
                                      t.store<u32>(kBuffer, 3);
                                      t.syscall(SYS_pause);
                                  },
                                  0);
                              exec_one(c);
                          });
                          u.store<u32>(kBuffer, 2);
                          u.store<u32>(word(0), 2);
                          require(u.load<u32>(word(0)) == 2 && u.load<u32>(kBuffer) == 2, "memory of the parent");
                          expect_end(u, child, exited(1), "the status");
                          require(u.load<u32>(word(0)) == 2 && u.load<u32>(kBuffer) == 2, "memory of the parent");
                      });
}

i64 start_sharer(UserMachine& u, UserFunction function, u32 slot, u64 flags = 0) {
    const i64 child = u.fork_into(address_of(function), SYS_clone, CLONE_VM | flags | SIGCHLD, stack_top(slot), 0,
                                  word(kThreadWord + slot), 0);
    require(child > 0, "clone");
    return child;
}

TEST(ExecMemory, StaysWithThoseWhoShareIt) {  // E10, trap F
    EXPLORE_PROCESSES("execve of a process that shares memory", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        map_private(u, 1);
        const i64 end = u.syscall(SYS_brk, 0);
        require(u.syscall(SYS_brk, end + 8192) == end + 8192, "brk");
        const VirtualAddress heap{static_cast<u64>(end)};
        u.store<u32>(heap, 4);
        u.store<u32>(kShared, 4);
        const i64 child = start_sharer(
            u,
            [](UserMachine& c) {
                start_thread(c, [](UserMachine& t) { t.syscall(SYS_pause); }, 5);
                exec_one(c);
            },
            0);
        for (u32 i = 5; i < 15; ++i) {
            require(u.load<u32>(kShared) == i - 1 && u.load<u32>(heap) == i - 1, "memory has changed");
            u.store<u32>(kShared, i);
            u.store<u32>(heap, i);
            require(u.syscall(SYS_brk, 0) == end + 8192, "the end of the heap has moved");
        }
        expect_end(u, child, exited(1), "the status");
        require(u.load<u32>(kShared) == 14 && u.load<u32>(heap) == 14, "memory has changed");
        require(u.syscall(SYS_brk, end + 4096) == end + 4096, "brk");
    });
}

TEST(ExecMemory, TwoWhoShareItLeave) {  // E10, E14
    EXPLORE_PROCESSES("two execve out of one memory", {.cpus = 3, .programs = kPrograms}, [](UserMachine& u) {
        u.store<u32>(word(0), 7);
        start_sharer(u, exec_one, 0);
        start_sharer(u, exec_two, 1);
        require(wait(u) > 0, "wait");
        const int first = status(u);
        require(wait(u) > 0, "wait");
        require(first + status(u) == exited(1) + exited(2), "statuses");
        require(u.load<u32>(word(0)) == 7, "memory has changed");
    });
}

TEST(ExecMemory, TheThreadIdIsClearedWhereItWas) {  // E14: CLONE_CHILD_CLEARTID, the waiter stays in the old memory
    EXPLORE_PROCESSES("clear_child_tid at execve", {.cpus = 2, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          const VirtualAddress at = word(kThreadWord);
                          u.store<u32>(at, 1);
                          const i64 child = start_sharer(u, exec_one, 0, CLONE_CHILD_CLEARTID);
                          while (const u32 id = u.load<u32>(at)) {
                              futex_wait(u, at, id);
                          }
                          arrive(kSeen);
                          expect_end(u, child, exited(1), "the status");
                      });
}

// --- Robust lists ---------------------------------------------------------------------------------------------------

constexpr u32 kDied = 0x4000'0000, kWaiters = 0x8000'0000;

/// The calling thread owns the lock behind `entry`, in a list whose head is at `head`.
void own_robust_lock(UserMachine& u, VirtualAddress head, VirtualAddress entry) {
    u.store<u64>(head, entry.value);
    u.store<u64>(head + 8, 16);
    u.store<u64>(head + 16, 0);
    u.store<u64>(entry, head.value);
    require(u.syscall(SYS_set_robust_list, head, 24) == 0, "set_robust_list");
    u.store<u32>(entry + 16, static_cast<u32>(u.syscall(SYS_gettid)) | kWaiters);
    futex_wake(u, entry + 16, 1);
}
void wait_for_death(UserMachine& u, VirtualAddress lock) {
    for (;;) {
        const u32 value = u.load<u32>(lock);
        if ((value & kDied) != 0) {
            return;
        }
        futex_wait(u, lock, value);
    }
}
constexpr VirtualAddress kEntry{kShared.value + 64}, kOtherEntry{kShared.value + 256};

TEST(ExecMemory, TheRobustListIsWalked) {  // E14, X02, trap J
    EXPLORE_PROCESSES("robust list at execve", {.programs = {{"/one", program_until_seen}}}, [](UserMachine& u) {
        map_shared(u);
        const i64 child = fork(u, [](UserMachine& c) {
            own_robust_lock(c, kBuffer, kEntry);
            exec_one(c);
        });
        wait_for_death(u, kEntry + 16);
        arrive(kSeen);
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(ExecMemory, TheRobustListsOfAThreadAndItsSibling) {  // E09, E14, trap J: under the id that the thread had
    EXPLORE_PROCESSES("robust lists at a thread's execve", {.cpus = 3, .programs = {{"/one", program_until_seen}}},
                      [](UserMachine& u) {
                          map_shared(u);
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(
                                  c,
                                  [](UserMachine& t) {
                                      own_robust_lock(t, kBuffer, kEntry);
                                      exec_one(t);
                                  },
                                  0);
                              own_robust_lock(c, kBuffer + 512, kOtherEntry);
                              sleep_for_ever(c);
                          });
                          wait_for_death(u, kEntry + 16);
                          const u32 other = u.load<u32>(kOtherEntry + 16);
                          require(other == 0 || (other & kDied) != 0, "the sibling has ended before");
                          arrive(kSeen);
                          expect_end(u, child, exited(1), "the status");
                          require((u.load<u32>(kEntry + 16) & ~kWaiters) == kDied, "the lock's word");
                      });
}

TEST(ExecMemory, TheRobustListComesBeforeTheThreadId) {  // E14, X02, trap J
    EXPLORE_PROCESSES("robust list before clear_child_tid", {.cpus = 2, .programs = kPrograms}, [](UserMachine& u) {
        map_shared(u);
        const VirtualAddress at = word(kThreadWord);
        u.store<u32>(at, 1);
        const i64 child = start_sharer(
            u,
            [](UserMachine& c) {
                own_robust_lock(c, kBuffer, kEntry);
                exec_one(c);
            },
            0, CLONE_CHILD_CLEARTID);
        while (const u32 id = u.load<u32>(at)) {
            futex_wait(u, at, id);
        }
        // Whoever sees that the thread is gone may free what its list led through.
        require((u.load<u32>(kEntry + 16) & kDied) != 0, "the thread is gone, its lock is not");
        require(u.syscall(SYS_munmap, kShared, kPageSize) == 0, "munmap");
        expect_end(u, child, exited(1), "the status");
    });
}

TEST(ExecMemory, TheRobustListIsNonsense) {  // E14, trap J: a bad pointer, a ring, an unaligned word
    EXPLORE_PROCESSES("bad robust lists at execve", {.cpus = 2, .programs = kPrograms}, [](UserMachine& u) {
        const i64 child = fork(u, [](UserMachine& c) {
            start_thread(
                c,
                [](UserMachine& t) {
                    t.store<u64>(kBuffer, kBuffer.value + 40);  // a ring that does not come by the head
                    t.store<u64>(kBuffer + 8, 3);               // of words that are not aligned
                    t.store<u64>(kBuffer + 16, ~u64{0});        // and one at the end of all memory
                    t.store<u64>(kBuffer + 40, kBuffer.value + 40);
                    require(t.syscall(SYS_set_robust_list, kBuffer, 24) == 0, "set_robust_list");
                    exec_one(t);
                },
                0);
            require(c.syscall(SYS_set_robust_list, 0xffff'8000'0000'0000, 24) == 0, "set_robust_list");
            sleep_for_ever(c);
        });
        expect_end(u, child, exited(1), "the status");
    });
}

// --- Strangers ------------------------------------------------------------------------------------------------------

constexpr u32 kOldWord = 4711, kNewWord = 815;

TEST(ExecMemory, IsReadFromOutside) {  // E10: one memory or the other, for as long as the read takes
    EXPLORE_PROCESSES("execve against process_vm_readv",
                      {.cpus = 3,
                       .programs = {{"/one",
                                     [](UserMachine& u) {
                                         u.store<u32>(word(0), kNewWord);
                                         exit(u, 1);
                                     }}}},
                      [](UserMachine& u) {
                          u.store<u32>(word(0), kOldWord);
                          const i64 child = fork(u, [](UserMachine& c) {
                              start_thread(c, exec_one, 0);
                              sleep_for_ever(c);
                          });
                          u.store<iovec>(kBuffer, {reinterpret_cast<void*>(kBuffer.value + 64), 4});
                          u.store<iovec>(kBuffer + 16, {reinterpret_cast<void*>(word(0).value), 4});
                          u32 last = kOldWord;
                          for (u32 i = 0; i < 8; ++i) {
                              const i64 result = u.syscall(SYS_process_vm_readv, child, kBuffer, 1, kBuffer + 16, 1, 0);
                              require(result == 4 || result == -ESRCH || result == -EFAULT, "process_vm_readv");
                              const u32 seen = result == 4 ? u.load<u32>(kBuffer + 64) : 0;
                              require(seen == kOldWord || seen == kNewWord || seen == 0, "what was read");
                              require(seen != kOldWord || last == kOldWord, "the old memory is back");
                              last = result == 4 ? seen : last;
                          }
                          expect_end(u, child, exited(1), "the status");
                      });
}

}  // namespace
}  // namespace cairn
