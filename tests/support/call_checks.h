#pragma once
/// Tests of what single system calls do: programs in the exerciser's world (tests/support/exercise_world.h), where
/// there are files, directories, devices, /proc and the like, and where nothing has to be cleaned up.

#include <gtest/gtest.h>

#include <source_location>

#include "kernel/base/format.h"
#include "tests/support/exercise_world.h"
#include "tests/support/user_calls.h"

namespace cairn::sim {

/// What a call must give back; remembers where that is said.
struct Must {
    i64 result;
    std::source_location where;
    Must(i64 wanted, std::source_location here = std::source_location::current()) : result(wanted), where(here) {}
};

[[noreturn]] inline void fail_at(const std::source_location& where, i64 result, i64 wanted) {
    char storage[160];
    TextBuffer text{std::span(storage)};
    format_to(text, "line {}: {} instead of {}", u32{where.line()}, result, wanted);
    arch::host::fail_run(text.view());
}

inline void check(i64 result, Must must) {
    if (result != must.result) {
        fail_at(must.where, result, must.result);
    }
}
/// For results that are numbers of something new.
inline i64 check_made(i64 result, std::source_location where = std::source_location::current()) {
    if (result < 0) {
        fail_at(where, result, 0);
    }
    return result;
}

template <typename... Arguments>
void expect(UserMachine& u, Must must, u64 number, Arguments... arguments) {
    check(u.syscall(number, arguments...), must);
}
/// The same with a path (or another text) as its first argument.
template <typename... Arguments>
void expect_at(UserMachine& u, Must must, u64 number, const char* path, Arguments... arguments) {
    check(u.syscall(number, user::text(u, path), arguments...), must);
}
template <typename T>
void expect_memory(UserMachine& u, VirtualAddress at, T wanted,
                   std::source_location where = std::source_location::current()) {
    const T found = u.load<T>(at);
    if (found != wanted) {
        fail_at(where, static_cast<i64>(found), static_cast<i64>(wanted));
    }
}
inline void expect_bytes(UserMachine& u, VirtualAddress at, std::string_view wanted,
                         std::source_location where = std::source_location::current()) {
    for (usize i = 0; i < wanted.size(); ++i) {
        const char found = u.load<char>(at + i);
        if (found != wanted[i]) {
            fail_at(where, found, wanted[i]);
        }
    }
}

inline i64 open_at(UserMachine& u, const char* path, u64 flags, u32 mode = 0666,
                   std::source_location where = std::source_location::current()) {
    return check_made(u.syscall(SYS_open, user::text(u, path), flags, mode), where);
}
/// Writes a text to a descriptor.
inline i64 write_text(UserMachine& u, i64 fd, const char* string) {
    return u.syscall(SYS_write, fd, user::text(u, string, 9), std::strlen(string));
}
/// A child that is waited for; what it returns with exit must be `code`.
inline void run_child(UserMachine& u, UserFunction child, int code = 0,
                      std::source_location where = std::source_location::current()) {
    const i64 pid = check_made(user::fork(u, child), where);
    check(user::wait(u, pid), {pid, where});
    check(user::status(u), {user::exited(code), where});
}
/// Becomes the user 1000, for good.
inline void drop_privileges(UserMachine& u) {
    expect(u, 0, SYS_setgroups, 0, 0);
    expect(u, 0, SYS_setresgid, 1000, 1000, 1000);
    expect(u, 0, SYS_setresuid, 1000, 1000, 1000);
}

/// Runs the program in the world, under a few schedules. No macro: lines within a macro's arguments are all one.
inline void check_calls(const char* name, UserFunction program, std::vector<ProgramFile> more = {}) {
    constexpr u64 kFew = 4;
    static UserFunction current;
    current = program;
    if (more.empty()) {
        more.push_back({"/program", [](UserMachine& u) { user::exit(u, 77); }});
    }
    const ProcessOptions options{.cpus = 2,
                                 .memory = 32 * kMiB,
                                 .programs = std::move(more),
                                 .rehearse = true,
                                 .clean_up = &remove_exercise_world};
    const Exploration exploration = explore_processes(
        name, options,
        [](UserMachine& u) {
            Made made = {};
            require(build_exercise_world(u, made), "the world cannot be made");
            map_exercise_areas(u, made);
            if (!is_rehearsal()) {
                current(u);
            }
        },
        kFew);
    ASSERT_FALSE(exploration.failure) << exploration.failure->report;
}

}  // namespace cairn::sim
