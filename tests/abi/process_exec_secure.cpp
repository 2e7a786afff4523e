// Ambient capabilities, securebits and what a program with more rights than its caller finds at execve. Rule E15.
#include <sys/personality.h>

#include "tests/abi/support/capabilities.h"

using namespace abi_test;

namespace {

void user() {
    become_user(1000, 1000);
}

// A user that keeps capabilities: in `permitted` and `inheritable`, none effective.
void user_with(uint64_t permitted, uint64_t inheritable) {
    ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
    become_user(1000, 1000);
    ASSERT_OK(set_capabilities({0, permitted, inheritable}));
}

void write_capable(const std::string& path, const std::string& value) {
    write_probe(path);
    ASSERT_OK(give_file(path, value));
}

constexpr uint64_t kRaw = bit(CAP_NET_RAW), kTime = bit(CAP_SYS_TIME);

}  // namespace

TEST(Ambient, SurviveExecAndBecomeEffective) {  // E15
    write_probe("f");
    Who who("./f", [] {
        user_with(kRaw | kTime, kRaw);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
    });
    EXPECT_EQ(kRaw, who.capabilities("Prm"));
    EXPECT_EQ(kRaw, who.capabilities("Eff"));
    EXPECT_EQ(kRaw, who.capabilities("Amb"));
    EXPECT_EQ(0, who.aux(AT_SECURE)) << "nothing new";
    EXPECT_EQ(1, who.number("dumpable"));
}

TEST(Ambient, SetIdBitsCancelThem) {  // E15
    write_probe("f");
    ASSERT_OK(chown("f", 555, 556));
    ASSERT_OK(chmod("f", 02755));
    Who who("./f", [] {
        user_with(kRaw, kRaw);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
    });
    EXPECT_EQ(0u, who.capabilities("Prm"));
    EXPECT_EQ(0u, who.capabilities("Amb"));
}

TEST(Ambient, SetIdBitsToTheOwnIdsDoNot) {  // E15
    write_probe("f");
    ASSERT_OK(chown("f", 1000, 1000));
    ASSERT_OK(chmod("f", 06755));
    Who who("./f", [] {
        user_with(kRaw, kRaw);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
    });
    EXPECT_EQ(kRaw, who.capabilities("Amb"));
}

TEST(Ambient, RaiseNeedsPermittedAndInheritable) {
    child([] {
        user_with(kRaw | kTime, kRaw);
        EXPECT_ERRNO(EPERM, raise_ambient(CAP_SYS_TIME)) << "not inheritable";
        EXPECT_ERRNO(EPERM, raise_ambient(CAP_SYS_ADMIN)) << "not permitted";
        EXPECT_OK(raise_ambient(CAP_NET_RAW));
        EXPECT_EQ(1, has_ambient(CAP_NET_RAW));
        EXPECT_EQ(0, has_ambient(CAP_SYS_TIME));
    });
}

TEST(Ambient, GoWithThePermittedOrInheritableOne) {
    child([] {
        user_with(kRaw | kTime, kRaw | kTime);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
        ASSERT_OK(raise_ambient(CAP_SYS_TIME));
        ASSERT_OK(set_capabilities({0, kTime, kRaw | kTime}));
        EXPECT_EQ(0, has_ambient(CAP_NET_RAW)) << "no longer permitted";
        ASSERT_OK(set_capabilities({0, kTime, 0}));
        EXPECT_EQ(0, has_ambient(CAP_SYS_TIME)) << "no longer inheritable";
    });
}

TEST(Ambient, SecurebitForbidsRaising) {
    child([] {
        make_inheritable(kRaw | kTime);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
        EXPECT_ERRNO(EPERM, raise_ambient(CAP_SYS_TIME));
        EXPECT_EQ(1, has_ambient(CAP_NET_RAW)) << "what is raised stays";
        EXPECT_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_RAW, 0, 0));
        EXPECT_EQ(0, has_ambient(CAP_NET_RAW));
    });
}

TEST(Ambient, Errors) {
    EXPECT_ERRNO(EINVAL, prctl(PR_CAP_AMBIENT, 0, 1, 0, 0));
    EXPECT_ERRNO(EINVAL, prctl(PR_CAP_AMBIENT, 5, 1, 0, 0));
    EXPECT_ERRNO(EINVAL, has_ambient(41));
    EXPECT_ERRNO(EINVAL, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1, 1, 0));
    EXPECT_ERRNO(EINVAL, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
    EXPECT_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, 3, 0, 0)) << "lowering what is low";
}

TEST(Ambient, LeavingRootClearsThemUnlessFixupIsOff) {
    child([] {
        make_inheritable(kRaw);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
        ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(0, has_ambient(CAP_NET_RAW)) << "although the permitted ones are kept";
        EXPECT_NE(0u, own_capabilities().permitted);
    });
    child([] {
        make_inheritable(kRaw);
        ASSERT_OK(raise_ambient(CAP_NET_RAW));
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(1, has_ambient(CAP_NET_RAW));
    });
}

TEST(Securebits, NorootMakesRootOrdinary) {  // E15
    write_probe("f");
    Who who("./f", [] { ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT)); });
    EXPECT_EQ(0u, who.capabilities("Prm"));
    EXPECT_EQ("0 0 0 0", who.uids());
    EXPECT_EQ(SECBIT_NOROOT, who.number("securebits")) << "inherited";
}

TEST(Securebits, NorootAndASetUserIdRootProgram) {  // E15
    write_probe("f");
    ASSERT_OK(chmod("f", 04755));
    Who who("./f", [] {
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
        user();
    });
    EXPECT_EQ("1000 0 0 0", who.uids());
    EXPECT_EQ(0u, who.capabilities("Prm"));
}

TEST(Securebits, NorootLeavesFileCapabilities) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::Effective));
    Who who("./f", [] { ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT)); });
    EXPECT_EQ(kRaw, who.capabilities("Eff"));
}

TEST(Securebits, NoSetuidFixupLeavesCapabilitiesAlone) {
    child([] {
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
        CapabilitySets before = own_capabilities();
        ASSERT_OK(setresuid(1000, 1000, 1000));
        EXPECT_EQ(before.permitted, own_capabilities().permitted);
        EXPECT_EQ(before.effective, own_capabilities().effective);
        setfsuid(1);
        EXPECT_EQ(before.effective, own_capabilities().effective);
    });
}

TEST(Securebits, KeepCapsIsClearedByExec) {  // E15
    write_probe("f");
    Who who("./f", [] { ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1)); });
    EXPECT_EQ(0, who.number("keepcaps"));
    EXPECT_EQ(0, who.number("securebits"));
}

TEST(Securebits, LocksHoldForGood) {
    child([] {
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP));
        EXPECT_ERRNO(EPERM, prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)) << "locked as clear";
        EXPECT_ERRNO(EPERM, prctl(PR_SET_SECUREBITS, 0)) << "a lock stays";
        EXPECT_OK(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT_LOCKED)) << "what is not locked goes";
        EXPECT_EQ(SECBIT_NOROOT_LOCKED, prctl(PR_GET_SECUREBITS));
    });
}

TEST(Securebits, KeepCapsCanBeLocked) {
    child([] {
        ASSERT_OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
        EXPECT_ERRNO(EPERM, prctl(PR_SET_KEEPCAPS, 1));
        EXPECT_EQ(0, prctl(PR_GET_KEEPCAPS));
    });
}

TEST(Securebits, ChangeNeedsSetpcap) {
    child([] {
        CapabilitySets sets = own_capabilities();
        sets.effective &= ~bit(CAP_SETPCAP);
        ASSERT_OK(set_capabilities(sets));
        EXPECT_ERRNO(EPERM, prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
        EXPECT_OK(prctl(PR_GET_SECUREBITS));
        EXPECT_OK(prctl(PR_SET_KEEPCAPS, 1)) << "that one is free";
    });
}

TEST(Securebits, UnknownBitsAreRefused) {
    child([] { EXPECT_ERRNO(EPERM, prctl(PR_SET_SECUREBITS, 0x1000)); });
}

TEST(SecureExec, RealRootAloneHasNoEffectiveOnes) {  // E15
    write_probe("f");
    Who who("./f", [] { ASSERT_OK(setresuid(0, 1000, 1000)); });
    EXPECT_EQ("0 1000 1000 1000", who.uids());
    EXPECT_EQ(0u, who.capabilities("Eff"));
    EXPECT_NE(0u, who.capabilities("Prm")) << "the real id is root's";
    EXPECT_EQ(1, who.aux(AT_SECURE));
}

TEST(SecureExec, EffectiveIdThatDiffersIsSecure) {  // E15
    write_probe("f");
    Who who("./f", [] {
        ASSERT_OK(setgroups(0, nullptr));
        ASSERT_OK(setresuid(1000, 1001, 1002));
    });
    EXPECT_EQ("1000 1001 1001 1001", who.uids()) << "the saved id follows";
    EXPECT_EQ(1, who.aux(AT_SECURE));
    EXPECT_EQ(0, who.number("dumpable"));
}

TEST(SecureExec, NoNewPrivilegesKeepsAnEffectiveIdThatDiffers) {  // E15
    write_probe("f");
    Who who("./f", [] {
        ASSERT_OK(setresuid(1000, 1001, 1002));
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    });
    EXPECT_EQ("1000 1001 1001 1001", who.uids()) << "it is no new one";
}

TEST(SecureExec, EffectiveGroupThatIsOnesOwnIsStillSecure) {  // E15
    write_probe("f");
    Who who("./f", [] {
        ASSERT_OK(setresgid(1000, 1001, 1001));
        ASSERT_OK(setresuid(1000, 1000, 1000));
    });
    EXPECT_EQ("1000 1001 1001 1001", who.gids());
    EXPECT_EQ(1, who.aux(AT_SECURE));
}

TEST(SecureExec, SetGroupIdToASupplementaryGroup) {  // E15
    write_probe("f");
    ASSERT_OK(chown("f", 0, 556));
    ASSERT_OK(chmod("f", 02755));
    Who who("./f", [] {
        gid_t group = 556;
        ASSERT_OK(setgroups(1, &group));
        ASSERT_OK(setresgid(1000, 1000, 1000));
        ASSERT_OK(setresuid(1000, 1000, 1000));
    });
    EXPECT_EQ("1000 556 556 556", who.gids());
    EXPECT_EQ(1, who.aux(AT_SECURE));
    EXPECT_EQ(0, who.number("dumpable"));
}

TEST(SecureExec, DeathSignalIsForgotten) {  // E15, X04
    write_probe("f");
    write_probe("suid");
    ASSERT_OK(chown("suid", 555, 556));
    ASSERT_OK(chmod("suid", 04755));
    auto ask = [] {
        user();
        ASSERT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    };
    EXPECT_EQ(SIGUSR1, Who("./f", ask).number("death-signal"));
    EXPECT_EQ(0, Who("./suid", ask).number("death-signal"));
}

TEST(SecureExec, PersonalityThatWeakensIsCleared) {  // E15
    write_probe("f");
    write_probe("suid");
    ASSERT_OK(chown("suid", 555, 556));
    ASSERT_OK(chmod("suid", 04755));
    auto ask = [] {
        user();
        personality(ADDR_NO_RANDOMIZE | UNAME26);
    };
    EXPECT_EQ(ADDR_NO_RANDOMIZE | UNAME26, Who("./f", ask).number("personality"));
    EXPECT_EQ(UNAME26, Who("./suid", ask).number("personality"));
}

TEST(SecureExec, StackLimitIsReset) {  // E15
    write_probe("suid");
    ASSERT_OK(chown("suid", 555, 556));
    ASSERT_OK(chmod("suid", 04755));
    auto ask = [](rlim_t size) {
        return [size] {
            rlimit limit{size, RLIM_INFINITY};
            ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
            user();
        };
    };
    EXPECT_EQ(8 << 20, Who("./suid", ask(100 << 20)).number("stack-limit"));
    EXPECT_EQ(4 << 20, Who("./suid", ask(4 << 20)).number("stack-limit")) << "less is left alone";
    write_probe("f");
    EXPECT_EQ(100 << 20, Who("./f", ask(100 << 20)).number("stack-limit"));
}

TEST(SecureExec, UnreadableProgramIsNotDumpable) {  // E15
    write_probe("f", Probe::Static, 0711);
    EXPECT_EQ(0, Who("./f", user).number("dumpable"));
    EXPECT_EQ(1, Who("./f", [] {}).number("dumpable")) << "root may read it";
}

TEST(SecureExec, DumpableComesBackWithAnOrdinaryProgram) {  // E15
    write_probe("f");
    Who who("./f", [] { ASSERT_OK(prctl(PR_SET_DUMPABLE, 0)); });
    EXPECT_EQ(1, who.number("dumpable"));
}

TEST(SecureExec, FilesystemIdsFollowTheEffectiveOnes) {  // E15
    write_probe("f");
    Who who("./f", [] {
        setfsuid(77);
        setfsgid(78);
    });
    EXPECT_EQ("0 0 0 0", who.uids());
    EXPECT_EQ("0 0 0 0", who.gids());
}
