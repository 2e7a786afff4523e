/// execve of a set-user-id program, and those who would like to have a hand in it: tracers, readers and writers of its
/// memory, processes that share its root directory.
///
/// E15, traps L, M and N. The programs here belong to root and are set-user-id; who runs them has no rights.

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "tests/support/exec_race.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

constexpr u32 kPrivileged = 1;  // the program has got root's rights
constexpr u32 kSetUserId = 04755;

void drop_rights(UserMachine& u) {
    require(u.syscall(SYS_setresgid, 1000, 1000, 1000) == 0, "setresgid");
    require(u.syscall(SYS_setresuid, 1000, 1000, 1000) == 0, "setresuid");
    require(u.syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0) == 0, "PR_SET_DUMPABLE");
}
bool is_privileged(UserMachine& u) {
    return u.syscall(SYS_geteuid) == 0;
}

// --- Tracers (trap L) -----------------------------------------------------------------------------------------------

void say_whether_privileged(UserMachine& u) {
    board.words[kPrivileged] = is_privileged(u);
    require(u.syscall(SYS_getuid) == 1000, "the real user");
    arrive(kNewProgram);
    exit(u, 1);
}

template <u64 kRequest>
void attach_to_child(UserMachine& u) {
    drop_rights(u);
    const i64 child = fork(u, [](UserMachine& c) {
        start_thread(c, sleep_for_ever, 0);
        exec_one(c);
    });
    dawdle(u);
    const i64 attached = u.syscall(SYS_ptrace, kRequest, child, 0, 0);
    require(attached == 0 || attached == -EPERM, "the attachment");
    for (;;) {
        require(wait(u, child, __WALL) == child, "wait");
        if ((status(u) & 0xff) != 0x7f) {
            break;
        }
        const i64 result = u.syscall(SYS_ptrace, PTRACE_CONT, child, 0, 0);
        require(result == 0 || result == -ESRCH, "PTRACE_CONT");
    }
    require(status(u) == exited(1), "the status");
    require(attached != 0 || board.words[kPrivileged] == 0, "a tracer without rights has a privileged program");
    require(attached == 0 || board.words[kPrivileged] != 0, "refused for nothing");
}

TEST(ExecCredentials, AgainstAttach) {  // E15, trap L
    EXPLORE_PROCESSES("set-id execve against PTRACE_ATTACH",
                      {.cpus = 3, .programs = {{"/one", say_whether_privileged, kSetUserId}}},
                      [](UserMachine& u) { attach_to_child<PTRACE_ATTACH>(u); });
}

TEST(ExecCredentials, AgainstSeize) {  // E15, trap L
    EXPLORE_PROCESSES("set-id execve against PTRACE_SEIZE",
                      {.cpus = 2, .programs = {{"/one", say_whether_privileged, kSetUserId}}},
                      [](UserMachine& u) { attach_to_child<PTRACE_SEIZE>(u); });
}

// --- Those who reach for its memory (trap M) ------------------------------------------------------------------------

constexpr u32 kSecret = 0x5ec7e7, kForged = 0xf0e6ed, kOldWord = 4711;

void keep_a_secret(UserMachine& u) {
    require(is_privileged(u), "a set-user-id program without its rights");
    require(u.load<u32>(word(1)) == 0, "a privileged program's memory was written");
    u.store<u32>(word(0), kSecret);
    arrive(kNewProgram);
    for (u32 i = 0; i < 40; ++i) {
        u.pause();
    }
    require(u.load<u32>(word(1)) == 0, "a privileged program's memory was written");
    exit(u, 1);
}
const std::vector<ProgramFile> kSecretive = {{"/one", keep_a_secret, kSetUserId}};

i64 start_secretive(UserMachine& u) {
    drop_rights(u);
    u.store<u32>(word(0), kOldWord);
    u.store<u32>(word(1), kOldWord);
    const i64 child = fork(u, [](UserMachine& c) {
        start_thread(c, exec_one, 0);
        sleep_for_ever(c);
    });
    u.store<iovec>(kBuffer, {reinterpret_cast<void*>(kBuffer.value + 64), 4});
    return child;
}
void remote_word(UserMachine& u, u32 index) {
    u.store<iovec>(kBuffer + 16, {reinterpret_cast<void*>(word(index).value), 4});
}

TEST(ExecCredentials, AgainstReadsOfItsMemory) {  // E15, trap M
    EXPLORE_PROCESSES(
        "set-id execve against process_vm_readv", {.cpus = 3, .programs = kSecretive}, [](UserMachine& u) {
            const i64 child = start_secretive(u);
            remote_word(u, 0);
            i64 result = 0;
            do {
                result = u.syscall(SYS_process_vm_readv, child, kBuffer, 1, kBuffer + 16, 1, 0);
                require(result != 4 || u.load<u32>(kBuffer + 64) == kOldWord, "a privileged program's memory was read");
            } while (result == 4);
            require(result == -EPERM || result == -ESRCH, "process_vm_readv");
            expect_end(u, child, exited(1), "the status");
        });
}

TEST(ExecCredentials, AgainstWritesToItsMemory) {  // E15, trap M
    EXPLORE_PROCESSES("set-id execve against process_vm_writev", {.cpus = 3, .programs = kSecretive},
                      [](UserMachine& u) {
                          const i64 child = start_secretive(u);
                          remote_word(u, 1);
                          u.store<u32>(kBuffer + 64, kForged);
                          i64 result = 0;
                          do {
                              result = u.syscall(SYS_process_vm_writev, child, kBuffer, 1, kBuffer + 16, 1, 0);
                          } while (result == 4);
                          require(result == -EPERM || result == -ESRCH, "process_vm_writev");
                          expect_end(u, child, exited(1), "the status");
                      });
}

// --- Those who share its directories (trap N) -----------------------------------------------------------------------

constexpr u32 kSharer = 5;
constexpr i64 kOwnMask = 011, kOthersMask = 077;

/// Has the umask, too, and so root and working directory. A child of the new program.
void change_mask(UserMachine& s) {
    arrive(kSharer);
    await(s, kNewProgram);
    s.syscall(SYS_umask, kOthersMask);
    exit(s, 1);
}
i64 start_sharer(UserMachine& u) {
    return u.fork_into(address_of(change_mask), SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
}
/// With rights, nobody else has its directories.
void guard_mask(UserMachine& u) {
    u.syscall(SYS_umask, kOwnMask);
    arrive(kNewProgram);
    while (wait(u) > 0) {
        require(status(u) == exited(1), "the sharer's status");
    }
    const bool changed = u.syscall(SYS_umask, kOwnMask) != kOwnMask;
    board.words[kPrivileged] = is_privileged(u);
    require(!changed || !is_privileged(u), "a privileged program shares its directories");
    require(changed || is_privileged(u), "rights refused for nothing");
    exit(u, 1);
}
const std::vector<ProgramFile> kGuards = {{"/one", guard_mask, kSetUserId}};

TEST(ExecCredentials, AgainstCloneThatSharesDirectories) {  // E15, trap N
    EXPLORE_PROCESSES("set-id execve against clone(CLONE_FS)", {.cpus = 3, .programs = kGuards}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                drop_rights(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        dawdle(t);
                        const i64 result = start_sharer(t);
                        require(result > 0 || result == -EAGAIN, "clone(CLONE_FS)");
                        t.syscall(SYS_pause);
                    },
                    0);
                dawdle(c);
                exec_one(c);
            },
            exited(1), exited(1));
    });
}

TEST(ExecCredentials, AgainstCloneThatHasJustSharedDirectories) {  // E15, trap N: counted when it can be seen
    EXPLORE_PROCESSES("set-id execve behind clone(CLONE_FS)", {.cpus = 2, .programs = kGuards}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                drop_rights(c);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        require(start_sharer(t) > 0, "clone(CLONE_FS)");
                        t.syscall(SYS_pause);
                    },
                    0);
                while (wait(c, -1, WNOHANG) == -ECHILD) {
                    c.pause();
                }
                exec_one(c);
            },
            exited(1), exited(1));
        require(board.words[kPrivileged] == 0, "a privileged program shares its directories");
    });
}

TEST(ExecCredentials, WhoSharesDirectoriesIsCountedByPlace) {  // E15, trap N: threads with their own do not count
    EXPLORE_PROCESSES("set-id execve, directories shared", {.cpus = 2, .programs = kGuards}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                drop_rights(c);
                require(start_sharer(c) > 0, "clone(CLONE_FS)");
                start_thread(
                    c,
                    [](UserMachine& t) {
                        require(t.syscall(SYS_unshare, CLONE_FS) == 0, "unshare");
                        arrive(6);
                        t.syscall(SYS_pause);
                    },
                    0);
                await(c, 6);
                exec_one(c);
            },
            exited(1), exited(1));
        require(board.words[kPrivileged] == 0, "a privileged program shares its directories");
    });
}

TEST(ExecCredentials, ThreadsThatEndMeanwhileAreNoStrangers) {  // E15: rights are not refused for a thread's sake
    EXPLORE_PROCESSES("set-id execve against exit of threads", {.cpus = 3, .programs = kGuards}, [](UserMachine& u) {
        expect_child(
            u,
            [](UserMachine& c) {
                drop_rights(c);
                start_thread(c, [](UserMachine& t) { exit_thread(t); }, 0);
                start_thread(
                    c,
                    [](UserMachine& t) {
                        start_thread(t, [](UserMachine& s) { exit_thread(s); }, 2);
                        exit_thread(t);
                    },
                    1);
                exec_one(c);
            },
            exited(1), exited(1));
        require(board.words[kPrivileged] != 0, "rights refused for nothing");
    });
}

}  // namespace
}  // namespace cairn
