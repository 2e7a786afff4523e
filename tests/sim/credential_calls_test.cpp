/// Who a process is, and what that allows: setresuid(2) and its kin, capabilities(7), groups, prctl(2), limits.

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/support/call_checks.h"

namespace cairn {
namespace {

using namespace sim;
using namespace sim::user;

struct Ids {
    u32 real, effective, saved;
};
Ids ids(UserMachine& u, u64 call) {
    expect(u, 0, call, word(0), word(1), word(2));
    return {u.load<u32>(word(0)), u.load<u32>(word(1)), u.load<u32>(word(2))};
}
void expect_ids(UserMachine& u, u64 call, Ids wanted, std::source_location where = std::source_location::current()) {
    const Ids found = ids(u, call);
    check(found.real, {wanted.real, where});
    check(found.effective, {wanted.effective, where});
    check(found.saved, {wanted.saved, where});
}

struct Sets {
    u32 header[2] = {_LINUX_CAPABILITY_VERSION_3, 0};
    u32 words[6] = {};  // effective, permitted, inheritable; twice
};
Sets capabilities(UserMachine& u) {
    Sets sets;
    u.store(word(0), sets.header);
    expect(u, 0, SYS_capget, word(0), kBuffer);
    u.load_bytes(kBuffer, sets.words, sizeof sets.words);
    return sets;
}
i64 set_capabilities(UserMachine& u, const Sets& sets) {
    u.store(word(0), sets.header);
    u.store_bytes(kBuffer, sets.words, sizeof sets.words);
    return u.syscall(SYS_capset, word(0), kBuffer);
}

TEST(CredentialCalls, UserIds) {
    check_calls("user ids", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            // What root may, and what becomes of the capabilities on the way (capabilities(7)).
            expect(c, 0, SYS_setresuid, 1000, -1, 0);
            expect_ids(c, SYS_getresuid, {1000, 0, 0});
            expect(c, 0, SYS_setreuid, -1, 1001);
            expect_ids(c, SYS_getresuid, {1000, 1001, 1001});
            expect(c, 1000, SYS_getuid);
            expect(c, 1001, SYS_geteuid);
            require(capabilities(c).words[0] == 0, "effective capabilities of a user who is not root");
            // A user may take any of the three, and nothing else.
            expect(c, 0, SYS_setreuid, -1, 1000);
            expect(c, -EPERM, SYS_setresuid, 0, 0, 0);
            expect(c, -EPERM, SYS_setuid, 5);
            expect(c, 0, SYS_setuid, 1001);
            expect_ids(c, SYS_getresuid, {1000, 1001, 1001});
            expect(c, -EINVAL, SYS_setuid, -1);
            // setfsuid tells the old one, whether it changed or not.
            expect(c, 1001, SYS_setfsuid, 0);
            expect(c, 1001, SYS_setfsuid, 1000);
            expect(c, 1000, SYS_setfsuid, -1);
            exit(c, 0);
        });
        run_child(u, [](UserMachine& c) {
            expect(c, 0, SYS_setuid, 1000);  // all three, being root
            expect_ids(c, SYS_getresuid, {1000, 1000, 1000});
            expect(c, -EPERM, SYS_setuid, 0);
            expect(c, -EPERM, SYS_setreuid, 0, -1);
            expect(c, -EFAULT, SYS_getresuid, 8, word(1), word(2));
            exit(c, 0);
        });
    });
}

TEST(CredentialCalls, GroupIds) {
    check_calls("group ids", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            expect(c, 0, SYS_setresgid, 5, 6, 7);
            expect_ids(c, SYS_getresgid, {5, 6, 7});
            expect(c, 0, SYS_setregid, 8, -1);
            expect_ids(c, SYS_getresgid, {8, 6, 6});
            expect(c, 8, SYS_getgid);
            expect(c, 6, SYS_getegid);
            expect(c, 6, SYS_setfsgid, 9);
            expect(c, 9, SYS_setfsgid, -1);
            const u32 groups[] = {30, 10, 20};
            c.store(kBuffer, groups);
            expect(c, 0, SYS_setgroups, 3, kBuffer);
            expect(c, 3, SYS_getgroups, 0, 0);
            expect(c, -EINVAL, SYS_getgroups, 2, kBuffer);
            expect(c, 3, SYS_getgroups, 3, kBuffer);
            expect_memory<u32>(c, kBuffer, 10);  // sorted
            expect(c, -EINVAL, SYS_setgroups, 65537, kBuffer);
            expect(c, -EFAULT, SYS_setgroups, 1, 8);
            expect(c, 0, SYS_setresuid, 1000, 1000, 1000);
            expect(c, -EPERM, SYS_setgroups, 0, 0);
            expect(c, -EPERM, SYS_setgid, 77);
            expect(c, 0, SYS_setgid, 8);
            expect(c, -EPERM, SYS_setresgid, 0, 0, 0);
            expect(c, -EPERM, SYS_setregid, 1, 1);
            exit(c, 0);
        });
    });
}

TEST(CredentialCalls, Capabilities) {
    check_calls("capabilities", [](UserMachine& u) {
        run_child(u, [](UserMachine& c) {
            Sets sets = capabilities(c);
            require((sets.words[0] & 1u << CAP_CHOWN) != 0, "root's capabilities");
            // Lowered, and raised again while permitted.
            sets.words[0] &= ~(1u << CAP_CHOWN);
            check(set_capabilities(c, sets), 0);
            const VirtualAddress file = text(c, "/d/g");
            expect(c, -EPERM, SYS_chown, file, 5, 5);
            sets.words[0] |= 1u << CAP_CHOWN;
            check(set_capabilities(c, sets), 0);
            expect(c, 0, SYS_chown, text(c, "/d/g"), 0, 0);
            sets.words[0] &= ~(1u << CAP_CHOWN);
            sets.words[1] &= ~(1u << CAP_CHOWN);
            check(set_capabilities(c, sets), 0);
            sets.words[1] |= 1u << CAP_CHOWN;
            check(set_capabilities(c, sets), -EPERM);
            // A wrong version is told the right one.
            c.store<u32>(word(0), 1);
            expect(c, -EINVAL, SYS_capget, word(0), kBuffer);
            expect_memory<u32>(c, word(0), _LINUX_CAPABILITY_VERSION_3);
            c.store<u32>(word(0), 1);
            expect(c, 0, SYS_capget, word(0), 0);
            // Others are looked at, never changed.
            const u32 other[] = {_LINUX_CAPABILITY_VERSION_3, 1};
            c.store(word(0), other);
            expect(c, 0, SYS_capget, word(0), kBuffer);
            expect(c, -EPERM, SYS_capset, word(0), kBuffer);
            exit(c, 0);
        });
        run_child(u, [](UserMachine& c) {
            // Kept over a change of users when asked for.
            expect(c, 0, SYS_prctl, PR_GET_KEEPCAPS);
            expect(c, 0, SYS_prctl, PR_SET_KEEPCAPS, 1);
            expect(c, 1, SYS_prctl, PR_GET_KEEPCAPS);
            expect(c, -EINVAL, SYS_prctl, PR_SET_KEEPCAPS, 2);
            drop_privileges(c);
            Sets sets = capabilities(c);
            require(sets.words[0] == 0 && (sets.words[1] & 1u << CAP_CHOWN) != 0, "permitted, not effective");
            // Ambient ones must be permitted and inheritable.
            expect(c, -EPERM, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
            sets.words[2] |= 1u << CAP_CHOWN;
            check(set_capabilities(c, sets), 0);
            expect(c, 0, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
            expect(c, 1, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
            expect(c, 0, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0);
            expect(c, 0, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
            expect(c, 0, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
            expect(c, -EINVAL, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 63, 0, 0);
            expect(c, -EINVAL, SYS_prctl, PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0);
            exit(c, 0);
        });
        run_child(u, [](UserMachine& c) {
            expect(c, 1, SYS_prctl, PR_CAPBSET_READ, CAP_CHOWN);
            expect(c, 0, SYS_prctl, PR_CAPBSET_DROP, CAP_CHOWN);
            expect(c, 0, SYS_prctl, PR_CAPBSET_READ, CAP_CHOWN);
            expect(c, -EINVAL, SYS_prctl, PR_CAPBSET_READ, 64);
            expect(c, 0, SYS_prctl, PR_SET_SECUREBITS, 3);  // NOROOT and its lock
            expect(c, 3, SYS_prctl, PR_GET_SECUREBITS);
            expect(c, -EPERM, SYS_prctl, PR_SET_SECUREBITS, 0);
            drop_privileges(c);
            expect(c, -EPERM, SYS_prctl, PR_CAPBSET_DROP, CAP_KILL);
            exit(c, 0);
        });
    });
}

TEST(CredentialCalls, WhatAThreadSaysOfItself) {
    check_calls("prctl", [](UserMachine& u) {
        expect(u, 0, SYS_prctl, PR_SET_NAME, text(u, "a name of more than fifteen"));
        expect(u, 0, SYS_prctl, PR_GET_NAME, kBuffer);
        expect_bytes(u, kBuffer, std::string_view("a name of more \0", 16));
        expect(u, 0, SYS_prctl, PR_SET_PDEATHSIG, SIGUSR1);
        expect(u, 0, SYS_prctl, PR_GET_PDEATHSIG, word(0));
        expect_memory<i32>(u, word(0), SIGUSR1);
        expect(u, -EINVAL, SYS_prctl, PR_SET_PDEATHSIG, 65);
        expect(u, 1, SYS_prctl, PR_GET_DUMPABLE);
        expect(u, 0, SYS_prctl, PR_SET_DUMPABLE, 0);
        expect(u, 0, SYS_prctl, PR_GET_DUMPABLE);
        expect(u, -EINVAL, SYS_prctl, PR_SET_DUMPABLE, 2);
        expect(u, 50'000, SYS_prctl, PR_GET_TIMERSLACK);
        expect(u, 0, SYS_prctl, PR_SET_TIMERSLACK, 7);
        expect(u, 7, SYS_prctl, PR_GET_TIMERSLACK);
        expect(u, 0, SYS_prctl, PR_SET_TIMERSLACK, 0);
        expect(u, 50'000, SYS_prctl, PR_GET_TIMERSLACK);
        expect(u, 0, SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
        expect(u, -EINVAL, SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
        expect(u, 0, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        expect(u, 1, SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
        expect(u, -EINVAL, SYS_prctl, 12345);
        expect(u, -EFAULT, SYS_prctl, PR_SET_NAME, 8);
    });
}

TEST(CredentialCalls, Limits) {
    check_calls("limits", [](UserMachine& u) {
        const u64 limit[] = {10, 20};
        u.store(kBuffer, limit);
        expect(u, 0, SYS_setrlimit, RLIMIT_CORE, kBuffer);
        expect(u, 0, SYS_getrlimit, RLIMIT_CORE, kBuffer + 64);
        expect_memory<u64>(u, kBuffer + 64, 10);
        expect_memory<u64>(u, kBuffer + 72, 20);
        const u64 wrong[] = {21, 20};
        u.store(kBuffer, wrong);
        expect(u, -EINVAL, SYS_setrlimit, RLIMIT_CORE, kBuffer);
        expect(u, -EINVAL, SYS_getrlimit, 16, kBuffer);
        expect(u, -EFAULT, SYS_setrlimit, RLIMIT_CORE, 0);
        expect(u, -ESRCH, SYS_prlimit64, 29'999, RLIMIT_CORE, 0, kBuffer);
        run_child(u, [](UserMachine& c) {
            drop_privileges(c);
            const u64 higher[] = {10, 30};
            c.store(kBuffer, higher);
            expect(c, -EPERM, SYS_setrlimit, RLIMIT_CORE, kBuffer);
            expect(c, -EPERM, SYS_prlimit64, 1, RLIMIT_CORE, 0, kBuffer);
            const u64 lower[] = {5, 5};
            c.store(kBuffer, lower);
            expect(c, 0, SYS_prlimit64, 0, RLIMIT_CORE, kBuffer, kBuffer + 64);
            expect_memory<u64>(c, kBuffer + 64, 10);
            exit(c, 0);
        });
        // RLIMIT_NOFILE bounds the numbers, RLIMIT_FSIZE what is written.
        run_child(u, [](UserMachine& c) {
            const u64 few[] = {3, 3};
            c.store(kBuffer, few);
            expect(c, 0, SYS_setrlimit, RLIMIT_NOFILE, kBuffer);
            expect(c, -EMFILE, SYS_dup, 0);
            expect(c, -EBADF, SYS_dup2, 0, 3);
            const u64 small[] = {4, 4};
            c.store(kBuffer, small);
            expect(c, 0, SYS_setrlimit, RLIMIT_FSIZE, kBuffer);
            set_handler(c, SIGXFSZ, 1);
            expect(c, 4, SYS_pwrite64, 0, kText, 10, 0);
            expect(c, -EFBIG, SYS_pwrite64, 0, kText, 1, 4);
            exit(c, 0);
        });
    });
}

}  // namespace
}  // namespace cairn
