// Set-user-ID, set-group-ID and capabilities across execve. Rule E15.
#include <sys/auxv.h>

#include "tests/abi/support/abi.h"

using namespace abi_test;

namespace {

unsigned long aux(const Outcome& outcome, int type) {
    std::string value = fact(outcome.output, "aux " + std::to_string(type));
    return value == "(none)" ? 0 : std::stoul(value);
}

std::string status_line(const std::string& text, const std::string& name) {
    size_t at = ("\n" + text).find("\n" + name + ":");
    if (at == std::string::npos) {
        return "(none)";
    }
    at = text.find_first_not_of(" \t", at + name.size() + 1);
    return text.substr(at, text.find('\n', at) - at);
}

}  // namespace

TEST(ExecCredentials, SetUserIdApplies) {  // E15
    write_probe("suid");
    ASSERT_OK(chown("suid", 555, 556));
    ASSERT_OK(chmod("suid", 06755));
    Outcome result = run_program_after([] { become_user(1000, 1001); }, "./suid", {"p", "dump"});
    EXPECT_EQ(1000u, aux(result, AT_UID));
    EXPECT_EQ(555u, aux(result, AT_EUID));
    EXPECT_EQ(1001u, aux(result, AT_GID));
    EXPECT_EQ(556u, aux(result, AT_EGID));
    EXPECT_EQ(1u, aux(result, AT_SECURE));
    Outcome ids = run_program_after([] { become_user(1000, 1001); }, "./suid", {"p", "cat", "/proc/self/status"});
    EXPECT_EQ("1000\t555\t555\t555", status_line(ids.output, "Uid")) << "saved and file-system ids follow";
}

TEST(ExecCredentials, NoNewPrivilegesForbidsIt) {  // E15
    write_probe("suid");
    ASSERT_OK(chown("suid", 555, 556));
    ASSERT_OK(chmod("suid", 04755));
    Outcome result = run_program_after(
        [] {
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            become_user(1000, 1001);
        },
        "./suid", {"p", "dump"});
    EXPECT_EQ(1000u, aux(result, AT_EUID));
    EXPECT_EQ(0u, aux(result, AT_SECURE));
}

TEST(ExecCredentials, ScriptsNeverGain) {  // E15, trap N
    write_probe("probe");
    write_file("script", "#!./probe dump\n");
    ASSERT_OK(chown("script", 555, 556));
    ASSERT_OK(chmod("script", 06755));
    Outcome result = run_program_after([] { become_user(1000, 1001); }, "./script", {"p"});
    EXPECT_EQ(1000u, aux(result, AT_EUID));
    EXPECT_EQ(1001u, aux(result, AT_EGID));
}

TEST(ExecCredentials, RootOwnedGivesCapabilitiesUserLosesThem) {  // E15
    write_probe("suid");
    ASSERT_OK(chmod("suid", 04755));
    write_probe("plain");
    auto effective = [](const char* program) {
        Outcome result = run_program_after([] { become_user(1000, 1000); }, program, {"p", "cat", "/proc/self/status"});
        return status_line(result.output, "CapEff");
    };
    EXPECT_EQ("0000000000000000", effective("./plain"));
    EXPECT_NE("0000000000000000", effective("./suid"));
}

TEST(ExecCredentials, SetGroupIdWithoutExecuteBitIsIgnored) {  // E15
    write_probe("sgid");
    ASSERT_OK(chown("sgid", 555, 556));
    ASSERT_OK(chmod("sgid", 02745));
    Outcome result = run_program_after([] { become_user(1000, 1001); }, "./sgid", {"p", "dump"});
    EXPECT_EQ(1001u, aux(result, AT_EGID));
}
