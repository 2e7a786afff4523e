#pragma once
/// What the scenarios that race execve with something have in common: programs to run, threads that call execve, and
/// siblings that must not outlive it. Places on the board (process_machine.h) below 10 are each scenario's own.

#include <gtest/gtest.h>

#include "tests/support/user_calls.h"

namespace cairn::sim::user {

inline constexpr u32 kAboutToExec = 10;
inline constexpr u32 kNewProgram = 11;
/// For a program that is to live until somebody has looked at it.
inline constexpr u32 kSeen = 12;

inline void program_one(UserMachine& u) {
    require(u.syscall(SYS_gettid) == u.syscall(SYS_getpid), "the new program's thread is not the leader");
    arrive(kNewProgram);
    exit(u, 1);
}
inline void program_two(UserMachine& u) {
    require(u.syscall(SYS_gettid) == u.syscall(SYS_getpid), "the new program's thread is not the leader");
    arrive(kNewProgram);
    exit(u, 2);
}
inline void program_until_seen(UserMachine& u) {
    arrive(kNewProgram);
    await(u, kSeen);
    exit(u, 1);
}

inline const std::vector<ProgramFile> kPrograms = {{"/one", program_one}, {"/two", program_two}};

inline void exec_one(UserMachine& u) {
    arrive(kAboutToExec);
    execve(u, "/one", 1);
    require(false, "execve returned");
}
inline void exec_two(UserMachine& u) {
    arrive(kAboutToExec);  // it may go first, and then exec_one never comes to it
    execve(u, "/two", 2);
    require(false, "execve returned");
}
inline void sleep_for_ever(UserMachine& u) {
    for (;;) {
        require(board.words[kNewProgram] == 0, "a sibling has outlived execve");
        u.syscall(SYS_pause);
    }
}

/// Lets a random number of scheduling points pass, of any order of magnitude that an execve has.
inline void dawdle(UserMachine& u) {
    const u64 bound = u64{1} << arch::host::random_below(12);
    for (u64 i = arch::host::random_below(bound); i > 0; --i) {
        u.pause();
    }
}

/// Runs `process` as a child, which must end with one of the two statuses, and be the only one.
inline void expect_child(UserMachine& u, UserFunction process, int one, int or_two) {
    const i64 child = fork(u, process);
    require(child > 0, "fork");
    require(wait(u) == child, "wait");
    const int end = status(u);
    require(end == one || end == or_two, "the child's status");
    require(wait(u) == -ECHILD, "there is another child");
}

/// A number for functions that are started later, in whatever process of the scenario.
inline void announce(u32 place, i64 number) {
    board.words[place] = static_cast<u64>(number);
}
inline i64 announced(UserMachine& u, u32 place) {
    await(u, place);
    return static_cast<i64>(board.words[place]);
}

/// Memory that processes share, at the same place in each.
inline constexpr VirtualAddress kShared{0x1000'0000};
inline void map_shared(UserMachine& u, u64 pages = 1) {
    require(u.syscall(SYS_mmap, kShared, pages * kPageSize, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == static_cast<i64>(kShared.value),
            "mmap");
}

}  // namespace cairn::sim::user
