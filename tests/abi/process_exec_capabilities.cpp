// File capabilities: what they give at execve, what takes them away, their forms. Rule E15, capabilities(7).
#include <sys/mount.h>
#include <sys/ptrace.h>

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

constexpr uint64_t kRaw = bit(CAP_NET_RAW), kTime = bit(CAP_SYS_TIME), kBpf = bit(CAP_BPF);

}  // namespace

TEST(FileCapabilities, PermittedOnesAreGiven) {  // E15
    write_capable("f", file_capabilities(kRaw | kBpf, 0, FileBit::None));
    Who who("./f", user);
    EXPECT_EQ(kRaw | kBpf, who.capabilities("Prm"));
    EXPECT_EQ(0u, who.capabilities("Eff")) << "the program must raise them";
    EXPECT_EQ("1000 1000 1000 1000", who.uids());
}

TEST(FileCapabilities, EffectiveBitRaisesThem) {  // E15
    write_capable("f", file_capabilities(kRaw | kBpf, 0, FileBit::Effective));
    Who who("./f", user);
    EXPECT_EQ(kRaw | kBpf, who.capabilities("Prm"));
    EXPECT_EQ(kRaw | kBpf, who.capabilities("Eff"));
}

TEST(FileCapabilities, InheritableNeedBothSides) {  // E15
    write_capable("f", file_capabilities(0, kRaw | kTime, FileBit::Effective));
    Who without("./f", user);
    EXPECT_EQ(0u, without.capabilities("Prm"));
    Who with("./f", [] { user_with(0, kRaw | kBpf); });
    EXPECT_EQ(kRaw, with.capabilities("Prm"));
    EXPECT_EQ(kRaw, with.capabilities("Eff"));
    EXPECT_EQ(kRaw | kBpf, with.capabilities("Inh")) << "stay through execve";
}

TEST(FileCapabilities, ProcesssPermittedAreLost) {  // E15
    write_probe("f");
    Who who("./f", [] { user_with(kRaw | kTime, 0); });
    EXPECT_EQ(0u, who.capabilities("Prm"));
}

TEST(FileCapabilities, BoundingSetMasksThem) {  // E15
    write_capable("f", file_capabilities(kRaw | kTime, 0, FileBit::None));
    Who who("./f", [] {
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
        user();
    });
    EXPECT_EQ(kRaw, who.capabilities("Prm"));
    EXPECT_EQ(0u, who.capabilities("Bnd") & kTime);
}

TEST(FileCapabilities, EffectiveProgramThatCannotHaveAllIsRefused) {  // E15
    write_capable("f", file_capabilities(kRaw | kTime, 0, FileBit::Effective));
    Outcome result = run_program_after(
        [] {
            ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
            user();
        },
        "./f", {"p"});
    EXPECT_ENDS("exit " + std::to_string(200 + EPERM), result.status);
}

TEST(FileCapabilities, BoundingSetDoesNotMaskTheInheritableOnes) {  // E15
    write_capable("f", file_capabilities(0, kTime, FileBit::Effective));
    Who who("./f", [] {
        make_inheritable(kTime);
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
        user();
    });
    EXPECT_EQ(kTime, who.capabilities("Prm"));
}

TEST(FileCapabilities, UnknownOnesAreMaskedAway) {  // E15
    write_capable("f", file_capabilities(kRaw | bit(60), bit(63), FileBit::Effective));
    Who who("./f", user);
    EXPECT_EQ(kRaw, who.capabilities("Prm"));
}

TEST(FileCapabilities, RevisionThreeOfRootIsTheSame) {  // E15
    write_capable("f", file_capabilities(kBpf, 0, FileBit::Effective, 3, 0));
    Who who("./f", user);
    EXPECT_EQ(kBpf, who.capabilities("Eff"));
}

TEST(FileCapabilities, RevisionThreeOfAnotherRootGivesNothing) {  // E15
    write_capable("f", file_capabilities(kBpf, 0, FileBit::Effective, 3, 1000));
    Who who("./f", user);
    EXPECT_EQ(0u, who.capabilities("Prm"));
    EXPECT_EQ(0, who.aux(AT_SECURE));
}

TEST(FileCapabilities, MakeTheProgramSecure) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    Who who("./f", user);
    EXPECT_EQ(1, who.aux(AT_SECURE));
    EXPECT_EQ(0, who.number("dumpable"));
    write_capable("empty", file_capabilities(0, 0, FileBit::None));
    Who nothing("./empty", user);
    EXPECT_EQ(0, nothing.aux(AT_SECURE)) << "no more rights than before";
    EXPECT_EQ(1, nothing.number("dumpable"));
    write_capable("effective", file_capabilities(0, 0, FileBit::Effective));
    Who effective("./effective", user);
    EXPECT_EQ(1, effective.aux(AT_SECURE)) << "the effective bit alone";
}

TEST(FileCapabilities, ThoseThatOneHasMakeItSecureToo) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::Effective));
    Who who("./f", [] { user_with(kRaw, 0); });
    EXPECT_EQ(1, who.aux(AT_SECURE));
    EXPECT_EQ(1, who.number("dumpable")) << "but nobody gained anything";
}

TEST(FileCapabilities, NosuidMountIgnoresThem) {  // E15
    ASSERT_OK(mkdir("m", 0755));
    ASSERT_OK(mount("none", "m", "tmpfs", MS_NOSUID, "mode=755"));
    write_capable("m/f", file_capabilities(kRaw, 0, FileBit::Effective));
    Who who("m/f", user);
    EXPECT_EQ(0u, who.capabilities("Prm"));
    EXPECT_EQ(0, who.aux(AT_SECURE));
    umount2("m", MNT_DETACH);
}

TEST(FileCapabilities, NoNewPrivilegesTakesThemAway) {  // E15
    write_capable("f", file_capabilities(kRaw | kTime, 0, FileBit::Effective));
    Who who("./f", [] {
        user_with(kTime, 0);
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    });
    EXPECT_EQ(kTime, who.capabilities("Prm")) << "what the process had, it may keep";
    EXPECT_EQ(kTime, who.capabilities("Eff"));
    EXPECT_EQ(1, who.number("no-new-privileges"));
}

TEST(FileCapabilities, UnderATracerWithoutRights) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::Effective));
    int ends[2];
    ASSERT_OK(pipe(ends));
    as_user(1000, [&] {
        pid_t pid = start_child([&] {
            dup2(ends[1], 1);
            close(ends[1]);
            ASSERT_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
            execve("./f", pointers({"p", "cat", "/proc/self/status"}).data(), pointers({}).data());
        });
        EXPECT_ENDS("stopped SIGTRAP", wait_for(pid));
        ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
        EXPECT_ENDS("exit 0", wait_for(pid));
    });
    close(ends[1]);
    EXPECT_NE(std::string::npos, read_all(ends[0]).find("CapPrm:\t0000000000000000"));
}

TEST(FileCapabilities, SharedDirectoryForbidsThem) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::Effective));
    // The child of clone(CLONE_FS) executes while its parent, which could change its root, lives.
    int ends[2];
    ASSERT_OK(pipe(ends));
    as_user(1000, [&] {
        long pid = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) {
            dup2(ends[1], 1);
            close(ends[1]);
            execve("./f", pointers({"p", "cat", "/proc/self/status"}).data(), pointers({}).data());
            _exit(97);
        }
        EXPECT_ENDS("exit 0", wait_for(static_cast<pid_t>(pid)));
    });
    close(ends[1]);
    EXPECT_NE(std::string::npos, read_all(ends[0]).find("CapPrm:\t0000000000000000"));
}

TEST(FileCapabilities, RootGetsEverythingAnyway) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    write_probe("plain");
    Who plain("./plain", [] {});
    Who who("./f", [] {});
    EXPECT_EQ(plain.capabilities("Prm"), who.capabilities("Prm"));
    EXPECT_EQ(plain.capabilities("Prm"), who.capabilities("Eff"));
    EXPECT_EQ(0, who.aux(AT_SECURE));
}

TEST(FileCapabilities, SetUserIdRootProgramGetsOnlyThese) {  // E15
    write_probe("f");
    ASSERT_OK(chmod("f", 04755));
    ASSERT_OK(give_file("f", file_capabilities(kRaw, 0, FileBit::Effective)));
    Who who("./f", user);
    EXPECT_EQ("1000 0 0 0", who.uids());
    EXPECT_EQ(kRaw, who.capabilities("Prm")) << "not root's";
    EXPECT_EQ(kRaw, who.capabilities("Eff"));
}

TEST(FileCapabilities, SetUserIdOfAUserGetsBoth) {  // E15
    write_probe("f");
    ASSERT_OK(chown("f", 555, 556));
    ASSERT_OK(chmod("f", 06755));
    ASSERT_OK(give_file("f", file_capabilities(kRaw, 0, FileBit::Effective)));
    Who who("./f", user);
    EXPECT_EQ("1000 555 555 555", who.uids());
    EXPECT_EQ("1000 556 556 556", who.gids());
    EXPECT_EQ(kRaw, who.capabilities("Eff"));
}

TEST(FileCapabilities, OfAScriptDoNotCountButItsInterpretersDo) {  // E15, trap N
    write_capable("probe", file_capabilities(kRaw, 0, FileBit::Effective));
    write_file("script", "#!./probe who\n", 0755);
    ASSERT_OK(give_file("script", file_capabilities(kTime, 0, FileBit::Effective)));
    Who who("./script", user);
    EXPECT_EQ(kRaw, who.capabilities("Prm"));
}

TEST(FileCapabilities, AmbientOnesAreCancelled) {  // E15
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    Who who("./f", [] {
        user_with(kTime, kTime);
        ASSERT_OK(raise_ambient(CAP_SYS_TIME));
    });
    EXPECT_EQ(kRaw, who.capabilities("Prm"));
    EXPECT_EQ(0u, who.capabilities("Amb"));
    EXPECT_EQ(kTime, who.capabilities("Inh"));
}

TEST(FileCapabilities, EmptyOnesCancelTheAmbientToo) {  // E15
    write_capable("f", file_capabilities(0, 0, FileBit::None));
    Who who("./f", [] {
        user_with(kTime, kTime);
        ASSERT_OK(raise_ambient(CAP_SYS_TIME));
    });
    EXPECT_EQ(0u, who.capabilities("Prm"));
}

TEST(FileCapabilities, AWriteTakesThemAway) {  // capabilities(7): also root's
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    char value[24];
    EXPECT_EQ(20, getxattr("f", "security.capability", value, sizeof value));
    int file = open("f", O_WRONLY);
    EXPECT_EQ(20, getxattr("f", "security.capability", value, sizeof value)) << "opening does nothing";
    ASSERT_EQ(1, pwrite(file, "\x7f", 1, 0));
    EXPECT_ERRNO(ENODATA, getxattr("f", "security.capability", value, sizeof value));
}

TEST(FileCapabilities, TruncationTakesThemAway) {
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    ASSERT_OK(truncate("f", 100));
    char value[24];
    EXPECT_ERRNO(ENODATA, getxattr("f", "security.capability", value, sizeof value));
    write_capable("g", file_capabilities(kRaw, 0, FileBit::None));
    ASSERT_OK(open("g", O_WRONLY | O_TRUNC));
    EXPECT_ERRNO(ENODATA, getxattr("g", "security.capability", value, sizeof value));
}

TEST(FileCapabilities, AnOwnersChangeTakesThemAway) {
    write_capable("f", file_capabilities(kRaw, 0, FileBit::None));
    char value[24];
    ASSERT_OK(chmod("f", 0700));
    EXPECT_EQ(20, getxattr("f", "security.capability", value, sizeof value)) << "another mode does not";
    ASSERT_OK(chown("f", 7, 7));
    EXPECT_ERRNO(ENODATA, getxattr("f", "security.capability", value, sizeof value));
}

TEST(FileCapabilities, FormsThatSetxattrTakes) {
    write_probe("f");
    EXPECT_ERRNO(EINVAL, give_file("f", file_capabilities(kRaw, 0, FileBit::None, 1))) << "revision 1 is history";
    EXPECT_ERRNO(EINVAL, give_file("f", file_capabilities(kRaw, 0, FileBit::None).substr(0, 19)));
    EXPECT_ERRNO(EINVAL, give_file("f", file_capabilities(kRaw, 0, FileBit::None) + "1234")) << "2 with 3's size";
    std::string other_flags = file_capabilities(kRaw, 0, FileBit::None);
    other_flags[0] = 2;
    EXPECT_ERRNO(EINVAL, give_file("f", other_flags));
    EXPECT_ERRNO(EINVAL, give_file("f", file_capabilities(kRaw, 0, FileBit::None, 3, ~0U))) << "nobody's root";
    EXPECT_ERRNO(EINVAL, give_file("f", "abc"));
}

TEST(FileCapabilities, RevisionThreeIsShownAsTwoToItsRoot) {
    write_capable("f", file_capabilities(kRaw | kBpf, kTime, FileBit::Effective, 3, 0));
    char value[24];
    ASSERT_EQ(20, getxattr("f", "security.capability", value, sizeof value));
    EXPECT_EQ(file_capabilities(kRaw | kBpf, kTime, FileBit::Effective), std::string(value, 20));
    EXPECT_EQ(20, getxattr("f", "security.capability", nullptr, 0));
    EXPECT_EQ(20, getxattr("f", "security.capability", value, 20)) << "the kernel has 24";
    EXPECT_ERRNO(ERANGE, getxattr("f", "security.capability", value, 19));
    write_capable("g", file_capabilities(kRaw, 0, FileBit::None, 3, 1000));
    EXPECT_EQ(24, getxattr("g", "security.capability", value, sizeof value));
}

TEST(FileCapabilities, SettingThemNeedsSetfcap) {
    write_probe("f");
    ASSERT_OK(chown("f", 1000, 1000));
    as_user(1000, [] { EXPECT_ERRNO(EPERM, give_file("f", file_capabilities(kRaw, 0, FileBit::None))); });
    child([] {
        user_with(bit(CAP_SETFCAP), 0);
        ASSERT_OK(set_capabilities({bit(CAP_SETFCAP), bit(CAP_SETFCAP), 0}));
        EXPECT_OK(give_file("f", file_capabilities(kRaw, 0, FileBit::None))) << "the own file";
    });
}
