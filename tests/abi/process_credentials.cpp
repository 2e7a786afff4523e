// User and group ids, groups, capabilities and prctl: every transition, and what it takes along. credentials(7).
#include "tests/abi/support/capabilities.h"

using namespace abi_test;

namespace {

std::string uids() {
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    EXPECT_OK(getresuid(&real, &effective, &saved));
    return std::to_string(real) + " " + std::to_string(effective) + " " + std::to_string(saved);
}
std::string gids() {
    gid_t real = 0;
    gid_t effective = 0;
    gid_t saved = 0;
    EXPECT_OK(getresgid(&real, &effective, &saved));
    return std::to_string(real) + " " + std::to_string(effective) + " " + std::to_string(saved);
}

constexpr uid_t kSame = static_cast<uid_t>(-1);

void drop(uint64_t bits) {
    CapabilitySets sets = own_capabilities();
    sets.effective &= ~bits;
    ASSERT_OK(set_capabilities(sets));
}

}  // namespace

TEST(SetUid, SetreuidByRootKeepsOrMovesTheSavedOne) {
    child([] {
        ASSERT_OK(setreuid(1000, 0));
        EXPECT_EQ("1000 0 0", uids()) << "a new real id takes the saved one along";
    });
    child([] {
        ASSERT_OK(setreuid(kSame, 1000));
        EXPECT_EQ("0 1000 1000", uids()) << "so does an effective one that is not the real one";
    });
    child([] {
        ASSERT_OK(setresuid(0, 0, 555));
        ASSERT_OK(setreuid(kSame, 0));
        EXPECT_EQ("0 0 555", uids()) << "but not one that is";
    });
}

TEST(SetUid, SetreuidOfOthersSwaps) {
    child([] {
        ASSERT_OK(setresuid(1000, 1001, 1002));
        ASSERT_OK(setreuid(1001, 1000));
        EXPECT_EQ("1001 1000 1000", uids());
        EXPECT_ERRNO(EPERM, setreuid(1002, kSame)) << "the real one may not become the former saved one";
    });
    child([] {
        ASSERT_OK(setresuid(1000, 1001, 1002));
        EXPECT_OK(setreuid(kSame, 1002)) << "the effective one may become the saved one";
        EXPECT_EQ("1000 1002 1002", uids());
    });
}

TEST(SetUid, NothingChangesWhenOneOfThreeIsRefused) {
    child([] {
        ASSERT_OK(setresuid(1000, 1001, 1002));
        EXPECT_ERRNO(EPERM, setresuid(1001, 1000, 7));
        EXPECT_EQ("1000 1001 1002", uids());
    });
}

TEST(SetUid, CapabilityDecidesNotTheId) {
    child([] {
        drop(bit(CAP_SETUID));
        EXPECT_ERRNO(EPERM, setresuid(1000, 1000, 1000)) << "root without CAP_SETUID";
        EXPECT_ERRNO(EPERM, setuid(1000));
    });
    child([] {
        ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
        become_user(1000, 1000);
        ASSERT_OK(set_capabilities({bit(CAP_SETUID), bit(CAP_SETUID), 0}));
        EXPECT_OK(setuid(1234)) << "a user with it";
        EXPECT_EQ("1234 1234 1234", uids());
    });
}

TEST(SetUid, SetgidOfOthersChangesTheEffectiveOne) {
    child([] {
        ASSERT_OK(setresgid(10, 20, 30));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_OK(setgid(30));
        EXPECT_EQ("10 30 30", gids());
        EXPECT_ERRNO(EPERM, setgid(20));
        EXPECT_OK(setregid(30, 10));
        EXPECT_EQ("30 10 10", gids());
    });
}

TEST(SetUid, GroupIdsNeedSetgidNotSetuid) {
    child([] {
        drop(bit(CAP_SETGID));
        EXPECT_ERRNO(EPERM, setresgid(1, 2, 3));
        gid_t group = 5;
        EXPECT_ERRNO(EPERM, setgroups(1, &group));
        EXPECT_OK(setresuid(1, 2, 3));
    });
}

TEST(SetUid, FsuidFollowsEveryEffectiveOne) {
    child([] {
        setfsuid(55);
        EXPECT_EQ(55, setfsuid(kSame));
        ASSERT_OK(setresuid(kSame, 77, kSame));
        EXPECT_EQ(77, setfsuid(kSame));
        EXPECT_EQ("0 77 0", uids());
    });
}

TEST(SetUid, FsuidMayBeAnyOfTheOwnIds) {
    child([] {
        ASSERT_OK(setresuid(1000, 1001, 1002));
        for (uid_t id : {1000u, 1002u, 1001u}) {
            setfsuid(id);
            EXPECT_EQ(static_cast<int>(id), setfsuid(kSame));
        }
        setfsuid(0);
        EXPECT_EQ(1001, setfsuid(kSame)) << "refused silently";
    });
}

TEST(SetUid, FsuidTakesTheFileCapabilitiesAlong) {
    child([] {
        constexpr uint64_t kFile = bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) |
                                   bit(CAP_FSETID) | bit(CAP_LINUX_IMMUTABLE) | bit(CAP_MKNOD) | bit(CAP_MAC_OVERRIDE);
        uint64_t before = own_capabilities().effective;
        setfsuid(1000);
        EXPECT_EQ(before & ~kFile, own_capabilities().effective);
        setfsuid(0);
        EXPECT_EQ(before, own_capabilities().effective);
    });
}

TEST(SetUid, AccessGoesByTheFilesystemId) {
    write_file("f", "secret", 0600);
    child([] {
        setfsuid(1000);
        EXPECT_ERRNO(EACCES, open("f", O_RDONLY));
        setfsuid(0);
        EXPECT_OK(open("f", O_RDONLY));
    });
    child([] {
        setfsgid(4444);
        ASSERT_OK(open("new", O_CREAT | O_WRONLY, 0600));
        struct stat info{};
        ASSERT_OK(stat("new", &info));
        EXPECT_EQ(4444u, info.st_gid) << "new files are of the filesystem group";
    });
}

TEST(SetUid, EffectiveOnesComeBackWithRoot) {
    child([] {
        uint64_t all = own_capabilities().permitted;
        ASSERT_OK(seteuid(1000));
        EXPECT_EQ(0u, own_capabilities().effective);
        EXPECT_EQ(all, own_capabilities().permitted) << "the real and saved ids are still root's";
        ASSERT_OK(seteuid(0));
        EXPECT_EQ(all, own_capabilities().effective);
    });
}

TEST(SetUid, LastRootIdTakesThePermittedOnes) {
    child([] {
        ASSERT_OK(setresuid(1000, 1000, 0));
        EXPECT_NE(0u, own_capabilities().permitted) << "the saved one is root's";
        ASSERT_OK(setresuid(kSame, kSame, 1000));
        EXPECT_EQ(0u, own_capabilities().permitted);
    });
}

TEST(SetUid, KeepcapsKeepsPermittedNotEffective) {
    child([] {
        uint64_t all = own_capabilities().permitted;
        ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(all, own_capabilities().permitted);
        EXPECT_EQ(0u, own_capabilities().effective);
        EXPECT_EQ(1, prctl(PR_GET_KEEPCAPS)) << "until execve";
    });
}

TEST(SetUid, InheritableOnesStay) {
    child([] {
        make_inheritable(bit(CAP_NET_RAW));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(bit(CAP_NET_RAW), own_capabilities().inheritable);
    });
}

TEST(SetUid, ChangedIdMakesUndumpable) {
    child([] {
        ASSERT_OK(setresuid(1000, kSame, kSame));
        EXPECT_EQ(1, prctl(PR_GET_DUMPABLE)) << "the real id alone does not";
        ASSERT_OK(seteuid(1000));
        EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
    });
    child([] {
        ASSERT_OK(setresgid(kSame, 5, kSame));
        EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
    });
    child([] {
        setfsuid(5);
        EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
    });
}

TEST(SetUid, LargestIdIsNobody) {
    EXPECT_ERRNO(EINVAL, setuid(kSame));
    EXPECT_ERRNO(EINVAL, setgid(kSame));
    child([] {
        EXPECT_OK(setresuid(kSame, kSame, kSame)) << "all as they are";
        EXPECT_OK(setreuid(kSame, kSame));
        EXPECT_OK(setuid(kSame - 1)) << "the last one that exists";
    });
}

TEST(Groups, AreSortedCountedAndLimited) {
    child([] {
        gid_t wish[] = {30, 10, 20, 10};
        ASSERT_OK(setgroups(4, wish));
        EXPECT_EQ(4, getgroups(0, nullptr)) << "duplicates count";
        gid_t now[4] = {};
        EXPECT_ERRNO(EINVAL, getgroups(3, now));
        EXPECT_ERRNO(EINVAL, getgroups(-1, now));
        ASSERT_EQ(4, getgroups(4, now));
        EXPECT_EQ((std::vector<gid_t>{10, 10, 20, 30}), std::vector<gid_t>(now, now + 4));
    });
    std::vector<gid_t> many(65537, 5);
    EXPECT_ERRNO(EINVAL, setgroups(65537, many.data()));
    child([&] {
        EXPECT_OK(setgroups(65536, many.data()));
        EXPECT_EQ(65536, getgroups(0, nullptr));
    });
}

TEST(Groups, Errors) {
    EXPECT_ERRNO(EFAULT, syscall(SYS_setgroups, 3, 8));
    EXPECT_ERRNO(EINVAL, syscall(SYS_setgroups, -1, nullptr));
    gid_t nobody = static_cast<gid_t>(-1);
    EXPECT_ERRNO(EINVAL, setgroups(1, &nobody));
    gid_t one = 5;
    child([&] {
        ASSERT_OK(setgroups(1, &one));
        EXPECT_ERRNO(EFAULT, syscall(SYS_getgroups, 5, 8));
    });
}

TEST(Groups, AreKeptByForkAndExec) {  // E16, F03
    write_probe("probe");
    Outcome result = run_program_after(
        [] {
            gid_t wish[] = {7, 8};
            ASSERT_OK(setgroups(2, wish));
            child([] { EXPECT_EQ(2, getgroups(0, nullptr)); });
        },
        "./probe", {"p", "cat", "/proc/self/status"});
    EXPECT_NE(std::string::npos, result.output.find("Groups:\t7 8 \n"));
}

TEST(Capset, EffectiveMustBePermitted) {
    child([] {
        CapabilitySets sets = own_capabilities();
        sets.permitted &= ~bit(CAP_NET_RAW);
        EXPECT_ERRNO(EPERM, set_capabilities(sets));
        sets.effective &= ~bit(CAP_NET_RAW);
        EXPECT_OK(set_capabilities(sets));
        sets.permitted |= bit(CAP_NET_RAW);
        EXPECT_ERRNO(EPERM, set_capabilities(sets)) << "what is dropped is gone";
    });
}

TEST(Capset, InheritableNeedSetpcapOrPermitted) {
    child([] {
        ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
        become_user(1000, 1000);
        ASSERT_OK(set_capabilities({0, bit(CAP_NET_RAW), 0}));
        EXPECT_ERRNO(EPERM, set_capabilities({0, bit(CAP_NET_RAW), bit(CAP_SYS_TIME)}));
        EXPECT_OK(set_capabilities({0, bit(CAP_NET_RAW), bit(CAP_NET_RAW)}));
        EXPECT_OK(set_capabilities({0, 0, bit(CAP_NET_RAW)})) << "stays though no longer permitted";
        EXPECT_OK(set_capabilities({0, 0, 0}));
        EXPECT_ERRNO(EPERM, set_capabilities({0, 0, bit(CAP_NET_RAW)}));
    });
}

TEST(Capset, InheritableStaysWithinTheBoundingSet) {
    child([] {
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
        CapabilitySets sets = own_capabilities();
        sets.inheritable = bit(CAP_NET_RAW);
        EXPECT_ERRNO(EPERM, set_capabilities(sets));
    });
}

TEST(Capset, Versions) {
    __user_cap_header_struct header{0, 0};
    __user_cap_data_struct data[2] = {};
    EXPECT_OK(syscall(SYS_capget, &header, nullptr)) << "asks for the version";
    EXPECT_EQ(static_cast<unsigned>(_LINUX_CAPABILITY_VERSION_3), header.version);
    header = {0x1234, 0};
    EXPECT_ERRNO(EINVAL, syscall(SYS_capget, &header, data));
    EXPECT_EQ(static_cast<unsigned>(_LINUX_CAPABILITY_VERSION_3), header.version);
    header = {0x1234, 0};
    EXPECT_ERRNO(EINVAL, syscall(SYS_capset, &header, data));
    header = {_LINUX_CAPABILITY_VERSION_1, 0};
    data[1].effective = 0x77;
    EXPECT_OK(syscall(SYS_capget, &header, data));
    EXPECT_EQ(0x77u, data[1].effective) << "the first version has one part";
    header = {_LINUX_CAPABILITY_VERSION_2, 0};
    EXPECT_OK(syscall(SYS_capget, &header, data));
    EXPECT_NE(0x77u, data[1].effective);
}

TEST(Capset, FirstVersionDropsTheUpperHalf) {
    child([] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_1, 0};
        __user_cap_data_struct data{};
        ASSERT_OK(syscall(SYS_capget, &header, &data));
        ASSERT_OK(syscall(SYS_capset, &header, &data));
        EXPECT_EQ(0u, own_capabilities().permitted >> 32);
    });
}

TEST(Capset, OfOthers) {
    Gate end;
    pid_t pid = start_child([&] { end.wait(); });
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, pid};
    __user_cap_data_struct data[2] = {};
    EXPECT_OK(syscall(SYS_capget, &header, data));
    EXPECT_EQ(static_cast<unsigned>(own_capabilities().permitted), data[0].permitted);
    EXPECT_ERRNO(EPERM, syscall(SYS_capset, &header, data)) << "nobody sets another's";
    header.pid = getpid();
    EXPECT_OK(syscall(SYS_capget, &header, data));
    header.pid = 0x3fffff;
    EXPECT_ERRNO(ESRCH, syscall(SYS_capget, &header, data));
    header.pid = -1;
    EXPECT_ERRNO(EINVAL, syscall(SYS_capget, &header, data));
    EXPECT_ERRNO(EFAULT, syscall(SYS_capget, nullptr, data));
    end.open();
    wait_for(pid);
}

TEST(Capset, IsTheThreadsAlone) {
    std::thread([] { ASSERT_OK(set_capabilities({0, 0, 0})); }).join();
    EXPECT_NE(0u, own_capabilities().permitted);
}

TEST(BoundingSet, DropIsForGoodAndInherited) {
    child([] {
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
        EXPECT_EQ(0, prctl(PR_CAPBSET_READ, CAP_SYS_TIME));
        EXPECT_NE(0u, own_capabilities().permitted & bit(CAP_NET_RAW)) << "the other sets stay";
        child([] { EXPECT_EQ(0, prctl(PR_CAPBSET_READ, CAP_SYS_TIME)); });
        EXPECT_ERRNO(EINVAL, prctl(PR_CAPBSET_READ, 41));
        EXPECT_ERRNO(EINVAL, prctl(PR_CAPBSET_DROP, 41));
        drop(bit(CAP_SETPCAP));
        EXPECT_ERRNO(EPERM, prctl(PR_CAPBSET_DROP, CAP_KILL));
    });
}

TEST(NoNewPrivileges, IsForGoodInheritedAndTheThreadsAlone) {
    child([] {
        std::thread([] { ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }).join();
        EXPECT_EQ(0, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)) << "another thread's";
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        EXPECT_ERRNO(EINVAL, prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
        child([] { EXPECT_EQ(1, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)); });
        EXPECT_OK(setresuid(5, 5, 5)) << "it does not bind setuid";
    });
}

TEST(PrctlFamily, NamesAreCutAndTheThreads) {
    char name[17] = "";
    ASSERT_OK(prctl(PR_SET_NAME, "a name that is far too long"));
    ASSERT_OK(prctl(PR_GET_NAME, name));
    EXPECT_STREQ("a name that is ", name);
    std::thread([] {
        char own[17] = "";
        prctl(PR_GET_NAME, own);
        EXPECT_STREQ("a name that is ", own) << "inherited";
        prctl(PR_SET_NAME, "other");
    }).join();
    prctl(PR_GET_NAME, name);
    EXPECT_STREQ("a name that is ", name);
    EXPECT_ERRNO(EFAULT, prctl(PR_SET_NAME, 8));
}

TEST(PrctlFamily, TimerSlackIsInheritedAndHasADefault) {
    child([] {
        ASSERT_OK(prctl(PR_SET_TIMERSLACK, 12345));
        EXPECT_EQ(12345, prctl(PR_GET_TIMERSLACK));
        child([] {
            EXPECT_EQ(12345, prctl(PR_GET_TIMERSLACK));
            prctl(PR_SET_TIMERSLACK, 777);
            prctl(PR_SET_TIMERSLACK, 0);
            EXPECT_EQ(12345, prctl(PR_GET_TIMERSLACK)) << "0 is the one that it was born with";
        });
    });
}

TEST(PrctlFamily, DumpableValues) {
    child([] {
        EXPECT_ERRNO(EINVAL, prctl(PR_SET_DUMPABLE, 2)) << "only the kernel sets that";
        EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
        EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
        child([] { EXPECT_EQ(0, prctl(PR_GET_DUMPABLE)) << "inherited"; });
    });
}

TEST(PrctlFamily, UnknownOptionIsEinval) {
    EXPECT_ERRNO(EINVAL, prctl(9999, 0, 0, 0, 0));
    EXPECT_ERRNO(EINVAL, prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EXPECT_ERRNO(EINVAL, prctl(PR_SET_KEEPCAPS, 2));
}
