#pragma once
/// System calls as the user functions of the simulated machine make them, and where their data lies: in the writable
/// segment of the images of tests/support/process_machine.h, at fixed addresses.

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "tests/support/process_machine.h"

namespace cairn::sim::user {

using arch::host::register_user_function;

inline constexpr VirtualAddress kData{0x50'2000};
/// Words for futexes, results and the like, each 16 bytes from the next.
constexpr VirtualAddress word(u32 i) {
    return {kData.value + 16 * u64{i}};
}
constexpr u32 kThreadWord = 100;  // + slot: a thread's id, zero when it has ended
constexpr u32 kStatusWord = 200;  // wait's status
constexpr VirtualAddress kText{kData.value + 2 * kPageSize};
constexpr VirtualAddress kBuffer{kData.value + 3 * kPageSize};
/// The upper end of a stack, for threads that handle signals.
constexpr VirtualAddress stack_top(u32 slot) {
    return {kData.value + 0x8000 + 0x4000 * (u64{slot} + 1)};
}

inline VirtualAddress address_of(UserFunction function) {
    return register_user_function(function, "user function");
}

/// Puts a string where a system call can read it.
inline VirtualAddress text(UserMachine& u, const char* string, u32 slot = 0) {
    const VirtualAddress at = kText + 128 * u64{slot};
    u.store_bytes(at, string, std::strlen(string) + 1);
    return at;
}

inline i64 fork(UserMachine& u, UserFunction child) {
    return u.fork_into(address_of(child), SYS_fork);
}
inline i64 vfork(UserMachine& u, UserFunction child) {
    return u.fork_into(address_of(child), SYS_vfork);
}
/// A thread of this process; its id stands at word(kThreadWord + slot) until it has ended.
inline i64 start_thread(UserMachine& u, UserFunction function, u32 slot) {
    constexpr u64 kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                           CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    return u.fork_into(address_of(function), SYS_clone, kFlags, stack_top(slot), word(kThreadWord + slot),
                       word(kThreadWord + slot), 0);
}
inline void join_thread(UserMachine& u, u32 slot) {
    const VirtualAddress at = word(kThreadWord + slot);
    while (const u32 id = u.load<u32>(at)) {
        u.syscall(SYS_futex, at, FUTEX_WAIT, id, 0, 0, 0);
    }
}
[[noreturn]] inline void exit_thread(UserMachine& u, int code = 0) {
    u.syscall(SYS_exit, code);
    __builtin_unreachable();
}
[[noreturn]] inline void exit(UserMachine& u, int code = 0) {
    u.syscall(SYS_exit_group, code);
    __builtin_unreachable();
}
/// Waits, without any synchronisation of the programs' own, until another function has called arrive().
inline void await(UserMachine& u, u32 place) {
    while (board.words[place] == 0) {
        u.syscall(SYS_sched_yield);
    }
}
inline void arrive(u32 place) {
    board.words[place] = 1;
}
/// Returns only when it fails. The slot is for callers that run at the same time.
inline i64 execve(UserMachine& u, const char* path, u32 slot = 0) {
    const VirtualAddress name = text(u, path, slot);
    const VirtualAddress list = kText + 2048 + 32 * u64{slot};
    u.store<u64>(list, name.value);
    u.store<u64>(list + 8, 0);
    return u.syscall(SYS_execve, name, list, 0);
}
/// wait4; the status goes to word(kStatusWord).
inline i64 wait(UserMachine& u, i64 pid = -1, int options = 0) {
    return u.syscall(SYS_wait4, pid, word(kStatusWord), options, 0);
}
inline int status(UserMachine& u) {
    return u.load<int>(word(kStatusWord));
}
/// Waits for a child and says how it ended.
inline void expect_end(UserMachine& u, i64 pid, int expected, const char* what) {
    require(wait(u, pid) == pid, "wait");
    require(status(u) == expected, what);
}
inline constexpr int exited(int code) {
    return code << 8;
}
inline i64 futex_wait(UserMachine& u, VirtualAddress at, u32 value) {
    return u.syscall(SYS_futex, at, FUTEX_WAIT, value, 0, 0, 0);
}
inline i64 futex_wake(UserMachine& u, VirtualAddress at, u32 count) {
    return u.syscall(SYS_futex, at, FUTEX_WAKE, count, 0, 0, 0);
}
inline void sleep_nanoseconds(UserMachine& u, u64 nanoseconds, u32 slot = 0) {
    const VirtualAddress at = kText + 3072 + 16 * u64{slot};
    u.store<u64>(at, nanoseconds / 1'000'000'000);
    u.store<u64>(at + 8, nanoseconds % 1'000'000'000);
    u.syscall(SYS_nanosleep, at, 0);
}
/// A pipe; its ends are returned, and the numbers stand at word(slot).
struct Pipe {
    u32 reader;
    u32 writer;
};
inline Pipe pipe(UserMachine& u, u32 slot = 0, int flags = 0) {
    require(u.syscall(SYS_pipe2, word(slot), flags) == 0, "pipe");
    return u.load<Pipe>(word(slot));
}
inline void set_handler(UserMachine& u, int signal, u64 handler, u64 flags = 0) {
    struct {
        u64 handler, flags, restorer, mask;
    } const action{handler, flags | 0x0400'0000, 0x1234, 0};
    const VirtualAddress at = kText + 3584;
    u.store(at, action);
    require(u.syscall(SYS_rt_sigaction, signal, at, 0, 8) == 0, "sigaction");
}
inline u64 handler_of(UserMachine& u, int signal) {
    const VirtualAddress at = kText + 3648;
    require(u.syscall(SYS_rt_sigaction, signal, 0, at, 8) == 0, "sigaction");
    return u.load<u64>(at);
}
inline void set_mask(UserMachine& u, int how, u64 mask, u32 slot = 0) {
    const VirtualAddress at = kText + 3712 + 8 * u64{slot};
    u.store(at, mask);
    require(u.syscall(SYS_rt_sigprocmask, how, at, 0, 8) == 0, "sigprocmask");
}
constexpr u64 bit(int signal) {
    return u64{1} << (signal - 1);
}

}  // namespace cairn::sim::user
