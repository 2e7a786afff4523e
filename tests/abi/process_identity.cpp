// User and group ids, capabilities, process groups, sessions, limits, priorities.
#include <linux/capability.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

std::string users() {
    uid_t r, e, s;
    getresuid(&r, &e, &s);
    return std::to_string(r) + " " + std::to_string(e) + " " + std::to_string(s);
}

std::string groups() {
    gid_t r, e, s;
    getresgid(&r, &e, &s);
    return std::to_string(r) + " " + std::to_string(e) + " " + std::to_string(s);
}

// Raw calls: the C library's change every thread.
long setuid_raw(uid_t id) {
    return syscall(SYS_setuid, id);
}

}  // namespace

TEST(UserId, SetuidOfRootChangesAll) {
    child([] {
        EXPECT_OK(setuid_raw(5));
        EXPECT_EQ("5 5 5", users());
        EXPECT_ERRNO(EPERM, setuid_raw(0)) << "no way back";
    });
}

TEST(UserId, SeteuidAndBack) {
    child([] {
        EXPECT_OK(seteuid(5));
        EXPECT_EQ("0 5 0", users());
        EXPECT_OK(seteuid(0));
        EXPECT_EQ("0 0 0", users());
    });
}

TEST(UserId, SetuidOfOthersChangesTheEffectiveOne) {
    child([] {
        ASSERT_OK(setresuid(1, 2, 3));
        EXPECT_OK(setuid_raw(1));
        EXPECT_EQ("1 1 3", users());
        EXPECT_OK(setuid_raw(3));
        EXPECT_EQ("1 3 3", users());
        EXPECT_ERRNO(EPERM, setuid_raw(2));
    });
}

TEST(UserId, SetresuidRules) {
    child([] {
        ASSERT_OK(setresuid(1, 2, 3));
        EXPECT_OK(setresuid(3, 1, 2)) << "any permutation";
        EXPECT_EQ("3 1 2", users());
        EXPECT_OK(setresuid(static_cast<uid_t>(-1), 2, static_cast<uid_t>(-1)));
        EXPECT_EQ("3 2 2", users());
        EXPECT_ERRNO(EPERM, setresuid(1, 1, 1));
        EXPECT_EQ("3 2 2", users());
    });
}

TEST(UserId, SetreuidSetsTheSavedOne) {
    child([] {
        ASSERT_OK(syscall(SYS_setreuid, 7, 8));
        EXPECT_EQ("7 8 8", users());
        EXPECT_OK(syscall(SYS_setreuid, 8, 7));
        EXPECT_EQ("8 7 7", users());
        EXPECT_ERRNO(EPERM, syscall(SYS_setreuid, 9, -1));
    });
}

TEST(UserId, ErrorsAndFsuid) {
    EXPECT_ERRNO(EINVAL, setuid_raw(static_cast<uid_t>(-1)));
    write_file("f", "", 0600);
    EXPECT_EQ(0, syscall(SYS_setfsuid, 9));
    EXPECT_EQ(9, syscall(SYS_setfsuid, -1)) << "returns the one before, whatever it does";
    EXPECT_ERRNO(EACCES, open("f", O_RDONLY)) << "files are judged by fsuid";
}

TEST(UserId, IsPerThreadInTheKernel) {
    std::thread([] {
        EXPECT_OK(syscall(SYS_setresuid, 4, 4, 4));
        EXPECT_EQ(4, static_cast<int>(syscall(SYS_getuid)));
    }).join();
    EXPECT_EQ(0u, getuid());
}

TEST(GroupId, Rules) {
    child([] {
        ASSERT_OK(setresgid(1, 2, 3));
        EXPECT_EQ("1 2 3", groups());
        EXPECT_OK(setgid(9)) << "CAP_SETGID is with the user id";
        EXPECT_EQ("9 9 9", groups());
        ASSERT_OK(setresgid(1, 2, 3));
        ASSERT_OK(setresuid(5, 5, 5));
        EXPECT_ERRNO(EPERM, setgid(9));
        EXPECT_OK(setgid(3));
        EXPECT_EQ("1 3 3", groups());
        EXPECT_OK(setregid(3, 1));
        EXPECT_EQ("3 1 1", groups());
    });
}

TEST(GroupId, Supplementary) {
    child([] {
        gid_t list[] = {30, 10, 20};
        ASSERT_OK(syscall(SYS_setgroups, 3, list));
        gid_t back[5] = {};
        EXPECT_EQ(3, getgroups(0, nullptr));
        EXPECT_EQ(3, getgroups(5, back));
        EXPECT_EQ(10u, back[0]) << "sorted";
        EXPECT_EQ(30u, back[2]);
        EXPECT_ERRNO(EINVAL, getgroups(2, back));
        EXPECT_ERRNO(EINVAL, getgroups(-1, back));
        EXPECT_ERRNO(EINVAL, syscall(SYS_setgroups, 65537, list));
        EXPECT_ERRNO(EFAULT, syscall(SYS_setgroups, 3, 8));
        ASSERT_OK(setresuid(5, 5, 5));
        EXPECT_ERRNO(EPERM, syscall(SYS_setgroups, 1, list));
        EXPECT_EQ("10 20 30 ", proc_status("Groups"));
    });
}

TEST(Capabilities, FollowTheUserId) {
    child([] {
        std::string full = proc_status("CapEff");
        EXPECT_EQ(proc_status("CapPrm"), full);
        ASSERT_OK(seteuid(5));
        EXPECT_EQ("0000000000000000", proc_status("CapEff"));
        EXPECT_NE("0000000000000000", proc_status("CapPrm"));
        ASSERT_OK(seteuid(0));
        EXPECT_EQ(full, proc_status("CapEff"));
        ASSERT_OK(setresuid(5, 5, 5));
        EXPECT_EQ("0000000000000000", proc_status("CapPrm"));
    });
}

TEST(Capabilities, KeepcapsAndCapset) {
    child([] {
        ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
        ASSERT_OK(setresuid(5, 5, 5));
        EXPECT_EQ("0000000000000000", proc_status("CapEff"));
        EXPECT_NE("0000000000000000", proc_status("CapPrm"));
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2] = {};
        ASSERT_OK(syscall(SYS_capget, &header, data));
        data[0].effective = 1u << CAP_KILL;
        data[0].permitted = 1u << CAP_KILL;
        data[1] = {};
        ASSERT_OK(syscall(SYS_capset, &header, data));
        EXPECT_EQ("0000000000000020", proc_status("CapEff"));
        EXPECT_OK(kill(getppid(), 0)) << "CAP_KILL is enough";
        data[0].permitted |= 1u << CAP_CHOWN;
        EXPECT_ERRNO(EPERM, syscall(SYS_capset, &header, data));
        header.version = 0;
        EXPECT_ERRNO(EINVAL, syscall(SYS_capget, &header, data));
        EXPECT_EQ(static_cast<unsigned>(_LINUX_CAPABILITY_VERSION_3), header.version) << "tells the version it knows";
    });
}

TEST(Capabilities, BoundingSet) {
    child([] {
        EXPECT_EQ(1, prctl(PR_CAPBSET_READ, CAP_KILL));
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_KILL));
        EXPECT_EQ(0, prctl(PR_CAPBSET_READ, CAP_KILL));
        EXPECT_ERRNO(EINVAL, prctl(PR_CAPBSET_READ, 200));
    });
}

TEST(Group, SetAndGet) {
    child([] {
        ASSERT_OK(setpgid(0, 0));
        EXPECT_EQ(getpid(), getpgrp());
        EXPECT_EQ(getpid(), getpgid(0));
        Gate end;
        pid_t inner = start_child([&] { end.wait(); });
        EXPECT_EQ(getpid(), getpgid(inner));
        ASSERT_OK(setpgid(inner, inner));
        EXPECT_EQ(inner, getpgid(inner));
        ASSERT_OK(setpgid(inner, getpid())) << "into an existing group";
        end.open();
        wait_for(inner);
    });
}

TEST(Group, Errors) {
    EXPECT_ERRNO(EINVAL, setpgid(0, -1));
    EXPECT_ERRNO(ESRCH, setpgid(1, 0)) << "not our child";
    EXPECT_ERRNO(ESRCH, setpgid(0x3fffff, 0));
    EXPECT_ERRNO(EPERM, setpgid(0, 0)) << "a session leader";
    EXPECT_ERRNO(ESRCH, getpgid(0x3fffff));
    child([] { EXPECT_ERRNO(EPERM, setpgid(0, 0x3ffff0)) << "no such group in the session"; });
    Gate other_session;
    Gate end;
    pid_t pid = start_child([&] {
        setsid();
        other_session.open();
        end.wait();
    });
    other_session.wait();
    EXPECT_ERRNO(EPERM, setpgid(pid, 0)) << "a child in another session";
    end.open();
    wait_for(pid);
}

TEST(Group, ChildThatHasExecuted) {
    write_probe("probe");
    int ends[2];
    ASSERT_OK(pipe(ends));
    pid_t pid = start_child([&] {
        dup2(ends[1], 1);
        execve("./probe", pointers({"p", "pause"}).data(), pointers({}).data());
    });
    char text[6];
    ASSERT_EQ(6, read(ends[0], text, 6));
    EXPECT_ERRNO(EACCES, setpgid(pid, pid));
    kill(pid, SIGKILL);
    wait_for(pid);
}

TEST(Session, NewOne) {
    child([] {
        pid_t pid = setsid();
        EXPECT_EQ(getpid(), pid);
        EXPECT_EQ(getpid(), getsid(0));
        EXPECT_EQ(getpid(), getpgrp());
        EXPECT_ERRNO(EPERM, setsid()) << "a group leader";
        EXPECT_ERRNO(ESRCH, getsid(0x3fffff));
        child([pid] { EXPECT_EQ(pid, getsid(0)); });
    });
}

TEST(Limits, GetAndSet) {
    rlimit limit{};
    for (int resource = 0; resource < 16; resource++) {
        EXPECT_OK(getrlimit(static_cast<__rlimit_resource_t>(resource), &limit)) << resource;
        EXPECT_LE(limit.rlim_cur, limit.rlim_max);
    }
    EXPECT_ERRNO(EINVAL, syscall(SYS_getrlimit, 16, &limit));
    limit = {20, 10};
    EXPECT_ERRNO(EINVAL, setrlimit(RLIMIT_NOFILE, &limit));
    limit = {10, 20};
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    as_user(1000, [] {
        rlimit more{10, 30};
        EXPECT_ERRNO(EPERM, setrlimit(RLIMIT_NOFILE, &more));
        rlimit soft{15, 20};
        EXPECT_OK(setrlimit(RLIMIT_NOFILE, &soft));
    });
    EXPECT_ERRNO(EFAULT, syscall(SYS_getrlimit, RLIMIT_NOFILE, 8));
}

TEST(Limits, PrlimitOfAnotherProcess) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    rlimit fresh{33, 44};
    rlimit old{};
    ASSERT_OK(prlimit(pid, RLIMIT_NOFILE, &fresh, &old));
    EXPECT_EQ(1024u, old.rlim_cur);
    ASSERT_OK(prlimit(pid, RLIMIT_NOFILE, nullptr, &old));
    EXPECT_EQ(33u, old.rlim_cur);
    EXPECT_EQ(44u, old.rlim_max);
    as_user(1000, [&] { EXPECT_ERRNO(EPERM, prlimit(pid, RLIMIT_NOFILE, nullptr, &old)); });
    EXPECT_ERRNO(ESRCH, prlimit(0x3fffff, RLIMIT_NOFILE, nullptr, &old));
    end.open();
    wait_for(pid);
}

TEST(Limits, CpuTime) {
    EXPECT_ENDS("SIGXCPU", run_child([] {
                    rlimit limit{1, 3};
                    setrlimit(RLIMIT_CPU, &limit);
                    for (volatile int i = 0;;) {
                        (void)i;
                    }
                }));
}

TEST(Priority, NiceValues) {
    child([] {
        EXPECT_EQ(0, getpriority(PRIO_PROCESS, 0));
        EXPECT_EQ(5, nice(5));
        EXPECT_EQ(19, nice(100));
        EXPECT_EQ(15, syscall(SYS_getpriority, PRIO_PROCESS, 0) + 14) << "the system call returns 20 - nice";
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, -50));
        errno = 0;
        EXPECT_EQ(-20, getpriority(PRIO_PROCESS, 0));
        EXPECT_ERRNO(EINVAL, setpriority(9, 0, 0));
        EXPECT_ERRNO(ESRCH, setpriority(PRIO_PROCESS, 0x3fffff, 0));
    });
    as_user(1000, [] {
        EXPECT_OK(setpriority(PRIO_PROCESS, 0, 5));
        EXPECT_ERRNO(EACCES, setpriority(PRIO_PROCESS, 0, 4));
        EXPECT_ERRNO(EPERM, setpriority(PRIO_PROCESS, 1, 5));
    });
}

TEST(Umask, IsCutAndReturned) {
    EXPECT_EQ(022u, umask(07777));
    EXPECT_EQ(0777u, umask(0));
}
